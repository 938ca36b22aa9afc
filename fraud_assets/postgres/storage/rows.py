"""The layout `rows`: one plain table for all partitions of an asset that has a few rows each.

A page that shows two years of such rows reads one table, not 730 partitions. A superseded version is kept as JSON,
which can be read back into the columns of any later day.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
from psycopg import Connection, sql

from fraud_assets.postgres.locks import lock_table_name
from fraud_assets.postgres.names import ORDINAL_COLUMN, PARTITION_COLUMN
from fraud_assets.postgres.storage.ledger import (
    Content,
    Origin,
    Status,
    Version,
    current_versions,
    next_version_id,
    record_current,
    set_status,
)
from fraud_assets.postgres.storage.retention import prune_archived
from fraud_assets.postgres.storage.tables import TableSpec, stored_columns, wire_schema
from fraud_assets.postgres.transfer.copy_in import copy_in

_PARTITION = pa.field(PARTITION_COLUMN, pa.string())
_ORDINAL = pa.field(ORDINAL_COLUMN, pa.int32())


def replace_rows(
    connection: Connection[Any],
    spec: TableSpec,
    partition_key: str,
    handed_in: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    origin: Origin,
    keep: int | None,
) -> Version:
    """Make `batches` the current rows of a partition, in one transaction; the rows before are archived.

    Raises as `replace_partition` does, with nothing changed.
    """
    # Whatever makes the rows is done before the table's lock is taken: it may take its time, or read this very table.
    ready = list(batches)
    with connection.transaction():
        lock_table_name(connection, spec.relation)
        for current in current_versions(connection, spec.asset_key, [partition_key]):
            _archive(connection, spec, current)
        wire = wire_schema(stored_columns(connection, spec.relation), handed_in)
        kept = wire.append(_PARTITION).append(_ORDINAL)
        copied = copy_in(
            connection,
            spec.relation,
            kept,
            _numbered(ready, partition_key),
            unhashed=spec.volatile | {PARTITION_COLUMN, ORDINAL_COLUMN},
            freeze=False,
        )
        size = partition_bytes(connection, spec, partition_key)
        content = Content(copied.rows, size, copied.content_hash, handed_in)
        version_id = next_version_id(connection)
        version = record_current(connection, version_id, spec.asset_key, partition_key, content, origin)
    if keep is not None:
        prune_archived(connection, spec.asset_key, partition_key, keep)
    return version


def _numbered(batches: Iterable[pa.RecordBatch], partition_key: str) -> Iterator[pa.RecordBatch]:
    """The batches with the two columns that the table has beside the asset's own."""
    start = 0
    for batch in batches:
        count = batch.num_rows
        keys = pa.repeat(pa.scalar(partition_key), count)
        ordinals = pa.array(range(start, start + count), pa.int32())
        schema = batch.schema.append(_PARTITION).append(_ORDINAL)
        yield pa.RecordBatch.from_arrays([*batch.columns, keys, ordinals], schema=schema)
        start += count


def _archive(connection: Connection[Any], spec: TableSpec, current: Version) -> None:
    # t.* and not t: a column may be called t.
    condition = sql.SQL("t.{} = {}").format(sql.Identifier(PARTITION_COLUMN), sql.Literal(current.partition_key))
    connection.execute(
        sql.SQL(
            "INSERT INTO dagster_io.archived_rows (version_id, ordinal, content)"
            " SELECT {}, t.{}, to_json(t.*) FROM {} t WHERE {}"
        ).format(sql.Literal(current.version_id), sql.Identifier(ORDINAL_COLUMN), spec.relation.identifier, condition)
    )
    connection.execute(sql.SQL("DELETE FROM {} t WHERE {}").format(spec.relation.identifier, condition))
    set_status(connection, current.version_id, Status.ARCHIVED)


def partition_bytes(connection: Connection[Any], spec: TableSpec, partition_key: str) -> int:
    """The bytes of a partition's current rows, compressed as they are."""
    row = connection.execute(
        sql.SQL("SELECT coalesce(sum(pg_column_size(t.*)), 0) FROM {} t WHERE {} = {}").format(
            spec.relation.identifier, sql.Identifier(PARTITION_COLUMN), sql.Literal(partition_key)
        )
    ).fetchone()
    return int(row[0]) if row else 0
