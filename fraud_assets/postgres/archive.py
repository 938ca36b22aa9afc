"""The archive: which versions of a partition there are, and getting an old one back.

A restored version is written like any other: a fresh partition in today's columns, swapped in, with a version number
of its own. What it replaces is archived in turn, so restoring loses nothing.
"""

from collections.abc import Sequence

import pyarrow as pa
from psycopg import sql

from fraud_assets.postgres.bulk import ReadSession, RelationVanished, closing_reader
from fraud_assets.postgres.connection import PostgresResource
from fraud_assets.postgres.errors import PostgresStorageError
from fraud_assets.postgres.frames import incoming
from fraud_assets.postgres.ledger import Layout, Origin, Status, Version, find_version, versions
from fraud_assets.postgres.names import ORDINAL_COLUMN, shortened
from fraud_assets.postgres.remembering import as_remembered, remembered
from fraud_assets.postgres.retention import prune_archived
from fraud_assets.postgres.rows import replace_rows
from fraud_assets.postgres.swap import replace_partition
from fraud_assets.postgres.tables import StoredColumn, TableSpec, registered_spec, select_list, stored_columns

RESTORED_BY = "restore"


def partition_versions(postgres: PostgresResource, asset_key: str, partition_key: str) -> list[Version]:
    """All versions of a partition, newest first: the current one, the archived ones, and records of pruned ones."""
    with postgres.connect() as connection:
        return versions(connection, asset_key, partition_key)


def restore_version(
    postgres: PostgresResource, asset_key: str, partition_key: str, version: int, keep: int | None = None
) -> Version:
    """Make an archived version of a table's partition current again, in today's columns. Returns the new version.

    `keep` archived versions stay, or all of them. Raises `PartitionMissing` for a version that never was and
    `PostgresStorageError` for one that was pruned.
    """
    with postgres.connect() as connection:
        found = find_version(connection, asset_key, partition_key, version)
        spec = registered_spec(connection, asset_key)
        if spec is None:
            raise PostgresStorageError(f"{asset_key} has no table; only tables are restored here.")
        if found.status == Status.PRUNED:
            raise PostgresStorageError(_is_gone(found))
        if found.status == Status.CURRENT:
            return found
        frame = incoming(_archived(postgres, spec, found, stored_columns(connection, spec.relation)))
        origin = Origin(RESTORED_BY, found.code_version, facts=(("restored_version", version),))
        replace = replace_rows if spec.layout is Layout.ROWS else replace_partition
        return replace(connection, spec, partition_key, frame.schema, frame.batches, origin, keep)


def _archived(
    postgres: PostgresResource, spec: TableSpec, found: Version, existing: Sequence[StoredColumn]
) -> pa.RecordBatchReader:
    """The rows of an archived version, in those of its columns that the table still has, in its own order."""
    handed_in = found.schema
    assert handed_in is not None
    by_name = {column.name: column for column in existing}
    columns = [by_name[name] for name in map(shortened, handed_in.names) if name in by_name]
    session = ReadSession(postgres.url)
    try:
        raw = session.read(_query(spec, found, columns))
        schema = remembered(raw.schema, {column.name: column.type for column in columns}, [handed_in])
        return closing_reader(session, schema, (as_remembered(batch, schema) for batch in raw))
    except RelationVanished as error:
        session.close()
        raise PostgresStorageError(_is_gone(found)) from error
    except BaseException:
        session.close()
        raise


def _is_gone(version: Version) -> str:
    return (
        f"Version {version.version} of {version.asset_key} of {version.partition_key!r} has been pruned: "
        "its rows are gone, and can only be made again."
    )


def _query(spec: TableSpec, version: Version, columns: Sequence[StoredColumn]) -> sql.Composed:
    if spec.layout is Layout.PARTITIONS:
        return sql.SQL("SELECT {} FROM ONLY {}").format(select_list(columns), version.relation.identifier)
    # Nothing but the table's own columns is in reach of the select list: any other name may be a column's too.
    return sql.SQL(
        "SELECT {} FROM (SELECT r.* FROM dagster_io.archived_rows a,"
        " LATERAL jsonb_populate_record(NULL::{}, a.content) r WHERE a.version_id = {}) archived ORDER BY {}"
    ).format(
        select_list(columns),
        spec.relation.identifier,
        sql.Literal(version.version_id),
        sql.Identifier(ORDINAL_COLUMN),
    )


def prune_versions(postgres: PostgresResource, asset_key: str, partition_key: str, keep: int) -> int:
    """Drop the rows of all but the newest `keep` archived versions; their records stay. Returns how many.

    A version that is being read is left for the next time.
    """
    with postgres.connect() as connection:
        return prune_archived(connection, asset_key, partition_key, keep)
