"""Which of a run's partitions each row of a frame belongs to, by the columns that `partition_expr` names.

Time partitions are half-open windows over a column of dates or times; times without a zone are what the clocks of the
partitions' zone show. Any other column is compared, as text, with the partitions' keys. All of it is arithmetic on
whole columns: nothing here loops over rows.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any, TypeAlias

import dagster as dg
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from fraud_assets.postgres.errors import PostgresStorageError, UnstorableColumn
from fraud_assets.postgres.steps.windows import dimension_keys

Places: TypeAlias = "npt.NDArray[np.int64]"
"""For each row, the place of its partition among the run's."""

_OUTSIDE = -1
_DISPUTED = -2
_TICKS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Dimension:
    """A column, and the keys of the partitions that its values may stand for."""

    column: str
    keys: tuple[str, ...]
    partitions: dg.PartitionsDefinition[Any]

    def places(self, values: pa.Array) -> Places:
        """The place of each row among `keys`. Raises `UnstorableColumn` for a row that has none."""
        if values.null_count:
            raise UnstorableColumn(
                f"The column {self.column!r}, which tells the partition of each row, is NULL in {values.null_count:,} "
                f"rows of {shown_keys(self.keys)}; give each row its value, or leave such rows out."
            )
        found = self._found(values)
        if len(found) and found.min() < 0:
            self._refuse(values, int(np.argmax(found < 0)), found)
        return found

    def _found(self, values: pa.Array) -> Places:
        if isinstance(self.partitions, dg.TimeWindowPartitionsDefinition):
            if pat.is_date(values.type):
                return self._by_day(values)
            if pat.is_timestamp(values.type):
                return self._by_clock(values) if values.type.tz is None else self._by_instant(values)
        return self._by_text(values)

    def _refuse(self, values: pa.Array, row: int, found: Places) -> None:
        value = _text(values, row)
        if found[row] == _DISPUTED:
            raise UnstorableColumn(
                f"The column {self.column!r} has {value!r}, which clocks show twice on that day, so that nobody can "
                f"tell which of the partitions it belongs to ({shown_keys(self.keys)}); give the column a time zone."
            )
        raise UnstorableColumn(
            f"The column {self.column!r} has {value!r}, which does not belong to {shown_keys(self.keys)}; leave such "
            "rows out, or run their partitions too."
        )

    def _by_text(self, values: pa.Array) -> Places:
        try:
            texts = (values.dictionary_decode() if pat.is_dictionary(values.type) else values).cast(pa.string())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise UnstorableColumn(
                f"The column {self.column!r} ({values.type}) cannot be compared with partition keys; name another one "
                "in partition_expr."
            ) from error
        return _numbers(pc.fill_null(pc.index_in(texts, value_set=pa.array(self.keys, pa.string())), _OUTSIDE))

    def _by_day(self, values: pa.Array) -> Places:
        """A date belongs to the window that holds its first instant."""

        def first_day(instant: datetime) -> int:
            return (_just_before(instant).date() - date(1970, 1, 1)).days + 1

        return self._in_windows(_numbers(values.cast(pa.date32()).cast(pa.int32())), first_day, first_day)

    def _by_instant(self, values: pa.Array) -> Places:
        ticks = _TICKS[values.type.unit]

        def seconds(instant: datetime) -> int:
            return int(instant.timestamp()) * ticks

        return self._in_windows(_numbers(values.cast(pa.int64())), seconds, seconds)

    def _by_clock(self, values: pa.Array) -> Places:
        """By what clocks show. When they go back, they show the same in two windows: that is told, not guessed."""
        ticks = _TICKS[values.type.unit]

        def shown(instant: datetime) -> int:
            return _clock(instant) * ticks

        def passed(instant: datetime) -> int:
            """What clocks would show, were they not changed at that very instant."""
            return _clock(_just_before(instant) + _INSTANT) * ticks

        numbers = _numbers(values.cast(pa.int64()))
        found = self._in_windows(numbers, shown, passed)
        sure_from = _bounded(max(shown(time.start), passed(time.start)) for time in self._windows)
        sure_until = _bounded(min(shown(time.end), passed(time.end)) for time in self._windows)
        disputed = (found >= 0) & ((numbers < sure_from[found]) | (numbers >= sure_until[found]))
        return np.where(disputed, _DISPUTED, found)

    @cached_property
    def _windows(self) -> list[dg.TimeWindow]:
        assert isinstance(self.partitions, dg.TimeWindowPartitionsDefinition)
        return [self.partitions.time_window_for_partition_key(key) for key in self.keys]

    def _in_windows(self, numbers: Places, start: Callable[[datetime], int], end: Callable[[datetime], int]) -> Places:
        starts = _bounded(start(time.start) for time in self._windows)
        ends = _bounded(end(time.end) for time in self._windows)
        order = np.lexsort((ends, starts))  # Of windows that begin together, the one that holds anything is the last.
        place = np.searchsorted(starts, numbers, side="right", sorter=order) - 1
        found = order[place]
        return np.where((place >= 0) & (numbers < ends[found]), found, _OUTSIDE)


@dataclass(frozen=True)
class Belonging:
    """The columns that say which of `keys`, the run's partitions, a row belongs to."""

    keys: tuple[str, ...]
    dimensions: tuple[Dimension, ...]

    @property
    def columns(self) -> list[str]:
        return list(dict.fromkeys(dimension.column for dimension in self.dimensions))

    def check_columns(self, names: Iterable[object]) -> None:
        """Raise `UnstorableColumn` where a frame of these columns lacks one that is needed."""
        there = list(names)
        for name in self.columns:
            if name not in there:
                raise UnstorableColumn(
                    f"The asset's partition_expr names the column {name!r}, and the frame has none of that name but "
                    f"{', '.join(map(str, there)) or 'no column at all'}; correct one of them."
                )

    def places(self, rows: pa.RecordBatch) -> Places:
        """The place of each row among `keys`. Raises `UnstorableColumn` for a row that is in none of them."""
        by_dimension = [dimension.places(rows.column(dimension.column)) for dimension in self.dimensions]
        if len(by_dimension) == 1:
            return by_dimension[0]
        found = self._table[tuple(by_dimension)]
        if len(found) and found.min() < 0:
            row = int(np.argmax(found < 0))
            values = " and ".join(f"{d.column!r} {_text(rows.column(d.column), row)!r}" for d in self.dimensions)
            raise UnstorableColumn(
                f"A row has {values}, which together do not belong to {shown_keys(self.keys)}; leave such rows out, or "
                "run their partitions too."
            )
        return found

    @cached_property
    def _table(self) -> Places:
        """From the places in the dimensions to the one among the keys."""
        table = np.full([len(dimension.keys) for dimension in self.dimensions], _OUTSIDE, np.int64)
        for place, key in enumerate(self.keys):
            parts = key.split("|")
            table[tuple(d.keys.index(part) for d, part in zip(self.dimensions, parts, strict=True))] = place
        return table


def belonging(expression: object, partitions: dg.PartitionsDefinition[Any], keys: Sequence[str]) -> Belonging:
    """What `partition_expr` in an asset's metadata means for a run of these partitions.

    Raises `PostgresStorageError` for one that names no column, or not one for each dimension.
    """
    if not isinstance(partitions, dg.MultiPartitionsDefinition):
        if not isinstance(expression, str):
            raise PostgresStorageError(
                f"partition_expr={expression!r} in an asset's metadata must be the name of a column."
            )
        return Belonging(tuple(keys), (Dimension(expression, tuple(keys), partitions),))
    columns = _column_names(expression, partitions.partition_dimension_names)
    parts = [dimension_keys(partitions, key) for key in keys]
    dimensions = (
        Dimension(columns[d.name], tuple(dict.fromkeys(part[d.name] for part in parts)), d.partitions_def)
        for d in partitions.partitions_defs
    )
    return Belonging(tuple(keys), tuple(dimensions))


def _column_names(expression: object, dimensions: Sequence[str]) -> Mapping[str, str]:
    """The columns by dimension."""
    if isinstance(expression, Mapping) and set(expression) == set(dimensions):
        columns = dict(expression)
        if all(isinstance(column, str) for column in columns.values()):
            return columns
    raise PostgresStorageError(
        f"partition_expr={expression!r} in an asset's metadata must name a column for each dimension of its "
        f"partitions, such as { {name: f'the column of {name}' for name in dimensions} }."
    )


def shown_keys(keys: Sequence[str]) -> str:
    """The run's partitions, for messages."""
    if len(keys) == 1:
        return f"the partition {keys[0]!r}"
    return f"the run's {len(keys)} partitions, {keys[0]!r} to {keys[-1]!r}"


def _just_before(instant: datetime) -> datetime:
    return (instant.astimezone(UTC) - _INSTANT).astimezone(instant.tzinfo)


def _clock(instant: datetime) -> int:
    """What clocks show at that instant, as seconds since they showed the first of 1970."""
    return round((instant.replace(tzinfo=UTC)).timestamp())


def _bounded(numbers: Iterable[int]) -> Places:
    """As an array: nanoseconds cannot say a time that is far away, nor does any value of theirs lie beyond."""
    limits = np.iinfo(np.int64)
    return np.array([min(max(number, limits.min), limits.max) for number in numbers], np.int64)


def _numbers(array: pa.Array) -> Places:
    return np.asarray(array.to_numpy(zero_copy_only=False)).astype(np.int64, copy=False)


def _text(values: pa.Array, row: int) -> str:
    """One value for a message. A driver's Python type cannot hold every time, and a machine may know no zones."""
    value = values.slice(row, 1)
    zoned = pat.is_timestamp(value.type) and value.type.tz is not None
    if pat.is_dictionary(value.type):
        value = value.dictionary_decode()
    if zoned:
        value = value.cast(pa.timestamp(value.type.unit))
    return str(value.cast(pa.string())[0].as_py()) + ("+00:00" if zoned else "")
