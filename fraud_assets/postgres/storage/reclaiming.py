"""Giving disk back: a table that has lost much is rewritten, one that has lost little is only tidied up.

Rows that are deleted leave room behind that only later rows of the same table can use. Rewriting (VACUUM FULL) gives
it back to the disk, needs room for the new copy until it is done, and keeps everybody else from the table meanwhile.
"""

from typing import Any

import psycopg
from psycopg import Connection, sql

from fraud_assets.postgres.names import Relation
from fraud_assets.postgres.storage.swap import relation_bytes

WORTHWHILE_SHARE = 0.2
"""The share of a table that must have gone before it is rewritten."""
LOCK_TIMEOUT_MS = 2_000


def reclaim(connection: Connection[Any], relation: Relation, freed: int) -> int:
    """Tidy a table up after `freed` bytes of it have been deleted; returns by how many bytes its files have shrunk.

    A table that somebody uses, or for whose copy there is no room, is not rewritten: its free room is then used again
    by later rows. The connection must be in autocommit.
    """
    before = relation_bytes(connection, relation)
    if not before or not freed:
        return 0
    if freed < WORTHWHILE_SHARE * before or not may_rewrite(connection, relation) or not rewrite(connection, relation):
        connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(relation.identifier))
    return before - (relation_bytes(connection, relation) or 0)


def may_rewrite(connection: Connection[Any], relation: Relation) -> bool:
    """Whether this role may rewrite a table: as its owner, or by the right to maintain it (PostgreSQL 17).

    VACUUM leaves out what a role may not touch, with a warning only.
    """
    maintains = "has_table_privilege(oid, 'MAINTAIN')" if connection.info.server_version >= 170_000 else "false"
    row = connection.execute(
        sql.SQL("SELECT pg_has_role(relowner, 'USAGE') OR {} FROM pg_class WHERE oid = to_regclass(%s)").format(
            sql.SQL(maintains)
        ),
        [relation.identifier.as_string(connection)],
    ).fetchone()
    return row is not None and bool(row[0])


def rewrite(connection: Connection[Any], relation: Relation) -> bool:
    """Write a table anew without what was deleted, its statistics too; False where that could not be had now.

    What was deleted is then in none of the table's files. The connection must be in autocommit.
    """
    try:
        connection.execute(sql.SQL("SET lock_timeout = {}").format(sql.Literal(LOCK_TIMEOUT_MS)))
        connection.execute(sql.SQL("VACUUM (FULL, ANALYZE) {}").format(relation.identifier))
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DiskFull):
        return False
    finally:
        connection.execute("RESET lock_timeout")
    return True
