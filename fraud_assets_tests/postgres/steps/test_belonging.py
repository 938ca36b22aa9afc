"""Which partition a row belongs to: against Dagster's own arithmetic, row by row."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud_assets.postgres.errors import PostgresStorageError, UnstorableColumn
from fraud_assets.postgres.steps.belonging import belonging

BERLIN = ZoneInfo("Europe/Berlin")
HOURS = dg.HourlyPartitionsDefinition("2024-10-26-22:00", end_date="2024-10-27-06:00", timezone="Europe/Berlin")
HAVANA = dg.DailyPartitionsDefinition("2024-03-07", end_date="2024-03-14", timezone="America/Havana")
KINDS: list[dg.TimeWindowPartitionsDefinition] = [
    HOURS,
    dg.HourlyPartitionsDefinition("2024-03-30-22:00", end_date="2024-03-31-06:00", timezone="Europe/Berlin"),
    dg.DailyPartitionsDefinition("2024-03-28", end_date="2024-04-03", timezone="Europe/Berlin"),
    dg.DailyPartitionsDefinition("2024-10-24", end_date="2024-10-30", timezone="Europe/Berlin", hour_offset=2),
    dg.WeeklyPartitionsDefinition("2024-03-01", end_date="2024-04-21", timezone="Asia/Kolkata", day_offset=3),
    dg.MonthlyPartitionsDefinition("2023-11-01", end_date="2024-05-01"),
    HAVANA,
]


def _places(partitions: dg.PartitionsDefinition[Any], keys: list[str], column: pa.Array) -> list[int]:
    found = belonging("t", partitions, keys).places(pa.record_batch({"t": column}))
    assert found.dtype == np.int64
    return [int(place) for place in found]


@st.composite
def _runs(draw: st.DrawFn) -> tuple[dg.TimeWindowPartitionsDefinition, list[str], datetime]:
    """A definition, some of its keys as a run may have them, and an instant within or around it."""
    partitions = draw(st.sampled_from(KINDS))
    keys = list(partitions.get_partition_keys())
    first = draw(st.integers(0, len(keys) - 1))
    run = draw(st.permutations(keys[first : draw(st.integers(first + 1, len(keys)))]))
    start, end = (partitions.time_window_for_partition_key(key) for key in (keys[0], keys[-1]))
    span = int((end.end - start.start).total_seconds())
    seconds = draw(st.integers(-7_200, span + 7_200) | st.integers(0, span // 3_600).map(lambda hours: hours * 3_600))
    return partitions, list(run), start.start.astimezone(UTC) + timedelta(seconds=seconds)


def _expected(partitions: dg.TimeWindowPartitionsDefinition, keys: list[str], instant: datetime) -> int | None:
    windows = [partitions.time_window_for_partition_key(key) for key in keys]
    inside = [place for place, time in enumerate(windows) if time.start <= instant < time.end]
    return inside[0] if inside else None


def _check(partitions: Any, keys: list[str], column: pa.Array, expected: int | None) -> None:
    if expected is None:
        with pytest.raises(UnstorableColumn, match="does not belong to"):
            _places(partitions, keys, column)
    else:
        assert _places(partitions, keys, column) == [expected]


@given(_runs(), st.sampled_from(["s", "ms", "us", "ns"]), st.sampled_from(["UTC", "Europe/Berlin", "-07:00"]))
def test_times_with_a_zone(run: Any, unit: str, zone: str) -> None:
    partitions, keys, instant = run
    _check(partitions, keys, pa.array([instant], pa.timestamp(unit, zone)), _expected(partitions, keys, instant))


@given(_runs(), st.sampled_from(["s", "us"]))
def test_times_without_a_zone_are_those_of_the_clocks(run: Any, unit: str) -> None:
    partitions, keys, instant = run
    zone = ZoneInfo(partitions.timezone)
    clock = instant.astimezone(zone).replace(tzinfo=None)
    meant = {clock.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    possible = {_expected(partitions, list(partitions.get_partition_keys()), one) for one in meant}
    column = pa.array([clock], pa.timestamp(unit))
    if len(possible) > 1 and any(_expected(partitions, keys, one) is not None for one in meant):
        with pytest.raises(UnstorableColumn, match=r"clocks show twice.*time zone"):
            _places(partitions, keys, column)
    else:
        _check(partitions, keys, column, _expected(partitions, keys, instant))


@given(_runs(), st.sampled_from([pa.date32(), pa.date64()]))
def test_dates_belong_where_they_begin(run: Any, arrow_type: pa.DataType) -> None:
    partitions, keys, instant = run
    zone = ZoneInfo(partitions.timezone)
    day = instant.astimezone(zone).date()
    first = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    while first.astimezone(zone).date() < day:  # Clocks may skip midnight.
        first += timedelta(minutes=15)
    _check(partitions, keys, pa.array([day], arrow_type), _expected(partitions, keys, first))


@given(_runs())
def test_texts_are_keys(run: Any) -> None:
    partitions, keys, _ = run
    texts = pa.array([*keys, keys[0]])
    for column in (texts, texts.cast(pa.large_string()), texts.dictionary_encode()):
        assert _places(partitions, keys, column) == [*range(len(keys)), 0]


def test_a_time_that_clocks_skip_is_in_no_hour() -> None:
    keys = ["2024-03-31-01:00", "2024-03-31-03:00"]
    with pytest.raises(UnstorableColumn, match=r"2024-03-31 02:30:00.*does not belong to the run's 2 partitions"):
        _places(KINDS[1], keys, pa.array([datetime(2024, 3, 31, 2, 30)]))  # noqa: DTZ001


def test_times_that_no_python_type_holds() -> None:
    far = pa.array([2**62], pa.timestamp("us", "UTC"))
    with pytest.raises(UnstorableColumn, match=f"value out of range: {2**62}"):
        _places(HOURS, ["2024-10-27-00:00"], far)
    old = dg.DailyPartitionsDefinition("1500-01-01", end_date="1500-01-03")
    assert _places(old, ["1500-01-02"], pa.array([date(1500, 1, 2)])) == [0]
    with pytest.raises(UnstorableColumn, match="does not belong"):
        _places(old, ["1500-01-02"], pa.array([0], pa.timestamp("ns", "UTC")))


@pytest.mark.parametrize(
    ("column", "keys"),
    [
        (pa.array(["b", "a", "b"]), ["a", "b"]),
        (pa.array([2, 1, 2]), ["1", "2"]),
        (pa.array([2, 1, 2], pa.uint8()), ["1", "2"]),
        (pa.array([True, False, True]), ["false", "true"]),
        (pa.array([2.0, 1.0, 2.0]), ["1", "2"]),
        (pa.array(["b", "a", "b"]).dictionary_encode(), ["a", "b"]),
    ],
)
def test_static_keys_are_compared_as_text(column: pa.Array, keys: list[str]) -> None:
    assert _places(dg.StaticPartitionsDefinition(keys), keys, column) == [1, 0, 1]


@pytest.mark.parametrize(
    ("column", "says"),
    [
        (pa.array(["a", None]), r"'t'.*NULL in 1 rows of the run's 2 partitions, 'a' to 'b'"),
        (pa.array(["a", "c"]), r"'t' has 'c', which does not belong to the run's 2 partitions, 'a' to 'b'"),
        (pa.array(["a", "A"]), "has 'A'"),
        (pa.array([[1]]), r"'t' \(list.*cannot be compared"),
        (pa.nulls(1), "NULL in 1 rows"),
    ],
)
def test_what_belongs_nowhere(column: pa.Array, says: str) -> None:
    with pytest.raises(UnstorableColumn, match=says):
        _places(dg.StaticPartitionsDefinition(["a", "b"]), ["a", "b"], column)


def test_two_dimensions() -> None:
    days = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-01-05")
    both = dg.MultiPartitionsDefinition({"time": days, "colour": dg.StaticPartitionsDefinition(["red", "blue"])})
    keys = ["blue|2024-01-03", "red|2024-01-02", "red|2024-01-03"]
    told = belonging({"time": "at", "colour": "c"}, both, keys)
    times = [datetime(2024, 1, day, 12) for day in (2, 3, 3)]  # noqa: DTZ001
    assert told.places(pa.record_batch({"c": ["red", "blue", "red"], "at": times})).tolist() == [1, 0, 2]
    with pytest.raises(UnstorableColumn, match=r"'c' 'blue' and 'at' '2024-01-02 12:00.*together"):
        told.places(pa.record_batch({"c": ["red", "blue"], "at": times[:1] * 2}))
    with pytest.raises(UnstorableColumn, match="'c' has 'green'"):
        told.places(pa.record_batch({"c": ["green"], "at": times[:1]}))


@pytest.mark.parametrize("expression", ["t", {"time": "t"}, {"time": "t", "colour": 3}, {"time": "t", "colours": "c"}])
def test_expressions_that_cannot_be_meant(expression: object) -> None:
    one = dg.StaticPartitionsDefinition(["a"])
    both = dg.MultiPartitionsDefinition({"time": one, "colour": one})
    with pytest.raises(PostgresStorageError, match=r"partition_expr=.*each dimension.*'time'"):
        belonging(expression, both, ["a|a"])
    with pytest.raises(PostgresStorageError, match="must be the name of a column"):
        belonging({"time": "t"}, one, ["a"])
