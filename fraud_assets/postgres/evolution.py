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
from fraud_assets.postgres.errors import SchemaChangeRefused
from fraud_assets.postgres.ledger import register_table
from fraud_assets.postgres.locks import lock_table_name, patiently, wait_briefly
from fraud_assets.postgres.tables import (
    StoredColumn,
    TableSpec,
    create_table,
    known,
    stored_columns,
    table_exists,
    type_sql,
    wanted_columns,
)
from fraud_assets.postgres.types import common_type


def ensure_table(connection: Connection[Any], spec: TableSpec, schema: pa.Schema) -> list[str]:
    """Make the table fit the frame. Returns one sentence for each change to a table that was there before.

    Raises `SchemaChangeRefused` with the column, both types and what to do, `UnstorableColumn` for a type that cannot
    be stored, and `PostgresStorageError` for a table that is not the asset's; nothing has changed then.
    """
    wanted = wanted_columns(connection, spec, schema)
    create_schema(connection, spec.relation.schema)
    return patiently(connection, spec.relation, lambda: _ensure(connection, spec, wanted))


def _ensure(connection: Connection[Any], spec: TableSpec, wanted: Mapping[str, str | None]) -> list[str]:
    lock_table_name(connection, spec.relation)
    wait_briefly(connection)
    register_table(connection, spec.asset_key, spec.relation, spec.layout, spec.options())
    changes: list[str] = []
    if table_exists(connection, spec):
        columns = {column.name: column for column in stored_columns(connection, spec.relation)}
        changes = _adapt(connection, spec, columns, wanted)
    else:
        create_table(connection, spec, wanted)
    _comment(connection, spec)
    return changes


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
            _check_size(connection, spec, name, existing[name].type, wider)
            actions.append(sql.SQL("ALTER COLUMN {} TYPE {}").format(column, type_sql(wider)))
            changes.append(f"widened the column {name!r} of {spec.relation} from {existing[name].type} to {wider}")
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
            f"The column {name!r} of {spec.relation} is {before}, and the frame has {wanted}, which does not fit; "
            "convert it in the asset, give it a new name, or migrate the table by hand."
        )
    return wider


def _check_size(connection: Connection[Any], spec: TableSpec, name: str, before: str, wanted: str) -> None:
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


def _comment(connection: Connection[Any], spec: TableSpec) -> None:
    """Write those comments that are new or have changed."""
    for column in stored_columns(connection, spec.relation) if spec.column_comments else ():
        comment = spec.column_comments.get(column.name, column.comment)
        if comment != column.comment:
            name = sql.Identifier(spec.relation.schema, spec.relation.name, column.name)
            connection.execute(sql.SQL("COMMENT ON COLUMN {} IS {}").format(name, sql.Literal(comment)))
