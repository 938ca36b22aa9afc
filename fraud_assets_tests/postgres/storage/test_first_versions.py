"""What a partition was first stored as: kept for good where the asset says so, and read beside what superseded it."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest

from fraud_assets.postgres import PartitionMissing, PostgresModelIOManager, partition_versions, prune_versions
from fraud_assets.postgres.storage.ledger import Layout
from fraud_assets.postgres.storage.reading import Selection, Which, load
from fraud_assets_tests.postgres.lab import DAYS, Lab, day, days, reader
from fraud_assets_tests.postgres.material import Store

pytestmark = [
    pytest.mark.filterwarnings("ignore::dagster.BetaWarning"),
    pytest.mark.filterwarnings("ignore::dagster.PreviewWarning"),
]
both_layouts = pytest.mark.parametrize("layout", [Layout.PARTITIONS, Layout.ROWS])
FIRST = Selection(which=Which.FIRST)


def _rewrites(store: Store, key: str, values: list[int], **options: Any) -> None:
    for value in values:
        store.write("t", key, pa.table({"x": [value, -value]}), **options)


@both_layouts
@pytest.mark.parametrize("keep", [0, 1, 3])
def test_the_first_version_outlives_any_number_of_later_ones(store: Store, layout: Layout, keep: int) -> None:
    _rewrites(store, "k", [1, 2, 3, 4, 5, 6], layout=layout, keep=keep, keep_first=True)
    statuses = {v.version: v.status for v in partition_versions(store.postgres, "t", "k")}
    archived = sorted({1, *range(6 - keep, 6)})
    assert [number for number, status in statuses.items() if status == "archived"] == archived[::-1]
    assert prune_versions(store.postgres, "t", "k", 0) == len(archived) - 1
    assert store.table("t", ["k"], FIRST).to_pydict() == {"x": [1, -1]}
    assert store.table("t", ["k"]).to_pydict() == {"x": [6, -6]}


@both_layouts
def test_an_asset_that_does_not_ask_for_it_keeps_none(store: Store, layout: Layout) -> None:
    _rewrites(store, "k", [1, 2, 3], layout=layout, keep=1)
    assert store.table("t", ["k"], FIRST).num_rows == 0
    with pytest.raises(PartitionMissing, match=r"'k' of t has never been stored, or what it was first stored as has"):
        load(store.postgres, "t", ["k"], FIRST, frozenset(["k"]))


@both_layouts
def test_first_versions_are_read_in_the_order_of_their_keys_and_under_a_condition(store: Store, layout: Layout) -> None:
    for key, values in {"b": [5], "a": [1, 2], "c": [3, 4, 8]}.items():
        _rewrites(store, key, values, layout=layout)
    assert store.table("t", ["c", "a", "missing", "b"], FIRST).to_pydict() == {"x": [3, -3, 1, -1, 5, -5]}
    assert store.table("t", None, FIRST).to_pydict() == {"x": [1, -1, 5, -5, 3, -3]}
    positive = Selection(("x",), "x > %s", (2,), Which.FIRST)
    assert store.table("t", ["a", "b", "c"], positive).to_pydict() == {"x": [5, 3]}
    loaded = load(store.postgres, "t", ["c", "a"], FIRST)
    assert [(v.partition_key, v.version, v.status) for v in loaded.versions] == [
        ("c", 1, "archived"),
        ("a", 1, "archived"),
    ]
    assert loaded.reader.read_all().num_rows == 4


@both_layouts
def test_the_first_version_comes_in_todays_columns(store: Store, layout: Layout) -> None:
    """The table has grown, one column is wider, and one was first brought as NULL throughout."""
    when = datetime(2024, 3, 1, 12, tzinfo=UTC)
    first = pa.table({"s": ["a", None], "n": pa.array([1, None], pa.int16()), "t": [when, when]})
    later = pa.table({"n": pa.array([2**40]), "s": ["b"], "t": [when], "y": [0.5], "z": ["new"]})
    store.write("t", "k", first, layout=layout)
    store.write("t", "other", later, layout=layout)
    store.write("t", "k", later, layout=layout)
    assert store.table("t", ["k", "other"], FIRST).to_pylist() == [
        {"s": "a", "n": 1, "t": when, "y": None, "z": None},
        {"s": None, "n": None, "t": when, "y": None, "z": None},
        {"s": "b", "n": 2**40, "t": when, "y": 0.5, "z": "new"},
    ]
    numbers = store.table("t", ["k"], Selection(("y", "n"), "z IS NULL", which=Which.FIRST))
    assert numbers.to_pydict() == {"y": [None, None], "n": [1, None]}
    assert numbers.schema.types == [pa.float64(), pa.int64()]


@pytest.mark.parametrize("annotation", [pd.DataFrame, pa.Table, pa.RecordBatchReader])
def test_an_input_reads_the_first_version_and_the_ledger_says_so(lab: Lab, annotation: Any) -> None:
    lab.run(days, day(1), day(3))
    lab.run(days, day(2))
    changed = pa.table({"day": ["changed"], "n": [0]})
    lab.run(dg.asset(lambda: changed, name="days", partitions_def=DAYS, io_manager_key="tables"), day(2))
    lab.run(reader(annotation, window=[-2, 0], version="first"), day(3), others=[days])
    given = lab.store.frame("loaded", [day(3)])["day"].tolist()
    assert given == [day(1), day(2), day(2), day(3), day(3), day(3)]
    assert lab.seen("loaded", day(3)) == {f"days {day(number)} 1" for number in (1, 2, 3)}
    lab.run(reader(annotation, window=[-1, 0], version="current"), day(3), others=[days])
    assert lab.store.frame("loaded", [day(3)])["day"].tolist()[0] == "changed"
    assert lab.seen("loaded", day(3)) == {f"days {day(2)} 3", f"days {day(3)} 1"}


def test_an_asset_says_in_its_metadata_that_its_first_versions_stay(lab: Lab) -> None:
    keeper = dg.asset(
        lambda: pa.table({"n": [1]}),
        name="kept",
        partitions_def=DAYS,
        io_manager_key="tables",
        metadata={"keep_first": True},
    )
    for _ in range(6):
        lab.run(keeper, day(1))
    statuses = [v.status for v in partition_versions(lab.store.postgres, "kept", day(1))]
    assert statuses == ["current", "archived", "archived", "archived", "pruned", "archived"]


def test_what_cannot_be_meant_is_refused(lab: Lab) -> None:
    lab.run(days, day(1))
    with pytest.raises(dg.Failure, match="version='oldest'; it must be 'current' or 'first'"):
        lab.run(reader(version="oldest"), day(1), others=[days])
    wrong = dg.asset(
        lambda: pa.table({"n": [1]}),
        name="wrong",
        partitions_def=DAYS,
        io_manager_key="tables",
        metadata={"keep_first": "yes"},
    )
    with pytest.raises(dg.Failure, match="keep_first='yes'; it must be True or False"):
        lab.run(wrong, day(1))


def test_models_have_no_first_version_to_read(lab: Lab) -> None:
    lab.resources["models"] = PostgresModelIOManager(postgres=lab.store.postgres, signing_key="key")  # type: ignore[assignment]
    model = dg.asset(lambda: 1, name="model", partitions_def=DAYS, io_manager_key="models")
    lab.run(model, day(1))

    @dg.asset(partitions_def=DAYS, ins={"model": dg.AssetIn(metadata={"version": "first"})})
    def taker(model: int) -> None: ...

    with pytest.raises(dg.Failure, match="first version of model, which is a model"):
        lab.run(taker, day(1), others=[model])
