"""What pandas hands in comes back as it was where pandas can hold it, or is refused with the column's name."""

import datetime as dt
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud_assets.postgres.archive import restore_version
from fraud_assets.postgres.errors import UnstorableColumn
from fraud_assets.postgres.storage.ledger import Layout
from fraud_assets.postgres.values.frames import incoming
from fraud_assets_tests.postgres.material import Store
from fraud_assets_tests.postgres.values.test_round_trip import (
    EXAMPLES,
    FLOATS,
    LAYOUTS,
    SPANS,
    TEXTS,
    integers,
    moments,
)

BEYOND_FLOAT = 2**53 + 1


@pytest.mark.parametrize("layout", LAYOUTS)
@EXAMPLES
@given(data=st.data(), rows=st.integers(0, 4))
def test_pandas_dtypes_come_back_as_they_were(store: Store, layout: Layout, data: st.DataObject, rows: int) -> None:
    def some(values: st.SearchStrategy[Any]) -> list[Any]:
        return data.draw(st.lists(values, min_size=rows, max_size=rows))

    times = [moment.replace(tzinfo=dt.UTC) for moment in some(moments("1700-01-01", "9999-12-30"))]
    days = some(st.none() | st.dates())
    frame = pd.DataFrame(
        {
            "whole": np.array(some(integers(64)), "int64"),
            "byte": np.array(some(integers(8, signed=False)), "uint8"),
            "vast": np.array(some(integers(64, signed=False)), "uint64"),
            "nullable": pd.array(some(st.none() | integers(64)), dtype="Int64"),
            "small": pd.array(some(st.none() | integers(8)), dtype="Int8"),
            "nullable vast": pd.array(some(st.none() | integers(64, signed=False)), dtype="UInt64"),
            "flag": np.array(some(st.booleans()), "bool"),
            "maybe": pd.array(some(st.none() | st.booleans()), dtype="boolean"),
            "float": np.array(some(FLOATS), "float64"),
            "single": np.array(some(st.floats(width=32)), "float32"),
            "half": np.array(some(st.floats(width=16)), "float16"),
            "Float64": pd.array(some(st.none() | st.floats(allow_nan=False)), dtype="Float64"),
            "text": pd.array(some(st.none() | TEXTS), dtype="str"),
            "string": pd.array(some(st.none() | TEXTS), dtype="string"),
            "naive": pd.array([moment.replace(tzinfo=None) for moment in times], dtype="datetime64[us]"),
            "zoned": pd.DatetimeIndex(times, dtype="datetime64[us, UTC]").tz_convert("Europe/Berlin"),
            "took": pd.array(some(SPANS), dtype="timedelta64[us]"),
            "arrow whole": pd.arrays.ArrowExtensionArray(pa.array(some(st.none() | integers(32)), pa.int32())),
            "arrow day": pd.arrays.ArrowExtensionArray(pa.array(days, pa.date32())),
            "arrow time": pd.arrays.ArrowExtensionArray(pa.array(times, pa.timestamp("us", "Europe/Berlin"))),
        }
    )
    asset = uuid.uuid4().hex
    store.write(asset, "k", frame, layout=layout)
    pd.testing.assert_frame_equal(store.frame(asset, ["k"]), frame)
    store.write(asset, "k", frame.iloc[:0], layout=layout)
    restore_version(store.postgres, asset, "k", 1)
    pd.testing.assert_frame_equal(store.frame(asset, ["k"]), frame)


def test_python_objects_of_one_type(store: Store) -> None:
    frame = pd.DataFrame(
        {
            "day": [dt.date(2024, 2, 29), None],
            "money": [Decimal("1.50"), Decimal("-20.25")],
            "tiny": [Decimal("1E-30"), Decimal("NaN")],
            "round": [Decimal("1E+3"), None],
            "raw": [b"\0\xff", None],
            "many": [[1, BEYOND_FLOAT], None],
            "holes": [[None, BEYOND_FLOAT], []],
            "id": [uuid.UUID(int=1), None],
            "nested": [{"a": BEYOND_FLOAT, "b": [{"c": "\U0001f600"}]}, {"a": None, "b": []}],
            "clock": [dt.time(1, 2, 3), None],
        }
    )
    store.write("objects", "k", frame)
    assert repr(store.table("objects", ["k"]).to_pylist()) == repr(pa.Table.from_pandas(frame).to_pylist())
    back = store.frame("objects", ["k"])
    assert back["holes"].map(list).tolist() == frame["holes"].tolist()
    assert back["nested"].iloc[0]["a"] == BEYOND_FLOAT
    assert back.drop(columns=["many", "holes", "nested", "tiny"]).equals(
        frame.drop(columns=["many", "holes", "nested", "tiny"])
    )
    types = dict(store.query("SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
                             " WHERE attrelid = 'data.objects'::regclass AND attnum > 0"))  # fmt: skip
    assert types == {
        "day": "date",
        "money": "numeric(4,2)",
        "tiny": "numeric(30,30)",
        "round": "numeric(4,0)",
        "raw": "bytea",
        "many": "bigint[]",
        "holes": "bigint[]",
        "id": "uuid",
        "nested": "jsonb",
        "clock": "time without time zone",
        "partition_key": "text",
    }


@pytest.mark.parametrize("form", [pd.DataFrame, pa.table])
def test_whole_numbers_beside_missing_ones_are_not_rounded(store: Store, form: Callable[..., Any]) -> None:
    frame = form({"x": pd.Series([BEYOND_FLOAT, None], dtype=object).tolist()})
    if isinstance(frame, pd.DataFrame):
        frame = frame.assign(x=pd.Series([BEYOND_FLOAT, None], dtype=object))
    store.write("t", "k", frame)
    back = store.frame("t", ["k"])["x"]
    assert back.dtype == "Int64"
    assert back.iloc[0] == BEYOND_FLOAT


def test_whole_numbers_from_before_a_column_was_there(store: Store) -> None:
    store.write("t", "a", pd.DataFrame({"y": [1]}))
    store.write("t", "b", pd.DataFrame({"y": [2], "x": [BEYOND_FLOAT]}))
    assert store.frame("t", ["b"])["x"].dtype == "int64"
    assert store.frame("t", ["a", "b"])["x"].tolist() == [pd.NA, BEYOND_FLOAT]


def test_dtypes_come_from_the_last_version_that_has_the_column(store: Store) -> None:
    store.write("t", "a", pd.DataFrame({"x": pd.array(["a", None], dtype="string"), "y": [1, 2]}))
    store.write("t", "b", pd.DataFrame({"y": pd.array([3], dtype="Int64")}))
    back = store.frame("t", ["a", "b"])
    assert back.dtypes.astype(str).to_dict() == {"x": "string", "y": "Int64"}


def test_a_dtype_that_pandas_has_no_name_for_can_be_read(store: Store) -> None:
    lists = pd.arrays.ArrowExtensionArray(pa.array([[1, 2], None], pa.list_(pa.int64())))
    store.write("t", "k", pd.DataFrame({"x": lists}))
    assert [None if row is None else list(row) for row in store.frame("t", ["k"])["x"]] == [[1, 2], None]


@pytest.mark.parametrize("categories", [["b", "a"], [2, 1], [], None])
def test_a_categorical_is_stored_as_text(store: Store, categories: list[Any] | None) -> None:
    values = [None, *(categories or [])]
    store.write("c", "k", pd.DataFrame({"c": pd.Categorical(values, categories)}))
    assert store.query("SELECT c FROM data.c") == [(None if v is None else str(v),) for v in values]
    back = store.frame("c", ["k"])["c"]
    assert back.dtype == "str"
    assert back.isna().tolist() == [value is None for value in values]


_ZONED = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([1, "x"], "integers, texts"),
        ([True, 1], "booleans, integers"),
        ([1.5, True], "booleans, floats"),
        (["a", b"b"], "bytes, texts"),
        ([dt.date(2024, 1, 1), _ZONED], "dates, datetimes"),
        ([_ZONED, _ZONED.replace(tzinfo=None)], "without one"),
        ([_ZONED.timetz(), None], "times of day with a time zone"),
        ([pd.Timestamp(1), None], "nanoseconds"),
        ([pd.Timedelta(1), pd.NaT], "nanoseconds"),
        ([{"a": 1}, {"a": "x"}], "no single storable type"),
        ([2**70], "no single storable type"),
        ([2**70, 0.5], "no single storable type"),
        ([Decimal("Infinity")], "no single storable type"),
        (["\ud800"], "surrogates"),
        ([object()], "no single storable type"),
        ([1j], "no single storable type"),
    ],
)
def test_objects_that_would_lose_something_are_refused_by_name(values: list[Any], says: str) -> None:
    with pytest.raises(UnstorableColumn, match="'the column'") as refused:
        incoming(pd.DataFrame({"fine": 1, "the column": pd.Series(values, dtype=object)}))
    assert says in str(refused.value)


_REFUSED = [
    pd.period_range("2024", periods=1),
    pd.interval_range(0, 1),
    pd.arrays.SparseArray([0.0]),
    np.array([1j]),
    np.array([0], "datetime64[s]") - np.timedelta64(300_000_000_000, "s"),
    pd.Series([np.datetime64(1, "ns")], dtype=object),
    pd.Series([{"a": _ZONED}]),
    pd.Series([{"a": "\0"}]),
    pd.Series([Decimal("1E+50")]),
]


def test_dtypes_that_cannot_be_stored_are_refused_by_name(store: Store) -> None:
    for number, values in enumerate(_REFUSED):
        with pytest.raises(UnstorableColumn, match=rf"column '?c{number}\b"):
            store.write("refused", "k", pd.DataFrame({f"c{number}": values}))


def test_an_index_is_not_stored(store: Store) -> None:
    store.write("t", "k", pd.DataFrame({"x": [1, 2]}, index=pd.Index(["p", "q"])))
    pd.testing.assert_frame_equal(store.frame("t", ["k"]), pd.DataFrame({"x": [1, 2]}))


@pytest.mark.parametrize("columns", [pd.MultiIndex.from_tuples([("a", "b")]), [0], [None], [pd.Timestamp("2024")]])
def test_columns_without_a_text_for_a_name(columns: Any) -> None:
    with pytest.raises(UnstorableColumn, match="a name that is no string; rename it"):
        incoming(pd.DataFrame([[1]], columns=columns))
