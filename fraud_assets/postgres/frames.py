"""Frames on their way in and out: pandas and Arrow become batches of storable columns, and the other way round.

Nothing here knows a connection. `Incoming` is a frame that can be read once, as batches, without a second copy of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.types as pat

from fraud_assets.postgres.errors import UnstorableColumn
from fraud_assets.postgres.names import ORDINAL_COLUMN, PARTITION_COLUMN

Frame: TypeAlias = "pd.DataFrame | pa.Table | pa.RecordBatchReader"
BATCH_ROWS = 50_000


@dataclass(frozen=True)
class Incoming:
    """A frame's schema as it was handed in, and its batches, which can be read once."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


def incoming(frame: object) -> Incoming:
    """A frame as batches. Raises `UnstorableColumn` for what cannot be a table at all."""
    if isinstance(frame, pd.DataFrame):
        schema = _pandas_schema(frame)
        found = Incoming(schema, _pandas_batches(frame, schema))
    elif isinstance(frame, pa.Table):
        found = Incoming(frame.schema, iter(frame.to_batches(max_chunksize=BATCH_ROWS)))
    elif isinstance(frame, pa.RecordBatchReader):
        found = Incoming(frame.schema, iter(frame))
    else:
        raise UnstorableColumn(
            f"A table takes a pandas DataFrame, a pyarrow Table or a pyarrow RecordBatchReader, not {type(frame)!r}."
        )
    _check_names(found.schema.names)
    return found


def _check_names(names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise UnstorableColumn(f"The column {name!r} is there twice; rename one.")
        if name in {PARTITION_COLUMN, ORDINAL_COLUMN}:
            raise UnstorableColumn(f"The name {name!r} is taken by storage itself; rename the column.")
        if not name or "\0" in name:
            raise UnstorableColumn(f"A column cannot be called {name!r}; rename it.")


def _pandas_schema(frame: pd.DataFrame) -> pa.Schema:
    for name in frame.columns:
        if not isinstance(name, str):
            raise UnstorableColumn(f"The column {name!r} has a name that is no string; rename it.")
    try:
        return pa.Schema.from_pandas(frame, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise UnstorableColumn(f"The frame has a column of mixed types: {error}; give it one type.") from error


def _pandas_batches(frame: pd.DataFrame, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(frame), BATCH_ROWS):
        chunk = frame.iloc[start : start + BATCH_ROWS]
        yield pa.RecordBatch.from_pandas(chunk, schema=schema, preserve_index=False)


def to_wire(batch: pa.RecordBatch, wire: pa.Schema) -> pa.RecordBatch:
    """The batch's columns in the order and the exact types of `wire`; a column that the batch lacks is left to NULL.

    Raises `UnstorableColumn` where a value does not survive, for example nanoseconds that microseconds cannot hold.
    """
    arrays = []
    for field in wire:
        if field.name not in batch.schema.names:
            arrays.append(pa.nulls(batch.num_rows, field.type))
            continue
        arrays.append(_wire_array(field.name, batch.column(field.name), field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=wire)


def _wire_array(name: str, array: pa.Array, wire: pa.DataType) -> pa.Array:
    if pat.is_dictionary(array.type):
        array = array.dictionary_decode()
    if array.type == wire:
        return array
    try:
        return array.cast(wire)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise UnstorableColumn(
            f"The column {name!r} ({array.type}) has values that {wire} cannot hold: {reason}; round or convert it."
        ) from error


def remembered(stored: pa.Schema, handed_in: pa.Schema | None) -> pa.Schema:
    """The schema to give back: what came from the server, in the types of the frame that was handed in.

    A column keeps the server's type where the frame was narrower than its column, or where it was a categorical,
    which is stored as text.
    """
    if handed_in is None:
        return stored
    fields = []
    for field in stored:
        index = handed_in.get_field_index(field.name)
        wanted = handed_in.field(index).type if index >= 0 else field.type
        fields.append(pa.field(field.name, wanted if _castable(field.type, wanted) else _plain(field.type)))
    return pa.schema(fields, metadata=handed_in.metadata)


def _plain(arrow_type: pa.DataType) -> pa.DataType:
    return arrow_type.storage_type if isinstance(arrow_type, pa.BaseExtensionType) else arrow_type


def _castable(stored: pa.DataType, wanted: pa.DataType) -> bool:
    if pat.is_dictionary(wanted) or pat.is_null(wanted):
        return False
    if pat.is_integer(stored) and pat.is_integer(wanted):
        return bool(stored.bit_width <= wanted.bit_width or wanted.bit_width < 16)
    if pat.is_floating(stored):
        return bool(pat.is_floating(wanted) and stored.bit_width <= wanted.bit_width)
    if pat.is_decimal(wanted) or pat.is_uint64(wanted):
        return isinstance(stored, pa.BaseExtensionType)
    is_alike: bool = pat.is_temporal(stored) == pat.is_temporal(wanted) and pat.is_nested(stored) == pat.is_nested(
        wanted
    )
    return is_alike


def as_remembered(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """One batch from the server in the types of `remembered`."""
    arrays = []
    for array, field in zip(batch.columns, schema, strict=True):
        plain = array.storage if isinstance(array, pa.ExtensionArray) else array
        arrays.append(plain if plain.type == field.type else plain.cast(field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """A frame with the dtypes that it was handed in with; the Arrow memory is given back on the way."""
    frame: pd.DataFrame = table.to_pandas(split_blocks=True, self_destruct=True)
    return frame


def typed(reader: pa.RecordBatchReader, annotation: Any) -> Frame:
    """The rows as the reader's annotation asks: pandas unless it names an Arrow type."""
    if annotation is pa.RecordBatchReader:
        return reader
    table = reader.read_all()
    return table if annotation is pa.Table else to_pandas(table)


def by_partition(value: object, partition_keys: list[str]) -> Mapping[str, object]:
    """An asset's value by partition key: a mapping as it is, a frame under the one key there is.

    Raises `UnstorableColumn` where a frame stands for several partitions, or a mapping's keys are not those of the run.
    """
    if not isinstance(value, Mapping):
        if len(partition_keys) != 1:
            raise UnstorableColumn(
                f"The run covers {len(partition_keys)} partitions, and the asset returned one frame; "
                "return a dict of partition key to frame."
            )
        return {partition_keys[0]: value}
    missing = [key for key in partition_keys if key not in value]
    surplus = [key for key in value if key not in partition_keys]
    if missing or surplus:
        raise UnstorableColumn(
            f"The asset returned a dict whose keys are not the run's partitions: missing {missing[:3]}, "
            f"surplus {surplus[:3]}."
        )
    return value
