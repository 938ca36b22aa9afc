"""Types on the way back: what the server sends becomes what was handed in, as far as the column still is of its type.

PostgreSQL has fewer types than Arrow and pandas. The ledger keeps the schema of each frame that was stored, so that an
unsigned byte in a smallint column comes back as an unsigned byte, a nullable integer as a nullable integer.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.types as pat

from fraud_assets.postgres.errors import PostgresStorageError, UnstorableColumn
from fraud_assets.postgres.names import shortened
from fraud_assets.postgres.values.encodings import decoded
from fraud_assets.postgres.values.types import postgres_type, wire_type

_PANDAS = b"pandas"
_JSON = ("json", "jsonb")


def remembered(sent: pa.Schema, column_types: Mapping[str, str], handed_in: Sequence[pa.Schema]) -> pa.Schema:
    """The schema to give back for the columns that the server sends.

    `column_types` has their types in the database, `handed_in` the schemas of the versions that are read. A column
    gets the type that it was handed in with where all versions agree and the column is still of that very type; a
    column that was widened, declared otherwise, or a categorical stored as text, comes back as the database has it.
    """
    versions = _distinct(handed_in)
    by_name: dict[str, list[pa.Field]] = {}
    for field in (field for schema in versions for field in schema):
        by_name.setdefault(shortened(field.name), []).append(field)
    fields, kept = [], set()
    for sent_field in sent:
        given = by_name.get(sent_field.name, [])
        name = given[0].name if given else sent_field.name
        column_type = column_types[sent_field.name]
        agreed = _agreed({field.type for field in given if not pat.is_null(field.type)}, column_type)
        if agreed is not None:
            kept.add(name)
        fields.append(
            pa.field(
                name,
                agreed if agreed is not None else _as_stored(column_type, sent_field.type),
                nullable=len(given) < len(versions) or not given or any(field.nullable for field in given),
                metadata=_common([field.metadata for field in given]) if agreed is not None else None,
            )
        )
    return pa.schema(fields, metadata=_common([schema.metadata for schema in versions]) | _notes(versions, kept))


def _distinct(schemas: Sequence[pa.Schema]) -> list[pa.Schema]:
    """Each schema once, where it comes last: hundreds of partitions have one or two between them."""
    found = {schema.serialize().to_pybytes(): schema for schema in reversed(schemas)}
    return list(reversed(found.values()))


def _agreed(found: set[pa.DataType], column_type: str) -> pa.DataType | None:
    """The one type that all versions had, if the column is of that type; JSON of several shapes has them all."""
    if len(found) > 1 and column_type in _JSON and all(map(pat.is_nested, found)):
        found = _unified(found)
    if len(found) != 1:
        return None
    (given,) = found
    return given if _is_still(given, column_type) else None


def _unified(shapes: Iterable[pa.DataType]) -> set[pa.DataType]:
    schemas = [pa.schema([("value", shape)]) for shape in shapes]
    try:
        return {pa.unify_schemas(schemas, promote_options="permissive").field("value").type}
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return set()


def _is_still(given: pa.DataType, column_type: str) -> bool:
    if pat.is_dictionary(given):
        return False
    try:
        expected = postgres_type("", given)
    except UnstorableColumn:
        return False
    return expected == column_type or (expected == "jsonb" and column_type == "json")


def _as_stored(column_type: str, sent: pa.DataType) -> pa.DataType:
    if (wire := wire_type(column_type)) is not None:
        return wire
    return sent.storage_type if isinstance(sent, pa.BaseExtensionType) else sent


def _common(notes: Sequence[Mapping[bytes, bytes] | None]) -> dict[bytes, bytes]:
    """What all versions say, but for pandas' notes, which are merged by column."""
    first, *others = [note or {} for note in notes] or [{}]
    return {
        key: value for key, value in first.items() if key != _PANDAS and all(note.get(key) == value for note in others)
    }


def _notes(versions: Sequence[pa.Schema], kept: set[str]) -> dict[bytes, bytes]:
    """pandas' notes on the dtypes of those columns whose type has been kept, each from the last version that has it.

    Of other columns they would be wrong. An index that an Arrow table has among its columns stays a column.
    """
    noted = [json.loads(schema.metadata[_PANDAS]) for schema in versions if _PANDAS in (schema.metadata or {})]
    if not noted:
        return {}
    columns = {column["field_name"]: column for notes in noted for column in notes["columns"]}
    known = [
        column | {"name": name} for name, column in columns.items() if name in kept and _is_dtype(column["numpy_type"])
    ]
    return {_PANDAS: json.dumps(noted[-1] | {"columns": known, "index_columns": [], "column_indexes": []}).encode()}


def _is_dtype(name: Any) -> bool:
    """Whether pandas knows the dtype by its name. It does not know those of Arrow's lists and structs."""
    try:
        pd.api.types.pandas_dtype(name)
    except (TypeError, NotImplementedError):
        return False
    return True


def as_remembered(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """One batch from the server in the types of `remembered`."""
    arrays = [_as_remembered(array, field) for array, field in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _as_remembered(array: pa.Array, field: pa.Field) -> pa.Array:
    try:
        return decoded(array, field.type)
    except ValueError as error:
        reason = str(error).splitlines()[0]
        raise PostgresStorageError(
            f"The column {field.name!r} has a value that is no {field.type} any more ({reason}): it, or the type of "
            "its column, has been changed since it was stored; correct it, or materialize the partition again."
        ) from error
