"""Tables that change: columns come and go, types grow, and everything stored before stays readable."""

import threading
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from fraud_assets.postgres.archive import restore_version
from fraud_assets.postgres.errors import SchemaChangeRefused, UnstorableColumn
from fraud_assets.postgres.ledger import Layout, Origin
from fraud_assets.postgres.names import Relation
from fraud_assets.postgres.swap import replace_partition
from fraud_assets.postgres.tables import TableSpec
from fraud_assets.postgres.types import common_type
from fraud_assets_tests.postgres.material import Store


def test_new_columns_are_added_and_missing_ones_are_null(store: Store) -> None:
    store.write("t", "a", pd.DataFrame({"x": [1], "gone": ["g"]}))
    frame = pd.DataFrame({"new": [True], "x": [2]})
    assert store.changes("t", frame) == ["added the column 'new' (boolean) to data.t"]
    store.write("t", "b", frame)
    assert store.table("t", ["a", "b"]).to_pylist() == [
        {"x": 1, "gone": "g", "new": None},
        {"x": 2, "gone": None, "new": True},
    ]


@pytest.mark.parametrize(
    ("before", "after", "column_type"),
    [
        (pa.int32(), pa.int64(), "bigint"),
        (pa.int8(), pa.int32(), "integer"),
        (pa.int32(), pa.float64(), "double precision"),
        (pa.float32(), pa.float64(), "double precision"),
        (pa.decimal128(3, 2), pa.decimal128(4, 0), "numeric(6,2)"),
    ],
    ids=str,
)
@pytest.mark.parametrize("layout", list(Layout)[:2])
def test_safe_widenings_happen(
    store: Store, before: pa.DataType, after: pa.DataType, column_type: str, layout: Layout
) -> None:
    numbers = (
        pa.array([1, None]).cast(before) if not pa.types.is_decimal(before) else pa.array([Decimal(1), None], before)
    )
    store.write("t", "a", pa.table({"x": numbers}), layout=layout)
    old = store.query("SELECT format_type(atttypid, atttypmod) FROM pg_attribute"
                      " WHERE attrelid = 'data.t'::regclass AND attname = 'x'")[0][0]  # fmt: skip
    wide = pa.table({"x": pa.array([2, None], pa.int64()).cast(pa.decimal128(19)).cast(after)})
    expected = f"widened the column 'x' of data.t from {old} to {column_type}"
    assert store.changes("t", wide, layout=layout) == [expected]
    store.write("t", "b", wide, layout=layout)
    assert store.changes("t", pa.table({"x": numbers}), layout=layout) == []
    store.write("t", "c", pa.table({"x": numbers}), layout=layout)
    assert store.table("t", ["a", "b", "c"])["x"].to_pylist() == [1, None, 2, None, 1, None]
    if layout is Layout.PARTITIONS:
        store.check_consistent()


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ([1.5], ["a"], "double precision, and the frame has text"),
        ([1], [1.5], "bigint, and the frame has double precision"),
        (["a"], [1], "text, and the frame has bigint"),
        ([1.5], [1], "double precision, and the frame has bigint"),
        (pa.array([0], pa.timestamp("us")), pa.array([0], pa.timestamp("us", "UTC")), "timestamp with time zone"),
    ],
)
def test_other_changes_are_refused_with_both_types(store: Store, before: Any, after: Any, says: str) -> None:
    store.write("t", "a", pa.table({"x": before}))
    ledger = store.ledger()
    with pytest.raises(SchemaChangeRefused, match=r"'x' of data\.t") as refused:
        store.write("t", "a", pa.table({"new": [1], "x": after}))
    assert says in str(refused.value)
    assert store.ledger() == ledger
    assert store.table("t").column_names == ["x"]


def test_whole_numbers_into_a_float_column_only_where_it_is_said(store: Store) -> None:
    store.write("t", "a", pa.table({"x": [1]}))
    store.write("t", "b", pa.table({"x": [2.5]}), column_types={"x": "float8"})
    store.write("t", "c", pa.table({"x": [3]}), column_types={"x": "float8"})
    assert store.table("t", ["a", "b", "c"])["x"].to_pylist() == [1.0, 2.5, 3.0]


def test_dtypes_of_a_time_before_the_column_was_widened_are_not_forced_on_it(store: Store) -> None:
    whole = pd.DataFrame({"x": pd.array([1, None], dtype="Int64")})
    store.write("t", "b", pd.DataFrame({"x": [2.5]}), column_types={"x": "float8"})
    store.write("t", "a", whole, column_types={"x": "float8"})
    assert store.frame("t", ["b", "a"])["x"].tolist()[:2] == [2.5, 1.0]


def test_a_widening_that_would_rewrite_too_much_is_refused(store: Store) -> None:
    store.write("t", "a", pa.table({"x": pa.array([1, 2, 3], pa.int32())}))
    wide = pa.table({"x": pa.array([4], pa.int64())})
    with pytest.raises(SchemaChangeRefused, match=r"integer to bigint would rewrite 3 rows.*limit of 2"):
        store.write("t", "b", wide, max_rewrite_rows=2)
    store.write("t", "b", wide, max_rewrite_rows=3)
    assert store.frame("t", ["a", "b"])["x"].tolist() == [1, 2, 3, 4]


def test_a_view_on_the_column_is_named(store: Store) -> None:
    store.write("t", "a", pa.table({"x": pa.array([1], pa.int32())}))
    store.run("CREATE VIEW data.people AS SELECT x FROM data.t")
    with pytest.raises(SchemaChangeRefused, match=r"view.*people"):
        store.write("t", "a", pa.table({"x": pa.array([1], pa.int64())}))


def test_an_unknown_type_in_a_new_column_is_refused_and_nothing_else_changes(store: Store) -> None:
    store.write("t", "a", pa.table({"x": [1]}))
    with pytest.raises(UnstorableColumn, match="'empty'"):
        store.write("t", "a", pa.table({"x": [1], "fine": [2], "empty": pa.nulls(1)}))
    assert store.table("t").column_names == ["x"]


def test_comments_are_kept_up_to_date(store: Store) -> None:
    def comment() -> str | None:
        (found,) = store.query("SELECT col_description('data.t'::regclass, 1)")
        text: str | None = found[0]
        return text

    for said, expected in [({}, None), ({"x": "it's ex"}, "it's ex"), ({"x": "new", "y": "none"}, "new"), ({}, "new")]:
        store.write("t", "a", pa.table({"x": [1]}), column_comments=said)
        assert comment() == expected


def test_a_writer_follows_a_table_that_changes_under_its_copy(store: Store) -> None:
    """Another writer adds a column and widens one while this one's rows are on their way."""
    spec = TableSpec("t", Relation("data", "t"))
    narrow = pa.table({"x": pa.array([1, 2], pa.int32())})
    store.write("t", "a", narrow)

    def batches() -> Any:
        yield from narrow.to_batches(max_chunksize=1)
        store.write("t", "b", pa.table({"x": pa.array([3], pa.int64()), "new": ["n"]}))

    with store.postgres.connect() as connection:
        replace_partition(connection, spec, "a", narrow.schema, batches(), Origin("run"), 3)
    assert store.table("t", ["a", "b"]).to_pylist() == [
        {"x": 1, "new": None},
        {"x": 2, "new": None},
        {"x": 3, "new": "n"},
    ]
    store.check_consistent()


def test_a_change_waits_for_a_reader_without_holding_up_the_next(store: Store) -> None:
    store.write("t", "a", pa.table({"x": [1]}))
    with store.connect() as slow, store.connect() as quick:
        with slow.transaction():
            slow.execute("SELECT FROM data.t")
            writer = threading.Thread(target=store.write, args=("t", "b", pa.table({"x": [2], "new": [1]})))
            writer.start()
            for _ in range(30):
                assert quick.execute("SELECT count(*) FROM data.t").fetchall() == [(1,)]
            assert writer.is_alive()
        writer.join(30)
    assert store.table("t", ["a", "b"])["new"].to_pylist() == [None, 1]


def test_old_versions_can_be_restored_into_what_the_table_has_become(store: Store) -> None:
    store.write("t", "a", pa.table({"n": pa.array([1, None], pa.int32()), "s": ["a", "b"]}))
    store.write("t", "a", pa.table({"s": ["c"], "n": pa.array([2**40], pa.int64()), "new": [0.5]}))
    restored = restore_version(store.postgres, "t", "a", 1)
    assert (restored.version, restored.row_count) == (3, 2)
    assert store.table("t", ["a"]).to_pylist() == [
        {"n": 1, "s": "a", "new": None},
        {"n": None, "s": "b", "new": None},
    ]
    store.check_consistent()


def test_types_that_hold_one_another() -> None:
    assert common_type("bigint", "integer") == "bigint"
    assert common_type("integer", "bigint") == "bigint"
    assert common_type("bigint", "double precision") is None
    assert common_type("numeric(38,0)", "numeric(38,10)") is None
    assert common_type("numeric(20,0)", "bigint") is None
    assert common_type("character varying(5)", "text") == "text"
