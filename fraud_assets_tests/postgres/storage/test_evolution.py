"""Tables that change: columns come and go, types grow, and everything stored before stays readable."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from fraud_assets.postgres.archive import restore_version
from fraud_assets.postgres.errors import PostgresStorageError, SchemaChangeRefused, UnstorableColumn
from fraud_assets.postgres.names import Relation
from fraud_assets.postgres.storage.ledger import Layout, Origin
from fraud_assets.postgres.storage.swap import replace_partition
from fraud_assets.postgres.storage.tables import TableSpec
from fraud_assets.postgres.values.types import common_type
from fraud_assets_tests.postgres.material import Store

LAYOUTS = (Layout.PARTITIONS, Layout.ROWS)


@dataclass(frozen=True)
class Change:
    """A column of two rows, the one that comes after it, and what is said of it; None where there is no such column."""

    before: pa.Array | None
    after: pa.Array | None
    says: str | None = None
    declared_before: str | None = None
    declared: str | None = None


def _of(arrow_type: pa.DataType, *values: Any) -> pa.Array:
    return pa.array(values, arrow_type)


# In the order in which their columns come in the second frame; the first has them the other way round.
CHANGES = {
    "new column": Change(None, pa.array([True, None]), "added the column 'new column' (boolean) to data.t"),
    "dropped column": Change(pa.array(["g", None]), None),
    "int to bigint": Change(_of(pa.int32(), 1, None), _of(pa.int64(), 2**40, 3), "integer to bigint"),
    "bigint to int": Change(_of(pa.int64(), 2**40, None), _of(pa.int32(), 1, None)),
    "byte to int": Change(_of(pa.int8(), 1, None), _of(pa.int32(), 2, 3), "smallint to integer"),
    "int to float": Change(
        _of(pa.int32(), 1, None), _of(pa.float64(), 2.5, float("nan")), "integer to double precision"
    ),
    "int to single": Change(_of(pa.int32(), 2**31 - 1, 1), _of(pa.float32(), 2.5, 1), "integer to double precision"),
    "single to double": Change(_of(pa.float32(), 0.5, None), _of(pa.float64(), 0.1, 1), "real to double precision"),
    "bigint to float where it is said": Change(
        _of(pa.int64(), 2**53, None), _of(pa.float64(), 2.5, 1), "bigint to double precision", declared="float8"
    ),
    "more digits": Change(
        _of(pa.decimal128(3, 2), Decimal("1.25"), None),
        _of(pa.decimal128(8, 2), Decimal("123456.50"), None),
        "numeric(3,2) to numeric(8,2), which rewrites nothing",
    ),
    "more places": Change(
        _of(pa.decimal128(4, 0), Decimal(1234), None),
        _of(pa.decimal128(3, 2), Decimal("1.25"), None),
        "numeric(4,0) to numeric(6,2)",
    ),
    "longer texts": Change(
        pa.array(["abc", None]),
        pa.array(["abcdef", "a"]),
        "character varying(3) to character varying(6), which rewrites nothing",
        declared_before="varchar(3)",
        declared="varchar(6)",
    ),
    "varchar to text": Change(
        pa.array(["abc", None]),
        pa.array(["abcdef", "a"]),
        "character varying(3) to text, which rewrites nothing",
        declared_before="varchar(3)",
    ),
    "category to text": Change(pa.array(["a", None]).dictionary_encode(), pa.array(["b", "c"])),
    "text to category": Change(pa.array(["a", None]), pa.array(["b", "c"]).dictionary_encode()),
    "lists of larger numbers": Change(
        _of(pa.list_(pa.int32()), [1, None], None), _of(pa.list_(pa.int64()), [2**40], []), "integer[] to bigint[]"
    ),
    "NULLs that were none": Change(pa.array([1, 2]), pa.array([None, 2])),
    "nothing but NULL": Change(pa.array(["a", "b"]), pa.nulls(2)),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_changes_that_happen(store: Store, layout: Layout) -> None:
    """Old partitions stay readable beside new ones, and old versions restorable, in what the table has become."""
    before = pa.table({name: change.before for name, change in reversed(CHANGES.items()) if change.before is not None})
    after = pa.table({name: change.after for name, change in CHANGES.items() if change.after is not None})
    first = {name: change.declared_before for name, change in CHANGES.items() if change.declared_before}
    for key in ("a", "b"):
        store.write("t", key, before, layout=layout, column_types=first)
    then: dict[str, Any] = {name: change.declared for name, change in CHANGES.items() if change.declared}
    assert store.changes("t", after, layout=layout, column_types=then) == [*map(_sentence, _said())]
    store.write("t", "b", after, layout=layout, column_types=then)
    for frame in (after, before):
        assert store.changes("t", frame, layout=layout, column_types=then) == []

    assert _read(store, ["a", "b"]) == _expected(before, after)
    restored = restore_version(store.postgres, "t", "b", 1)
    assert (restored.version, restored.row_count) == (3, 2)
    assert _read(store, ["a", "b"]) == _expected(before, before)
    restore_version(store.postgres, "t", "b", 2)
    assert _read(store, ["b", "a"]) == _expected(after, before)
    if layout is Layout.PARTITIONS:
        store.check_consistent()


def _said() -> list[tuple[str, str]]:
    return [(name, change.says) for name, change in CHANGES.items() if change.says]


def _sentence(said: tuple[str, str]) -> str:
    name, text = said
    if text.startswith("added"):
        return text
    text = text if "rewrites" in text else f"{text}, which rewrites 4 rows"
    return f"widened the column {name!r} of data.t from {text}"


def _read(store: Store, keys: list[str]) -> dict[str, list[str]]:
    """Values by column, as texts: NaN is NaN here."""
    table = store.table("t", keys)
    return {name: [*map(_text, table[name].to_pylist())] for name in CHANGES}


def _expected(*frames: pa.Table) -> dict[str, list[str]]:
    rows = {
        name: [
            row.get(name) for frame in frames for row in (frame.to_pylist() if name in frame.column_names else [{}] * 2)
        ]
        for name in CHANGES
    }
    return {name: [*map(_text, values)] for name, values in rows.items()}


def _text(value: object) -> str:
    return str(float(value)) if isinstance(value, int | float | Decimal) else repr(value)


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ([1.5], ["a"], "double precision, and the frame has text, which does not fit; convert it in the asset"),
        ([1], [1.5], "bigint, and the frame has double precision, which does not fit; say 'double precision' for it"),
        (["a"], [1], "text, and the frame has bigint"),
        ([1.5], [1], "double precision, and the frame has bigint"),
        ([[1]], [[1.5]], "bigint[], and the frame has double precision[]"),
        ([{"a": 1}], ["a"], "jsonb, and the frame has text, which does not fit; say 'jsonb' for it"),
        (_of(pa.timestamp("us"), 0), _of(pa.timestamp("us", "UTC"), 0), "and the frame has timestamp with time zone"),
        (_of(pa.decimal128(38, 0), 1), _of(pa.decimal128(38, 9), 1), "numeric(38,0), and the frame has numeric(38,9)"),
    ],
)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_other_changes_are_refused_with_both_types(
    store: Store, before: Any, after: Any, says: str, layout: Layout
) -> None:
    store.write("t", "a", pa.table({"x": before}), layout=layout)
    ledger = store.ledger()
    with pytest.raises(SchemaChangeRefused, match=r"'x' of data\.t") as refused:
        store.write("t", "a", pa.table({"new": [1], "x": after}), layout=layout)
    assert says in str(refused.value)
    assert store.ledger() == ledger
    assert store.table("t").column_names == ["x"]


def test_whole_numbers_into_a_float_column_only_where_it_is_said(store: Store) -> None:
    store.write("t", "a", pa.table({"x": [1]}))
    store.write("t", "b", pa.table({"x": [2.5]}), column_types={"x": "float8"})
    store.write("t", "c", pa.table({"x": [3]}), column_types={"x": "float8"})
    assert store.table("t", ["a", "b", "c"])["x"].to_pylist() == [1.0, 2.5, 3.0]


def test_a_float_column_must_hold_the_whole_numbers_that_are_there(store: Store) -> None:
    store.write("t", "a", pa.table({"x": [2**53 + 1]}))
    with pytest.raises(SchemaChangeRefused, match=r"'x' of data\.t is bigint and has numbers beyond 2\*\*53"):
        store.write("t", "b", pa.table({"x": [2.5]}), column_types={"x": "float8"})
    store.write("t", "a", pa.table({"x": [1]}))
    store.write("t", "a", pa.table({"x": [2.5]}), column_types={"x": "float8"})
    with pytest.raises(PostgresStorageError, match=r"'x'.*the type of its column, has been changed"):
        restore_version(store.postgres, "t", "a", 1)
    assert store.table("t")["x"].to_pylist() == [2.5]


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


@pytest.mark.parametrize("layout", LAYOUTS)
def test_writers_that_change_the_table_at_once(store: Store, layout: Layout) -> None:
    """Each brings a column of its own, and half of them wider numbers: none is lost, and none is refused."""
    store.write("t", "first", pa.table({"x": pa.array([0], pa.int32())}), layout=layout)
    frames = {
        f"p{n}": pa.table({"x": pa.array([n], pa.int64() if n % 2 else pa.int32()), f"own{n}": [f"{n}"]})
        for n in range(6)
    }
    with ThreadPoolExecutor(len(frames)) as pool:
        list(pool.map(lambda key: store.write("t", key, frames[key], layout=layout), frames))
    back = store.table("t", list(frames))
    assert back["x"].to_pylist() == list(range(6))
    assert back.schema.field("x").type == pa.int64()
    for n in range(6):
        assert back[f"own{n}"].to_pylist() == [f"{n}" if m == n else None for m in range(6)]
    if layout is Layout.PARTITIONS:
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


def test_types_that_hold_one_another() -> None:
    assert common_type("bigint", "integer") == "bigint"
    assert common_type("integer", "bigint") == "bigint"
    assert common_type("bigint", "double precision") is None
    assert common_type("numeric(38,0)", "numeric(38,10)") is None
    assert common_type("numeric(20,0)", "bigint") is None
    assert common_type("character varying(5)", "text") == "text"
    assert common_type("text", "character varying(5)") == "text"
    assert common_type("character varying(5)", "jsonb") is None
    assert common_type("integer", "real") == "double precision"
    assert common_type("smallint[]", "integer[]") == "integer[]"
    assert common_type("smallint[]", "integer") is None


def test_a_first_frame_that_was_refused_binds_nobody(store: Store) -> None:
    with pytest.raises(UnstorableColumn):
        store.write("t", "k", pa.table({"v": ["a\0"], "w": [1]}))
    store.write("t", "k", pa.table({"v": [1.5]}))
    assert store.table("t").to_pydict() == {"v": [1.5]}
    store.check_consistent()


@pytest.mark.parametrize("declared", ["int; DROP TABLE data.victim", "int) ; DROP TABLE data.victim --", "int, 1", ""])
def test_a_declared_type_is_a_type_and_nothing_else(store: Store, declared: str) -> None:
    store.write("victim", "k", pa.table({"x": [1]}))
    with pytest.raises(UnstorableColumn, match="is none that the database knows"):
        store.write("t", "k", pa.table({"a": [1]}), column_types={"a": declared})
    assert store.table("victim").to_pydict() == {"x": [1]}


@pytest.mark.parametrize("options", [{"primary_key": ("zz",)}, {"indexes": (("a",), ("a", "zz"))}])
def test_a_key_of_a_column_that_is_not_there_is_named(store: Store, options: dict[str, Any]) -> None:
    (key,) = options
    with pytest.raises(PostgresStorageError, match=f"{key} in the metadata of 't' names the column 'zz'"):
        store.write("t", "k", pa.table({"a": [1]}), **options)


def test_whose_type_does_not_fit_is_said(store: Store) -> None:
    store.write("t", "k", pa.table({"a": [1]}))
    with pytest.raises(SchemaChangeRefused, match="is bigint, and the asset's column_types say text"):
        store.write("t", "k", pa.table({"a": [1]}), column_types={"a": "text"})
