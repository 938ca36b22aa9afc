"""What every kind of source answers, and what all of them are built with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from fraud_assets.settings import ColumnRoles
from fraud_assets.sources.batch import CHUNK_ROWS, DayBatch
from fraud_assets.sources.delivered import Delivered
from fraud_assets.sources.errors import SourceError
from fraud_assets.sources.pseudonyms import Pseudonymizer

# Room for ten thousand million rows in a day before ids of two days could meet.
ROW_IDS_OF_A_DAY = 10_000_000_000


class Source(Protocol):
    """Where transactions come from, a day at a time."""

    @property
    def roles(self) -> ColumnRoles:
        """Which of the source's columns plays which part; numeric, categorical and segments keep their own names."""

    def read_day(self, day: date) -> DayBatch:
        """The transactions of [day 00:00, next day 00:00) in the settings' time zone.

        Raises `SourceNotReady` when the day is not there yet, `SourceError` when it cannot be used.
        """

    def first_day(self) -> date | None:
        """The earliest day, where the source knows it cheaply."""

    def has_day(self, day: date) -> bool:
        """Whether the day is there to be read; that it is whole and right shows when it is."""

    def delivered(self, day: date, fingerprint: str) -> Delivered:
        """What has become of the file that a batch of this day with this fingerprint was read from."""


@dataclass(frozen=True)
class Surroundings:
    """What reading a day needs beside the source's own settings."""

    zone: ZoneInfo
    pseudonymizer: Pseudonymizer | None = None
    temporary_folder: Path | None = None
    chunk_rows: int = CHUNK_ROWS


def first_row_id(day: date) -> int:
    """What to add to a row's position to make an id that is unique over days."""
    return day.toordinal() * ROW_IDS_OF_A_DAY


def no_rows_in(origin: str) -> Callable[[], SourceError]:
    return lambda: SourceError(f"{origin} has a header but no rows; deliver it again.")
