"""The rules of a row: from raw cells to canonical columns, and the reason why a row is diverted.

A row is rejected for the first rule that it breaks, in the order: transaction time, amount, then the other columns as
they come, then a transaction id that was there before. Knows nothing of files, databases or days' totals.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fraud_assets.sources import convert
from fraud_assets.sources.convert import Mask
from fraud_assets.sources.days import localize
from fraud_assets.sources.errors import SourceError
from fraud_assets.sources.originals import originals
from fraud_assets.sources.pseudonyms import Pseudonymizer
from fraud_assets.sources.roles import SOURCE_ROW_NAME, Column, Kind

SOURCE_ROW = pa.field(SOURCE_ROW_NAME, pa.int64())
REJECTED = pa.schema([SOURCE_ROW, ("reason", pa.string()), ("original", pa.string())])
DUPLICATE = "repeats the transaction id of an earlier row"


@dataclass(frozen=True)
class BrokenRow:
    """A row that could not be cut into columns."""

    source_row: int
    reason: str
    original: str


@dataclass(frozen=True)
class RawChunk:
    """Some rows as the source has them.

    `cells` has the source's columns under the source's names, `source_rows` their 1-based positions in the file or day.
    """

    cells: pa.Table
    source_rows: npt.NDArray[np.int64]
    broken: tuple[BrokenRow, ...] = ()


@dataclass(frozen=True)
class SortedChunk:
    """A chunk after the rules: `accepted` in canonical columns, `rejected` as in `REJECTED`, each in source order."""

    accepted: pa.RecordBatch
    rejected: pa.RecordBatch


class SeenIds(Protocol):
    """Remembers accepted transaction ids."""

    def repeated(self, ids: pa.Array) -> Mask:
        """Which of `ids` were there before, here or in an earlier call; the others count as seen from now on."""


@dataclass(frozen=True)
class RowRules:
    """Everything that decides what becomes of a row.

    `identifier_types`: int64 or string by canonical name. `window`: [start, end) of the day. `first_row_id`: added to a
    row's position to make its id when the source has no transaction id. `first_midnight`: naive, for `Kind.SECONDS`.
    """

    columns: tuple[Column, ...]
    identifier_types: Mapping[str, pa.DataType]
    window: tuple[datetime, datetime]
    naive_zone: ZoneInfo | None
    origin: str
    pseudonymizer: Pseudonymizer | None = None
    first_row_id: int = 0
    first_midnight: datetime | None = None

    @property
    def has_own_ids(self) -> bool:
        return any(column.name == "transaction_id" for column in self.columns)

    @property
    def schema(self) -> pa.Schema:
        """Of accepted rows."""
        own = [pa.field(column.name, self._type(column)) for column in self.columns]
        made = [] if self.has_own_ids else [pa.field("transaction_id", pa.int64())]
        return pa.schema([*made, *own, SOURCE_ROW])

    def _type(self, column: Column) -> pa.DataType:
        if column.kind is Kind.IDENTIFIER:
            return pa.string() if column.sensitive else self.identifier_types[column.name]
        return _TYPES[column.kind]

    def sort(self, chunk: RawChunk, seen: SeenIds) -> SortedChunk:
        """Raises `SourceError` for what is wrong with the whole source: no zone for naive timestamps."""
        verdict = _Verdict(chunk.cells.num_rows)
        arrays = {
            column.name: self._read(column, chunk.cells, verdict) for column in _time_and_amount_first(self.columns)
        }
        if self.has_own_ids:
            good = np.flatnonzero(verdict.accepted)
            repeated = seen.repeated(arrays["transaction_id"].take(pa.array(good)))
            verdict.reject(_at(good[repeated], len(verdict.accepted)), DUPLICATE)
        else:
            arrays["transaction_id"] = pa.array(chunk.source_rows + self.first_row_id)
        arrays[SOURCE_ROW_NAME] = pa.array(chunk.source_rows)
        batch = pa.RecordBatch.from_arrays([arrays[name] for name in self.schema.names], schema=self.schema)
        accepted = batch if verdict.accepted.all() else batch.filter(pa.array(verdict.accepted))
        return SortedChunk(accepted, self._rejected(chunk, verdict))

    def _read(self, column: Column, cells: pa.Table, verdict: "_Verdict") -> pa.Array:
        values, unreadable = self._converted(column, _one_array(cells.column(column.source)))
        # The file's own trouble is named before what follows from it: a cell that cannot be read is not missing.
        verdict.reject(unreadable, f"{column.source} {_EXPECTED[column.kind]}")
        if column.required:
            verdict.reject(_true(pc.is_null(values)), f"{column.source} is missing")
        if column.kind is Kind.NUMBER:
            verdict.reject(_true(pc.is_inf(values)), f"{column.source} is infinite")
        if column.name == "transaction_time":
            start, end = (pa.scalar(bound, values.type) for bound in self.window)
            inside = pc.and_(pc.greater_equal(values, start), pc.less(values, end))
            verdict.reject(~_true(inside), f"{column.source} is outside the day")
        return values

    def _converted(self, column: Column, cells: pa.Array) -> tuple[pa.Array, Mask]:
        match column.kind:
            case Kind.NUMBER:
                return convert.to_number(cells)
            case Kind.LABEL:
                return convert.to_label(cells)
            case Kind.SECONDS:
                return self._from_seconds(cells)
            case Kind.TIMESTAMP:
                return self._from_timestamps(column, cells)
            case Kind.IDENTIFIER if not column.sensitive and pa.types.is_int64(self.identifier_types[column.name]):
                return convert.to_whole_number(cells)
        text, unreadable = convert.to_text(cells)
        if column.sensitive:
            text = self._pseudonyms(column, text)
        return text, unreadable

    def _from_timestamps(self, column: Column, cells: pa.Array) -> tuple[pa.Array, Mask]:
        try:
            return convert.to_timestamp(cells, self.naive_zone)
        except convert.NaiveTimestampError:
            raise SourceError(
                f"{self.origin}: the timestamps in column {column.source!r} have no time zone; set "
                "source.columns.timestamp_timezone to the one that they are in."
            ) from None

    def _from_seconds(self, cells: pa.Array) -> tuple[pa.Array, Mask]:
        seconds, unreadable = convert.to_number(cells)
        # Beyond a million days nothing is a time any more, and the sum below would overflow.
        unreadable |= _true(pc.greater(pc.abs(seconds), 86_400e6))
        seconds = pc.if_else(pa.array(unreadable), None, seconds)
        microseconds = pc.round(pc.multiply(seconds, 1e6)).cast(pa.int64()).cast(pa.duration("us"))
        assert self.first_midnight is not None
        assert self.naive_zone is not None
        naive = pc.add(pa.scalar(self.first_midnight, pa.timestamp("us")), microseconds)
        return localize(naive, self.naive_zone), unreadable

    def _pseudonyms(self, column: Column, text: pa.Array) -> pa.Array:
        if self.pseudonymizer is None:
            raise SourceError(
                f"The column {column.source!r} is sensitive, and there is no pseudonym key; set pseudonym_key."
            )
        return self.pseudonymizer.replace(text)

    def _rejected(self, chunk: RawChunk, verdict: "_Verdict") -> pa.RecordBatch:
        where = np.flatnonzero(~verdict.accepted)
        shown = list(dict.fromkeys(column.source for column in self.columns if not column.sensitive))
        shown_cells = originals(chunk.cells.select(shown).take(pa.array(where)))
        rows = list(zip(chunk.source_rows[where].tolist(), verdict.reasons(where), shown_cells, strict=True))
        rows += [(row.source_row, row.reason, row.original) for row in chunk.broken]
        rows.sort(key=lambda row: row[0])
        return pa.RecordBatch.from_pylist(
            [dict(zip(REJECTED.names, row, strict=True)) for row in rows], schema=REJECTED
        )


_TYPES = {
    Kind.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    Kind.SECONDS: pa.timestamp("us", tz="UTC"),
    Kind.NUMBER: pa.float64(),
    Kind.LABEL: pa.int8(),
    Kind.TEXT: pa.string(),
}
_EXPECTED = {
    Kind.TIMESTAMP: "is not an ISO 8601 timestamp",
    Kind.SECONDS: "is not a number of seconds",
    Kind.NUMBER: "is not a number",
    Kind.LABEL: "is not 0 or 1",
    Kind.TEXT: "contains a NUL character",
    Kind.IDENTIFIER: "is no usable identifier",
}


class _Verdict:
    """Which rows are still accepted, and the first reason against each of the others."""

    def __init__(self, rows: int) -> None:
        self.accepted: Mask = np.ones(rows, dtype=bool)
        self._reason = np.zeros(rows, dtype=np.int16)
        self._texts: list[str] = []

    def reject(self, rows: Mask, reason: str) -> None:
        newly = rows & self.accepted
        if newly.any():
            self._reason[newly] = len(self._texts)
            self._texts.append(reason)
            self.accepted &= ~newly

    def reasons(self, where: npt.NDArray[np.intp]) -> list[str]:
        return [self._texts[code] for code in self._reason[where]]


def _time_and_amount_first(columns: Iterable[Column]) -> list[Column]:
    first = ("transaction_time", "amount")
    return sorted(columns, key=lambda column: first.index(column.name) if column.name in first else len(first))


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _true(booleans: pa.Array) -> Mask:
    """As a mask; null is false."""
    return np.asarray(pc.fill_null(booleans, False).to_numpy(zero_copy_only=False), dtype=bool)


def _at(positions: npt.NDArray[np.intp], length: int) -> Mask:
    mask = np.zeros(length, dtype=bool)
    mask[positions] = True
    return mask
