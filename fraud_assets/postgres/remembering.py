"""Types on the way back: what the server sends becomes what was handed in, as far as the column still is of its type.

PostgreSQL has fewer types than Arrow and pandas. The ledger keeps the schema of each frame that was stored, so that an
unsigned byte in a smallint column comes back as an unsigned byte, a nullable integer as a nullable integer.
"""

import json
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.types as pat

from fraud_assets.postgres.errors import PostgresStorageError, UnstorableColumn
from fraud_assets.postgres.names import shortened
from fraud_assets.postgres.types import postgres_type, wire_type

_PANDAS = b"pandas"


def remembered(sent: pa.Schema, column_types: Mapping[str, str], handed_in: Sequence[pa.Schema]) -> pa.Schema:
    """The schema to give back for the columns that the server sends.

    `column_types` has their types in the database, `handed_in` the schemas of the versions that are read. A column
    gets the type that it was handed in with where all versions agree and the column is still of that very type; a
    column that was widened, declared otherwise, or a categorical stored as text, comes back as the database has it.
    """
    fields, kept = [], set()
    for field in sent:
        given = {(f.name, f.type) for schema in handed_in for f in schema if shortened(f.name) == field.name}
        name = next((name for name, _ in given), field.name)
        found = {arrow_type for _, arrow_type in given if not pat.is_null(arrow_type)}
        column_type = column_types[field.name]
        if len(found) == 1 and _is_still(next(iter(found)), column_type):
            fields.append(pa.field(name, found.pop()))
            kept.add(name)
        else:
            fields.append(pa.field(name, wire_type(column_type) or _plain(field.type)))
    return pa.schema(fields, metadata=_notes(handed_in[-1].metadata if handed_in else None, kept))


def _is_still(given: pa.DataType, column_type: str) -> bool:
    try:
        return not pat.is_dictionary(given) and postgres_type("", given) == column_type
    except UnstorableColumn:
        return False


def _plain(arrow_type: pa.DataType) -> pa.DataType:
    return arrow_type.storage_type if isinstance(arrow_type, pa.BaseExtensionType) else arrow_type


def _notes(metadata: Mapping[bytes, bytes] | None, kept: set[str]) -> dict[bytes, bytes] | None:
    """pandas' notes on the dtypes of those columns whose type has been kept; of others they would be wrong."""
    if not metadata or _PANDAS not in metadata:
        return None
    notes = json.loads(metadata[_PANDAS])
    notes["columns"] = [column for column in notes["columns"] if column["name"] in kept]
    return {_PANDAS: json.dumps(notes).encode()}


def as_remembered(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """One batch from the server in the types of `remembered`."""
    arrays = []
    for array, field in zip(batch.columns, schema, strict=True):
        plain = array.storage if isinstance(array, pa.ExtensionArray) else array
        if pat.is_duration(field.type) and pat.is_integer(plain.type):
            plain = plain.cast(pa.duration("us"))  # as which `select_list` has asked for it
        try:
            arrays.append(plain if plain.type == field.type else plain.cast(field.type))
        except pa.ArrowInvalid as error:
            reason = str(error).splitlines()[0]
            raise PostgresStorageError(
                f"The column {field.name!r} has a value that is no {field.type} any more ({reason}); it has been "
                "changed in the database by hand: correct it, or materialize the partition again."
            ) from error
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
