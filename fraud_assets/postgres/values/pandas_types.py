"""What pandas and pyarrow would change without a word, on the way in and back; it is refused, or kept, here.

A column of Python objects may mix types that pyarrow converts to one of them; pandas rounds integers that have NULLs
among them, and has no dates beyond Python's.
"""

import datetime as dt
import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from fraud_assets.postgres.errors import UnstorableColumn

_PANDAS = b"pandas"
_PYTHON_DAYS = (dt.date.min.toordinal() - dt.date(1970, 1, 1).toordinal(), 2_932_896)
_MISSING = (type(None), type(pd.NA), type(pd.NaT))

# In this order: a bool is an int, one of NumPy's durations is one of its integers, and a datetime is a date.
_KINDS: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("booleans", (bool, np.bool_)),
    ("durations", (dt.timedelta, np.timedelta64)),
    ("integers", (int, np.integer)),
    ("floats", (float, np.floating)),
    ("texts", (str,)),
    ("bytes", (bytes, bytearray, memoryview)),
    ("decimals", (Decimal,)),
    ("datetimes", (dt.datetime, np.datetime64)),
    ("dates", (dt.date,)),
    ("times", (dt.time,)),
)
# What pyarrow converts without loss, or refuses itself. A float may be a NaN, which stands for a missing value.
_FINE_TOGETHER = ({"integers", "floats"}, {"integers", "decimals"})
_NANOSECONDS = "nanoseconds, which microseconds cannot hold; round them"


def check_objects(frame: pd.DataFrame) -> None:
    """Raises `UnstorableColumn` for a column of Python objects that would lose something as an Arrow array."""
    for name, dtype in frame.dtypes.items():
        if isinstance(dtype, np.dtype) and dtype.hasobject and (problem := _problem(frame[name].to_numpy())):
            raise UnstorableColumn(f"The column {name!r} has {problem}.")


def _problem(values: "np.ndarray[Any, Any]") -> str | None:
    kinds = {_kind(found) for found in set(map(type, values)) if found not in _MISSING} - {None}
    mixed = kinds if "booleans" in kinds and _has_numbers(values) else kinds - {"floats"}
    if len(mixed) > 1 and mixed not in _FINE_TOGETHER:
        return f"values of more than one type ({', '.join(sorted(filter(None, mixed)))}); convert it to one"
    if "datetimes" in kinds and len({value.tzinfo is None for value in _only(values, dt.datetime)}) > 1:
        return "times with a time zone and times without one; give all of them one"
    if "times" in kinds and any(value.tzinfo is not None for value in _only(values, dt.time)):
        return "times of day with a time zone, which has no column type here; convert them"
    if "datetimes" in kinds and any(value.nanosecond for value in _only(values, pd.Timestamp)):
        return _NANOSECONDS
    if "durations" in kinds and any(value.nanoseconds for value in _only(values, pd.Timedelta)):
        return _NANOSECONDS
    return None


def _kind(found: type) -> str | None:
    return next((kind for kind, types in _KINDS if issubclass(found, types)), None)


def _has_numbers(values: Iterable[Any]) -> bool:
    return any(isinstance(value, float | np.floating) and value == value for value in values)


def _only(values: Iterable[Any], wanted: type) -> Iterable[Any]:
    return (value for value in values if isinstance(value, wanted) and value is not pd.NaT)


def for_pandas(table: pa.Table) -> pa.Table:
    """The table as it has to be for `to_pandas` to keep every value.

    Integers with NULLs among them get pandas' nullable dtype, since a float would round them beyond 2**53; dates that
    Python has no date for come as timestamps in seconds.
    """
    nullable = {}
    for index, field in enumerate(table.schema):
        column = table.column(index)
        if pat.is_integer(field.type) and column.null_count:
            nullable[field.name] = f"{'U' if pat.is_unsigned_integer(field.type) else ''}Int{field.type.bit_width}"
        elif pat.is_date(field.type) and _is_beyond_python(column):
            table = table.set_column(index, field.name, column.cast(pa.date32()).cast(pa.timestamp("s")))
    return _noted(table, nullable) if nullable else table


def _is_beyond_python(dates: pa.ChunkedArray) -> bool:
    found = pc.min_max(dates.cast(pa.date32()).cast(pa.int32())).as_py()
    first, last = _PYTHON_DAYS
    return found["min"] is not None and (found["min"] < first or found["max"] > last)


def _noted(table: pa.Table, dtypes: dict[str, str]) -> pa.Table:
    """The table with pandas' notes asking for these dtypes, where they do not ask for one that has NULLs already."""
    metadata = dict(table.schema.metadata or {})
    notes = json.loads(metadata.get(_PANDAS, '{"index_columns": [], "column_indexes": [], "columns": []}'))
    columns = {column["name"]: column for column in notes["columns"]}
    for name, dtype in dtypes.items():
        plain = {"name": name, "field_name": name, "pandas_type": dtype.lower(), "numpy_type": "object"}
        note = columns.get(name, plain | {"metadata": None})
        if not pd.api.types.is_extension_array_dtype(pd.api.types.pandas_dtype(note["numpy_type"])):
            columns[name] = note | {"numpy_type": dtype}
    metadata[_PANDAS] = json.dumps(notes | {"columns": list(columns.values())}).encode()
    return table.replace_schema_metadata(metadata)
