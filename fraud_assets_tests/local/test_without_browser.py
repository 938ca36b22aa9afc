"""A machine without Chrome or Chromium: the run succeeds, says once what is missing, and lacks the pictures only."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from fraud_assets_tests.local.test_bad_input import DAY, SETTINGS, YESTERDAY, batch_of
from fraud_assets_tests.small_world import ALL_ASSETS, SIGNING_KEY

HOW_TO_GET_ONE = "apt-get install chromium"


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    """Two days of files; pictures are wanted."""
    (tmp_path / "landing").mkdir()
    for day in (YESTERDAY, DAY):
        batch_of(day).to_csv(tmp_path / "landing" / f"{day}.csv", index=False)
    (tmp_path / "fraud.toml").write_text(SETTINGS.replace("pictures = false", "pictures = true"))
    return tmp_path


def test_everything_but_pictures_is_made_and_what_is_missing_is_said_once(landing: Path, database_url: str) -> None:
    empty = landing / "empty"
    empty.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "BROWSER_PATH"}
    environment |= {"PATH": str(empty), "FRAUD_DATABASE_URL": database_url, "FRAUD_SIGNING_KEY": SIGNING_KEY}
    run = subprocess.run(
        [sys.executable, "-m", "fraud_assets.local", "run", "--date", str(DAY)],
        cwd=landing, env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stderr.count(HOW_TO_GET_ONE) == 1
    with psycopg.connect(database_url) as connection:
        made = connection.execute(
            "SELECT asset_key FROM dagster_io.versions WHERE partition_key = %s AND status = 'current'", [str(DAY)]
        ).fetchall()
        events = connection.execute(
            "SELECT run_id, event FROM event_logs WHERE dagster_event_type = 'ASSET_MATERIALIZATION' OR event LIKE %s",
            [f"%{HOW_TO_GET_ONE}%"],
        ).fetchall()
    assert {str(row[0]) for row in made} == set(ALL_ASSETS)
    told = [run_id for run_id, event in events if HOW_TO_GET_ONE in event]
    assert len(told) == len(set(told)) > 0, "once in the log of a run"
    materializations = [event for _, event in events if HOW_TO_GET_ONE not in event]
    assert materializations
    assert not [event for event in materializations if "data:image" in event]
    assert [event for event in materializations if "average_precision" in event], "the numbers are there"
