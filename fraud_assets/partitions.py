"""The one daily partition, and the windows of days that a computation for a day may see.

All windows are pairs of days relative to the day D of the partition, first and last, both included. With label delay
d, training days w and validation days v:

    validation              [D-d-v+1, D-d]
    training of candidates  [D-2d-v-w+1, D-2d-v]   the d days between have no labels yet when validation begins
    refit of the winner     [D-d-w+1, D-d]
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TypeAlias
from zoneinfo import ZoneInfo

import dagster as dg
import pandas as pd

Window: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class Windows:
    """The windows of one set of d, w and v, in days relative to D."""

    label_delay_days: int
    training_days: int
    validation_days: int

    @property
    def is_split(self) -> bool:
        """Whether validation is the last fifth of the training window, for lack of validation days of its own."""
        return self.validation_days == 0

    @property
    def refit(self) -> Window:
        return -(self.label_delay_days + self.training_days - 1), -self.label_delay_days

    @property
    def training(self) -> Window:
        if self.is_split:
            return self.refit
        last = -(2 * self.label_delay_days + self.validation_days)
        return last - self.training_days + 1, last

    @property
    def validation(self) -> Window:
        if self.is_split:
            return self.refit
        return -(self.label_delay_days + self.validation_days - 1), -self.label_delay_days

    @property
    def training_horizon(self) -> int:
        """The last day whose labels the candidates may know: the eve of validation."""
        return 0 if self.is_split else self.validation[0] - 1

    @property
    def history(self) -> Window:
        """All days whose features any step of D needs."""
        return min(self.training[0], self.refit[0], 0), 0

    def labels_for(self, rows: Window, horizon: int) -> Window:
        """The label days that may hold labels of the transactions of `rows`, up to what is known on `horizon`."""
        return rows[0], max(horizon, rows[0])


def daily_partitions(first_day: date, timezone: str) -> dg.DailyPartitionsDefinition:
    """One partition a day, from `first_day` to yesterday, keyed YYYY-MM-DD, midnight to midnight in the time zone."""
    return dg.DailyPartitionsDefinition(start_date=first_day.isoformat(), timezone=timezone)


def day_start(day: date | str, timezone: str) -> pd.Timestamp:
    """The instant at which a day begins, in UTC."""
    return pd.Timestamp(datetime.combine(shifted(day, 0), time(), tzinfo=ZoneInfo(timezone))).tz_convert("UTC")


def day_end(day: date | str, timezone: str) -> pd.Timestamp:
    """The instant at which a day is over: the next one's beginning."""
    return day_start(shifted(day, 1), timezone)


def shifted(day: date | str, days: int) -> date:
    """The date `days` days after a date or a partition's key."""
    parsed = date.fromisoformat(day) if isinstance(day, str) else day
    return parsed + timedelta(days=days)
