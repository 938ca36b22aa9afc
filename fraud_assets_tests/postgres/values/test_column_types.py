"""Types that an asset declares, values that no column holds, and columns that do not say what they are."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from fraud_assets.postgres.archive import restore_version
from fraud_assets.postgres.errors import UnstorableColumn
from fraud_assets.postgres.storage.ledger import Layout
from fraud_assets_tests.postgres.material import Store
from fraud_assets_tests.postgres.values.test_round_trip import LAYOUTS

_REFUSED = [
    (pa.array(["ok", "a\0b"]), "NUL"),
    (pa.array(["ok", "a\0b"]).slice(1), "NUL"),
    (pa.array([["a\0"]]), "NUL"),
    (pa.array([1], pa.timestamp("ns")), "lose data"),
    (pa.array([1], pa.time64("ns")), "lose data"),
    (pa.array([1], pa.duration("ns")), "lose data"),
    (pa.array([2**62], pa.duration("s")), "out of bounds"),
    (pa.array([-(2**62)], pa.timestamp("us")), "4714 BC"),
    (pa.array([2**31 - 1], pa.date32()), "5874897"),
    (pa.nulls(2), "column_types"),
    (pa.array([[], [None]]), "column_types"),
    (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())), "no PostgreSQL column type"),
    (pa.array([{"t": 0}], pa.struct([("t", pa.timestamp("us"))])), "no PostgreSQL column type"),
    (pa.array([(1, 2, 3)], pa.month_day_nano_interval()), "no PostgreSQL column type"),
    (pa.array([[1]], pa.list_view(pa.int64())), "no PostgreSQL column type"),
    (pa.RunEndEncodedArray.from_arrays([1], ["a"]), "no PostgreSQL column type"),
    (pa.array([1], pa.bool8()), "no PostgreSQL column type"),
    (pa.array([10], pa.decimal256(50, 2)), "no PostgreSQL column type"),
    (pa.array([b"\xff"]).dictionary_encode(), "cannot hold"),
    (pa.array([{"a": float("nan")}]), "jsonb cannot hold"),
]


def test_what_cannot_be_stored_is_refused_by_name(store: Store) -> None:
    for number, (value, says) in enumerate(_REFUSED):
        with pytest.raises(UnstorableColumn, match=f"'c{number}'") as refused:
            store.write("t", "k", pa.table({"fine": pa.nulls(len(value), pa.int8()), f"c{number}": value}))
        assert says in str(refused.value)
        assert "\n" not in str(refused.value)


def test_what_lies_under_a_null_is_no_value(store: Store) -> None:
    under = pa.Array.from_buffers(
        pa.string(),
        2,
        [pa.py_buffer(b"\x01"), pa.py_buffer(np.array([0, 1, 2], "int32").tobytes()), pa.py_buffer(b"a\0")],
    )
    store.write("t", "k", pa.table({"x": under}))
    assert store.query("SELECT x FROM data.t") == [("a",), (None,)]


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pa.array([2, None, 1]).dictionary_encode(), ["2", None, "1"]),
        (pa.array([True, None]).dictionary_encode(), ["true", None]),
        (pa.DictionaryArray.from_arrays([1, 0, None], pa.array(["a", None])), [None, "a", None]),
    ],
)
def test_a_dictionary_is_stored_as_text(store: Store, values: pa.Array, texts: list[str | None]) -> None:
    store.write("t", "k", pa.table({"x": values}))
    assert store.query("SELECT x FROM data.t") == [(text,) for text in texts]
    assert store.table("t").equals(pa.table({"x": texts}))


_UUID = "00000000-0000-0000-0000-00000000abcd"


# By declared type: texts that are handed in, and as they come back.
_DECLARED = {
    "jsonb": (['{"b": 1,  "a": "\U0001f600"}', "[]"], ['{"a": "\U0001f600", "b": 1}', "[]"]),
    "json": (['{"b": 1, "a": 2}', "1"], ['{"b": 1, "a": 2}', "1"]),
    "uuid": ([_UUID.upper(), _UUID.replace("-", "")], [_UUID, _UUID]),
    "inet": (["10.0.0.1", "::1/64"], ["10.0.0.1", "::1/64"]),
    "cidr": (["10.0.0.0/8", "2001:db8::/32"], ["10.0.0.0/8", "2001:db8::/32"]),
    "char(3)": (["a", "abc"], ["a", "abc"]),
    "varchar(3)": (["a ", "abc"], ["a ", "abc"]),
    "numeric(6,2)": (["1.5", "-2.25"], ["1.50", "-2.25"]),
    "timestamptz": (
        ["2024-01-01T01:00:00+01:00", "1900-01-01T00:00:00Z"],
        ["2024-01-01 00:00:00+00:00", "1900-01-01 00:00:00+00:00"],
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_texts_in_columns_of_declared_types(store: Store, layout: Layout) -> None:
    table = pa.table({declared: [*given, None] for declared, (given, _) in _DECLARED.items()})
    options: dict[str, Any] = {"layout": layout, "column_types": {declared: declared for declared in _DECLARED}}
    for _ in range(2):
        store.write("t", "k", table, **options)
    assert store.query('SELECT "jsonb" ->> \'a\' FROM data.t WHERE "jsonb" @> \'{"b": 1}\'') == [("\U0001f600",)]
    assert store.query('SELECT host("inet"), masklen("inet") FROM data.t LIMIT 1') == [("10.0.0.1", 32)]
    assert store.query('SELECT "char(3)" = \'a  \'::char(3), length("varchar(3)") FROM data.t LIMIT 1') == [(True, 2)]
    restore_version(store.postgres, "t", "k", 1)
    read = store.table("t")
    for declared, (_, back) in _DECLARED.items():
        found = [None if value is None else str(value) for value in read[declared].to_pylist()]
        assert found[: len(back)] == back, declared
        assert found[2] is None
    assert store.changes("t", table, **options) == []


_UNFIT = [
    ("jsonb", "{"),
    ("json", "nothing"),
    ("uuid", _UUID[:-1]),
    ("uuid", _UUID[:-1] + "g"),
    ("uuid", _UUID[:-1] + "é"),
    ("inet", "10.0.0.256"),
    ("inet", "fe80::1%eth0"),
    ("cidr", "10.0.0.1/8"),
    ("char(3)", "longer"),
    ("varchar(3)", "longer"),
    ("numeric(3,1)", "12345"),
    ("int4", "x"),
]


def test_values_that_a_declared_type_cannot_hold(store: Store) -> None:
    for number, (declared, value) in enumerate(_UNFIT):
        name = f"c{number}"
        with pytest.raises(UnstorableColumn, match=rf"column '?{name}\b"):
            store.write(f"t{number}", "k", pa.table({name: [value]}), column_types={name: declared})


def test_a_whole_number_that_a_declared_float_would_round(store: Store) -> None:
    with pytest.raises(UnstorableColumn, match="'n'"):
        store.write("declared", "k", pa.table({"n": [2**53 + 1]}), column_types={"n": "float8"})


def test_nested_values_of_several_shapes_are_read_together(store: Store) -> None:
    store.write("t", "a", pa.table({"x": [{"a": 1}]}))
    store.write("t", "b", pa.table({"x": [{"b": ["c"]}, None]}))
    assert store.table("t", ["a", "b"])["x"].to_pylist() == [{"a": 1, "b": None}, {"a": None, "b": ["c"]}, None]
    store.write("t", "c", pa.table({"x": [{"a": ["text"]}]}))
    assert store.table("t", ["a", "c"])["x"].to_pylist() == ['{"a": 1}', '{"a": ["text"]}']


def test_an_object_without_fields_is_one(store: Store) -> None:
    table = pa.table({"x": pa.array([{}, None], pa.struct([]))})
    store.write("t", "k", table)
    assert store.table("t").equals(table)


def test_declared_types_in_any_spelling(store: Store) -> None:
    frame = pa.table({"n": pa.array([1, None], pa.int64()), "s": ["a", "b"], "t": pa.array([0, 1], pa.timestamp("us"))})
    types = {"n": "float8", "s": "VARCHAR(10)", "t": "timestamptz"}
    for _ in range(2):
        store.write("declared", "k", frame, column_types=types)
    back = store.table("declared", ["k"])
    assert back.schema.types == [pa.float64(), pa.string(), pa.timestamp("us", "UTC")]
    assert back["n"].to_pylist() == [1.0, None]
    assert store.changes("declared", frame, column_types=types) == []


@pytest.mark.parametrize(
    ("declared", "says"),
    [
        ("nonsense", "none that the database knows"),
        ("int) ; DROP TABLE x; --", "none that the database knows"),
        ("numeric", "binary"),
        ("timestamp(3)", "binary"),
        ("int4range", "binary"),
    ],
)
def test_declared_types_that_do_not_work(store: Store, declared: str, says: str) -> None:
    with pytest.raises(UnstorableColumn, match=says):
        store.write("declared", "k", pa.table({"x": [1]}), column_types={"x": declared})


def test_an_empty_column_takes_the_type_that_is_declared(store: Store) -> None:
    types = {name: name for name in ("int8", "text", "jsonb", "uuid", "inet", "timestamptz[]", "numeric(5,2)")}
    store.write("t", "k", pd.DataFrame(dict.fromkeys(types), index=[0, 1], dtype=object), column_types=types)
    assert store.frame("t", ["k"]).isna().to_numpy().all()


def test_an_empty_column_takes_the_type_that_was_stored(store: Store) -> None:
    store.write("t", "a", pd.DataFrame({"x": ["text"], "many": [["a"]]}))
    store.write("t", "b", pd.DataFrame({"x": pd.Series([None], dtype=object), "many": [[]]}))
    assert store.table("t", ["a", "b"]).to_pylist() == [{"x": "text", "many": ["a"]}, {"x": None, "many": []}]


@pytest.mark.parametrize("form", [lambda f: f, pa.Table.from_pandas, lambda f: pa.Table.from_pandas(f).to_reader()])
def test_an_empty_frame_is_a_partition_like_any_other(store: Store, form: Callable[[pd.DataFrame], object]) -> None:
    empty = pd.DataFrame({"x": np.array([], "int64"), "t": pd.Series([], dtype="datetime64[us, UTC]")})
    assert store.write("empty", "a", form(empty)).row_count == 0
    full = pd.DataFrame({"x": [1], "t": pd.to_datetime(["2024-01-01"], utc=True).as_unit("us")})
    store.write("empty", "b", form(full))
    pd.testing.assert_frame_equal(store.frame("empty", ["a"]), empty)
    assert len(store.frame("empty")) == 1


def test_a_frame_without_columns(store: Store) -> None:
    assert store.write("bare", "k", pd.DataFrame()).row_count == 0
    assert store.frame("bare", ["k"]).shape == (0, 0)
    with pytest.raises(UnstorableColumn, match="rows and no columns"):
        store.write("bare", "k", pd.DataFrame(index=[0, 1]))


@pytest.mark.parametrize("value", [None, 5, [1, 2], "text"])
def test_what_is_no_frame(store: Store, value: Any) -> None:
    with pytest.raises(UnstorableColumn, match="DataFrame"):
        store.write("frames", "k", value)
