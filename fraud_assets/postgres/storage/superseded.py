"""Superseded versions as something to select from, in the columns that their table has today.

Reading them beside current ones lives here; making one of them current again does not (`archive`).
"""

from collections.abc import Sequence

from psycopg import sql

from fraud_assets.postgres.names import shortened
from fraud_assets.postgres.storage.ledger import Layout, Status, Version
from fraud_assets.postgres.storage.tables import StoredColumn, TableSpec, type_sql


def source(spec: TableSpec, existing: Sequence[StoredColumn], version: Version) -> sql.Composed:
    """What stands behind FROM to read a version's rows: its own table, or its archived rows in `existing` columns."""
    is_archived = version.status == Status.ARCHIVED
    if spec.layout is Layout.ROWS:
        return _archived_rows(spec, version) if is_archived else sql.SQL("{}").format(spec.relation.identifier)
    own = sql.SQL("ONLY {}").format(version.relation.identifier)
    return _in_columns(existing, version, own) if is_archived else own


def _archived_rows(spec: TableSpec, version: Version) -> sql.Composed:
    return sql.SQL(
        "(SELECT r.* FROM dagster_io.archived_rows a, LATERAL json_populate_record(NULL::{}, a.content) r"
        " WHERE a.version_id = {}) archived"
    ).format(spec.relation.identifier, sql.Literal(version.version_id))


def _in_columns(existing: Sequence[StoredColumn], version: Version, own: sql.Composed) -> sql.Composed:
    """The table has kept the columns, and the types, that its parent had when it was detached."""
    handed_in = version.schema
    brought = set() if handed_in is None else set(map(shortened, handed_in.names))
    columns = (
        sql.SQL("{}::{} AS {}").format(
            sql.Identifier(column.name) if column.name in brought else sql.NULL,
            type_sql(column.type),
            sql.Identifier(column.name),
        )
        for column in existing
    )
    return sql.SQL("(SELECT {} FROM {}) archived").format(sql.SQL(", ").join(columns), own)
