"""What a cursor returns as a frame, each column in the dtype of its type in PostgreSQL.

float8 is float64, integers and booleans are NumPy's where no value is missing and pandas' nullable ones otherwise, text
is `str` kept in Python objects, times are datetime64[us, UTC]; anything else is left as psycopg gives it.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from psycopg import Cursor
from psycopg.postgres import types

from fraud_assets.reporting.figures.frames import TEXT

_FLOATS = {types["float8"].oid, types["float4"].oid, types["numeric"].oid}
_INTEGERS = {types["int2"].oid, types["int4"].oid, types["int8"].oid}
_BOOLEAN = types["bool"].oid
_TEXTS = {types["text"].oid, types["varchar"].oid}
_TIME = types["timestamptz"].oid


def frame_of(cursor: Cursor[Any]) -> pd.DataFrame:
    """All rows that are left in the cursor; an empty frame has the columns all the same."""
    assert cursor.description is not None
    kinds = {column.name: column.type_code for column in cursor.description}
    rows = cursor.fetchall()
    columns: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [()] * len(kinds)
    return pd.DataFrame(
        {name: _series(values, kind) for (name, kind), values in zip(kinds.items(), columns, strict=True)}
    )


def _series(values: Sequence[Any], kind: int) -> pd.Series:
    if kind in _FLOATS:
        return pd.Series(values, dtype="float64")
    if kind in _INTEGERS:
        return pd.Series(values, dtype="Int64" if None in values else "int64")
    if kind == _BOOLEAN:
        return pd.Series(values, dtype="boolean" if None in values else "bool")
    if kind in _TEXTS:
        return pd.Series(values, dtype=TEXT)
    if kind == _TIME:
        return pd.Series(pd.to_datetime(list(values), utc=True), dtype="datetime64[us, UTC]")
    return pd.Series(values, dtype="object")
