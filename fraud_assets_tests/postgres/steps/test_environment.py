"""Settings from the environment: read when a run starts, and shown by name only."""

import dagster as dg
import pandas as pd
import pytest

from fraud_assets.postgres import PostgresResource, PostgresTableIOManager
from fraud_assets_tests.postgres.material import Store


def _resources() -> dict[str, object]:
    postgres = PostgresResource(
        url=dg.EnvVar("TEST_URL"),
        schema_=dg.EnvVar("TEST_SCHEMA"),
        connect_timeout_seconds=dg.EnvVar.int("TEST_SECONDS"),
    )
    tables = PostgresTableIOManager(
        postgres=postgres,
        archived_versions=dg.EnvVar.int("TEST_VERSIONS"),
        max_rewrite_rows=dg.EnvVar.int("TEST_ROWS"),
    )
    return {"tables": tables}


def test_every_setting_comes_from_the_environment(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"URL": store.url, "SCHEMA": "from_there", "SECONDS": "7", "VERSIONS": "1", "ROWS": "0"}
    for name, value in settings.items():
        monkeypatch.setenv(f"TEST_{name}", value)
    frame = pd.DataFrame({"x": pd.array([1], "Int16")})
    asset = dg.asset(lambda: frame, name="t", io_manager_key="tables")
    for _ in range(3):
        result = dg.materialize([asset], resources=_resources())
    assert store.query("SELECT x FROM from_there.t") == [(1,)]
    assert [status for *_, status, _, _, _ in store.ledger()] == ["pruned", "archived", "current"]
    frame = frame.astype("Int64")
    with pytest.raises(dg.Failure, match="more than the limit of 0"):
        dg.materialize([asset], resources=_resources())
    assert store.url not in repr(result.all_events)


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SCHEMA": "s", "SECONDS": "1", "VERSIONS": "1", "ROWS": "1"}.items():
        monkeypatch.setenv(f"TEST_{name}", value)
    asset = dg.asset(lambda: pd.DataFrame({"x": [1]}), name="t", io_manager_key="tables")
    with pytest.raises(dg.DagsterInvalidConfigError, match="TEST_URL"):
        dg.materialize([asset], resources=_resources())
