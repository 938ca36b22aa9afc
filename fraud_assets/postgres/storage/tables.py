"""Parent tables: what an asset says about its table, what the catalogue says, and making one where it is missing.

What happens to a table that is there already lives in `evolution`; writing rows in `swap` and `rows`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString

import psycopg
import pyarrow as pa
import pyarrow.types as pat
from psycopg import Connection, sql

from fraud_assets.postgres.errors import PostgresStorageError, UnstorableColumn
from fraud_assets.postgres.names import ORDINAL_COLUMN, PARTITION_COLUMN, Relation, shortened
from fraud_assets.postgres.storage.ledger import Layout
from fraud_assets.postgres.values.encodings import wire_field
from fraud_assets.postgres.values.types import postgres_type, wire_type


@dataclass(frozen=True)
class TableSpec:
    """What an asset says about its table, with column names as the database has them."""

    asset_key: str
    relation: Relation
    layout: Layout = Layout.PARTITIONS
    primary_key: tuple[str, ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    column_types: Mapping[str, str] = field(default_factory=dict)
    column_comments: Mapping[str, str] = field(default_factory=dict)
    volatile: frozenset[str] = frozenset()
    max_rewrite_rows: int = 50_000_000
    keep_first: bool = False
    """Whether the first version of a partition is kept for good, however many have superseded it."""
    archived_versions: int | None = None
    """How many superseded versions of a partition stay; None where that is not the asset's to say."""

    def options(self) -> dict[str, Any]:
        """What must be known to write or to prune a partition when the asset itself is not at hand."""
        return {
            "primary_key": list(self.primary_key),
            "indexes": [list(names) for names in self.indexes],
            "volatile": sorted(self.volatile),
            "keep_first": self.keep_first,
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
        keep_first=row[3].get("keep_first", False),
    )


@dataclass(frozen=True)
class StoredColumn:
    """A column as the catalogue has it."""

    name: str
    type: str
    nullable: bool = True
    comment: str | None = None


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


_KINDS = {Layout.PARTITIONS: "p", Layout.ROWS: "r"}


def table_exists(connection: Connection[Any], spec: TableSpec) -> bool:
    """Whether the table is there. Raises `PostgresStorageError` for something else of that name."""
    row = connection.execute(
        "SELECT c.relkind, EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = %s)"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s",
        [PARTITION_COLUMN, spec.relation.schema, spec.relation.name],
    ).fetchone()
    if row is None:
        return False
    if row != (_KINDS[spec.layout], True):
        raise PostgresStorageError(
            f"There is something called {spec.relation} in the database that was not made for {spec.asset_key!r}; "
            "rename it, or give the asset another schema in its metadata."
        )
    return True


def wanted_columns(connection: Connection[Any], spec: TableSpec, schema: pa.Schema) -> dict[str, str | None]:
    """The column types that a frame asks for, by column; None for a column without a value to tell its type from.

    Raises `UnstorableColumn` for a type that cannot be stored.
    """
    declared = _canonical(connection, spec)
    wanted: dict[str, str | None] = {}
    for arrow_field in schema:
        name = shortened(arrow_field.name)
        if name in declared:
            wanted[name] = declared[name]
        elif _is_unknown(arrow_field.type):
            wanted[name] = None
        else:
            wanted[name] = postgres_type(arrow_field.name, arrow_field.type)
    return wanted


def _is_unknown(arrow_type: pa.DataType) -> bool:
    """Whether a column is NULL or an empty list throughout, which any type, or any list, may be."""
    innermost = arrow_type.value_type if pat.is_list(arrow_type) else arrow_type
    return bool(pat.is_null(innermost))


def _canonical(connection: Connection[Any], spec: TableSpec) -> dict[str, str]:
    """The declared types as `format_type` spells them, since that is what the catalogue is compared with."""
    canonical = {}
    for name, type_name in spec.column_types.items():
        try:
            # The server's own parser of type names: what passes it is a type and nothing else.
            is_type = connection.execute("SELECT to_regtype(%s) IS NOT NULL", [type_name]).fetchone() == (True,)
        except psycopg.errors.ProgrammingError:
            is_type = False
        if not is_type:
            raise UnstorableColumn(
                f"The type {type_name!r} of the column {name!r} in column_types is none that the database knows; "
                "correct it."
            )
        described = connection.execute(sql.SQL("SELECT NULL::{}").format(type_sql(type_name))).pgresult
        assert described is not None
        numbers = [described.ftype(0), described.fmod(0)]
        row = connection.execute("SELECT format_type(%s::oid, %s::integer)", numbers).fetchone()
        assert row is not None
        canonical[name] = row[0]
        if wire_type(row[0]) is None:
            raise UnstorableColumn(
                f"The type {type_name!r} of the column {name!r} in column_types cannot be written in binary here; "
                "choose another."
            )
    return canonical


def create_table(connection: Connection[Any], spec: TableSpec, wanted: Mapping[str, str | None]) -> None:
    """Make the table. Raises `UnstorableColumn` for a column whose type nobody knows."""
    columns = [StoredColumn(name, known(spec, name, type_name)) for name, type_name in wanted.items()]
    columns.append(StoredColumn(PARTITION_COLUMN, "text", nullable=False))
    partitioning: sql.Composable = sql.SQL("")
    if spec.layout is Layout.PARTITIONS:
        partitioning = sql.SQL(" PARTITION BY LIST ({})").format(sql.Identifier(PARTITION_COLUMN))
    connection.execute(
        sql.SQL("CREATE TABLE {} ({}){}").format(
            spec.relation.identifier,
            column_definitions(columns),
            partitioning,
        )
    )
    if spec.layout is Layout.ROWS:
        _finish_rows(connection, spec)


def known(spec: TableSpec, name: str, type_name: str | None) -> str:
    if type_name is None:
        raise UnstorableColumn(
            f"The column {name!r} of {spec.relation} is empty throughout and no type is known for it; "
            "name one in the asset's metadata under column_types."
        )
    return type_name


def _finish_rows(connection: Connection[Any], spec: TableSpec) -> None:
    """What a table of all partitions has besides: the place of each row, and the asset's own keys and indexes."""
    table, own = spec.relation.identifier, (PARTITION_COLUMN, ORDINAL_COLUMN)
    connection.execute(
        sql.SQL("ALTER TABLE {} ADD COLUMN {} integer NOT NULL, ADD PRIMARY KEY ({})").format(
            table, sql.Identifier(ORDINAL_COLUMN), column_list(own)
        )
    )
    if spec.primary_key:
        names = column_list((PARTITION_COLUMN, *spec.primary_key))
        connection.execute(sql.SQL("CREATE UNIQUE INDEX ON {} ({})").format(table, names))
    for index in spec.indexes:
        connection.execute(sql.SQL("CREATE INDEX ON {} ({})").format(table, column_list(index)))


def column_list(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def column_definitions(columns: Sequence[StoredColumn]) -> sql.Composed:
    """Columns as CREATE TABLE wants them."""
    return sql.SQL(", ").join(
        sql.SQL("{} {}{}").format(
            sql.Identifier(column.name), type_sql(column.type), sql.SQL("" if column.nullable else " NOT NULL")
        )
        for column in columns
    )


def type_sql(type_name: str) -> sql.SQL:
    """A type's name as SQL. It comes from the catalogue or from the asset's author, never from data."""
    return sql.SQL(type_name)


# What the binary reader cannot take as it is, or only some of its versions.
_SELECTED: dict[str, LiteralString] = {
    "interval": "(extract(epoch FROM {0}) * 1000000)::bigint AS {0}",
    "json": "{0}::text AS {0}",
    "jsonb": "{0}::text AS {0}",
    "uuid": "{0}::text AS {0}",
    # A cast to text would add the length of the netmask to an address that has none. None of them is empty.
    "inet": "nullif(concat({0}), '') AS {0}",
    "cidr": "nullif(concat({0}), '') AS {0}",
}


def select_list(columns: Sequence[StoredColumn]) -> sql.Composed:
    """The columns of a SELECT, as the binary reader can take them."""
    return sql.SQL(", ").join(sql.SQL(_selected(column.type)).format(sql.Identifier(column.name)) for column in columns)


def _selected(column_type: str) -> LiteralString:
    if column_type.startswith("numeric") and column_type.endswith("[]"):
        return "{0}::text[] AS {0}"
    if column_type.startswith("character("):
        return "{0}::text AS {0}"
    return _SELECTED.get(column_type, "{0}")


def wire_schema(columns: Sequence[StoredColumn], handed_in: pa.Schema) -> pa.Schema:
    """The columns of the frame, in its order, by their names and in the wire types of the table.

    Raises `UnstorableColumn`.
    """
    types = {column.name: column.type for column in columns}
    fields = []
    for name in map(shortened, handed_in.names):
        wire = wire_field(name, types[name])
        if wire is None:
            raise UnstorableColumn(
                f"The column {name!r} is {types[name]} in the database, which cannot be written in binary here; "
                "change its column type."
            )
        fields.append(wire)
    return pa.schema(fields)
