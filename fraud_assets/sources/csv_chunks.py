"""A CSV file as chunks of text: nothing is converted here, so that a bad cell costs its row and not the file."""

import csv
import io
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pacsv

from fraud_assets.sources.content import Utf8Stream, as_binary
from fraud_assets.sources.errors import SourceError
from fraud_assets.sources.originals import original
from fraud_assets.sources.rows import BrokenRow, RawChunk
from fraud_assets.sources.table_shape import check_names

BLOCK_BYTES = 4 << 20
# One more row than the file has: it arrives as a row only if every quotation mark before it is closed.
_LAST = "\x1aend"

T = TypeVar("T")


class CsvFile:
    """One CSV file; quoted separators, quoted line breaks, CRLF and a byte order mark are understood.

    `needed` are the columns to read. Rows with too few or too many fields become broken rows; their text is shown only
    if `show_broken`. Raises `SourceError` for an empty file, wrong encoding, a missing or repeated column.
    """

    def __init__(self, path: Path, separator: str, encoding: str, needed: list[str], *, show_broken: bool) -> None:
        self._path = path
        self._separator = separator
        self._needed = needed
        self._show_broken = show_broken
        self._stream = Utf8Stream(path, encoding)
        try:
            self._width = self._checked_header()
        except BaseException:
            self._stream.close()
            raise
        self._invalid: deque[pacsv.InvalidRow] = deque()

    def fingerprint(self) -> str:
        return self._stream.fingerprint()

    def chunks(self, chunk_rows: int) -> Generator[RawChunk, None, None]:
        """Chunks of at most `chunk_rows` rows, in the file's order; parsing runs one block ahead in a thread."""
        with self._stream:
            yield from _one_ahead(self._parsed(chunk_rows))

    def _checked_header(self) -> int:
        text = self._stream.peek()
        records = csv.reader(io.StringIO(text, newline=""), delimiter=self._separator)
        try:
            header = next((record for record in records if record), None)
        except csv.Error as error:
            raise SourceError(f"The file {self._path} has an unreadable header ({error}).") from error
        if header is None:
            raise SourceError(f"The file {self._path} has no header and no rows; deliver it again.")
        check_names(header, self._needed, f"The file {self._path}", self._separator)
        self._stream.trailer = ("\n" + self._separator.join([_LAST] * len(header)) + "\n").encode()
        return len(header)

    def _parsed(self, chunk_rows: int) -> Iterator[RawChunk]:
        read_rows, closed = 0, False
        numbers = _RowNumbers(self._invalid)
        for batch in self._batches():
            if batch.num_rows and batch.column(0)[-1].as_py() == _LAST:
                batch, closed = batch.slice(0, batch.num_rows - 1), True
            for start in range(0, batch.num_rows, chunk_rows):
                cells = pa.Table.from_batches([batch.slice(start, chunk_rows)])
                rows, broken = numbers.next(cells.num_rows)
                read_rows = int(rows[-1])
                yield RawChunk(cells, rows, self._broken(broken))
        rest = numbers.rest()
        if not closed:
            self._never_closed(read_rows + len(rest))
        if rest:
            yield RawChunk(_no_rows(self._needed), np.empty(0, np.int64), self._broken(rest))

    def _batches(self) -> Iterator[pa.RecordBatch]:
        try:
            # One thread, because only then does the parser number the rows that it cannot cut into columns.
            yield from pacsv.open_csv(
                as_binary(self._stream),
                read_options=pacsv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
                parse_options=pacsv.ParseOptions(
                    delimiter=self._separator, newlines_in_values=True, invalid_row_handler=self._note_invalid
                ),
                convert_options=pacsv.ConvertOptions(
                    include_columns=self._needed,
                    column_types=dict.fromkeys(self._needed, pa.string()),
                    strings_can_be_null=False,
                    check_utf8=False,
                ),
            )
        except pa.ArrowInvalid:
            # Arrow's own message quotes the row, which may hold what must not be shown.
            raise SourceError(
                f"The file {self._path} is no readable CSV: a row is longer than {BLOCK_BYTES >> 20} MB, "
                "or a quotation mark is never closed."
            ) from None

    def _note_invalid(self, row: pacsv.InvalidRow) -> str:
        self._invalid.append(row)
        return "skip"

    def _broken(self, rows: list[pacsv.InvalidRow]) -> tuple[BrokenRow, ...]:
        return tuple(
            BrokenRow(
                row.number - 1,
                f"has {'fewer' if row.actual_columns < self._width else 'more'} fields than the header",
                original({"text": row.text} if self._show_broken else {"fields": row.actual_columns}),
            )
            for row in rows
        )

    def _never_closed(self, row: int) -> None:
        raise SourceError(
            f"The file {self._path} ends inside a quoted field: a quotation mark opened in row {max(row, 1)} or so is "
            "never closed; the file may be truncated."
        )


class _RowNumbers:
    """1-based positions of data rows, given those (counted with the header) that the parser set aside."""

    def __init__(self, invalid: "deque[pacsv.InvalidRow]") -> None:
        self._invalid = invalid
        self._next = 1

    def next(self, count: int) -> tuple[npt.NDArray[np.int64], list[pacsv.InvalidRow]]:
        """Numbers of the next `count` valid rows, and the invalid rows among and before them."""
        taken = {row.number - 1 for row in self._invalid}
        candidates = np.arange(self._next, self._next + count + len(taken), dtype=np.int64)
        valid = candidates[~np.isin(candidates, list(taken))] if taken else candidates
        rows = valid[:count]
        self._next = int(rows[-1]) + 1
        return rows, self._until(self._next)

    def rest(self) -> list[pacsv.InvalidRow]:
        return self._until(None)

    def _until(self, end: int | None) -> list[pacsv.InvalidRow]:
        rows = []
        while self._invalid and (end is None or self._invalid[0].number - 1 < end):
            rows.append(self._invalid.popleft())
        return rows


def _no_rows(names: list[str]) -> pa.Table:
    return pa.schema([(name, pa.string()) for name in names]).empty_table()


def _one_ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items, the next one being made in a thread while this one is used."""
    done = object()
    take: Callable[[], T | object] = lambda: next(items, done)  # noqa: E731
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(take)
        while (item := future.result()) is not done:
            future = pool.submit(take)
            yield item  # type: ignore[misc]
