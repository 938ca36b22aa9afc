"""Dagster's event log in PostgreSQL: what leaves it, and what Dagster still knows afterwards."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
import psycopg
import pytest
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value
from psycopg import Connection, sql

from fraud_assets.postgres.event_log.partitions import forget_partitions, has_event_log, recorded_partitions
from fraud_assets.postgres.event_log.texts import changed_texts, write_anew
from fraud_assets.postgres.event_log.trimming import old_events, trim_events
from fraud_assets_tests.instance.test_storage import YAML

DAYS = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-04")
KEYS = DAYS.get_partition_keys()
ASSET = dg.AssetKey(["family", "one"])


@dg.asset(key=ASSET, partitions_def=DAYS)
def one(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    context.log.info("nobody reads this twice")
    return dg.MaterializeResult(metadata={"who": "CUST-77", "day": context.partition_key})


@dg.asset_check(asset=one)
def check() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False, metadata={"seen": "CUST-77"})


@dg.asset(partitions_def=DAYS)
def failing() -> None:
    raise ValueError("no CUST-77")


@pytest.fixture(scope="module")
def ran(maintenance_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a database in which things have happened, for each test to have a copy of."""
    name = f"ran_{uuid.uuid4().hex}"
    home = tmp_path_factory.mktemp("dagster")
    (home / "dagster.yaml").write_text(YAML)
    with psycopg.connect(maintenance_url, autocommit=True) as connection, pytest.MonkeyPatch.context() as patch:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        patch.setenv("PLAIN_URL", _database(maintenance_url, name))
        with dg.DagsterInstance.from_config(str(home)) as instance:
            for key in (*KEYS, KEYS[1]):
                dg.materialize([one, check], instance=instance, partition_key=key)
            dg.materialize([failing], instance=instance, partition_key=KEYS[0], raise_on_error=False)
        yield name
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _database(url: str, name: str) -> str:
    return urlsplit(url)._replace(path=f"/{name}").geturl()


@pytest.fixture
def url(maintenance_url: str, ran: str) -> Iterator[str]:
    copy = f"copy_{uuid.uuid4().hex}"
    with psycopg.connect(maintenance_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(copy), sql.Identifier(ran)))
        yield _database(maintenance_url, copy)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(copy)))


@pytest.fixture
def instance(url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster.yaml").write_text(YAML)
    monkeypatch.setenv("PLAIN_URL", url)
    with dg.DagsterInstance.from_config(str(tmp_path)) as found:
        yield found


@pytest.fixture
def log(url: str, instance: dg.DagsterInstance) -> Iterator[Connection[Any]]:
    with psycopg.connect(url, autocommit=True) as connection:
        assert has_event_log(connection)
        yield connection


def _materialized(instance: dg.DagsterInstance, key: dg.AssetKey = ASSET) -> set[str]:
    """As the UI shows it."""
    status = get_and_update_asset_status_cache_value(instance, key, DAYS)
    return set(status.deserialize_materialized_partition_subsets(DAYS).get_partition_keys()) if status else set()


def _failed(instance: dg.DagsterInstance, key: dg.AssetKey) -> set[str]:
    status = get_and_update_asset_status_cache_value(instance, key, DAYS)
    assert status is not None
    return set(status.deserialize_failed_partition_subsets(DAYS).get_partition_keys())


def _count(log: Connection[Any], kind: str) -> int:
    row = log.execute("SELECT count(*) FROM event_logs WHERE dagster_event_type = %s", [kind]).fetchone()
    assert row is not None
    return int(row[0])


def test_partitions_that_are_stored_no_more_are_missing_in_dagster(
    instance: dg.DagsterInstance, log: Connection[Any]
) -> None:
    assert _materialized(instance) == set(KEYS)
    assert recorded_partitions(log, "family/one", [KEYS[0], KEYS[1], "2025-01-01"]) == KEYS[:2]
    assert forget_partitions(log, "family/one", KEYS[:2]) == 2 * 3
    assert _materialized(instance) == set(KEYS[2:])
    # The newest event was of a partition that is gone; the newest that is left takes its place.
    event = instance.get_latest_materialization_event(ASSET)
    assert event is not None
    assert event.asset_materialization is not None
    assert event.asset_materialization.partition == KEYS[-1]
    record = instance.get_asset_records([ASSET])[0]
    assert record.asset_entry.last_materialization_storage_id == event_id(log, KEYS[-1])
    left = log.execute("SELECT count(*) FROM asset_event_tags WHERE event_id NOT IN (SELECT id FROM event_logs)")
    assert left.fetchone() == (0,)
    assert len(instance.get_runs()) == len(KEYS) + 2
    assert forget_partitions(log, "family/one", KEYS) > 0
    assert _materialized(instance) == set()
    assert instance.get_latest_materialization_event(ASSET) is None
    dg.materialize([one], instance=instance, partition_key=KEYS[0])
    assert _materialized(instance) == {KEYS[0]}


def event_id(log: Connection[Any], partition: str) -> int:
    row = log.execute(
        "SELECT max(id) FROM event_logs WHERE dagster_event_type = 'ASSET_MATERIALIZATION' AND partition = %s",
        [partition],
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_old_events_go_and_what_is_known_of_assets_and_runs_stays(
    instance: dg.DagsterInstance, log: Connection[Any]
) -> None:
    key = dg.AssetCheckKey(ASSET, "check")
    checked = len(instance.event_log_storage.get_asset_check_execution_history(key, limit=100))
    before, runs = _materialized(instance), {run.run_id: run.status for run in instance.get_runs()}
    now = datetime.now(UTC)
    assert trim_events(log, now - timedelta(days=1)).events == 0
    assert _count(log, "STEP_OUTPUT") > 0
    soon = now + timedelta(days=1)
    would = old_events(log, soon)
    assert (would.events, _count(log, "STEP_OUTPUT") > 0) == (would.events, True)
    assert trim_events(log, soon) == would
    assert would.events > 40
    assert trim_events(log, soon).events == 0
    assert (_count(log, "STEP_OUTPUT"), _count(log, "STEP_START"), _count(log, "ENGINE_EVENT")) == (0, 0, 0)
    assert log.execute("SELECT count(*) FROM event_logs WHERE dagster_event_type IS NULL").fetchone() == (0,)
    assert _count(log, "ASSET_MATERIALIZATION") == len(KEYS)
    assert _count(log, "ASSET_CHECK_EVALUATION") == len(KEYS) + 1
    assert (_count(log, "STEP_FAILURE"), _count(log, "PIPELINE_FAILURE")) == (1, 1)
    assert {run.run_id: run.status for run in instance.get_runs()} == runs
    log.execute("UPDATE asset_keys SET cached_status_data = NULL")
    assert (_materialized(instance), _failed(instance, dg.AssetKey("failing"))) == (before, {KEYS[0]})
    assert len(instance.event_log_storage.get_asset_check_execution_history(key, limit=100)) == checked
    tags = log.execute("SELECT count(*) FROM asset_event_tags").fetchone()
    kept = log.execute("SELECT count(*) FROM asset_event_tags JOIN event_logs e ON e.id = event_id").fetchone()
    assert tags == kept


def test_a_run_that_has_not_ended_keeps_its_events(instance: dg.DagsterInstance, log: Connection[Any]) -> None:
    log.execute("UPDATE runs SET status = 'STARTED'")
    assert old_events(log, datetime.now(UTC) + timedelta(days=1)).events == 0


def test_texts_are_changed_wherever_they_are(instance: dg.DagsterInstance, log: Connection[Any]) -> None:
    def change(text: str) -> str:
        return text.replace("CUST-77", "(gone)")

    found = changed_texts(log, change, dry_run=True)
    assert found == {
        "event_logs": found["event_logs"],
        "asset_keys": 1,
        "asset_check_executions": len(KEYS) + 1,
    }
    assert changed_texts(log, change) == found
    write_anew(log)
    assert changed_texts(log, change) == {}
    event = instance.get_latest_materialization_event(ASSET)
    assert event is not None
    assert event.asset_materialization is not None
    assert event.asset_materialization.metadata["who"].value == "(gone)"
    assert instance.all_logs(event.run_id)
