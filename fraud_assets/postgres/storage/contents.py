"""A stored version read back and counted: its rows, its bytes and its hash, as they would be if it were stored now."""

from typing import Any

import pyarrow as pa
from psycopg import Connection, sql

from fraud_assets.postgres.connection import PostgresResource
from fraud_assets.postgres.names import ORDINAL_COLUMN, PARTITION_COLUMN, shortened
from fraud_assets.postgres.storage.ledger import Content, Layout, Status, Version
from fraud_assets.postgres.storage.rows import partition_bytes
from fraud_assets.postgres.storage.superseded import source
from fraud_assets.postgres.storage.swap import relation_bytes
from fraud_assets.postgres.storage.tables import StoredColumn, TableSpec, select_list, stored_columns, wire_schema
from fraud_assets.postgres.transfer.copy_in import counted
from fraud_assets.postgres.transfer.sessions import open_session
from fraud_assets.postgres.values.frames import incoming
from fraud_assets.postgres.values.remembering import as_remembered, remembered


def own_columns(connection: Connection[Any], spec: TableSpec, version: Version) -> list[StoredColumn]:
    """The columns of the table that a version's rows are read from; an archived one has those of its time."""
    return stored_columns(connection, version.relation if spec.layout is Layout.PARTITIONS else spec.relation)


def rows_of(connection: Connection[Any], spec: TableSpec, version: Version) -> sql.Composed:
    """What stands behind FROM to read a version's own rows, in its own columns, and no other version's."""
    if spec.layout is Layout.PARTITIONS:
        return sql.SQL("ONLY {}").format(version.relation.identifier)
    of = source(spec, stored_columns(connection, spec.relation), version)
    if version.status == Status.ARCHIVED:
        return of
    column, key = sql.Identifier(PARTITION_COLUMN), sql.Literal(version.partition_key)
    return sql.SQL("(SELECT * FROM {} WHERE {} = {}) present").format(of, column, key)


def content_now(postgres: PostgresResource, connection: Connection[Any], spec: TableSpec, version: Version) -> Content:
    """A version's rows as they are in the database, counted and hashed as when they were stored.

    The hash is the ledger's own where nothing has changed since, columns and their types included. Raises
    `RelationVanished` where the version has been replaced meanwhile.
    """
    handed_in = version.schema
    assert handed_in is not None
    by_name = {column.name: column for column in own_columns(connection, spec, version)}
    names = [name for name in handed_in.names if shortened(name) in by_name]
    columns = [by_name[shortened(name)] for name in names]
    session = open_session(postgres.url, [column.type for column in columns])
    try:
        raw = session.read(_query(connection, spec, version, columns))
        types = {column.name: column.type for column in columns}
        schema = remembered(raw.schema, types, [handed_in])
        batches = (as_remembered(batch, schema) for batch in raw.batches)
        frame = incoming(pa.RecordBatchReader.from_batches(schema, batches))
        wire = wire_schema(columns, pa.schema([handed_in.field(name) for name in names]))
        copied = counted(wire, frame.batches, unhashed=spec.volatile)
    finally:
        session.close()
    return Content(copied.rows, _bytes(connection, spec, version), copied.content_hash)


def _query(connection: Connection[Any], spec: TableSpec, version: Version, columns: list[StoredColumn]) -> sql.Composed:
    query = sql.SQL("SELECT {} FROM {}").format(select_list(columns), rows_of(connection, spec, version))
    if spec.layout is Layout.PARTITIONS:
        return query
    return sql.SQL("{} ORDER BY {}").format(query, sql.Identifier(ORDINAL_COLUMN))


def _bytes(connection: Connection[Any], spec: TableSpec, version: Version) -> int:
    if spec.layout is Layout.PARTITIONS:
        return relation_bytes(connection, version.relation) or 0
    if version.status == Status.CURRENT:
        return partition_bytes(connection, spec, version.partition_key)
    row = connection.execute(
        "SELECT coalesce(sum(pg_column_size(content)), 0) FROM dagster_io.archived_rows WHERE version_id = %s",
        [version.version_id],
    ).fetchone()
    return int(row[0]) if row else 0
