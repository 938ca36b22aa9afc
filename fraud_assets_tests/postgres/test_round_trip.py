"""What comes back is what was stored, in the types that it had, or it is refused with the column's name."""

import datetime as dt
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fraud_assets.postgres.errors import UnstorableColumn
from fraud_assets_tests.postgres.material import Store

# Not shrunk: with thirty columns that takes minutes.
EXAMPLES = settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12) | st.sampled_from(
    ["", "'", '"', "\\", "\\N", "NULL", "'; DROP TABLE x; --", "\U0001f600", "a\tb\nc\r", "%s", "{}", "$1"]
)
_FLOATS = st.floats() | st.sampled_from([float("nan"), float("inf"), -float("inf"), -0.0, 5e-324])


def _moments(first: str, last: str) -> st.SearchStrategy[dt.datetime]:
    return st.datetimes(dt.datetime.fromisoformat(first), dt.datetime.fromisoformat(last))


_MOMENTS = _moments("0001-01-02", "9999-12-30")
_DAYS = st.dates()
_SPANS = st.timedeltas(dt.timedelta(-100_000), dt.timedelta(100_000))


def _integers(bits: int, *, signed: bool = True) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else st.integers(0, 2**bits - 1)


_ARROW: dict[pa.DataType, st.SearchStrategy[Any]] = {
    **{pa.type_for_alias(f"int{bits}"): _integers(bits) for bits in (8, 16, 32, 64)},
    **{pa.type_for_alias(f"uint{bits}"): _integers(bits, signed=False) for bits in (8, 16, 32, 64)},
    pa.float32(): st.floats(width=32),
    pa.float64(): _FLOATS,
    pa.bool_(): st.booleans(),
    pa.string(): _TEXT,
    pa.large_string(): _TEXT,
    pa.string_view(): _TEXT,
    pa.binary(): st.binary(max_size=12),
    pa.large_binary(): st.binary(max_size=12),
    pa.binary(3): st.binary(min_size=3, max_size=3),
    pa.date32(): _DAYS,
    pa.timestamp("us"): _MOMENTS,
    pa.timestamp("us", "UTC"): _MOMENTS.map(lambda t: t.replace(tzinfo=dt.UTC)),
    pa.timestamp("ms", "America/New_York"): _MOMENTS.map(
        lambda t: t.replace(microsecond=0, year=1900 + t.year % 200, day=1, tzinfo=dt.UTC)
    ),
    pa.timestamp("ns", "Europe/Berlin"): _moments("1700-01-01", "2200-01-01").map(lambda t: t.replace(tzinfo=dt.UTC)),
    pa.time64("us"): st.times(),
    pa.time32("s"): st.times().map(lambda t: t.replace(microsecond=0)),
    pa.duration("us"): _SPANS,
    pa.duration("s"): _SPANS.map(lambda span: dt.timedelta(days=span.days)),
    pa.decimal128(12, 4): st.decimals(-99_999_999, 99_999_999, places=4, allow_nan=False),
    pa.decimal128(38, 0): st.decimals(-(10**38) + 1, 10**38 - 1, places=0, allow_nan=False),
    pa.list_(pa.int64()): st.lists(st.none() | _integers(64), max_size=3),
    pa.list_(pa.string()): st.lists(st.none() | _TEXT, max_size=3),
    pa.large_list(pa.uint8()): st.lists(_integers(8, signed=False), max_size=3),
}


def _arrays(arrow_type: pa.DataType, values: st.SearchStrategy[Any]) -> st.SearchStrategy[pa.Array]:
    return st.lists(st.none() | values, min_size=3, max_size=3).map(lambda found: pa.array(found, arrow_type))


_COLUMNS = st.tuples(*(_arrays(arrow_type, values) for arrow_type, values in _ARROW.items()))


@EXAMPLES
@given(arrays=_COLUMNS)
def test_arrow_types_come_back_as_they_were(store: Store, arrays: tuple[pa.Array, ...]) -> None:
    table = pa.table(list(arrays), names=[f"{i} {array.type}" for i, array in enumerate(arrays)])
    asset = uuid.uuid4().hex
    store.write(asset, "k", table)
    back = store.table(asset, ["k"])
    assert back.schema.equals(table.schema)
    # As text, since NaN is NaN here, and zero has a sign.
    assert [repr(c.to_pylist()) for c in back.columns] == [repr(c.to_pylist()) for c in table.columns]


@EXAMPLES
@given(data=st.data(), rows=st.integers(0, 4))
def test_pandas_dtypes_come_back_as_they_were(store: Store, data: st.DataObject, rows: int) -> None:
    def some(values: st.SearchStrategy[Any]) -> list[Any]:
        return data.draw(st.lists(values, min_size=rows, max_size=rows))

    moments = [moment.replace(tzinfo=dt.UTC) for moment in some(_moments("1700-01-01", "9999-12-30"))]
    frame = pd.DataFrame(
        {
            "whole": np.array(some(_integers(64)), "int64"),
            "byte": np.array(some(_integers(8, signed=False)), "uint8"),
            "nullable": pd.array(some(st.none() | _integers(64)), dtype="Int64"),
            "small": pd.array(some(st.none() | _integers(8)), dtype="Int8"),
            "flag": np.array(some(st.booleans()), "bool"),
            "maybe": pd.array(some(st.none() | st.booleans()), dtype="boolean"),
            "float": np.array(some(_FLOATS), "float64"),
            "single": np.array(some(st.floats(width=32)), "float32"),
            "text": pd.array(some(st.none() | _TEXT), dtype="str"),
            "naive": pd.array([moment.replace(tzinfo=None) for moment in moments], dtype="datetime64[us]"),
            "zoned": pd.DatetimeIndex(moments, dtype="datetime64[us, UTC]").tz_convert("Europe/Berlin"),
            "took": pd.array(some(_SPANS), dtype="timedelta64[us]"),
        }
    )
    asset = uuid.uuid4().hex
    store.write(asset, "k", frame)
    pd.testing.assert_frame_equal(store.frame(asset, ["k"]), frame)


def test_nan_of_numpy_is_missing_and_that_of_arrow_is_nan(store: Store) -> None:
    store.write("numpy", "k", pd.DataFrame({"x": [1.5, np.nan]}))
    store.write("arrow", "k", pa.table({"x": [1.5, float("nan")]}))
    assert store.query("SELECT x FROM data.numpy") == [(1.5,), (None,)]
    assert [str(value) for (value,) in store.query("SELECT x FROM data.arrow")] == ["1.5", "nan"]


def test_python_objects_of_one_type(store: Store) -> None:
    frame = pd.DataFrame(
        {
            "day": [dt.date(2024, 2, 29), None],
            "money": [Decimal("1.50"), Decimal("-20.25")],
            "raw": [b"\0\xff", None],
            "many": [[1, 2], None],
        }
    )
    store.write("objects", "k", frame)
    assert repr(store.table("objects", ["k"]).to_pylist()) == repr(pa.Table.from_pandas(frame).to_pylist())
    types = dict(store.query("SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
                             " WHERE attrelid = 'data.objects'::regclass AND attnum > 0"))  # fmt: skip
    assert types["money"] == "numeric(4,2)"
    assert types["day"] == "date"


@pytest.mark.parametrize("categories", [["b", "a"], [2, 1], [], None])
def test_a_categorical_is_stored_as_text(store: Store, categories: list[Any] | None) -> None:
    values = [None, *(categories or [])]
    store.write("c", "k", pd.DataFrame({"c": pd.Categorical(values, categories)}))
    assert store.query("SELECT c FROM data.c") == [(None if v is None else str(v),) for v in values]
    back = store.frame("c", ["k"])["c"]
    assert back.dtype == "str"
    assert back.isna().tolist() == [value is None for value in values]


def test_times_that_no_python_datetime_holds(store: Store) -> None:
    moments = pa.array([-210_866_803_200_000_000, 2**62, 2**63 - 1], pa.timestamp("us"))
    days = pa.array([-2_440_588, 0, 2_145_042_905], pa.date32())
    store.write("far", "k", pa.table({"t": moments, "d": days}))
    back = store.table("far", ["k"])
    assert back["t"].combine_chunks().cast(pa.int64()).equals(moments.cast(pa.int64()))
    assert back["d"].combine_chunks().cast(pa.int32()).equals(days.cast(pa.int32()))


def test_a_day_with_two_hours_of_the_same_name(store: Store) -> None:
    hours = pd.date_range("2024-10-27", periods=26, freq="h", tz="Europe/Berlin", unit="us")
    store.write("dst", "k", pd.DataFrame({"t": hours}))
    back = store.frame("dst", ["k"])["t"]
    assert (back == hours).all()
    assert back.dtype == hours.dtype


def test_values_of_a_megabyte_in_more_than_one_batch(store: Store) -> None:
    texts = [chr(97 + i) * 2**20 for i in range(20)]
    store.write("big", "k", pa.table({"t": texts}))
    assert store.table("big", ["k"])["t"].to_pylist() == texts


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (pa.array(["ok", "a\0b"]), "NUL"),
        (pa.array([["a\0"]]), "NUL"),
        (pa.array([1], pa.timestamp("ns")), "lose data"),
        (pa.array([-(2**62)], pa.timestamp("us")), "4714 BC"),
        (pa.array([2**31 - 1], pa.date32()), "5874897"),
        (pa.nulls(2), "column_types"),
        (pa.array([{"a": 1}]), "no PostgreSQL column type"),
        (pa.array([[Decimal("1.5")]]), "no PostgreSQL column type"),
        (pa.array([10], pa.decimal256(50, 2)), "no PostgreSQL column type"),
        (pa.array([b"\xff"]).dictionary_encode(), "cannot hold"),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else str(value.type),
)
def test_what_cannot_be_stored_is_refused_by_name(store: Store, value: pa.Array, says: str) -> None:
    with pytest.raises(UnstorableColumn, match="'the column'") as refused:
        store.write("refused", "k", pa.table({"fine": value.is_null(), "the column": value}))
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "values",
    [[1, "x"], [1j], [2**70, 0.5], ["\ud800"], [object()], list(pd.period_range("2024", periods=1))],
    ids=["mixed", "complex", "huge", "surrogate", "object", "period"],
)
def test_pandas_columns_of_no_storable_type_are_refused_by_name(store: Store, values: list[Any]) -> None:
    with pytest.raises(UnstorableColumn, match="'the column'"):
        store.write("refused", "k", pd.DataFrame({"fine": 1, "the column": pd.Series(values, dtype=object)}))


def test_an_empty_column_takes_the_type_that_is_known(store: Store) -> None:
    empty = pd.DataFrame({"x": pd.Series([None, None], dtype=object)})
    store.write("declared", "k", empty, column_types={"x": "int8"})
    assert store.frame("declared", ["k"])["x"].isna().all()
    store.write("earlier", "a", pd.DataFrame({"x": ["text"]}))
    store.write("earlier", "b", empty)
    assert store.frame("earlier", ["a", "b"])["x"].tolist()[0] == "text"


@pytest.mark.parametrize("form", [lambda f: f, pa.Table.from_pandas, lambda f: pa.Table.from_pandas(f).to_reader()])
def test_an_empty_frame_is_a_partition_like_any_other(store: Store, form: Callable[[pd.DataFrame], object]) -> None:
    empty = pd.DataFrame({"x": np.array([], "int64"), "t": pd.Series([], dtype="datetime64[us, UTC]")})
    assert store.write("empty", "a", form(empty)).row_count == 0
    store.write(
        "empty", "b", form(pd.DataFrame({"x": [1], "t": pd.to_datetime(["2024-01-01"], utc=True).as_unit("us")}))
    )
    pd.testing.assert_frame_equal(store.frame("empty", ["a"]), empty)
    assert len(store.frame("empty")) == 1


def test_a_frame_without_columns(store: Store) -> None:
    assert store.write("bare", "k", pd.DataFrame()).row_count == 0
    assert store.frame("bare", ["k"]).shape == (0, 0)
    with pytest.raises(UnstorableColumn, match="rows and no columns"):
        store.write("bare", "k", pd.DataFrame(index=[0, 1]))


@pytest.mark.parametrize("value", [None, 5, [1, 2], "text"])
def test_what_is_no_frame(store: Store, value: object) -> None:
    with pytest.raises(UnstorableColumn, match="DataFrame"):
        store.write("frames", "k", value)


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
    [("nonsense", "none that the database knows"), ("jsonb", "binary"), ("int) ; DROP TABLE x; --", "database knows")],
)
def test_declared_types_that_do_not_work(store: Store, declared: str, says: str) -> None:
    with pytest.raises(UnstorableColumn, match=says):
        store.write("declared", "k", pa.table({"x": [1]}), column_types={"x": declared})


def test_a_value_that_a_declared_type_cannot_hold(store: Store) -> None:
    with pytest.raises(UnstorableColumn, match=r"column s.*too long"):
        store.write("declared", "k", pa.table({"s": ["longer"]}), column_types={"s": "varchar(3)"})
    with pytest.raises(UnstorableColumn, match="'n'"):
        store.write("declared", "k", pa.table({"n": [2**53 + 1]}), column_types={"n": "float8"})
