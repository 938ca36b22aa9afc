"""Frames on their way in: pandas and Arrow become batches of storable columns.

The way out is `to_pandas`. `Incoming` is a frame that can be read once, as batches, without a second copy of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from fraud_assets.postgres.errors import UnstorableColumn
from fraud_assets.postgres.names import TAKEN_COLUMNS, is_encodable, shortened
from fraud_assets.postgres.values.encodings import encoded, encoded_as, has_nul
from fraud_assets.postgres.values.pandas_types import check_objects

BATCH_ROWS = 50_000
BATCH_BYTES = 4 * 1024 * 1024

# PostgreSQL begins on 24 November 4714 BC. The last instant of its timestamps is beyond Arrow's microseconds.
_FIRST_DAY = -2_440_588
_LAST_DAY = 2_145_042_905
_FIRST_MICROSECOND = _FIRST_DAY * 86_400_000_000


@dataclass(frozen=True)
class Incoming:
    """A frame's schema as it was handed in, and its batches, which can be read once."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


def incoming(frame: object) -> Incoming:
    """A frame as batches. Raises `UnstorableColumn` for what cannot be a table at all. An index is not stored."""
    if isinstance(frame, pd.DataFrame):
        _check_names(list(frame.columns))
        _check_index(frame.index)
        if len(frame) and not len(frame.columns):
            raise UnstorableColumn("A frame that has rows and no columns cannot be stored; an index is not enough.")
        check_objects(frame)
        schema = _pandas_schema(frame)
        return Incoming(schema, _bounded(_pandas_batches(frame, schema)))
    if isinstance(frame, pa.Table):
        _check_names(frame.schema.names)
        return Incoming(frame.schema, _bounded(iter(frame.to_batches())))
    if isinstance(frame, pa.RecordBatchReader):
        _check_names(frame.schema.names)
        return Incoming(frame.schema, _bounded(in_order(frame)))
    if frame is None:
        raise UnstorableColumn(
            "The asset returned None, which is no table; return a DataFrame, an empty one where there are no rows, or "
            "annotate the asset with -> None where nothing is to be stored."
        )
    raise UnstorableColumn(
        f"A table takes a pandas DataFrame, a pyarrow Table or a pyarrow RecordBatchReader, not {type(frame)!r}."
    )


def in_order(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """A stream's batches with the columns of its schema: nobody has checked that each of them has those.

    Raises `UnstorableColumn` for a batch that lacks a column or has another one.
    """
    names = reader.schema.names
    for number, batch in enumerate(reader, start=1):
        if batch.schema.names == names:
            yield batch
        elif sorted(batch.schema.names) == sorted(names):
            yield batch.select(names)
        else:
            wrong = sorted(set(names) ^ set(batch.schema.names))
            raise UnstorableColumn(
                f"Batch {number} of the stream has the columns {batch.schema.names}, and its schema has {names}: they "
                f"differ in {wrong[0]!r}; give every batch the columns of the schema."
            )


def _check_index(index: pd.Index) -> None:
    """An unnamed index numbers rows; one with a name, as groupby leaves it, is a column that would be lost."""
    named = [name for name in index.names if name is not None]
    if named or index.nlevels > 1:
        which = f"called {', '.join(map(repr, named))}" if named else "of several levels"
        raise UnstorableColumn(
            f"The frame has an index {which}, and an index is not stored; make columns of it with reset_index(), or "
            "drop it with reset_index(drop=True)."
        )


def _check_names(names: list[Any]) -> None:
    seen: set[str] = set()
    for name in names:
        if not isinstance(name, str):
            raise UnstorableColumn(f"The column {name!r} has a name that is no string; rename it.")
        if not name or "\0" in name or not is_encodable(name):
            raise UnstorableColumn(f"A column cannot be called {name!r}; rename it.")
        if name in TAKEN_COLUMNS:
            raise UnstorableColumn(f"The name {name!r} is taken by storage or PostgreSQL itself; rename the column.")
        if shortened(name) in seen:
            raise UnstorableColumn(f"The column {name!r} is there twice; rename one.")
        seen.add(shortened(name))


def _pandas_schema(frame: pd.DataFrame) -> pa.Schema:
    try:
        return pa.Schema.from_pandas(frame, preserve_index=False)
    except (ValueError, TypeError, ArithmeticError, NotImplementedError):
        for name in frame.columns:
            _check_column(name, frame[[name]])
        raise


def _check_column(name: str, column: pd.DataFrame) -> None:
    try:
        pa.Schema.from_pandas(column, preserve_index=False)
    except (ValueError, TypeError, ArithmeticError, NotImplementedError) as error:
        raise UnstorableColumn(
            f"The column {name!r} has values of no single storable type ({error}); convert it to one type."
        ) from error


def _pandas_batches(frame: pd.DataFrame, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(frame), BATCH_ROWS):
        chunk = frame.iloc[start : start + BATCH_ROWS]
        # Text of a concatenated frame is in several pieces, of which a batch takes one at a time.
        yield from pa.Table.from_pandas(chunk, schema=schema, preserve_index=False).combine_chunks().to_batches()


def _bounded(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of bounded rows and bytes: each is encoded as a whole on its way."""
    for batch in batches:
        size = max(1, batch.nbytes // max(1, batch.num_rows))
        step = max(1, min(BATCH_ROWS, BATCH_BYTES // size))
        for start in range(0, batch.num_rows, step):
            yield batch.slice(start, step)


def to_wire(batch: pa.RecordBatch, wire: pa.Schema) -> pa.RecordBatch:
    """The batch's columns, which `wire` names in the same order, in the exact types of `wire`.

    Raises `UnstorableColumn` where a value does not survive, for example nanoseconds that microseconds cannot hold.
    """
    arrays = [
        array if array.type == field.type and _is_any_value_fine(field) else _wire_array(name, array, field)
        for name, array, field in zip(batch.schema.names, batch.columns, wire, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=wire)


def _is_any_value_fine(field: pa.Field) -> bool:
    return bool(pat.is_integer(field.type) or pat.is_floating(field.type) or pat.is_boolean(field.type))


def _wire_array(name: str, array: pa.Array, field: pa.Field) -> pa.Array:
    given, column_type = array.type, encoded_as(field)
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    try:
        if pat.is_dictionary(array.type):
            array = array.dictionary_decode()
        if column_type is not None:
            array = encoded(array, column_type)
        elif array.type != field.type:
            array = array.cast(field.type)
    except (ValueError, TypeError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise UnstorableColumn(
            f"The column {name!r} ({given}) has values that {column_type or field.type} cannot hold: {reason}; "
            "round or convert them."
        ) from error
    if problem := _unstorable_values(array):
        raise UnstorableColumn(f"The column {name!r} has {problem}, which PostgreSQL cannot hold; replace them.")
    return array


def _unstorable_values(array: pa.Array) -> str | None:
    """What is wrong with values that are fine in Arrow."""
    if pat.is_list(array.type):
        return _unstorable_values(array.flatten())
    if pat.is_string(array.type):
        return "texts with NUL characters" if has_nul(array) else None
    if pat.is_timestamp(array.type):
        return "times before 4714 BC" if _reaches(array.view(pa.int64()), _FIRST_MICROSECOND, None) else None
    if pat.is_date(array.type):
        days = array.view(pa.int32())
        return "dates before 4714 BC or after 5874897" if _reaches(days, _FIRST_DAY, _LAST_DAY) else None
    return None


def _reaches(numbers: pa.Array, first: int, last: int | None) -> bool:
    """Whether any of the numbers lies outside of what is allowed."""
    found = pc.min_max(numbers).as_py()
    if found["min"] is None:
        return False
    return bool(found["min"] < first or (last is not None and found["max"] > last))
