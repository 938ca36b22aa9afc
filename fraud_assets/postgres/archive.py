"""The archive: which versions of a partition there are, and getting an old one back.

A restored version is written like any other: a fresh partition in today's columns, swapped in, with a version number
of its own. What it replaces is archived in turn, so restoring loses nothing.
"""

import pyarrow as pa
from psycopg import sql

from fraud_assets.postgres.bulk import ReadSession
from fraud_assets.postgres.connection import PostgresResource
from fraud_assets.postgres.errors import PartitionMissing, PostgresStorageError
from fraud_assets.postgres.frames import as_remembered, incoming, remembered
from fraud_assets.postgres.ledger import Layout, Origin, Status, Version, versions
from fraud_assets.postgres.models import find_version
from fraud_assets.postgres.rows import replace_rows
from fraud_assets.postgres.swap import prune_archived, replace_partition
from fraud_assets.postgres.tables import TableSpec, registered_spec, stored_columns

RESTORED_BY = "restore"


def partition_versions(postgres: PostgresResource, asset_key: str, partition_key: str) -> list[Version]:
    """All versions of a partition, newest first: the current one, the archived ones, and records of pruned ones."""
    with postgres.connect() as connection:
        return versions(connection, asset_key, partition_key)


def restore_version(
    postgres: PostgresResource, asset_key: str, partition_key: str, version: int, keep: int = 3
) -> Version:
    """Make an archived version of a table's partition current again, in today's columns. Returns the new version.

    Raises `PartitionMissing` for a version that never was and `PostgresStorageError` for one that was pruned.
    """
    with postgres.connect() as connection:
        found = find_version(connection, asset_key, partition_key, version)
        spec = registered_spec(connection, asset_key)
        if spec is None:
            raise PartitionMissing(f"{asset_key} has no table; only tables are restored here.")
        if found.status == Status.PRUNED:
            raise PostgresStorageError(
                f"Version {version} of {asset_key} of {partition_key!r} has been pruned: its rows are gone."
            )
        if found.status == Status.CURRENT:
            return found
        session = ReadSession(postgres.url)
        try:
            names = [column.name for column in stored_columns(connection, spec.relation)]
            raw = session.read(_archived_rows(spec, found, names))
            schema = remembered(raw.schema, found.schema)
            rows = pa.RecordBatchReader.from_batches(schema, (as_remembered(batch, schema) for batch in raw))
            frame = incoming(rows)
            origin = Origin(RESTORED_BY, found.code_version, facts=(("restored_version", version),))
            replace = replace_rows if spec.layout is Layout.ROWS else replace_partition
            # One more may stay: the version that is being read must outlive its own restoration.
            restored = replace(connection, spec, partition_key, frame.schema, frame.batches, origin, keep + 1)
        finally:
            session.close()
        prune_archived(connection, asset_key, partition_key, keep)
        return restored


def _archived_rows(spec: TableSpec, version: Version, names: list[str]) -> sql.Composed:
    handed_in = version.schema
    kept = [name for name in names if handed_in is None or name in handed_in.names]
    columns = sql.SQL(", ").join(map(sql.Identifier, kept))
    if spec.layout is Layout.PARTITIONS:
        return sql.SQL("SELECT {} FROM ONLY {}").format(columns, version.relation.identifier)
    return sql.SQL(
        "SELECT {} FROM (SELECT r.*, a.ordinal AS archived_ordinal FROM dagster_io.archived_rows a,"
        " LATERAL jsonb_populate_record(NULL::{}, a.content) r WHERE a.version_id = {}) rows ORDER BY archived_ordinal"
    ).format(columns, spec.relation.identifier, sql.Literal(version.version_id))


def prune_versions(postgres: PostgresResource, asset_key: str, partition_key: str, keep: int) -> int:
    """Drop the rows of all but the newest `keep` archived versions; their records stay. Returns how many."""
    with postgres.connect() as connection, connection.transaction():
        return prune_archived(connection, asset_key, partition_key, keep)
