"""From what an asset returned to the frames of the run's partitions, one for each.

Frames are split without being copied: a partition's rows are taken out in batches while it is written. A stream for
several partitions waits in a temporary file until its last row has been seen, so that none of it is stored when some
of it cannot be.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import IO, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.types as pat

from fraud_assets.postgres.errors import UnstorableColumn
from fraud_assets.postgres.steps.belonging import Belonging, Places, shown_keys
from fraud_assets.postgres.steps.contexts import UNPARTITIONED
from fraud_assets.postgres.values.frames import in_order, incoming

BATCH_ROWS = 50_000

Rows: TypeAlias = "slice | npt.NDArray[np.int64]"


def by_partition(value: object, partition_keys: Sequence[str]) -> Mapping[str, object]:
    """An asset's value by partition key: a mapping as it is, anything else under the one key there is.

    Raises `UnstorableColumn` where a value stands for several partitions, or a mapping's keys are not those of the run.
    """
    if not isinstance(value, Mapping):
        if len(partition_keys) != 1:
            raise UnstorableColumn(
                f"The run covers {len(partition_keys)} partitions, and the asset returned one value; return a dict of "
                "partition key to value (or name the column of a frame that tells the partition in partition_expr)."
            )
        return {partition_keys[0]: value}
    if partition_keys == [UNPARTITIONED]:
        raise UnstorableColumn("The asset has no partitions, and returned a dict; return one frame.")
    missing = [key for key in partition_keys if key not in value]
    surplus = [key for key in value if key not in partition_keys]
    if missing or surplus:
        raise UnstorableColumn(
            f"The asset returned a dict whose keys are not the run's partitions: missing {missing[:3]}, "
            f"surplus {surplus[:3]}."
        )
    return value


@contextmanager
def split(
    value: object, partition_keys: Sequence[str], belonging: Callable[[Sequence[str]], Belonging] | None
) -> Iterator[Callable[[str], object]]:
    """What gives the frame of each of the run's partitions; they are to be stored before the context ends.

    With `belonging`, a value that is no mapping is one frame for all of them, and every row is checked to be in its
    own: before anything is given, or on the way where it is the stream of one partition. A partition without a row
    becomes an empty frame. Raises `UnstorableColumn`.
    """
    if belonging is None or isinstance(value, Mapping):
        values = by_partition(value, partition_keys)
        if belonging is not None and isinstance(value, dict):
            for key in partition_keys:  # Values that are made on demand are checked when they are.
                if isinstance(value[key], pd.DataFrame | pa.Table):
                    _check(value[key], belonging([key]))
        yield lambda key: _one(as_frame(values[key]), belonging([key]) if belonging else None)
    elif len(partition_keys) == 1:
        yield lambda key: _one(as_frame(value), belonging([key]))
    else:
        with ExitStack() as stack:
            parts = _parts(as_frame(value), belonging(partition_keys), stack)
            yield lambda key: parts[key]


def as_frame(value: object) -> object:
    """Arrow's other forms of rows, iterators of batches among them, as tables and readers; anything else as it is."""
    if isinstance(value, pd.DataFrame | pa.Table | pa.RecordBatchReader):
        return value
    if isinstance(value, pa.RecordBatch):
        return pa.Table.from_batches([value])
    if isinstance(value, list | Iterator):
        batches = iter(value)
        first = next(batches, None)
        if isinstance(first, pa.RecordBatch):
            return pa.RecordBatchReader.from_batches(first.schema, _after(first, batches))
        if first is None:
            raise UnstorableColumn(
                "The asset returned no batch at all, so that its columns are not known; return "
                "pyarrow.RecordBatchReader.from_batches(schema, batches)."
            )
        return value
    if hasattr(value, "__arrow_c_stream__"):
        try:
            return pa.RecordBatchReader.from_stream(value)
        except pa.ArrowInvalid:  # A column, such as a pandas Series, has a stream too, and is no table.
            return value
    return value


def _after(first: pa.RecordBatch, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    yield from batches


def _one(frame: object, belonging: Belonging | None) -> object:
    """A frame for one partition, checked: at once, or while it is read where it is a stream."""
    if belonging is None:
        return frame
    if not isinstance(frame, pa.RecordBatchReader):
        _check(frame, belonging)
        return frame
    belonging.check_columns(frame.schema.names)

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in in_order(frame):
            belonging.places(batch)
            yield batch

    return pa.RecordBatchReader.from_batches(frame.schema, batches())


def _check(frame: object, belonging: Belonging) -> None:
    for _ in _chunks(frame, belonging):
        pass


@dataclass(frozen=True)
class _Chunk:
    """Rows in memory, the places of their partitions, and a way to take some of them out."""

    places: Places
    take: Callable[[Rows], pa.RecordBatch]


def _chunks(frame: object, belonging: Belonging) -> Iterator[_Chunk]:
    schema = incoming(frame).schema
    belonging.check_columns(schema.names)
    if isinstance(frame, pd.DataFrame):
        names = belonging.columns
        told = pa.RecordBatch.from_pandas(
            frame[names], schema=pa.schema([schema.field(name) for name in names]), preserve_index=False
        )

        def take(rows: Rows) -> pa.RecordBatch:
            return pa.RecordBatch.from_pandas(frame.iloc[rows], schema=schema, preserve_index=False)

        yield _Chunk(belonging.places(told), take)
    elif isinstance(frame, pa.Table):
        for batch in frame.to_batches():
            yield _Chunk(belonging.places(batch), partial(_taken, batch))


def _taken(batch: pa.RecordBatch, rows: Rows) -> pa.RecordBatch:
    return batch.slice(rows.start, rows.stop - rows.start) if isinstance(rows, slice) else batch.take(pa.array(rows))


def _parts(frame: object, belonging: Belonging, stack: ExitStack) -> dict[str, pa.RecordBatchReader]:
    """A frame for several partitions, split: a reader for each."""
    if isinstance(frame, pa.RecordBatchReader):
        return _spooled(frame, belonging, stack.enter_context(tempfile.TemporaryFile()))
    chunks = [_grouped(chunk, len(belonging.keys)) for chunk in _chunks(frame, belonging)]
    schema = incoming(frame).schema

    def batches(place: int) -> Iterator[pa.RecordBatch]:
        for chunk in chunks:
            yield from chunk(place)

    return {key: pa.RecordBatchReader.from_batches(schema, batches(place)) for place, key in enumerate(belonging.keys)}


def _grouped(chunk: _Chunk, partitions: int) -> Callable[[int], Iterator[pa.RecordBatch]]:
    """The rows of a chunk by their partition's place, in the order in which they are there."""
    places = chunk.places
    order = None
    if np.any(places[1:] < places[:-1]):
        order = np.argsort(places, kind="stable")
        places = places[order]
    bounds = np.searchsorted(places, np.arange(partitions + 1))

    def batches(place: int) -> Iterator[pa.RecordBatch]:
        end = int(bounds[place + 1])
        for start in range(int(bounds[place]), end, BATCH_ROWS):
            rows = slice(start, min(start + BATCH_ROWS, end))
            yield chunk.take(rows if order is None else order[rows])

    return batches


def _spooled(reader: pa.RecordBatchReader, belonging: Belonging, file: IO[bytes]) -> dict[str, pa.RecordBatchReader]:
    """A stream for several partitions, read to its end into a file; the rows of each must be together."""
    belonging.check_columns(reader.schema.names)
    # Each batch may have a dictionary of its own, which a file cannot hold.
    schema = pa.schema([field.with_type(_plain(field.type)) for field in reader.schema], reader.schema.metadata)
    numbers: list[list[int]] = [[] for _ in belonging.keys]
    last, written = None, 0
    with pa.ipc.new_file(pa.PythonFile(file, "w"), schema) as writer:
        for batch in in_order(reader):
            places = belonging.places(batch)
            plain = batch.cast(schema)
            starts = np.flatnonzero(np.diff(places, prepend=-1))
            for start, end in zip(starts, [*starts[1:], len(places)], strict=True):
                place = int(places[start])
                if place != last and numbers[place]:
                    raise UnstorableColumn(
                        f"The stream comes back to {shown_keys([belonging.keys[place]])} after another one, by "
                        f"{' and '.join(map(repr, belonging.columns))}; sort it by partition, or return a dict of "
                        "partition key to stream."
                    )
                writer.write_batch(plain.slice(start, end - start))
                numbers[place].append(written)
                last, written = place, written + 1
    source = pa.ipc.open_file(pa.PythonFile(file, "r"))
    return {
        key: pa.RecordBatchReader.from_batches(schema, map(source.get_batch, numbers[place]))
        for place, key in enumerate(belonging.keys)
    }


def _plain(arrow_type: pa.DataType) -> pa.DataType:
    return arrow_type.value_type if pat.is_dictionary(arrow_type) else arrow_type
