"""How many superseded versions stay: the manager's number, or the asset's own."""

import dagster as dg
import pandas as pd
import pytest

from fraud_assets.postgres import PostgresModelIOManager, PostgresTableIOManager, partition_versions
from fraud_assets_tests.postgres.material import Store


@pytest.mark.parametrize("layout", ["partitions", "rows", "model"])
def test_the_assets_own_number_counts(store: Store, layout: str) -> None:
    metadata = {"archived_versions": 1} if layout == "model" else {"archived_versions": 1, "layout": layout}

    @dg.asset(metadata=metadata)
    def own() -> pd.DataFrame:
        return pd.DataFrame({"x": [1]})

    @dg.asset(metadata={name: value for name, value in metadata.items() if name == "layout"})
    def managers() -> pd.DataFrame:
        return pd.DataFrame({"x": [1]})

    tables = PostgresTableIOManager(postgres=store.postgres, schema_="data", archived_versions=2)
    models = PostgresModelIOManager(postgres=store.postgres, signing_key="key", archived_versions=2)
    for _ in range(4):
        assert dg.materialize(
            [own, managers], resources={"io_manager": models if layout == "model" else tables}
        ).success
    kept = {name: [v.status[0] for v in partition_versions(store.postgres, name)] for name in ("own", "managers")}
    assert kept == {"own": ["c", "a", "p", "p"], "managers": ["c", "a", "a", "p"]}


@pytest.mark.parametrize("number", [-1, True, "3"])
def test_what_is_no_number_is_refused(store: Store, number: object) -> None:
    @dg.asset(metadata={"archived_versions": number})
    def asset() -> pd.DataFrame:
        return pd.DataFrame({"x": [1]})

    tables = PostgresTableIOManager(postgres=store.postgres, schema_="data")
    with pytest.raises(dg.Failure, match=r"archived_versions=.*; it must be a number of versions, 0 or more"):
        dg.materialize([asset], resources={"io_manager": tables})
