"""What Arrow hands in comes back as it was, in both layouts and from the archive, and another driver sees the same."""

import datetime as dt
import json
import uuid
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fraud_assets.postgres.archive import restore_version
from fraud_assets.postgres.errors import PostgresStorageError
from fraud_assets.postgres.storage.ledger import Layout
from fraud_assets_tests.postgres.material import Store

# Not shrunk: with fifty columns that takes minutes.
EXAMPLES = settings(
    max_examples=6,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
LAYOUTS = (Layout.PARTITIONS, Layout.ROWS)

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12) | st.sampled_from(
    ["", "'", '"', "\\", "\\N", "NULL", "'; DROP TABLE x; --", "\U0001f600", "a\tb\nc\r", "%s", "{}", "$1"]
)
FLOATS = st.floats() | st.sampled_from([float("nan"), float("inf"), -float("inf"), -0.0, 5e-324])


def moments(first: str, last: str) -> st.SearchStrategy[dt.datetime]:
    return st.datetimes(dt.datetime.fromisoformat(first), dt.datetime.fromisoformat(last))


def integers(bits: int, *, signed: bool = True) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else st.integers(0, 2**bits - 1)


def _maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


def _lists(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(_maybe(values), max_size=3)


_MOMENTS = moments("0001-01-02", "9999-12-30")
_ZONED = _MOMENTS.map(lambda t: t.replace(tzinfo=dt.UTC))
SPANS = st.timedeltas(dt.timedelta(-100_000), dt.timedelta(100_000))
_MONEY = st.decimals(-99_999_999, 99_999_999, places=4, allow_nan=False)
# jsonb holds numbers without the sign of a zero.
_FINITE = st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number + 0.0)

_ARROW: dict[pa.DataType, st.SearchStrategy[Any]] = {
    **{pa.type_for_alias(f"int{bits}"): integers(bits) for bits in (8, 16, 32, 64)},
    **{pa.type_for_alias(f"uint{bits}"): integers(bits, signed=False) for bits in (8, 16, 32, 64)},
    pa.float16(): st.floats(width=16),
    pa.float32(): st.floats(width=32),
    pa.float64(): FLOATS,
    pa.bool_(): st.booleans(),
    pa.string(): TEXTS,
    pa.large_string(): TEXTS,
    pa.string_view(): TEXTS,
    pa.binary(): st.binary(max_size=12),
    pa.large_binary(): st.binary(max_size=12),
    pa.binary_view(): st.binary(max_size=12),
    pa.binary(3): st.binary(min_size=3, max_size=3),
    pa.date32(): st.dates(),
    pa.date64(): st.dates(),
    pa.timestamp("us"): _MOMENTS,
    pa.timestamp("us", "UTC"): _ZONED,
    pa.timestamp("s", "+05:30"): _ZONED.map(lambda t: t.replace(microsecond=0)),
    pa.timestamp("ms", "America/New_York"): _MOMENTS.map(
        lambda t: t.replace(microsecond=0, year=1900 + t.year % 200, day=1, tzinfo=dt.UTC)
    ),
    pa.timestamp("ns", "Europe/Berlin"): moments("1700-01-01", "2200-01-01").map(lambda t: t.replace(tzinfo=dt.UTC)),
    pa.time64("us"): st.times(),
    pa.time64("ns"): st.times(),
    pa.time32("ms"): st.times().map(lambda t: t.replace(microsecond=0)),
    pa.time32("s"): st.times().map(lambda t: t.replace(microsecond=0)),
    pa.duration("ns"): SPANS,
    pa.duration("us"): SPANS,
    pa.duration("s"): SPANS.map(lambda span: dt.timedelta(days=span.days)),
    pa.decimal32(9, 2): st.decimals(-99_999, 99_999, places=2, allow_nan=False),
    pa.decimal128(12, 4): _MONEY,
    pa.decimal128(38, 0): st.decimals(-(10**38) + 1, 10**38 - 1, places=0, allow_nan=False),
    pa.decimal128(38, 38): st.integers(-(10**38) + 1, 10**38 - 1).map(lambda n: Decimal(f"{n}E-38")),
    pa.decimal128(5, -2): integers(16).map(lambda n: Decimal(f"{n}E+2")),
    pa.decimal128(2, 5): st.integers(-99, 99).map(lambda n: Decimal(f"{n}E-5")),
    pa.decimal256(20, 3): st.decimals(-999, 999, places=3, allow_nan=False),
    pa.list_(pa.int64()): _lists(integers(64)),
    pa.list_(pa.float64()): _lists(FLOATS),
    pa.list_(pa.bool_()): _lists(st.booleans()),
    pa.list_(pa.string()): _lists(TEXTS),
    pa.list_(pa.timestamp("us")): _lists(_MOMENTS),
    pa.list_(pa.timestamp("us", "UTC")): _lists(_ZONED),
    pa.list_(pa.decimal128(12, 4)): _lists(_MONEY),
    pa.list_(pa.time64("us")): _lists(st.times()),
    pa.list_(pa.date32()): _lists(st.dates()),
    pa.list_(pa.float32(), 2): st.lists(_maybe(st.floats(width=32)), min_size=2, max_size=2),
    pa.large_list(pa.uint8()): _lists(integers(8, signed=False)),
    pa.list_(pa.list_(pa.int64())): _lists(_lists(integers(64))),
    pa.struct([("a", pa.float64()), ("b c", pa.list_(pa.string())), ("d", pa.uint64())]): st.fixed_dictionaries(
        {"a": _maybe(_FINITE), "b c": _maybe(_lists(TEXTS)), "d": _maybe(integers(64, signed=False))}
    ),
    pa.uuid(): st.uuids().map(lambda value: value.bytes),
    pa.json_(): st.sampled_from(['{"a": [null], "b": 1}', '"\U0001f600"', "1.5"]),
}


def _arrays(arrow_type: pa.DataType, values: st.SearchStrategy[Any]) -> st.SearchStrategy[pa.Array]:
    return st.lists(st.none() | values, min_size=3, max_size=3).map(lambda found: _array(found, arrow_type))


def _array(found: list[Any], arrow_type: pa.DataType) -> pa.Array:
    if pa.types.is_decimal(arrow_type):  # which cannot be made at once where it has more places than digits, or none
        return pa.array(found, pa.decimal128(38, max(arrow_type.scale, 0))).cast(arrow_type)
    return pa.array(found, arrow_type)


_COLUMNS = st.tuples(*(_arrays(arrow_type, values) for arrow_type, values in _ARROW.items()))


@pytest.mark.parametrize("layout", LAYOUTS)
@EXAMPLES
@given(arrays=_COLUMNS)
def test_arrow_types_come_back_as_they_were(store: Store, layout: Layout, arrays: tuple[pa.Array, ...]) -> None:
    table = pa.table(list(arrays), names=[f"{i} {array.type}"[:40] for i, array in enumerate(arrays)])
    asset = uuid.uuid4().hex
    store.write(asset, "k", table, layout=layout)
    back = store.table(asset, ["k"])
    assert back.schema.equals(table.schema)
    # As text, since NaN is NaN here, and zero has a sign.
    assert [repr(c.to_pylist()) for c in back.columns] == [repr(c.to_pylist()) for c in table.columns]
    seen = store.query(f'SELECT * FROM data."{asset}"')
    for index, array in enumerate(arrays):
        assert [_seen(row[index], array.type) for row in seen] == [_said(value) for value in array.to_pylist()]

    store.write(asset, "k", table.slice(0, 1), layout=layout)
    restore_version(store.postgres, asset, "k", 1)
    again = store.table(asset, ["k"])
    assert again.schema.equals(table.schema)
    for before, after in zip(table.columns, again.columns, strict=True):
        assert repr(after.to_pylist()) == repr(before.to_pylist())


def _seen(value: Any, arrow_type: pa.DataType) -> str:
    """What psycopg, which shares nothing with the binary reader, says that is in the database."""
    if pa.types.is_floating(arrow_type) and arrow_type != pa.float64() and value is not None:
        value = pa.scalar(value, pa.float32()).cast(arrow_type).as_py()  # the server writes as few digits as it needs
    if arrow_type == pa.list_(pa.float32(), 2) and value is not None:
        value = pa.array(value, pa.float32()).to_pylist()
    return _said(json.dumps(value, ensure_ascii=False) if arrow_type == pa.json_() and value is not None else value)


def _said(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_said, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_said(_in_json(value[key]))}' for key in sorted(value))}}}"
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat() if value.tzinfo else value.isoformat()
    if isinstance(value, pd.Timestamp | pd.Timedelta):
        return _said(value.to_pydatetime() if isinstance(value, pd.Timestamp) else value.to_pytimedelta())
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return str(Fraction(value)) if Decimal(value).is_finite() else repr(float(value))
    return repr(value)


def _in_json(value: Any) -> Any:
    """A value of JSON with its numbers as floats: a large one has been written without a point."""
    return float(value) if isinstance(value, int) else value


def test_nan_of_numpy_is_missing_and_that_of_arrow_is_nan(store: Store) -> None:
    store.write("numpy", "k", pd.DataFrame({"x": [1.5, float("nan")]}))
    store.write("arrow", "k", pa.table({"x": [1.5, float("nan")]}))
    assert store.query("SELECT x FROM data.numpy") == [(1.5,), (None,)]
    assert [str(value) for (value,) in store.query("SELECT x FROM data.arrow")] == ["1.5", "nan"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_times_that_no_python_datetime_holds(store: Store, layout: Layout) -> None:
    moments = pa.array([-210_866_803_200_000_000, 2**62, 2**63 - 1], pa.timestamp("us"))
    days = pa.array([-2_440_588, 0, 2_145_042_905], pa.date32())
    spans = pa.array([-(2**63) + 1, 0, 2**63 - 1], pa.duration("us"))
    zoned = pa.array([[-210_866_803_200_000_000], [2**62, None], [2**63 - 1]], pa.list_(pa.timestamp("us", "UTC")))
    table = pa.table({"t": moments, "d": days, "s": spans, "z": zoned})
    store.write("far", "k", table, layout=layout)
    assert store.table("far", ["k"]).equals(table)
    text = "SELECT t::text, d::text, (z[1] AT TIME ZONE 'UTC')::text FROM data.far ORDER BY far.t"
    assert store.query(text) == [
        ("4714-11-24 00:00:00 BC", "4714-11-24 BC", "4714-11-24 00:00:00 BC"),
        ("148108-07-06 14:00:27.387904", "1970-01-01", "148108-07-06 14:00:27.387904"),
        ("294247-01-10 04:00:54.775807", "5874897-12-31", "294247-01-10 04:00:54.775807"),
    ]
    store.write("far", "k", table.slice(0, 0), layout=layout)
    restore_version(store.postgres, "far", "k", 1)
    assert store.table("far", ["k"]).equals(table)
    assert str(store.frame("far", ["k"])["d"].iloc[2]).startswith("5874897-12-31")


def test_a_day_with_two_hours_of_the_same_name(store: Store) -> None:
    hours = pd.date_range("2024-10-27", periods=26, freq="h", tz="Europe/Berlin", unit="us")
    store.write("dst", "k", pd.DataFrame({"t": hours}))
    back = store.frame("dst", ["k"])["t"]
    assert (back == hours).all()
    assert back.dtype == hours.dtype
    hour = "SELECT count(DISTINCT t), count(DISTINCT t AT TIME ZONE 'Europe/Berlin') FROM data.dst"
    assert store.query(hour) == [(26, 25)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_values_of_a_megabyte_in_more_than_one_batch(store: Store, layout: Layout) -> None:
    texts = [chr(97 + i) * 2**20 for i in range(20)]
    store.write("big", "k", pa.table({"t": texts}), layout=layout)
    assert store.table("big", ["k"])["t"].to_pylist() == texts


def test_fields_keep_what_is_said_of_them(store: Store) -> None:
    field = pa.field("x", pa.int64(), nullable=False, metadata={"unit": "EUR"})
    table = pa.table([pa.array([1])], schema=pa.schema([field], metadata={"source": "here"}))
    store.write("t", "a", table)
    assert store.table("t", ["a"]).schema.equals(table.schema, check_metadata=True)
    store.write("t", "b", pa.table({"x": pa.array([None], pa.int64())}))
    assert store.table("t").schema.equals(pa.schema([pa.field("x", pa.int64())]), check_metadata=True)


def test_an_index_among_the_columns_of_an_arrow_table_is_a_column(store: Store) -> None:
    table = pa.Table.from_pandas(pd.DataFrame({"x": [1, 2]}, index=pd.Index(["p", "q"], name="who")))
    store.write("t", "a", table)
    assert store.frame("t", ["a"]).to_dict("list") == {"x": [1, 2], "who": ["p", "q"]}


def test_a_value_that_has_been_changed_by_hand_is_named(store: Store) -> None:
    store.write("t", "a", pa.table({"x": pa.array([1], pa.uint8()), "s": pa.array([{"a": 1}])}))
    store.run("UPDATE data.t SET x = -1")
    with pytest.raises(PostgresStorageError, match=r"'x'.*no uint8.*changed since"):
        store.table("t")
    store.run('UPDATE data.t SET x = 1, s = \'{"a": "text"}\'')
    with pytest.raises(PostgresStorageError, match=r"'s'.*no struct.*changed since"):
        store.table("t")
