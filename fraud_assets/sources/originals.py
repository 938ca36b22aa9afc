"""What a rejected row looked like: one JSON object for people to read. What must not be shown is left out before."""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

# One rejected cell must not make a table unreadable.
_LONGEST_TEXT = 2_000


def originals(cells: pa.Table) -> list[str]:
    return [original(row) for row in cells.cast(_readable(cells.schema)).to_pylist()]


def _readable(schema: pa.Schema) -> pa.Schema:
    """Times as text: Arrow holds years that Python does not."""
    temporal: Callable[[pa.DataType], bool] = pa.types.is_temporal
    return pa.schema([field.with_type(pa.string()) if temporal(field.type) else field for field in schema])


def original(values: Mapping[str, Any]) -> str:
    """One JSON object; what JSON has no word for as text, and very long text cut."""
    return json.dumps({name: _json_value(value) for name, value in values.items()}, ensure_ascii=False)


def _json_value(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return str(value)[:_LONGEST_TEXT]
