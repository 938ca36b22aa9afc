"""Two who run the same day at the same time: both end well, and what is stored is as if it had been one.

As a schedule's run and somebody's at the command line, or two command lines. Here they also race for the history.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping

import dagster as dg
import psycopg
import pytest

from fraud_assets.local.database import dagster_yaml
from fraud_assets.local.embedded import EmbeddedServer
from fraud_assets_tests.small_world import ALL_ASSETS, DAY, SIGNING_KEY, SMALL_TOML, fresh_database

COMMAND = [sys.executable, "-m", "fraud_assets.local", "run", "--date", DAY]
PLAIN_DAGSTER = [
    *(sys.executable, "-m", "dagster", "asset", "materialize", "-m", "fraud_assets.definitions"),
    *("--select", "*", "--partition", DAY),
]  # fmt: skip


@pytest.fixture(scope="module")
def url(postgres_server: EmbeddedServer) -> Iterator[str]:
    with fresh_database(postgres_server) as made:
        yield made


@pytest.fixture(scope="module")
def environment(url: str, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    folder = tmp_path_factory.mktemp("race")
    (folder / "fraud.toml").write_text(SMALL_TOML)
    home = folder / "home" / "dagster"
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_text(dagster_yaml().read_text())
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FRAUD_", "PG", "DAGSTER_"))}
    return {
        **kept,
        "FRAUD_CONFIG": str(folder / "fraud.toml"),
        "FRAUD_HOME": str(home.parent),
        "FRAUD_DATABASE_URL": url,
        "FRAUD_SIGNING_KEY": SIGNING_KEY,
        "DAGSTER_HOME": str(home),
    }


def _race(environment: Mapping[str, str], *commands: list[str]) -> None:
    """Start all at once. Each must end well."""
    started = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for command in commands
    ]
    said = [process.communicate(timeout=300)[0] for process in started]
    assert [process.returncode for process in started] == [0] * len(commands), "\n\n".join(said)


def _assert_stored_once(url: str, environment: Mapping[str, str], most: int) -> None:
    """One current version of each asset; at most so many in all, of the same content; nothing is left over."""
    with psycopg.connect(url) as connection:
        versions = connection.execute(
            "SELECT asset_key, count(*) FILTER (WHERE status = 'current'), count(*), count(DISTINCT content_hash)"
            " FROM dagster_io.versions WHERE partition_key = %s GROUP BY 1",
            [DAY],
        ).fetchall()
        stored = connection.execute(
            "SELECT count(*), count(DISTINCT transaction_id) FROM fraud.scored_batch"
        ).fetchone()
        twice = connection.execute(
            "SELECT asset_key, partition_key FROM dagster_io.versions"
            " GROUP BY 1, 2 HAVING count(DISTINCT content_hash) > 1"
        ).fetchall()
    assert {asset for asset, *_ in versions} == set(ALL_ASSETS)
    assert {current for _, current, *_ in versions} == {1}
    assert max(count for *_, count, _ in versions) <= most
    assert twice == []
    assert stored is not None
    assert stored[0] == stored[1] > 0
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        with dg.DagsterInstance.get() as instance:
            assert {run.status for run in instance.get_runs()} == {dg.DagsterRunStatus.SUCCESS}
            slots = instance.event_log_storage.get_concurrency_info("training")
            assert (slots.claimed_slots, slots.pending_steps) == ([], [])


@pytest.mark.slow
def test_one_day_is_run_by_two_at_once(url: str, environment: Mapping[str, str]) -> None:
    _race(environment, COMMAND, COMMAND)
    _assert_stored_once(url, environment, 2)
    _race(environment, COMMAND, PLAIN_DAGSTER)
    _assert_stored_once(url, environment, 4)
