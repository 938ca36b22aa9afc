"""Removing partitions whole: the current version and those before it. Their records stay in the ledger.

Unlike the versions that a write supersedes (`retention`), these go because their day is too old, or because fewer
superseded ones are kept than before. Nothing that somebody is reading is waited for: it is left for the next time.
What does not live here: how old is too old, and Dagster's own record of what was materialized (`event_log`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.rows import class_row

from fraud_assets.postgres.errors import DatabaseUnavailable
from fraud_assets.postgres.locks import lock_name, lock_table_name, patiently, wait_briefly
from fraud_assets.postgres.names import PARTITION_COLUMN
from fraud_assets.postgres.storage.ledger import (
    FIRST_VERSION,
    Layout,
    Status,
    Version,
    current_versions,
    set_status,
)
from fraud_assets.postgres.storage.retention import drop_archived
from fraud_assets.postgres.storage.tables import TableSpec, registered_spec

PATIENCE_SECONDS = 5.0
"""How long a table that somebody reads as a whole is come back to, before it is left for the next time."""


@dataclass(frozen=True)
class Limits:
    """What is kept of an asset. Partition keys are compared as plain text."""

    first_partition: str | None = None
    """Partitions before it go, with all of their versions; None keeps all."""
    archived_versions: int | None = None
    """Of the others, superseded versions beyond the newest so many go; None keeps all."""


@dataclass(frozen=True)
class Excess:
    """A version that is beyond its asset's limits."""

    version_id: int
    partition_key: str
    version: int
    status: str
    byte_count: int
    """Bytes on disk when it was stored."""
    is_old: bool = False
    """Whether its whole partition goes."""


def excess(connection: Connection[Any], asset_key: str, limits: Limits) -> list[Excess]:
    """The versions that are beyond an asset's limits: by partition, its archived versions before its current one."""
    spec = registered_spec(connection, asset_key)
    kept_for_good = FIRST_VERSION if spec is not None and spec.keep_first else None
    found: list[Excess] = []
    for _, partition in groupby(_stored(connection, asset_key), lambda one: one.partition_key):
        found += _beyond(list(partition), limits, kept_for_good)
    return found


def _stored(connection: Connection[Any], asset_key: str) -> list[Excess]:
    with connection.cursor(row_factory=class_row(Excess)) as cursor:
        cursor.execute(
            "SELECT version_id, partition_key, version, status, byte_count FROM dagster_io.versions"
            " WHERE asset_key = %s AND status <> 'pruned'"
            " ORDER BY partition_key COLLATE \"C\", status = 'current', version DESC",
            [asset_key],
        )
        return cursor.fetchall()


def _beyond(partition: list[Excess], limits: Limits, kept_for_good: int | None) -> Iterator[Excess]:
    """Of one partition's versions, the archived ones newest first and the current one last."""
    key = partition[0].partition_key
    if limits.first_partition is not None and key and key < limits.first_partition:
        yield from (replace(version, is_old=True) for version in partition)
        return
    archived = [version for version in partition if version.status == Status.ARCHIVED]
    beyond = [] if limits.archived_versions is None else archived[limits.archived_versions :]
    yield from (version for version in beyond if version.version != kept_for_good)


def remove(connection: Connection[Any], asset_key: str, versions: Iterable[Excess]) -> list[Excess]:
    """Remove versions, each in a transaction of its own; returns those that are gone.

    What is being read is left, as is what a writer has replaced or removed since it was found to be in excess. The
    connection must be in autocommit.
    """
    spec = registered_spec(connection, asset_key)
    return [version for version in versions if _remove(connection, spec, asset_key, version)]


def _remove(connection: Connection[Any], spec: TableSpec | None, asset_key: str, found: Excess) -> bool:
    if found.status == Status.ARCHIVED:
        return _remove_archived(connection, asset_key, found)
    if spec is None:
        return _remove_model(connection, asset_key, found)
    try:
        return patiently(
            connection, spec.relation, lambda: _remove_current(connection, spec, found), seconds=PATIENCE_SECONDS
        )
    except DatabaseUnavailable:  # somebody is reading all of the table
        return False


def _remove_archived(connection: Connection[Any], asset_key: str, found: Excess) -> bool:
    with connection.transaction():
        # What prunes after a write takes the same lock.
        lock_name(connection, "prune", asset_key, found.partition_key)
        version = _as_it_is(connection, found)
        return version is not None and drop_archived(connection, version)


def _remove_model(connection: Connection[Any], asset_key: str, found: Excess) -> bool:
    with connection.transaction():
        lock_name(connection, "model", asset_key, found.partition_key)
        if _as_it_is(connection, found) is None:
            return False
        connection.execute("DELETE FROM dagster_io.models WHERE version_id = %s", [found.version_id])
        set_status(connection, found.version_id, Status.PRUNED)
        return True


def _remove_current(connection: Connection[Any], spec: TableSpec, found: Excess) -> bool:
    lock_table_name(connection, spec.relation)
    version = _as_it_is(connection, found)
    if version is None:
        return False
    if spec.layout is Layout.ROWS:
        statement = sql.SQL("DELETE FROM {} WHERE {} = {}")
        column, key = sql.Identifier(PARTITION_COLUMN), sql.Literal(found.partition_key)
        connection.execute(statement.format(spec.relation.identifier, column, key))
    elif not _drop_child(connection, spec, version):
        return False
    set_status(connection, found.version_id, Status.PRUNED)
    return True


def _drop_child(connection: Connection[Any], spec: TableSpec, version: Version) -> bool:
    """As a swap does it: the parent before the child, in short attempts. False where somebody reads the child."""
    wait_briefly(connection)
    child = version.relation.identifier
    connection.execute(sql.SQL("LOCK TABLE ONLY {} IN ACCESS EXCLUSIVE MODE").format(spec.relation.identifier))
    try:
        with connection.transaction():
            connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE NOWAIT").format(child))
    except psycopg.errors.LockNotAvailable:
        return False
    except psycopg.errors.UndefinedTable:
        return True  # Somebody has dropped it by hand: what is left to do is to say so.
    connection.execute(sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(spec.relation.identifier, child))
    connection.execute(sql.SQL("DROP TABLE {}").format(child))
    return True


def _as_it_is(connection: Connection[Any], found: Excess) -> Version | None:
    """The version's record under its lock; None where its status is not what it was."""
    with connection.cursor(row_factory=class_row(Version)) as cursor:
        cursor.execute(
            "SELECT * FROM dagster_io.versions WHERE version_id = %s AND status = %s",
            [found.version_id, found.status],
        )
        return cursor.fetchone()


def without_current(connection: Connection[Any], asset_key: str, first_partition: str) -> list[str]:
    """The partitions before one that are in the ledger and have no current version."""
    rows = connection.execute(
        "SELECT DISTINCT partition_key FROM dagster_io.versions WHERE asset_key = %s AND partition_key <> ''"
        ' AND partition_key COLLATE "C" < %s ORDER BY partition_key',
        [asset_key, first_partition],
    ).fetchall()
    current = {version.partition_key for version in current_versions(connection, asset_key)}
    return [key for (key,) in rows if key not in current]
