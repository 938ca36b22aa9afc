"""Parent tables: made where they are missing, and changed where a frame brings more columns or wider types.

All of it happens in a short transaction of its own, under the table's lock, before any row is written: a first
writer that kept this open would make all the others wait for its COPY.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.types as pat
from psycopg import Connection, sql

from fraud_assets.postgres.errors import SchemaChangeRefused, UnstorableColumn
from fraud_assets.postgres.ledger import Layout, lock_name, register_table
from fraud_assets.postgres.names import ORDINAL_COLUMN, PARTITION_COLUMN, Relation
from fraud_assets.postgres.types import holds, postgres_type, wire_type


@dataclass(frozen=True)
class TableSpec:
    """What an asset says about its table."""

    asset_key: str
    relation: Relation
    layout: Layout = Layout.PARTITIONS
    primary_key: tuple[str, ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    column_types: Mapping[str, str] = field(default_factory=dict)
    column_comments: Mapping[str, str] = field(default_factory=dict)
    volatile: frozenset[str] = frozenset()
    max_rewrite_rows: int = 50_000_000

    def options(self) -> dict[str, list[Any]]:
        """What must be known to write a partition when the asset itself is not at hand."""
        return {
            "primary_key": list(self.primary_key),
            "indexes": [list(names) for names in self.indexes],
            "volatile": sorted(self.volatile),
        }


def registered_spec(connection: Connection[Any], asset_key: str) -> TableSpec | None:
    """The table of an asset as it was last written; None for an asset that has none."""
    row = connection.execute(
        "SELECT schema_name, table_name, layout, options FROM dagster_io.tables WHERE asset_key = %s", [asset_key]
    ).fetchone()
    if row is None:
        return None
    return TableSpec(
        asset_key=asset_key,
        relation=Relation(row[0], row[1]),
        layout=Layout(row[2]),
        primary_key=tuple(row[3]["primary_key"]),
        indexes=tuple(tuple(names) for names in row[3]["indexes"]),
        volatile=frozenset(row[3]["volatile"]),
    )


@dataclass(frozen=True)
class StoredColumn:
    """A column as the catalogue has it."""

    name: str
    type: str
    nullable: bool
    comment: str | None


def stored_columns(connection: Connection[Any], relation: Relation) -> list[StoredColumn]:
    """The columns that the catalogue knows, without those of storage itself; empty for a table that does not exist.

    Only the catalogue is read: the table itself is not locked.
    """
    rows = connection.execute(
        "SELECT a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, col_description(c.oid, a.attnum)"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid"
        " WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> ALL (%s)"
        " ORDER BY a.attnum",
        [relation.schema, relation.name, [PARTITION_COLUMN, ORDINAL_COLUMN]],
    ).fetchall()
    return [StoredColumn(*row) for row in rows]


def ensure_table(connection: Connection[Any], spec: TableSpec, schema: pa.Schema) -> list[str]:
    """Make the table fit the frame. Returns one sentence for each change to a table that was there before.

    Raises `SchemaChangeRefused` with the column, both types and what to do, and changes nothing then.
    """
    with connection.transaction():
        lock_name(connection, "schema", spec.relation.schema)
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(spec.relation.schema)))
    with connection.transaction():
        lock_name(connection, "table", str(spec.relation))
        register_table(connection, spec.asset_key, spec.relation, spec.layout, spec.options())
        existing = {column.name: column.type for column in stored_columns(connection, spec.relation)}
        if existing:
            return _adapt(connection, spec, existing, schema)
        wanted = {f.name: _wanted_type(spec, f, None) for f in schema}
        _create(connection, spec, wanted)
        _comment(connection, spec, wanted)
        return []


def _wanted_type(spec: TableSpec, arrow_field: pa.Field, existing: str | None) -> str:
    declared = spec.column_types.get(arrow_field.name)
    if declared is not None:
        return declared
    if pat.is_null(arrow_field.type):
        if existing is None:
            raise UnstorableColumn(
                f"The column {arrow_field.name!r} of {spec.relation} is empty throughout and no type is known for it; "
                "name one in the asset's metadata under column_types."
            )
        return existing
    return postgres_type(arrow_field.name, arrow_field.type)


def _create(connection: Connection[Any], spec: TableSpec, columns: Mapping[str, str]) -> None:
    partitioning: sql.Composable = sql.SQL("")
    if spec.layout is Layout.PARTITIONS:
        partitioning = sql.SQL(" PARTITION BY LIST ({})").format(sql.Identifier(PARTITION_COLUMN))
    connection.execute(
        sql.SQL("CREATE TABLE {} ({}){}").format(
            spec.relation.identifier, column_definitions(columns, default_key=None), partitioning
        )
    )
    if spec.layout is Layout.ROWS:
        connection.execute(
            sql.SQL("ALTER TABLE {} ADD COLUMN {} integer NOT NULL, ADD PRIMARY KEY ({}, {})").format(
                spec.relation.identifier,
                sql.Identifier(ORDINAL_COLUMN),
                sql.Identifier(PARTITION_COLUMN),
                sql.Identifier(ORDINAL_COLUMN),
            )
        )


def column_definitions(columns: Mapping[str, str], *, default_key: str | None) -> sql.Composed:
    """The column list of a CREATE TABLE. With a default, the partition column need not be sent with every row."""
    definitions = [
        sql.SQL("{} {}").format(sql.Identifier(name), type_sql(type_name)) for name, type_name in columns.items()
    ]
    default = sql.SQL("") if default_key is None else sql.SQL(" DEFAULT {}").format(sql.Literal(default_key))
    definitions.append(sql.SQL("{} text NOT NULL{}").format(sql.Identifier(PARTITION_COLUMN), default))
    return sql.SQL(", ").join(definitions)


def type_sql(type_name: str) -> sql.Composable:
    """A type's name as SQL. It comes from the catalogue or from the asset's author, never from data."""
    return sql.SQL(type_name)


def _comment(connection: Connection[Any], spec: TableSpec, columns: Mapping[str, str]) -> None:
    for name, comment in spec.column_comments.items():
        if name in columns:
            statement = sql.SQL("COMMENT ON COLUMN {} IS {}")
            column = sql.Identifier(spec.relation.schema, spec.relation.name, name)
            connection.execute(statement.format(column, sql.Literal(comment)))


def _adapt(connection: Connection[Any], spec: TableSpec, existing: Mapping[str, str], schema: pa.Schema) -> list[str]:
    actions, changes = [], []
    for arrow_field in schema:
        name = arrow_field.name
        before = existing.get(name)
        wanted = _wanted_type(spec, arrow_field, before)
        if before is None:
            actions.append(sql.SQL("ADD COLUMN {} {}").format(sql.Identifier(name), type_sql(wanted)))
            changes.append(f"added the column {name!r} ({wanted}) to {spec.relation}")
        elif not _fits(spec, arrow_field, before, wanted):
            _check_widening(connection, spec, name, before, wanted)
            actions.append(sql.SQL("ALTER COLUMN {} TYPE {}").format(sql.Identifier(name), type_sql(wanted)))
            changes.append(f"widened the column {name!r} of {spec.relation} from {before} to {wanted}")
    if actions:
        statement = sql.SQL("ALTER TABLE {} {}").format(spec.relation.identifier, sql.SQL(", ").join(actions))
        connection.execute(statement)
        _comment(connection, spec, {name: "" for name in schema.names if name not in existing})
    return changes


def _fits(spec: TableSpec, arrow_field: pa.Field, before: str, wanted: str) -> bool:
    if spec.column_types.get(arrow_field.name) is not None:
        return before == _canonical(wanted)
    return holds(wanted, before)


_SPELLED = {
    "bool": "boolean",
    "float4": "real",
    "float8": "double precision",
    "int": "integer",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "varchar": "character varying",
}


def _canonical(type_name: str) -> str:
    """A type as `format_type` spells it, since that is what the catalogue is compared with."""
    return _SPELLED.get(type_name.lower(), type_name)


def _check_widening(connection: Connection[Any], spec: TableSpec, name: str, before: str, wanted: str) -> None:
    declared = name in spec.column_types and (before, _canonical(wanted)) == ("bigint", "double precision")
    if not (holds(before, wanted) or declared):
        raise SchemaChangeRefused(
            f"The column {name!r} of {spec.relation} is {before}, and the frame has {wanted}, which does not fit; "
            "convert it in the asset, give it a new name, or migrate the table by hand."
        )
    row = connection.execute(
        "SELECT coalesce(sum(row_count), 0) FROM dagster_io.versions WHERE asset_key = %s AND status = 'current'",
        [spec.asset_key],
    ).fetchone()
    stored = int(row[0]) if row else 0
    if stored > spec.max_rewrite_rows:
        raise SchemaChangeRefused(
            f"Widening the column {name!r} of {spec.relation} from {before} to {wanted} would rewrite {stored:,} rows, "
            f"more than the limit of {spec.max_rewrite_rows:,}; raise max_rewrite_rows, or widen it by hand."
        )


def wire_schema(columns: Sequence[StoredColumn], handed_in: pa.Schema) -> pa.Schema:
    """The columns of the frame, in its order, in the wire types of the table. Raises `UnstorableColumn`."""
    types = {column.name: column.type for column in columns}
    fields = []
    for name in handed_in.names:
        wire = wire_type(types[name])
        if wire is None:
            raise UnstorableColumn(
                f"The column {name!r} is {types[name]} in the database, which cannot be written in binary here; "
                "change its column type."
            )
        fields.append(pa.field(name, wire))
    return pa.schema(fields)
