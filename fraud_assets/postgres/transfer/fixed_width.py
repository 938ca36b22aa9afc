"""Rows in PostgreSQL's binary COPY format whose columns all have a fixed width (numbers, times, booleans), both ways.

Rows without a NULL have equal lengths, so that a column is a stride through the bytes: NumPy reads or writes it in
about a nanosecond a value, where going from field to field takes fifteen to write and fifty to read. Rows with NULLs
are walked field by field, all rows at once. What does not live here: connections, and columns of other types.

The format is described in the manual's page on COPY; a field is its length (int32, -1 for NULL) and its bytes, all
in network byte order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from psycopg.abc import Buffer

from fraud_assets.postgres.errors import PostgresStorageError

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""Signature, flags, and the length of an extension: there is none."""
TRAILER = b"\xff\xff"

_SECONDS_TO_2000 = 946_684_800
_FIELD_COUNT = np.dtype(">i2")
_LENGTH = np.dtype(">i4")


@dataclass(frozen=True)
class _Kind:
    """How a type looks on the wire, and what is added to make Arrow's number of it."""

    wire: np.dtype[Any]
    arrow: pa.DataType
    epoch: int = 0

    @property
    def native(self) -> np.dtype[Any]:
        return self.wire.newbyteorder("=")


_KINDS = {
    "boolean": _Kind(np.dtype("u1"), pa.bool_()),
    "smallint": _Kind(np.dtype(">i2"), pa.int16()),
    "integer": _Kind(np.dtype(">i4"), pa.int32()),
    "bigint": _Kind(np.dtype(">i8"), pa.int64()),
    "real": _Kind(np.dtype(">f4"), pa.float32()),
    "double precision": _Kind(np.dtype(">f8"), pa.float64()),
    "date": _Kind(np.dtype(">i4"), pa.date32(), _SECONDS_TO_2000 // 86_400),
    "time without time zone": _Kind(np.dtype(">i8"), pa.time64("us")),
    "timestamp without time zone": _Kind(np.dtype(">i8"), pa.timestamp("us"), _SECONDS_TO_2000 * 1_000_000),
    "timestamp with time zone": _Kind(np.dtype(">i8"), pa.timestamp("us", "UTC"), _SECONDS_TO_2000 * 1_000_000),
}

COLUMN_TYPES = {
    16: "boolean",
    21: "smallint",
    23: "integer",
    20: "bigint",
    700: "real",
    701: "double precision",
    1082: "date",
    1083: "time without time zone",
    1114: "timestamp without time zone",
    1184: "timestamp with time zone",
}
"""The types that can be decoded here, by their object ids, which PostgreSQL never changes."""


def is_encodable(schema: pa.Schema) -> bool:
    """Whether batches of these columns can be encoded here."""
    return {field.type for field in schema} <= {kind.arrow for kind in _KINDS.values()}


def is_fixed_width(column_types: Sequence[str | None]) -> TypeGuard[Sequence[str]]:
    """Whether rows of these columns can be decoded here."""
    return bool(column_types) and all(name in _KINDS for name in column_types)


class Encoder:
    """Batches of the columns of `schema`, whose types all have a fixed width, into rows."""

    def __init__(self, schema: pa.Schema) -> None:
        by_arrow = {kind.arrow: kind for kind in _KINDS.values()}
        self._kinds = [by_arrow[field.type] for field in schema]
        lengths = (np.array(kind.wire.itemsize, _LENGTH).tobytes() + bytes(kind.wire.itemsize) for kind in self._kinds)
        row = np.array(len(self._kinds), _FIELD_COUNT).tobytes() + b"".join(lengths)
        self._row = np.frombuffer(row, np.uint8)

    def write_header(self) -> Buffer:
        return HEADER

    def write_batch(self, batch: pa.RecordBatch) -> Buffer:
        """The rows of a batch, in memory of their own."""
        count = batch.num_rows
        if not count:
            return b""
        rows = np.tile(self._row, (count, 1))
        is_sent = None
        place = _FIELD_COUNT.itemsize
        for array, kind in zip(batch.columns, self._kinds, strict=True):
            width, value = kind.wire.itemsize, place + _LENGTH.itemsize
            self._column(rows, kind.wire, value)[:] = _numbers(array, kind)
            if array.null_count:
                if is_sent is None:
                    is_sent = np.ones(rows.shape, np.bool_)
                is_null = array.is_null().to_numpy(zero_copy_only=False)
                self._column(rows, _LENGTH, place)[is_null] = -1
                is_sent[is_null, value : value + width] = False
            place = value + width
        return (rows.reshape(-1) if is_sent is None else rows[is_sent]).data

    def finish(self) -> Buffer:
        return TRAILER

    def _column(self, rows: npt.NDArray[np.uint8], wire: np.dtype[Any], place: int) -> npt.NDArray[Any]:
        return np.ndarray((len(rows),), wire, rows, place, (len(self._row),))


def _numbers(array: pa.Array, kind: _Kind) -> npt.NDArray[Any]:
    """The values as the wire counts them; where there is none, any."""
    if kind.arrow == pa.bool_():
        found: npt.NDArray[Any] = array.fill_null(False).to_numpy(zero_copy_only=False)
        return found
    buffer = array.buffers()[1]
    values = np.frombuffer(buffer, kind.native, array.offset + len(array))[array.offset :]
    return values - kind.epoch if kind.epoch else values


class Decoder:
    """Rows as they arrive, into columns that are as long as the rows that they were made for.

    `names` and `types` are the columns of the rows, their types as `format_type` spells them.
    """

    def __init__(self, names: Sequence[str], types: Sequence[str]) -> None:
        self._kinds = [_KINDS[name] for name in types]
        self._widths = [kind.wire.itemsize for kind in self._kinds]
        self.row_bytes = _FIELD_COUNT.itemsize + sum(_LENGTH.itemsize + width for width in self._widths)
        self.schema = pa.schema([pa.field(name, kind.arrow) for name, kind in zip(names, self._kinds, strict=True)])

    def columns(self, rows: int) -> "Columns":
        """Room for so many rows. Memory that is never written to is never taken."""
        return Columns(self.schema, self._kinds, rows)

    def decode(self, block: bytes, lengths: Sequence[int], columns: "Columns") -> None:
        """Append the rows of a block, one after the other, whose lengths in bytes are given."""
        count, start = len(lengths), columns.filled
        columns.make_room(count)
        if len(block) == count * self.row_bytes:
            self._decode_whole(block, count, columns, start)
        else:
            self._decode_with_nulls(block, lengths, columns, start)
        columns.filled += count

    def _decode_whole(self, block: bytes, count: int, columns: "Columns", start: int) -> None:
        place = _FIELD_COUNT.itemsize
        for values, kind, width in zip(columns.values, self._kinds, self._widths, strict=True):
            place += _LENGTH.itemsize
            strided: npt.NDArray[Any] = np.ndarray((count,), kind.wire, block, place, (self.row_bytes,))
            values[start : start + count] = strided
            place += width

    def _decode_with_nulls(self, block: bytes, lengths: Sequence[int], columns: "Columns", start: int) -> None:
        count = len(lengths)
        # A field that is NULL has no bytes: those of the widest are there after the last row, to be read and dropped.
        padded = block + bytes(max(self._widths))
        places = np.cumsum([_FIELD_COUNT.itemsize, *lengths[:-1]], dtype=np.int64)
        for number, (kind, width) in enumerate(zip(self._kinds, self._widths, strict=True)):
            is_there = _gathered(padded, _LENGTH, places) != -1
            places += _LENGTH.itemsize
            columns.values[number][start : start + count] = _gathered(padded, kind.wire, places)
            if not is_there.all():
                columns.note_nulls(number, start, is_there)
            places += np.where(is_there, width, 0)


def _gathered(block: bytes, wire: np.dtype[Any], places: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """The values that begin at these bytes."""
    every_byte: npt.NDArray[Any] = np.ndarray((len(block) - wire.itemsize + 1,), f"V{wire.itemsize}", block, 0, (1,))
    return every_byte[places].view(wire)


class Columns:
    """Decoded values: an array for each column, and where it has NULLs one that says which values are there."""

    def __init__(self, schema: pa.Schema, kinds: Sequence[_Kind], rows: int) -> None:
        self._schema, self._kinds, self._rows = schema, kinds, rows
        self.values = [np.empty(rows, kind.native) for kind in kinds]
        self._valid: list[npt.NDArray[np.bool_] | None] = [None] * len(kinds)
        self.filled = 0

    def make_room(self, count: int) -> None:
        """For so many rows more. There is enough, unless rows have been added to a partition by hand."""
        if self.filled + count <= self._rows:
            return
        more = max(self.filled, count)
        self._rows = self.filled + more
        self.values = [np.append(values[: self.filled], np.empty(more, values.dtype)) for values in self.values]
        self._valid = [
            None if valid is None else np.append(valid[: self.filled], np.ones(more, np.bool_)) for valid in self._valid
        ]

    def note_nulls(self, number: int, start: int, is_there: npt.NDArray[np.bool_]) -> None:
        valid = self._valid[number]
        if valid is None:
            valid = self._valid[number] = np.ones(self._rows, np.bool_)
        end = start + len(is_there)
        valid[start:end] = is_there
        self.values[number][start:end][~is_there] = 0

    def batch(self) -> pa.RecordBatch:
        """The rows so far, without a copy of what Arrow keeps in the same way."""
        arrays = [self._array(number) for number in range(len(self._kinds))]
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    def _array(self, number: int) -> pa.Array:
        field, kind = self._schema.field(number), self._kinds[number]
        values, valid = self.values[number][: self.filled], self._valid[number]
        mask = None if valid is None else valid[: self.filled]
        if kind.epoch:
            _add(values, kind.epoch, field.name)
        if field.type == pa.bool_():
            return pa.array(values.view(np.bool_), mask=None if mask is None else ~mask)
        bitmap = None if mask is None else pa.array(mask).buffers()[1]
        return pa.Array.from_buffers(field.type, len(values), [bitmap, pa.py_buffer(values)])


def _add(values: npt.NDArray[Any], epoch: int, name: str) -> None:
    """Count from 1970. PostgreSQL's infinities are its largest numbers and its smallest, which no calendar has."""
    limits = np.iinfo(values.dtype)
    largest, smallest = values.max(initial=limits.min), values.min(initial=limits.max)
    if largest > limits.max - epoch or smallest == limits.min:
        raise PostgresStorageError(
            f"The column {name!r} has an infinite time, or one beyond what 64 bits of microseconds hold, which a frame "
            "cannot hold; it has been put there by hand: correct it, or materialize the partition again."
        )
    values += epoch
