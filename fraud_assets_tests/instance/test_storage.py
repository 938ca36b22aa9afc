"""Dagster's own runs and events in PostgreSQL, by the plain URL that everybody has."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from psycopg import sql

from fraud_assets.instance.storage import TABLES_LOCK, PlainUrlPostgresStorage, with_psycopg2

YAML = """
storage:
  custom:
    module: fraud_assets.instance.storage
    class: PlainUrlPostgresStorage
    config:
      postgres_url: {env: PLAIN_URL}
      override_env: OTHER_URL
telemetry: {enabled: false}
"""


@dg.asset
def tiny() -> int:
    return 1


@pytest.mark.parametrize("override", ["", "postgres"])
def test_a_run_and_its_events(
    database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, override: str
) -> None:
    (tmp_path / "dagster.yaml").write_text(YAML)
    plain = database_url.partition("://")[2]
    nowhere = "postgresql://u:p@127.0.0.1:1/nothing"
    monkeypatch.setenv("PLAIN_URL", nowhere if override else database_url)
    monkeypatch.setenv("OTHER_URL", f"{override}://{plain}" if override else "")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        result = dg.materialize([tiny], instance=instance)
        happened = [log.dagster_event.event_type_value for log in instance.all_logs(result.run_id) if log.dagster_event]
        assert {"STEP_SUCCESS", "ASSET_MATERIALIZATION", dg.DagsterEventType.RUN_SUCCESS.value} <= set(happened)
        event = instance.get_latest_materialization_event(tiny.key)
        assert event is not None
        assert event.run_id == result.run_id
        # What Dagster hands to the processes that it starts names the variable and not the URL.
        assert plain not in json.dumps(instance.get_ref().to_dict(), default=str)
    with psycopg.connect(database_url) as connection:
        runs = connection.execute(sql.SQL("SELECT run_id, status FROM runs")).fetchall()
    assert runs == [(result.run_id, "SUCCESS")]


@dg.asset(pool="training")
def trained() -> int:
    return 1


def test_who_waits_for_a_place_in_a_pool_does_not_work_meanwhile(
    database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[str] = []
    ask = InstanceConcurrencyContext.claim

    def counted(self: InstanceConcurrencyContext, pool: str, step: str, priority: int = 0) -> bool:
        asked.append(step)
        return ask(self, pool, step, priority)

    monkeypatch.setattr(InstanceConcurrencyContext, "claim", counted)
    (tmp_path / "dagster.yaml").write_text(YAML + "concurrency: {pools: {granularity: op, default_limit: 1}}\n")
    monkeypatch.setenv("PLAIN_URL", database_url)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        pool = instance.event_log_storage
        pool.initialize_concurrency_limit_to_default("training")
        assert pool.claim_concurrency_slot("training", "another run", "a step").is_claimed
        leaves = threading.Timer(2.5, pool.free_concurrency_slots_for_run, ["another run"])
        leaves.start()
        assert dg.materialize([trained], instance=instance).success
        leaves.join()
    # Without a pause it asks thousands of times a second.
    assert 1 < len(asked) < 10


def test_of_those_who_start_at_once_on_an_empty_database_one_makes_the_tables(database_url: str) -> None:
    url = with_psycopg2(database_url)
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with ThreadPoolExecutor(3) as starters, psycopg.connect(database_url, autocommit=True) as first:
        first.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [TABLES_LOCK])
        starting = [starters.submit(PlainUrlPostgresStorage, url) for _ in range(3)]
        deadline = time.monotonic() + 30
        while first.execute(waiting).fetchone() != (3,):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert first.execute("SELECT to_regclass('runs')").fetchone() == (None,)
        first.execute("SELECT pg_advisory_unlock_all()")
        assert [made.result().run_storage.get_runs() for made in starting] == [[]] * 3


def test_which_driver_is_named() -> None:
    assert with_psycopg2("postgresql://u:p@h/d?a=b://c") == "postgresql+psycopg2://u:p@h/d?a=b://c"
    assert with_psycopg2("postgres://h/d") == "postgresql+psycopg2://h/d"
    assert with_psycopg2("postgresql+psycopg2://h/d") == "postgresql+psycopg2://h/d"
