"""How much there is: bytes by asset, of the ledger and of the database, and tables against the room for their locks.

What lives here only looks; nothing is judged.
"""

from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

CATALOG_LOCKS = 200
"""What a pg_dump locks beside tables and indexes: somewhat more than it was seen to."""


@dataclass(frozen=True)
class AssetSize:
    """What is stored of one asset. Bytes are those that each version had on disk when it was stored."""

    asset_key: str
    partitions: int
    current_bytes: int
    archived_versions: int
    archived_bytes: int


@dataclass(frozen=True)
class DatabaseSize:
    """Bytes of a database's files: of all of it, and of the ledger without the models and archived rows in it."""

    total: int
    ledger: int


@dataclass(frozen=True)
class LockRoom:
    """Locks that the server has room for, and what a pg_dump, or a read through the largest table, takes of them."""

    locks_per_transaction: int
    sessions: int
    """max_connections and max_prepared_transactions together: the room is shared by as many."""
    dumped: int
    largest_table: str | None
    largest_partitions: int

    @property
    def room(self) -> int:
        return self.locks_per_transaction * self.sessions

    def setting_for(self, locks: int) -> int:
        """The max_locks_per_transaction, a power of two, with which so many locks are half of the room."""
        wanted = self.locks_per_transaction
        while wanted * self.sessions < 2 * locks:
            wanted *= 2
        return wanted


def asset_sizes(connection: Connection[Any]) -> list[AssetSize]:
    """What is stored of each asset, the largest first."""
    with connection.cursor(row_factory=class_row(AssetSize)) as cursor:
        cursor.execute(
            "SELECT asset_key,"
            " count(*) FILTER (WHERE status = 'current') AS partitions,"
            " coalesce(sum(byte_count) FILTER (WHERE status = 'current'), 0)::bigint AS current_bytes,"
            " count(*) FILTER (WHERE status = 'archived') AS archived_versions,"
            " coalesce(sum(byte_count) FILTER (WHERE status = 'archived'), 0)::bigint AS archived_bytes"
            " FROM dagster_io.versions WHERE status <> 'pruned' GROUP BY asset_key"
            " ORDER BY sum(byte_count) DESC, asset_key"
        )
        return cursor.fetchall()


def database_size(connection: Connection[Any]) -> DatabaseSize:
    """The database that the connection is in."""
    row = connection.execute(
        "SELECT pg_database_size(current_database()), coalesce(sum(pg_total_relation_size(c.oid)), 0)"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = 'dagster_io' AND c.relkind = 'r' AND c.relname NOT IN ('models', 'archived_rows')"
    ).fetchone()
    assert row is not None
    return DatabaseSize(int(row[0]), int(row[1]))


def lock_room(connection: Connection[Any]) -> LockRoom:
    """The room for locks in the server, and what this database would take of it."""
    row = connection.execute(
        "SELECT current_setting('max_locks_per_transaction')::integer,"
        " current_setting('max_connections')::integer + current_setting('max_prepared_transactions')::integer,"
        " (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        "   WHERE c.relkind IN ('r', 'p', 'i', 'I', 'S', 'v', 'm') AND n.nspname !~ '^(pg_|information_schema$)')"
    ).fetchone()
    largest = connection.execute(
        "SELECT concat(n.nspname, '.', c.relname), count(*)"
        " FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhparent JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind = 'p' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1"
    ).fetchone()
    assert row is not None
    name, partitions = largest or (None, 0)
    return LockRoom(row[0], row[1], int(row[2]) + CATALOG_LOCKS, name, int(partitions))
