"""Where a day begins and ends, and what a timestamp without a zone means. Half-open days: [start, end)."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa

from fraud_assets.sources.errors import SourceError

TIMESTAMP = pa.timestamp("us", tz="UTC")


def start_of(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of `day` in `zone`, as UTC.

    Where a clock change skips midnight this is the change itself, where midnight happens twice it is the first one:
    days tile the time line without gap or overlap.
    """
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)


def bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """[start, end) of `day` in `zone`, both as UTC; 23 to 25 hours apart."""
    return start_of(day, zone), start_of(day + timedelta(days=1), zone)


def require_begun(day: date, zone: ZoneInfo) -> None:
    """Raises `SourceError` for a day that has not begun: it has no transactions."""
    if datetime.now(UTC) < start_of(day, zone):
        raise SourceError(f"The day {day} has not begun in {zone.key}; choose a day up to today.")


def localize(naive: pa.Array, zone: ZoneInfo) -> pa.Array:
    """Wall-clock times (timestamp[us] without a zone) as timestamp[us, UTC]; null stays null.

    A time that a clock change repeats is taken as the first of the two; a time that a clock change skips becomes the
    first instant after the gap.
    """
    if zone.key == "UTC":
        return naive.cast(TIMESTAMP)
    clock = pd.DatetimeIndex(naive.to_numpy(zero_copy_only=False).astype("datetime64[us]"))
    first = np.ones(len(clock), dtype=bool)
    return aware(clock.tz_localize(zone, ambiguous=first, nonexistent="shift_forward"))


def aware(times: pd.DatetimeIndex) -> pa.Array:
    """Times with a zone as timestamp[us, UTC]; NaT becomes null."""
    return pa.array(times.tz_convert("UTC").tz_localize(None).as_unit("us").to_numpy()).cast(TIMESTAMP)
