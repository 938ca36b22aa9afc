"""Between a database driver's Python values and Arrow: types of columns, and a day's bounds in a column's own terms."""

import math
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraud_assets.sources.convert import Mask, NaiveTimestampError, to_timestamp
from fraud_assets.sources.errors import SourceError

_ONE_DAY = timedelta(days=1)


def arrow_array(values: tuple[Any, ...]) -> pa.Array:
    """One column of a chunk: decimals as float64, times with their zone, values of mixed or unknown types as text."""
    kinds = {type(value) for value in values} - {type(None)}
    if Decimal in kinds and kinds <= {Decimal, int, float}:
        return pa.array([_number(value) for value in values], pa.float64())
    if kinds == {datetime}:
        zoned = any(value is not None and value.tzinfo is not None for value in values)
        return pa.array(values, pa.timestamp("us", tz="UTC" if zoned else None))
    if kinds <= {int, float} or kinds <= {bool} or kinds == {date} or kinds == {str}:
        try:
            return pa.array(values)
        except (pa.ArrowInvalid, OverflowError):
            pass
    return pa.array([None if value is None else str(value) for value in values], pa.string())


def _number(value: Any) -> int | float | None:
    return None if value is None else float(value)


def identifier_type(example: Any) -> pa.DataType:
    """int64 for whole numbers, string for everything else."""
    if isinstance(example, bool):
        return pa.string()
    whole = isinstance(example, int) or (
        isinstance(example, Decimal | float) and math.isfinite(example) and example == math.floor(example)
    )
    return pa.int64() if whole else pa.string()


def query_bounds(
    example: Any, window: tuple[datetime, datetime], naive_zone: ZoneInfo | None, origin: str, column: str
) -> tuple[Any, Any]:
    """What to compare the column with, low inclusive and high exclusive, so that no row of the day is missed.

    Exact for times with a zone, and for naive ones away from clock changes. Wider near a clock change, and by a day on
    either side for text, whose shape may vary: `belongs_to_day` then decides. Raises `SourceError` for a column that
    holds no times, or naive ones when nothing says in which zone.
    """
    if isinstance(example, datetime) and example.tzinfo is not None:
        return window
    if isinstance(example, str):
        days = window[0].date() - _ONE_DAY, window[1].date() + 2 * _ONE_DAY
        return days[0].isoformat(), days[1].isoformat()
    if not isinstance(example, date):
        raise SourceError(f"{origin}: the column {column!r} holds {type(example).__name__}; expected a timestamp.")
    if naive_zone is None:
        raise SourceError(
            f"{origin}: the timestamps in column {column!r} have no time zone; set "
            "source.columns.timestamp_timezone to the one that they are in."
        )
    low, high = (_wall_clock(bound, naive_zone) for bound in window)
    low -= _clock_change(window[0], naive_zone)
    high += _clock_change(window[1], naive_zone)
    if isinstance(example, datetime):
        return low, high
    # A date stands for its midnight.
    return low.date(), high.date() + _ONE_DAY


def belongs_to_day(times: pa.Array, window: tuple[datetime, datetime], naive_zone: ZoneInfo | None) -> Mask:
    """Which rows are the day's: those inside it, and those whose text begins like it but cannot be read."""
    try:
        instants, unreadable = to_timestamp(times, naive_zone)
    except NaiveTimestampError:
        # Whoever applies the rules says it better.
        return np.ones(len(times), dtype=bool)
    start, end = (pa.scalar(bound, instants.type) for bound in window)
    inside = pc.and_(pc.greater_equal(instants, start), pc.less(instants, end))
    mask: Mask = np.asarray(pc.fill_null(inside, False).to_numpy(zero_copy_only=False), dtype=bool)
    if unreadable.any():
        day = (window[0] + (window[1] - window[0]) / 2).date().isoformat()
        mask |= unreadable & np.asarray(pc.starts_with(times, day).to_numpy(zero_copy_only=False), dtype=bool)
    return mask


def _wall_clock(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None)


def _clock_change(instant: datetime, zone: ZoneInfo) -> timedelta:
    """How far clocks in the zone move within a day of the instant; mostly zero."""
    before, after = ((instant + step).astimezone(zone).utcoffset() for step in (-_ONE_DAY, _ONE_DAY))
    assert before is not None
    assert after is not None
    return abs(after - before)
