"""Making a table fit a frame: created where it is missing, changed where a frame brings more columns or wider types.

All of it happens in a short transaction of its own, under the table's lock, before any row is written: a first
writer that kept this open would make all the others wait for its COPY.
"""

from collections.abc import Mapping
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import Connection, sql

from fraud_assets.postgres.bootstrap import create_schema
from fraud_assets.postgres.errors import PostgresStorageError, SchemaChangeRefused
from fraud_assets.postgres.locks import lock_table_name, patiently, wait_briefly
from fraud_assets.postgres.names import PARTITION_COLUMN
from fraud_assets.postgres.storage.ledger import register_table
from fraud_assets.postgres.storage.tables import (
    StoredColumn,
    TableSpec,
    create_table,
    known,
    stored_columns,
    table_exists,
    type_sql,
    wanted_columns,
)
from fraud_assets.postgres.values.types import DECLARED_TEXTS, common_type, is_rewritten


def ensure_table(connection: Connection[Any], spec: TableSpec, schema: pa.Schema) -> list[str]:
    """Make the table fit the frame. Returns one sentence for each change to a table that was there before.

    Raises `SchemaChangeRefused` with the column, both types and what to do, `UnstorableColumn` for a type that cannot
    be stored, and `PostgresStorageError` for a table that is not the asset's; nothing has changed then.
    """
    wanted = wanted_columns(connection, spec, schema)
    _check_key_columns(connection, spec, wanted)
    create_schema(connection, spec.relation.schema)
    return patiently(connection, spec.relation, lambda: _ensure(connection, spec, wanted))


def _ensure(connection: Connection[Any], spec: TableSpec, wanted: Mapping[str, str | None]) -> list[str]:
    lock_table_name(connection, spec.relation)
    wait_briefly(connection)
    register_table(connection, spec.asset_key, spec.relation, spec.layout, spec.options())
    changes: list[str] = []
    if table_exists(connection, spec):
        columns = {column.name: column for column in stored_columns(connection, spec.relation)}
        try:
            changes = _adapt(connection, spec, columns, wanted)
        except SchemaChangeRefused as error:
            by_server = error.__cause__ is not None  # for somebody else's sake, such as a view's
            if by_server or _has_versions(connection, spec):
                raise
            # Made for a first frame that was refused in its turn: nothing is in it, and it binds nobody.
            connection.execute(sql.SQL("DROP TABLE {}").format(spec.relation.identifier))
            create_table(connection, spec, wanted)
    else:
        create_table(connection, spec, wanted)
    _comment(connection, spec)
    return changes


def _has_versions(connection: Connection[Any], spec: TableSpec) -> bool:
    query = "SELECT FROM dagster_io.versions WHERE asset_key = %s AND status <> 'pruned' LIMIT 1"
    return connection.execute(query, [spec.asset_key]).fetchone() is not None


def _check_key_columns(connection: Connection[Any], spec: TableSpec, wanted: Mapping[str, str | None]) -> None:
    """Raise `PostgresStorageError` for a key or an index of a column that there is not."""
    named = {"primary_key": spec.primary_key, "indexes": [name for index in spec.indexes for name in index]}
    there = {*wanted, PARTITION_COLUMN}
    new = [(key, name) for key, names in named.items() for name in names if name not in there]
    stored = {column.name for column in stored_columns(connection, spec.relation)} if new else set[str]()
    for key, name in new:
        if name not in stored:
            raise PostgresStorageError(
                f"{key} in the metadata of {spec.asset_key!r} names the column {name!r}, and its frame has none of "
                "that name; correct it."
            )


def _adapt(
    connection: Connection[Any],
    spec: TableSpec,
    existing: Mapping[str, StoredColumn],
    wanted: Mapping[str, str | None],
) -> list[str]:
    actions, changes = [], []
    for name, type_name in wanted.items():
        column = sql.Identifier(name)
        if name not in existing:
            added = known(spec, name, type_name)
            actions.append(sql.SQL("ADD COLUMN {} {}").format(column, type_sql(added)))
            changes.append(f"added the column {name!r} ({added}) to {spec.relation}")
        elif (wider := _widened(spec, name, existing[name].type, type_name)) != existing[name].type:
            before = existing[name].type
            if (before, wider) == ("bigint", "double precision"):
                _check_exact(connection, spec, name)
            rows = _rows_to_rewrite(connection, spec, name, before, wider) if is_rewritten(before, wider) else 0
            actions.append(sql.SQL("ALTER COLUMN {} TYPE {}").format(column, type_sql(wider)))
            changes.append(
                f"widened the column {name!r} of {spec.relation} from {before} to {wider}, "
                f"which rewrites {f'{rows:,} rows' if rows else 'nothing'}"
            )
    if actions:
        _alter(connection, spec, sql.SQL(", ").join(actions))
    return changes


def _alter(connection: Connection[Any], spec: TableSpec, actions: sql.Composed) -> None:
    try:
        connection.execute(sql.SQL("ALTER TABLE {} {}").format(spec.relation.identifier, actions))
    except psycopg.errors.FeatureNotSupported as error:  # a view, or a generated column, reads the column
        raise SchemaChangeRefused(
            f"{spec.relation} cannot be changed to fit the frame: {error.diag.message_primary} "
            f"({error.diag.message_detail}); drop what depends on it, and make it again afterwards."
        ) from error


def _widened(spec: TableSpec, name: str, before: str, wanted: str | None) -> str:
    """The type that the column must have. Raises `SchemaChangeRefused` where no type holds what is there and comes."""
    if wanted is None:
        return before
    is_declared = name in spec.column_types
    if is_declared and (before, wanted) == ("bigint", "double precision"):
        return wanted
    wider = common_type(before, wanted)
    if wider is None:
        raise SchemaChangeRefused(
            f"The column {name!r} of {spec.relation} is {before}, and {_who(spec, name)} {wanted}, which does not fit; "
            f"{_way_out(before, wanted)}give it a new name, or migrate the table by hand."
        )
    return wider


def _who(spec: TableSpec, name: str) -> str:
    return "the asset's column_types say" if name in spec.column_types else "the frame has"


def _way_out(before: str, wanted: str) -> str:
    if (before, wanted) == ("bigint", "double precision"):
        return f"say {wanted!r} for it in the asset's column_types where no number is beyond 2**53, "
    if wanted == "text" and before in DECLARED_TEXTS:
        return f"say {before!r} for it in the asset's column_types, "
    return "convert it in the asset, "


def _check_exact(connection: Connection[Any], spec: TableSpec, name: str) -> None:
    query = sql.SQL("SELECT EXISTS (SELECT FROM {table} WHERE {column} NOT BETWEEN -{exact} AND {exact})").format(
        table=spec.relation.identifier, column=sql.Identifier(name), exact=sql.Literal(2**53)
    )
    row = connection.execute(query).fetchone()
    if row and row[0]:
        raise SchemaChangeRefused(
            f"The column {name!r} of {spec.relation} is bigint and has numbers beyond 2**53, which double precision "
            "would round; give the new one another name, or migrate the table by hand."
        )


def _rows_to_rewrite(connection: Connection[Any], spec: TableSpec, name: str, before: str, wanted: str) -> int:
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
    return stored


def _comment(connection: Connection[Any], spec: TableSpec) -> None:
    """Write those comments that are new or have changed."""
    for column in stored_columns(connection, spec.relation) if spec.column_comments else ():
        comment = spec.column_comments.get(column.name, column.comment)
        if comment != column.comment:
            name = sql.Identifier(spec.relation.schema, spec.relation.name, column.name)
            connection.execute(sql.SQL("COMMENT ON COLUMN {} IS {}").format(name, sql.Literal(comment)))
