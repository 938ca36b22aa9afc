"""Dagster's own runs and events in PostgreSQL, by the plain URL that everybody has."""

import json
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from psycopg import sql

from fraud_assets.instance.storage import with_psycopg2

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


def test_which_driver_is_named() -> None:
    assert with_psycopg2("postgresql://u:p@h/d?a=b://c") == "postgresql+psycopg2://u:p@h/d?a=b://c"
    assert with_psycopg2("postgres://h/d") == "postgresql+psycopg2://h/d"
    assert with_psycopg2("postgresql+psycopg2://h/d") == "postgresql+psycopg2://h/d"
