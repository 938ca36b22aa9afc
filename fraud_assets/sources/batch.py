"""One day's transactions, checked and set aside in temporary files: a wrong day is known before any of it is used.

What lives here: the batch, its counts, and the files behind it. What a row must look like is in `rows`.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fraud_assets.sources.duplicates import SeenTransactions
from fraud_assets.sources.errors import EveryRowRejected, SourceError, SourceNotReady
from fraud_assets.sources.rows import DUPLICATE, REJECTED, RawChunk, RowRules, SortedChunk

CHUNK_ROWS = 100_000


@dataclass(frozen=True)
class DayCounts:
    """Rows of a day; `rows_in == accepted + rejected`, and `reasons` adds up to `rejected`.

    `duplicates` are those of the rejected that repeat an id, `refunds` those of the accepted with a negative amount.
    """

    rows_in: int
    accepted: int
    rejected: int
    duplicates: int
    refunds: int
    reasons: Mapping[str, int]


class SpoolFile:
    """Record batches written one after the other to a temporary file, and read back from any place in it."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._schema = schema
        self._sink = pa.OSFile(str(path), "wb")
        self._writer = pa.ipc.new_stream(self._sink, schema)
        self._offsets: list[int] = []
        self._starts = [0]

    @property
    def rows(self) -> int:
        return self._starts[-1]

    @property
    def folder(self) -> Path:
        return self._path.parent

    def write(self, batch: pa.RecordBatch) -> None:
        if batch.num_rows:
            self._offsets.append(self._sink.tell())
            self._writer.write_batch(batch)
            self._starts.append(self.rows + batch.num_rows)

    def finish(self) -> None:
        self._writer.close()
        self._sink.close()

    def take(self, column: str, positions: npt.NDArray[np.int64]) -> pa.Array:
        """Values of a column at positions counted over all batches; works while more is being written."""
        batch_numbers = np.searchsorted(np.array(self._starts), positions, "right") - 1
        order = np.argsort(batch_numbers, kind="stable")
        parts = [pa.array([], self._schema.field(column).type)]
        for number in np.unique(batch_numbers):
            inside = positions[batch_numbers == number] - self._starts[number]
            parts.append(self._batch(int(number)).column(column).take(pa.array(inside)))
        return pa.concat_arrays(parts).take(pa.array(np.argsort(order, kind="stable")))

    def _batch(self, number: int) -> pa.RecordBatch:
        with pa.memory_map(str(self._path)) as file:
            file.seek(self._offsets[number])
            message = pa.ipc.read_message(file)
            # The writer puts the schema in front of its first batch.
            message = pa.ipc.read_message(file) if message.type == "schema" else message
            return pa.ipc.read_record_batch(message, self._schema)

    def reader(self) -> pa.RecordBatchReader:
        return pa.ipc.open_stream(pa.memory_map(str(self._path)))


@dataclass
class DayBatch:
    """A day's accepted and rejected rows with their counts. Close it, or use it in a `with`, to free its files.

    `origin` names the file or table. `fingerprint` is the SHA-256 of the day's content at the source.
    """

    day: date
    origin: str
    fingerprint: str
    counts: DayCounts
    _accepted: SpoolFile = field(repr=False)
    _rejected: SpoolFile = field(repr=False)
    _folder: "tempfile.TemporaryDirectory[str]" = field(repr=False)

    @property
    def accepted(self) -> pa.RecordBatchReader:
        """A fresh reader over the accepted rows in the source's order, in the columns of `raw_batch`.

        The last of them is source_row (int64): the row's 1-based place at the source, accepted or not.
        """
        return self._accepted.reader()

    @property
    def rejected(self) -> pa.RecordBatchReader:
        """A fresh reader over the rejected rows: source_row (int64, 1-based), reason, original (JSON object)."""
        return self._rejected.reader()

    def close(self) -> None:
        self._folder.cleanup()

    def __enter__(self) -> "DayBatch":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True)
class DayContent:
    """What a kind of source hands over: where the day is, its chunks, and the rules for its rows.

    `chunks` is closed by whoever reads it; `fingerprint` and `no_rows` are called when it is exhausted.
    """

    origin: str
    rules: RowRules
    chunks: Generator[RawChunk, None, None]
    fingerprint: Callable[[], str]
    no_rows: Callable[[], SourceError]


def collect_day(day: date, temporary_folder: Path | None, open_content: Callable[[Path], DayContent]) -> DayBatch:
    """Reads a day to its end. `open_content` is given a temporary folder that lives as long as the batch.

    Raises `SourceError` when no row is usable, `SourceNotReady` when the temporary files cannot be written.
    """
    folder = _temporary(temporary_folder)
    try:
        content = open_content(Path(folder.name))
        accepted = SpoolFile(Path(folder.name) / "accepted", content.rules.schema)
        rejected = SpoolFile(Path(folder.name) / "rejected", REJECTED)
        counts = _spooled(content, accepted, rejected)
        _require_rows(day, content, counts)
        return DayBatch(day, content.origin, content.fingerprint(), counts, accepted, rejected, folder)
    except BaseException:
        folder.cleanup()
        raise


def spool_table(day: date, temporary_folder: Path | None, origin: str, table: pa.Table, fingerprint: str) -> DayBatch:
    """A batch of rows that are right by construction."""
    folder = _temporary(temporary_folder)
    try:
        accepted = SpoolFile(Path(folder.name) / "accepted", table.schema)
        rejected = SpoolFile(Path(folder.name) / "rejected", REJECTED)
        with _writing(folder.name):
            for batch in table.to_batches(max_chunksize=CHUNK_ROWS):
                accepted.write(batch)
            accepted.finish()
            rejected.finish()
        counts = DayCounts(table.num_rows, table.num_rows, 0, 0, 0, {})
        return DayBatch(day, origin, fingerprint, counts, accepted, rejected, folder)
    except BaseException:
        folder.cleanup()
        raise


@contextmanager
def _writing(folder: object) -> Iterator[None]:
    """Turns a failure to write temporary files into a sentence that names their folder."""
    try:
        yield
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: object, error: OSError) -> SourceNotReady:
    why = error.strerror or str(error)
    return SourceNotReady(f"Cannot write temporary files in {folder} ({why}); free some space or set TMPDIR elsewhere.")


def _temporary(parent: Path | None) -> "tempfile.TemporaryDirectory[str]":
    try:
        return tempfile.TemporaryDirectory(prefix="fraud-assets-", dir=parent)
    except OSError as error:
        raise _unwritable(parent or "the folder for temporary files", error) from error


def _spooled(content: DayContent, accepted: SpoolFile, rejected: SpoolFile) -> DayCounts:
    seen = SeenTransactions(lambda positions: accepted.take("transaction_id", positions))
    refunds = 0
    reasons: Counter[str] = Counter()
    with closing(content.chunks) as chunks:
        for chunk in chunks:
            rows = content.rules.sort(chunk, seen)
            with _writing(accepted.folder):
                accepted.write(rows.accepted)
                rejected.write(rows.rejected)
            refunds += _refunds(rows)
            reasons.update(rows.rejected.column("reason").to_pylist())
    with _writing(accepted.folder):
        accepted.finish()
        rejected.finish()
    total = accepted.rows + rejected.rows
    return DayCounts(total, accepted.rows, rejected.rows, reasons[DUPLICATE], refunds, dict(reasons))


def _refunds(rows: SortedChunk) -> int:
    return int(pc.sum(pc.less(rows.accepted.column("amount"), 0)).as_py() or 0)


def _require_rows(day: date, content: DayContent, counts: DayCounts) -> None:
    if not counts.rows_in:
        raise content.no_rows()
    if counts.accepted:
        return
    reason, rows = max(counts.reasons.items(), key=lambda item: item[1])
    which = "" if day == date.min else f" for the day {day}"
    message = (
        f"{content.rules.origin}: every one of its {counts.rows_in} rows is rejected{which}, "
        f"{rows} of them because {reason}; nothing is stored."
    )
    raise EveryRowRejected(message, day, content.origin, content.fingerprint())
