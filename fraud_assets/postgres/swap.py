"""Replacing one partition: written aside, then swapped in, in one transaction.

The order of the steps is the point, each for a measured reason. The new child is created and filled without touching
the parent, so that writers of other partitions and readers go on. COPY ... FREEZE makes its rows visible to readers
whose snapshot is older than the swap. A CHECK that implies the partition's bound lets ATTACH skip its scan. The parent
is locked only for the swap itself, in attempts of a tenth of a second that give everything back when somebody is
reading through the parent; a crash anywhere leaves the old partition as it was.
"""

import random
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import Connection, sql

from fraud_assets.postgres.bulk import Copied, copy_in
from fraud_assets.postgres.errors import PostgresStorageError
from fraud_assets.postgres.ledger import (
    ARCHIVE_SCHEMA,
    Origin,
    Status,
    Version,
    current_versions,
    lock_name,
    next_version,
    next_version_id,
    record_version,
    set_status,
    versions,
)
from fraud_assets.postgres.names import PARTITION_COLUMN, Relation, child_name
from fraud_assets.postgres.tables import StoredColumn, TableSpec, column_definitions, stored_columns, wire_schema

LOCK_TIMEOUT_MS = 100
PATIENCE_SECONDS = 600.0


@dataclass(frozen=True)
class _Child:
    relation: Relation
    version_id: int
    columns: list[StoredColumn]
    copied: Copied


def replace_partition(
    connection: Connection[Any],
    spec: TableSpec,
    partition_key: str,
    handed_in: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    origin: Origin,
    keep: int,
) -> Version:
    """Make `batches` the current version of a partition and archive the one before; `keep` archived ones stay.

    The parent must fit the frame already (`ensure_table`). The connection must be in autocommit, outside of a
    transaction. Raises whatever the batches raise, with nothing changed.
    """
    with connection.transaction():
        child = _write_child(connection, spec, partition_key, handed_in, batches)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            child = _follow_parent(connection, spec, child)
            try:
                with connection.transaction():
                    return _swap(connection, spec, partition_key, child, handed_in, origin, keep)
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
                if time.monotonic() > deadline:
                    raise PostgresStorageError(
                        f"Somebody has been reading {spec.relation} for {PATIENCE_SECONDS:.0f} s, so that the "
                        f"partition {partition_key!r} could not be swapped in; end that reader and try again."
                    ) from error
                # Readers who queued behind our request get their turn before the next attempt.
                time.sleep(random.uniform(0.02, 0.15))  # noqa: S311


def _write_child(
    connection: Connection[Any],
    spec: TableSpec,
    partition_key: str,
    handed_in: pa.Schema,
    batches: Iterable[pa.RecordBatch],
) -> _Child:
    version_id = next_version_id(connection)
    columns = stored_columns(connection, spec.relation)
    relation = Relation(spec.relation.schema, child_name(spec.relation.name, partition_key, version_id))
    definitions = column_definitions({c.name: c.type for c in columns}, default_key=partition_key)
    connection.execute(sql.SQL("CREATE TABLE {} ({})").format(relation.identifier, definitions))
    wire = wire_schema(columns, handed_in)
    copied = copy_in(connection, relation, wire, batches, unhashed=spec.volatile, freeze=True)
    connection.execute(
        sql.SQL("ALTER TABLE {} ADD CONSTRAINT one_partition CHECK ({} = {})").format(
            relation.identifier, sql.Identifier(PARTITION_COLUMN), sql.Literal(partition_key)
        )
    )
    _index(connection, spec, relation)
    return _Child(relation, version_id, columns, copied)


def _index(connection: Connection[Any], spec: TableSpec, relation: Relation) -> None:
    def columns(names: Iterable[str]) -> sql.Composed:
        return sql.SQL(", ").join(map(sql.Identifier, names))

    if spec.primary_key:
        statement = sql.SQL("ALTER TABLE {} ADD PRIMARY KEY ({})")
        connection.execute(statement.format(relation.identifier, columns(spec.primary_key)))
    for names in spec.indexes:
        connection.execute(sql.SQL("CREATE INDEX ON {} ({})").format(relation.identifier, columns(names)))


def _follow_parent(connection: Connection[Any], spec: TableSpec, child: _Child) -> _Child:
    """Bring the child to the parent's columns where another writer has changed them meanwhile.

    Only the child is locked, which nobody else can see yet.
    """
    now = stored_columns(connection, spec.relation)
    before = {column.name: column.type for column in child.columns}
    actions = []
    for column in now:
        name, type_name = sql.Identifier(column.name), sql.SQL(column.type)
        if column.name not in before:
            actions.append(sql.SQL("ADD COLUMN {} {}").format(name, type_name))
        elif before[column.name] != column.type:
            actions.append(sql.SQL("ALTER COLUMN {} TYPE {}").format(name, type_name))
    if actions:
        statement = sql.SQL("ALTER TABLE {} {}").format(child.relation.identifier, sql.SQL(", ").join(actions))
        connection.execute(statement)
    return _Child(child.relation, child.version_id, now, child.copied)


def _swap(
    connection: Connection[Any],
    spec: TableSpec,
    partition_key: str,
    child: _Child,
    handed_in: pa.Schema,
    origin: Origin,
    keep: int,
) -> Version:
    connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(LOCK_TIMEOUT_MS)))
    lock_name(connection, "table", str(spec.relation))
    if stored_columns(connection, spec.relation) != child.columns:
        raise psycopg.errors.LockNotAvailable("the parent's columns have changed")
    archived = _archive_current(connection, spec, partition_key)
    connection.execute(
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES IN ({})").format(
            spec.relation.identifier, child.relation.identifier, sql.Literal(partition_key)
        )
    )
    version = Version(
        version_id=child.version_id,
        asset_key=spec.asset_key,
        partition_key=partition_key,
        version=next_version(connection, spec.asset_key, partition_key),
        status=Status.CURRENT,
        relation_schema=child.relation.schema,
        relation_name=child.relation.name,
        row_count=child.copied.rows,
        byte_count=relation_bytes(connection, child.relation),
        content_hash=child.copied.content_hash,
        arrow_schema=handed_in.serialize().to_pybytes(),
        code_version=origin.code_version,
        run_id=origin.run_id,
        facts=dict(origin.facts),
        created_at=datetime.now(UTC),
    )
    record_version(connection, version, origin.upstream)
    if archived:
        prune_archived(connection, spec.asset_key, partition_key, keep)
    return version


def _archive_current(connection: Connection[Any], spec: TableSpec, partition_key: str) -> bool:
    current = current_versions(connection, spec.asset_key, [partition_key])
    for version in current:
        old = version.relation
        # The parent before the child, as every reader through the parent does: the other order deadlocks with them.
        connection.execute(
            sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(spec.relation.identifier, old.identifier)
        )
        statement = sql.SQL("ALTER TABLE {} SET SCHEMA {}")
        connection.execute(statement.format(old.identifier, sql.Identifier(ARCHIVE_SCHEMA)))
        set_status(connection, version.version_id, Status.ARCHIVED, Relation(ARCHIVE_SCHEMA, old.name))
    return bool(current)


def relation_bytes(connection: Connection[Any], relation: Relation) -> int:
    row = connection.execute(
        "SELECT pg_total_relation_size(to_regclass(%s))", [relation.identifier.as_string(connection)]
    ).fetchone()
    return int(row[0]) if row and row[0] is not None else 0


def prune_archived(connection: Connection[Any], asset_key: str, partition_key: str, keep: int) -> int:
    """Drop the rows of all but the newest `keep` archived versions. Returns how many were dropped."""
    archived = [v for v in versions(connection, asset_key, partition_key) if v.status == Status.ARCHIVED]
    for version in archived[keep:]:
        if version.relation_name is not None:
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(version.relation.identifier))
        connection.execute("DELETE FROM dagster_io.archived_rows WHERE version_id = %s", [version.version_id])
        connection.execute("DELETE FROM dagster_io.models WHERE version_id = %s", [version.version_id])
        set_status(connection, version.version_id, Status.PRUNED)
    return len(archived[keep:])
