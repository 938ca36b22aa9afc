"""Days and clock changes: days tile the time line, and every wall-clock time has one instant."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraud_assets.sources.days import bounds, localize

_FIRST, _LAST = datetime(1990, 1, 1), datetime(2030, 12, 31)  # noqa: DTZ001 - wall-clock times
_ZONES = ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Beirut", "Australia/Lord_Howe", "Europe/Moscow"]


@settings(deadline=None)
@given(zone=st.sampled_from(_ZONES), day=st.dates(date(1990, 1, 1), date(2030, 12, 31)))
def test_days_tile_the_time_line(zone: str, day: date) -> None:
    start, end = bounds(day, ZoneInfo(zone))
    assert end == bounds(day + timedelta(days=1), ZoneInfo(zone))[0]
    assert timedelta(hours=23) <= end - start <= timedelta(hours=25)


@settings(deadline=None)
@given(zone=st.sampled_from(_ZONES), clock=st.datetimes(_FIRST, _LAST))
def test_wall_clock_times_agree_with_zoneinfo_and_stay_in_their_day(zone: str, clock: datetime) -> None:
    instant = localize(pa.array([clock], pa.timestamp("us")), ZoneInfo(zone))[0].as_py()
    back = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    if back == clock:
        assert instant == clock.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)
    else:
        assert back > clock, "a skipped time moves to the end of the gap"
    start, end = bounds(back.date(), ZoneInfo(zone))
    assert start <= instant < end


@pytest.mark.parametrize(
    ("clock", "utc"),
    [
        ("2018-10-28T02:30:00", "2018-10-28T00:30:00"),  # happens twice: the first
        ("2018-03-25T02:30:00", "2018-03-25T01:00:00"),  # does not happen: the end of the gap
        ("2018-07-01T12:00:00", "2018-07-01T10:00:00"),
    ],
)
def test_clock_changes_in_berlin(clock: str, utc: str) -> None:
    naive = pa.array([datetime.fromisoformat(clock), None], pa.timestamp("us"))
    expected = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert localize(naive, ZoneInfo("Europe/Berlin")).to_pylist() == [expected, None]
