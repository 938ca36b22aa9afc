"""Frames on their way out, as their reader asks; a pandas one can be changed in place, and has its dtypes of before."""

import json
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.types as pat

from fraud_assets.postgres.values.pandas_types import for_pandas

Frame: TypeAlias = "pd.DataFrame | pa.Table | pa.RecordBatchReader"


def typed(reader: pa.RecordBatchReader, annotation: Any) -> Frame:
    """The rows as the reader's annotation asks: pandas unless it names an Arrow type."""
    if annotation is pa.RecordBatchReader:
        return reader
    table = reader.read_all()
    return table if annotation is pa.Table else to_pandas(table)


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """A frame of the rows. The table must be nobody else's: its memory becomes the frame's, or is given back."""
    dtypes = _noted_dtypes(table.schema)
    own = {
        field.name: values
        for field, column in zip(table.schema, table.columns, strict=True)
        if (values := _own_values(column, dtypes.get(field.name))) is not None
    }
    rest = table.drop_columns(list(own))
    # pyarrow shares what it need not convert, and what it shares cannot be written to.
    is_shared = all(column.num_chunks < 2 for column in rest.columns)
    # Integers with NULLs among them, in lists and in structs, would be rounded to floats.
    converted: pd.DataFrame = for_pandas(rest).to_pandas(
        split_blocks=True, self_destruct=True, integer_object_nulls=True
    )
    if is_shared:
        converted = converted.copy()
    if not own:
        return converted
    columns = {name: own[name] if name in own else converted[name] for name in table.column_names}
    return pd.DataFrame(columns, copy=False)


def _noted_dtypes(schema: pa.Schema) -> dict[str, str]:
    """The dtypes that pandas has noted in a schema, by column."""
    notes = json.loads((schema.metadata or {}).get(b"pandas", b'{"columns": []}'))
    return {column["name"]: column["numpy_type"] for column in notes["columns"]}


def _own_values(column: pa.ChunkedArray, noted: str | None) -> npt.NDArray[Any] | None:
    """The numbers of a column where they are memory of ours that a frame can have as it is."""
    is_number = pat.is_integer(column.type) or pat.is_floating(column.type)
    if not is_number or column.num_chunks != 1 or column.null_count:
        return None
    array, dtype = column.chunk(0), np.dtype(column.type.to_pandas_dtype())
    buffer = array.buffers()[1]
    if array.offset or buffer is None or not buffer.is_mutable or noted not in (None, str(dtype)):
        return None
    return np.frombuffer(buffer, dtype, len(array))
