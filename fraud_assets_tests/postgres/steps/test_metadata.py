"""What Dagster and the ledger are told of what a run has stored, and which metadata of an asset decides where."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pandas as pd
import psycopg
import pyarrow as pa
import pytest

from fraud_assets.postgres import PostgresResource, PostgresTableIOManager
from fraud_assets.postgres.steps import materializations
from fraud_assets.postgres.steps.contexts import combined_hash
from fraud_assets_tests.postgres.lab import DAYS, SINGLE_RUN, Lab, day, days, reader
from fraud_assets_tests.postgres.material import SCHEMA, Store

pytestmark = [
    pytest.mark.filterwarnings("ignore::dagster.BetaWarning"),
    pytest.mark.filterwarnings("ignore::dagster.PreviewWarning"),
]


def _event(result: dg.ExecuteInProcessResult, place: int = 0) -> tuple[dict[str, Any], Mapping[str, str]]:
    materialization = result.get_asset_materialization_events()[place].materialization
    return {name: value.value for name, value in materialization.metadata.items()}, materialization.tags or {}


def test_what_dagster_is_told_of_one_partition(lab: Lab) -> None:
    metadata, tags = _event(lab.run(days, day(3)))
    database = psycopg.conninfo.conninfo_to_dict(lab.store.url)["dbname"]
    assert metadata["dagster/row_count"] == 3
    assert metadata["dagster/table_name"] == f"{database}.{SCHEMA}.days"
    assert metadata["version"] == 1
    assert metadata["upstream_versions"] == 0
    assert metadata["bytes"] > 0
    assert metadata["write_seconds"] >= 0
    (version,) = lab.store.query("SELECT content_hash, code_version, run_id FROM dagster_io.versions")
    assert tags["dagster/data_version"] == metadata["content_hash"] == version[0]
    assert version[1] == "7"
    again, tags_again = _event(lab.run(days, day(3)))
    assert again["version"] == 2
    assert tags_again["dagster/data_version"] == tags["dagster/data_version"]


def test_what_dagster_is_told_of_a_range(lab: Lab) -> None:
    result = lab.run(days, day(2), day(4))
    events = result.get_asset_materialization_events()
    assert [event.partition for event in events] == [day(2), day(3), day(4)]
    assert [_event(result, i)[0]["dagster/row_count"] for i in range(3)] == [2, 3, 4]
    hashes = {day(2 + i): _event(result, i)[0]["content_hash"] for i in range(3)}
    assert len(set(hashes.values())) == 3
    assert {_event(result, i)[1]["dagster/data_version"] for i in range(3)} == {combined_hash(hashes)}
    assert len(lab.store.ledger()) == 3


def test_the_columns_as_the_database_has_them(lab: Lab) -> None:
    @dg.asset(
        io_manager_key="tables",
        metadata={"column_comments": {"x": "how many"}, "column_types": {"y": "varchar(9)"}, "primary_key": ["x"]},
    )
    def described() -> pa.Table:
        return pa.table({"x": [1], "y": ["a"], "t": pa.array([0], pa.timestamp("ns", "UTC"))})

    metadata, _ = _event(lab.run(described))
    columns = [(column.name, column.type, column.description) for column in metadata["dagster/column_schema"].columns]
    assert columns == [
        ("x", "bigint", "how many"),
        ("y", "character varying(9)", None),
        ("t", "timestamp with time zone", None),
    ]


def test_what_an_asset_says_of_itself_is_kept_with_the_version(lab: Lab) -> None:
    @dg.asset(partitions_def=DAYS, io_manager_key="tables")
    def talkative(context: dg.AssetExecutionContext) -> dg.Output[pd.DataFrame]:
        said: dict[str, Any] = {
            "rows_in": 12,
            "note": "short",
            "long": "x" * 2_000,
            "bad": float("nan"),
            "worse": float("inf"),
            "nul": "\0",
        }
        return dg.Output(pd.DataFrame({"x": [1]}), metadata=said)

    lab.run(talkative, day(1))
    assert lab.store.postgres.stored_facts("talkative", "rows_in") == {day(1): 12}
    assert lab.store.query("SELECT facts FROM dagster_io.versions") == [({"note": "short", "rows_in": 12},)]
    assert lab.store.postgres.stored_row_counts("talkative") == {day(1): 1}


@pytest.mark.parametrize(
    ("key", "metadata", "manager", "resource", "expected"),
    [
        (["a", "t"], {"schema": "said"}, "manager", "resource", "said"),
        (["a", "t"], {}, "manager", "resource", "manager"),
        (["a", "t"], {}, None, "resource", "resource"),
        (["a", "t"], {}, None, None, "a"),
        (["t"], {}, None, None, "public"),
    ],
)
def test_which_schema(
    store: Store, key: list[str], metadata: dict[str, str], manager: str | None, resource: str | None, expected: str
) -> None:
    asset = dg.asset(lambda: pd.DataFrame({"x": [1]}), key=key, metadata=metadata, io_manager_key="tables")
    postgres = PostgresResource(url=store.url, schema_=resource)
    resources = {"tables": PostgresTableIOManager(postgres=postgres, schema_=manager)}
    dg.materialize([asset], resources=resources)
    assert store.query("SELECT schema_name, table_name FROM dagster_io.tables") == [(expected, "t")]
    assert store.query(f"SELECT x FROM {expected}.t") == [(1,)]


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({"layout": "columns"}, "'partitions' or 'rows'"),
        ({"primary_key": "x"}, "primary_key='x'"),
        ({"indexes": ["x"]}, r"indexes=\['x'\]; it must be a list of lists"),
        ({"indexes": 5}, "indexes=5"),
        ({"column_types": ["a"]}, r"metadata of odd says column_types=\['a'\]; it must be a dict"),
        ({"column_types": {"x": 5}}, "a dict of column names to texts"),
        ({"column_comments": "x"}, "column_comments='x'; it must be a dict"),
        ({"max_rewrite_rows": "x"}, "max_rewrite_rows='x'; it must be a number"),
        ({"max_rewrite_rows": -1}, "max_rewrite_rows=-1"),
        ({"volatile": "x"}, "volatile='x'; it must be a list of column names"),
        ({"primary_key": 5}, "primary_key=5"),
        ({"partition_expr": "x"}, "partition_expr='x', and the asset has no partitions; give it"),
    ],
)
def test_metadata_that_cannot_be_meant(lab: Lab, metadata: dict[str, Any], says: str) -> None:
    asset = dg.asset(lambda: pd.DataFrame({"x": [1]}), name="odd", metadata=metadata, io_manager_key="tables")
    with pytest.raises(dg.Failure, match=says):
        lab.run(asset)


@pytest.mark.parametrize("missing", [True, False])
def test_a_range_run_needs_a_frame_for_each_day(lab: Lab, missing: bool) -> None:
    @dg.asset(partitions_def=DAYS, io_manager_key="tables", backfill_policy=SINGLE_RUN)
    def partial() -> Any:
        frame = pd.DataFrame({"x": [1]})
        return {day(1): frame} if missing else frame

    with pytest.raises(dg.Failure, match=day(2) if missing else "return a dict"):
        lab.run(partial, day(1), day(2))


def test_the_versions_that_were_seen_are_listed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(materializations, "LISTED_UPSTREAM", 2)
    lab.run(days, day(1), day(4))
    lab.run(days, day(3))
    result = lab.run(reader(window=[-2, 0]), day(2), day(3), others=[days])
    listed = {2: [(day(1), 1), (day(2), 1)], 3: [(day(1), 1), (day(2), 1)]}
    for place, number in enumerate((2, 3)):
        metadata, _ = _event(result, place)
        assert metadata["upstream_versions"] == number
        records = [(r.data["partition"], r.data["version"]) for r in metadata["upstream"].records]
        assert records == listed[number]
    monkeypatch.setattr(materializations, "LISTED_UPSTREAM", 50)
    metadata, _ = _event(lab.run(reader(), day(3), others=[days]))
    assert [r.data for r in metadata["upstream"].records] == [{"asset": "days", "partition": day(3), "version": 2}]
    assert "upstream" not in _event(lab.run(days, day(1)))[0]


def _lineage(column: str) -> dg.TableColumnLineage:
    return dg.TableColumnLineage({"x": [dg.TableColumnDep(asset_key="days", column_name=column)]})


@pytest.mark.parametrize("said", ["definition", "output", "context", "nobody"])
def test_column_lineage_is_the_assets_own(lab: Lab, said: str) -> None:
    lineage = {"dagster/column_lineage": _lineage(said)}

    @dg.asset(
        partitions_def=DAYS,
        io_manager_key="tables",
        backfill_policy=SINGLE_RUN,
        metadata={} if said == "nobody" else {"dagster/column_lineage": _lineage("definition")},
    )
    def told(context: dg.AssetExecutionContext) -> dg.Output[dict[str, pd.DataFrame]]:
        if said == "context":
            context.add_asset_metadata(lineage)
        frames = {key: pd.DataFrame({"x": [1]}) for key in context.partition_keys}
        return dg.Output(frames, metadata=lineage if said == "output" else {})

    for until in (None, day(2)):
        metadata, _ = _event(lab.run(told, day(1), until))
        assert metadata.get("dagster/column_lineage") == (None if said == "nobody" else _lineage(said))
        assert metadata["dagster/column_schema"].columns[0].name == "x"
