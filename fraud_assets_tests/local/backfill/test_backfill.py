"""Backfills through the command line: exactly the days asked for, around what fails, and going on afterwards."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pandas as pd
import psycopg
import pytest
from sqlalchemy import create_engine

from fraud_assets.local.backfill.record import BACKFILL_TAG, begin
from fraud_assets.local.database import open_workplace
from fraud_assets.settings import load_settings
from fraud_assets_tests.local.command import Command
from fraud_assets_tests.small_world import SIGNING_KEY, SMALL_TOML

FIRST = date(2024, 5, 1)
RANGE = ("raw_batch", "rejected_rows", "labels", "cleaned_features")
FILES_TOML = """
label_delay_days = 1
home = "home"
start_date = "2024-05-01"
[reports]
pictures = false
[retries]
attempts = 0
[source]
kind = "files"
folder = "landing"
pattern = "{date}.csv"
[source.columns]
transaction_id = "id"
timestamp = "time"
timestamp_timezone = "UTC"
amount = "eur"
label = "fraud"
customer = "card"
"""
Versions = Counter[tuple[str, str]]


def days(number: int) -> list[str]:
    return [(FIRST + timedelta(days=n)).isoformat() for n in range(number)]


def batch(day: str, rows: int = 20) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": [f"{day}-{n:04}" for n in range(rows)],
            "time": pd.date_range(f"{day} 01:00", periods=rows, freq="10min"),
            "eur": [10.0 + n for n in range(rows)],
            "fraud": [int(n % 8 == 0) for n in range(rows)],
            "card": [f"c{n % 5}" for n in range(rows)],
        }
    )


def write(day: str) -> None:
    Path("landing").mkdir(exist_ok=True)
    batch(day).to_csv(f"landing/{day}.csv", index=False)


@pytest.fixture(autouse=True)
def surroundings(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("FRAUD_DATABASE_URL", database_url)
    monkeypatch.setenv("FRAUD_SIGNING_KEY", SIGNING_KEY)
    environment = dict(os.environ)
    yield
    # Opening the workplace completes the environment for children of the process; the next test has another one.
    os.environ.clear()
    os.environ.update(environment)


def settings(text: str) -> None:
    Path("fraud.toml").write_text(text)


def versions(url: str) -> Versions:
    """How many versions there are of each asset and day."""
    with psycopg.connect(url) as connection:
        return Counter(connection.execute("SELECT asset_key, partition_key FROM dagster_io.versions").fetchall())


def of(assets: tuple[str, ...], chosen: list[str]) -> Versions:
    return Counter((asset, day) for asset in assets for day in chosen)


def told(url: str) -> set[tuple[str, str, int]]:
    """What Dagster has on record: asset, day, version."""
    found = set()
    with open_workplace(load_settings()).instance() as instance:
        for key in instance.all_asset_keys():
            for record in instance.fetch_materializations(key, limit=1000).records:
                event = record.asset_materialization
                assert event is not None
                number = event.metadata["version"].value
                assert isinstance(number, int)
                found.add((key.to_user_string(), str(event.partition), number))
    return found


def in_ledger(url: str) -> set[tuple[str, str, int]]:
    with psycopg.connect(url) as connection:
        return set(connection.execute("SELECT asset_key, partition_key, version FROM dagster_io.versions").fetchall())


def runs() -> list[dg.DagsterRun]:
    with open_workplace(load_settings()).instance() as instance:
        return [run for run in instance.get_runs() if BACKFILL_TAG in run.tags]


def command(first: str, last: str, *select: str) -> list[str]:
    return ["backfill", "--from", first, "--to", last, *(part for name in select for part in ("--select", name))]


def test_the_days_asked_for_of_the_assets_asked_for_and_nothing_else_in_one_run(
    database_url: str, fraud_assets: Command
) -> None:
    settings(FILES_TOML)
    for day in days(8):
        write(day)
    said = fraud_assets(*command(days(8)[1], days(8)[6], "raw_batch", "labels", "cleaned_features"))
    assert said.code == 0, said.err
    asked = days(7)[1:]
    assert versions(database_url) == of(RANGE, asked)
    assert told(database_url) == in_ledger(database_url)
    assert [run.status for run in runs()] == [dg.DagsterRunStatus.SUCCESS]
    assert "rejected_rows comes along" in said.err
    assert [line.split()[1:5] for line in said.out.splitlines() if "cleaned_features" in line] == [
        ["6", "of", "6", "120"]
    ]
    again = fraud_assets("backfill", "--resume")
    assert (again.code, "no backfill to go on with" in again.err) == (1, True)


def test_missing_and_bad_files_are_left_out_said_and_made_once_they_are_right(
    database_url: str, fraud_assets: Command
) -> None:
    settings(FILES_TOML)
    everything = days(7)
    missing, bad = everything[2], everything[4]
    for day in everything:
        write(day)
    Path(f"landing/{missing}.csv").unlink()
    Path(f"landing/{bad}.csv").write_text("id,time\n1,2\n")
    said = fraud_assets(*command(everything[0], everything[-1], *RANGE))
    assert said.code == 1
    good = [day for day in everything if day not in (missing, bad)]
    # Labels of a day are those of batches before it.
    expected = of(("raw_batch", "rejected_rows", "cleaned_features"), good) + of(("labels",), everything)
    assert versions(database_url) == expected
    for day in (missing, bad):
        assert f"{day} is without raw_batch, rejected_rows, cleaned_features: " in said.out
    assert "fraud-assets backfill --resume" in said.out
    write(missing)
    write(bad)
    said = fraud_assets("backfill", "--resume")
    assert said.code == 0, said.err
    assert versions(database_url) == of(RANGE, everything)
    assert told(database_url) == in_ledger(database_url)


def test_a_day_that_breaks_the_run_is_found_and_alone_is_lost(database_url: str, fraud_assets: Command) -> None:
    """A database's rows are not asked for twice, so a day that is of no use is met in the middle of the run."""
    settings(
        FILES_TOML.split("[source]")[0]
        + SQL_TOML.format(url=database_url.replace("postgresql:", "postgresql+psycopg:"))
    )
    everything = days(6)
    rows = pd.concat([batch(day) for day in everything])
    broken = everything[3]
    rows.loc[rows["time"].dt.date.astype("str") == broken, "eur"] = float("nan")
    rows.to_sql("transactions", create_engine(database_url.replace("postgresql:", "postgresql+psycopg:")), index=False)
    said = fraud_assets(*command(everything[0], everything[-1], *RANGE))
    assert said.code == 1, said.err
    assert f"{broken} is without raw_batch, rejected_rows, cleaned_features: raw_batch failed: " in said.out
    assert "every one of its 20 rows is rejected" in said.out
    good = [day for day in everything if day != broken]
    stored = versions(database_url)
    assert set(stored) == set(
        of(("raw_batch", "rejected_rows", "cleaned_features"), good) + of(("labels",), everything)
    )
    # Those before the broken one were stored by the run that it broke, without their rejected rows: once more.
    assert {key: number for key, number in stored.items() if number > 1} == {
        ("raw_batch", day): 2 for day in everything[:3]
    }
    assert told(database_url) == in_ledger(database_url)


SQL_TOML = """
[source]
kind = "sql"
url = "{url}"
table = "transactions"
[source.columns]
transaction_id = "id"
timestamp = "time"
timestamp_timezone = "UTC"
amount = "eur"
label = "fraud"
customer = "card"
"""


def test_an_interrupted_backfill_goes_on_where_it_has_ended(database_url: str, fraud_assets: Command) -> None:
    settings(SMALL_TOML)
    code, words = _end_with(signal.SIGINT, database_url, *command("2026-02-01", "2026-03-15", *RANGE))
    assert (code, "  fraud-assets backfill --resume" in words) == (130, True)
    stored = versions(database_url)
    assert 5 < len(stored) < len(RANGE) * 43
    code, _ = _end_with(signal.SIGKILL, database_url, "backfill", "--resume")
    assert code == -signal.SIGKILL
    said = fraud_assets("backfill", "--resume")
    assert said.code == 0, said.err
    with psycopg.connect(database_url) as connection:
        current = connection.execute(
            "SELECT asset_key, count(*) FROM dagster_io.versions WHERE status = 'current' GROUP BY 1"
        ).fetchall()
    assert dict(current) == dict.fromkeys(RANGE, 43)
    assert told(database_url) == in_ledger(database_url)


def _end_with(how: signal.Signals, url: str, *arguments: str) -> tuple[int, str]:
    """Run a command, and end it when it has stored some more: its exit code, and what it said."""
    with psycopg.connect(url) as connection:
        is_new = connection.execute("SELECT to_regclass('dagster_io.versions')").fetchone() == (None,)
    more = 5 if is_new else versions(url).total() + 5
    asked = [sys.executable, "-m", "fraud_assets.local", *arguments]
    with subprocess.Popen(asked, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        _wait_for(url, f"SELECT FROM dagster_io.versions OFFSET {more}", process)
        process.send_signal(how)
        _, words = process.communicate(timeout=60)
    return process.returncode, words


def test_nobody_goes_on_with_a_backfill_that_is_going_on(database_url: str, fraud_assets: Command) -> None:
    settings(FILES_TOML)
    begun = begin(open_workplace(load_settings()), FIRST, FIRST, ["labels"])
    said = fraud_assets("backfill", "--resume")
    assert (said.code, f"Backfill {begun.number} is still going on, in process {os.getpid()}" in said.err) == (1, True)


def _wait_for(url: str, query: str, process: "subprocess.Popen[str]") -> None:
    while process.poll() is None:
        try:
            with psycopg.connect(url) as connection:
                if connection.execute(query.encode()).fetchone() is not None:
                    return
        except psycopg.errors.UndefinedTable:
            pass
        time.sleep(0.02)
    pytest.fail(f"the command ended by itself: {process.communicate()[1]}")


def test_models_go_on_from_the_last_champion_over_a_day_that_has_none(database_url: str, fraud_assets: Command) -> None:
    settings(SMALL_TOML)
    for first, last in (("2026-02-20", "2026-03-15"), ("2026-03-17", "2026-03-17")):
        assert fraud_assets(*command(first, last, "raw_batch", "labels", "cleaned_features")).code == 0
    models = ("candidate_models/logistic_regression", "evaluation_table", "evaluation_slices", "best_model")
    said = fraud_assets(*command("2026-03-15", "2026-03-17", *models))
    assert said.code == 1, said.err
    assert "2026-03-16 is without evaluation_slices" in said.out
    assert "needs labels of that day, which is not stored; --select it too" in said.out
    stored = versions(database_url)
    assert [day for asset, day in sorted(stored) if asset == "best_model"] == ["2026-03-15", "2026-03-17"]
    with psycopg.connect(database_url) as connection:
        facts = connection.execute(
            "SELECT facts FROM dagster_io.versions WHERE (asset_key, partition_key) = ('best_model', '2026-03-17')"
        ).fetchone()
    assert facts is not None
    assert facts[0]["champion_day"] == "2026-03-15"


def test_a_batch_that_is_not_trusted_loses_what_is_made_of_it(database_url: str, fraud_assets: Command) -> None:
    settings(FILES_TOML)
    for day in days(3):
        write(day)
    assert fraud_assets(*command(days(3)[0], days(3)[-1], "raw_batch", "labels")).code == 0
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE dagster_io.versions SET facts = facts || %s WHERE (asset_key, partition_key) = ('raw_batch', %s)",
            [json.dumps({"rows_in": 21}), days(3)[1]],
        )
    said = fraud_assets(*command(days(3)[0], days(3)[-1], "cleaned_features"))
    assert said.code == 1
    assert "is without cleaned_features: its raw_batch is not trusted: 21 rows received, 20 stored" in said.out
    assert [day for asset, day in sorted(versions(database_url)) if asset == "cleaned_features"] == [
        days(3)[0],
        days(3)[2],
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (command("2024-05-03", "2024-05-01"), "--from 2024-05-03 is after --to 2024-05-01"),
        (command("2024-04-30", "2024-05-01"), "2024-04-30 is before the first day, 2024-05-01"),
        (command("2024-05-01", "2999-05-01"), "2999-05-01 has not ended yet"),
        (command("2024-05-01", "2024-05-01", "raw_batsch"), "did you mean raw_batch"),
        (command("2024-05-01", "2024-05-01", "candidate"), "did you mean candidate_models/"),
        (["backfill", "--resume"], "There is no backfill to go on with"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(
    arguments: list[str], sentence: str, database_url: str, fraud_assets: Command
) -> None:
    settings(FILES_TOML)
    said = fraud_assets(*arguments)
    assert said.code == 1
    assert sentence in said.err
    assert versions(database_url) == Counter()


def test_days_and_resume_exclude_each_other(fraud_assets: Command) -> None:
    assert fraud_assets("backfill", "--resume", "--from", "2024-05-01").code == 2
    assert fraud_assets("backfill", "--from", "2024-05-01").code == 2


def test_a_selection_in_dagsters_syntax(database_url: str, fraud_assets: Command) -> None:
    settings(FILES_TOML)
    write(days(1)[0])
    said = fraud_assets(*command(days(1)[0], days(1)[0], "+labels"))
    assert said.code == 0, said.err
    assert versions(database_url) == of(("raw_batch", "rejected_rows", "labels"), days(1))
