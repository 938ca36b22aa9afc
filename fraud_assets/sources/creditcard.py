"""The public credit card file of ULB and Kaggle: `Time,V1..V28,Amount,Class`, seconds since the first transaction.

Day n of the file holds Time in [n * 86400, (n + 1) * 86400). Time is wall-clock time since the first day's midnight, so
that days of the file are days of the calendar in every time zone. A row whose Time cannot be read is counted with the
day of the row before it.
"""

from collections.abc import Generator, Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fraud_assets.settings import ColumnRoles, CreditcardSource
from fraud_assets.sources.base import Surroundings
from fraud_assets.sources.batch import DayBatch, DayContent, collect_day
from fraud_assets.sources.content import is_parquet
from fraud_assets.sources.convert import to_number
from fraud_assets.sources.csv_chunks import CsvFile
from fraud_assets.sources.days import bounds, require_begun
from fraud_assets.sources.delivered import Delivered, compared
from fraud_assets.sources.errors import SourceError
from fraud_assets.sources.roles import Kind, canonical_columns, needed_columns
from fraud_assets.sources.rows import RawChunk, RowRules

SECONDS_OF_A_DAY = 86_400
ROLES = ColumnRoles.model_validate(
    {
        "timestamp": "Time",
        "amount": "Amount",
        "label": "Class",
        "numeric": tuple(f"V{number}" for number in range(1, 29)),
    }
)
_COLUMNS = canonical_columns(ROLES, Kind.SECONDS)


class CreditcardFile:
    """The source `creditcard`. `transaction_id` is the 0-based number of the row in the file."""

    def __init__(self, settings: CreditcardSource, surroundings: Surroundings) -> None:
        self._settings = settings
        self._around = surroundings

    @property
    def roles(self) -> ColumnRoles:
        return ROLES

    def first_day(self) -> date | None:
        return self._settings.first_day

    def has_day(self, day: date) -> bool:
        """Whether the day is not before the file's first; how many days the file holds shows when it is read."""
        return day >= self._settings.first_day

    def delivered(self, day: date, fingerprint: str) -> Delivered:
        digest, _, _ = fingerprint.partition("-")
        return compared(self._settings.path, digest)

    def read_day(self, day: date) -> DayBatch:
        require_begun(day, self._around.zone)
        return collect_day(day, self._around.temporary_folder, lambda _: self._open(day))

    def _open(self, day: date) -> DayContent:
        path, first = self._settings.path, self._settings.first_day
        if path.is_file() and is_parquet(path):
            raise SourceError(f"The file {path} is Parquet; source.kind = creditcard reads the CSV file as published.")
        file = CsvFile(path, ",", "utf-8", needed_columns(ROLES, _COLUMNS), show_broken=True)
        day_filter = _DayFilter((day - first).days)
        rules = RowRules(
            columns=_COLUMNS,
            identifier_types={},
            window=bounds(day, self._around.zone),
            naive_zone=self._around.zone,
            origin=f"The file {path}",
            first_row_id=-1,
            first_midnight=datetime.combine(first, time.min),
        )
        # Two days share one file, so the file's digest alone would make each look like the other's repetition.
        return DayContent(
            path.name,
            rules,
            day_filter.rows_of_day(file.chunks(self._around.chunk_rows)),
            lambda: f"{file.fingerprint()}-{(day - first).days}",
            lambda: _no_rows(path, day, first, day_filter.last_seen),
        )


class _DayFilter:
    """Keeps the rows of one day of the file, and notes the last day that any row belongs to."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._before = 0
        self.last_seen = -1

    def rows_of_day(self, chunks: Iterator[RawChunk]) -> Generator[RawChunk, None, None]:
        for chunk in chunks:
            days = self._days(chunk.cells.column("Time").combine_chunks())
            wanted = days == self._number
            # A broken row belongs to the day of the last whole row before it.
            before = np.concatenate([[self._before], days])
            places = np.searchsorted(chunk.source_rows, [row.source_row for row in chunk.broken])
            broken = tuple(
                row for row, place in zip(chunk.broken, places, strict=True) if before[place] == self._number
            )
            self._before = int(before[-1])
            self.last_seen = max(self.last_seen, int(before.max()))
            if wanted.all() and len(broken) == len(chunk.broken):
                yield chunk
            elif wanted.any() or broken:
                rows = chunk.source_rows[wanted]
                yield replace(chunk, cells=chunk.cells.filter(pa.array(wanted)), source_rows=rows, broken=broken)

    def _days(self, times: pa.Array) -> npt.NDArray[np.int64]:
        """The day number of each row, those without a usable Time taking that of the row before."""
        seconds = to_number(times)[0].to_numpy(zero_copy_only=False)
        usable = np.isfinite(seconds) & (seconds >= 0) & (seconds < 1e12)
        days = np.where(usable, np.where(usable, seconds, 0) // SECONDS_OF_A_DAY, self._before).astype(np.int64)
        last_usable = np.maximum.accumulate(np.where(usable, np.arange(len(days)), -1))
        filled: npt.NDArray[np.int64] = np.where(last_usable >= 0, days[last_usable], self._before)
        return filled


def _no_rows(path: Path, day: date, first: date, last_number: int) -> SourceError:
    if last_number < 0:
        return SourceError(f"The file {path} has a header but no rows; deliver it again.")
    last = first + timedelta(days=min(last_number, (date.max - first).days))
    return SourceError(f"The file {path} has no transactions of {day}; its days are {first} to {last}.")
