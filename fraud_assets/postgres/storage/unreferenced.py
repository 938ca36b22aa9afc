"""Files in the database's folder that no catalogue entry knows: what an immediate stop of the server leaves behind.

PostgreSQL writes a new table to its files at once, and forgets the table, not the files, when it is stopped by force
(or killed, or loses its power) before the commit. Measured over 50 immediate stops at random moments of writing
partitions of 3.8 MB: 15 of them left something, 19 MB in all, 3.6 MB at most: what had been written of the new table
and its indexes until then. So a stop costs at most the size of what was being written. Nothing ever removes such
files, and SQL cannot: it can only find them. What does not live here: removing.
"""

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, LiteralString

from psycopg import Connection

from fraud_assets.postgres.errors import PostgresStorageError

MARGIN = timedelta(minutes=1)
"""How much older than every running transaction a file must be: a file system's clock is not the server's."""

SECOND_LOOK_SECONDS = 0.5

_MAY_LOOK: LiteralString = """
SELECT pg_has_role('pg_read_all_stats', 'USAGE')
   AND has_function_privilege('pg_ls_dir(text,boolean,boolean)', 'EXECUTE')
   AND has_function_privilege('pg_stat_file(text,boolean)', 'EXECUTE')
"""

# In whole seconds, as the server says the times of files. A session that does not track its activities has no
# transaction's start, but may have a transaction.
_HORIZON: LiteralString = """
SELECT date_trunc(
           'second',
           least(clock_timestamp(), min(CASE state WHEN 'disabled' THEN backend_start ELSE xact_start END))
       )
  FROM pg_stat_activity
"""

# In every tablespace: names of digits, with a fork's name and a segment's number. A table's other names begin with t
# (temporary, gone with the next start) or with a letter. A dropped table's first file stays, empty, for a while.
_FILES: LiteralString = r"""
WITH folders AS (
    SELECT t.oid AS tablespace, CASE t.spcname WHEN 'pg_default' THEN 'base/' ELSE format('pg_tblspc/%%s/PG_%%s_%%s/',
           t.oid, current_setting('server_version_num')::integer / 10000, c.catalog_version_no) END || d.oid AS folder
      FROM pg_tablespace t, pg_database d, pg_control_system() c
     WHERE t.spcname <> 'pg_global' AND d.datname = current_database()
), files AS (
    SELECT tablespace, folder || '/' || name AS path, substring(name FROM '^\d+')::bigint AS number
      FROM folders, pg_ls_dir(folder, true, false) name
     WHERE name ~ '^\d{1,10}(_(fsm|vm|init))?(\.\d+)?$'
), unknown AS MATERIALIZED (
    SELECT path
      FROM files
     WHERE CASE WHEN number < 4294967296 THEN pg_filenode_relation(tablespace, number::oid) IS NULL END
)
SELECT path, size FROM unknown, pg_stat_file(path, true) WHERE size > 0 AND modification < %s ORDER BY path
"""


@dataclass(frozen=True)
class UnreferencedFile:
    """A file by its path below the server's data folder, and its size in bytes."""

    path: str
    size: int


class MayNotLook(PostgresStorageError):
    """The role has not the rights to see files and other people's transactions, or what is seen would mislead."""


def unreferenced_files(connection: Connection[Any], margin: timedelta = MARGIN) -> list[UnreferencedFile]:
    """The files of this connection's database that belong to no table, index or sequence, by path.

    A table that somebody is making just now is in nobody's catalogue yet: only files are listed that were last written
    `margin` or more before the oldest running transaction began. The connection must be in autocommit. Raises
    `MayNotLook`.
    """
    _check_may_look(connection)
    found = _look(connection, margin)
    if found:
        # What somebody has just dropped is out of the catalogue a moment before its files are gone.
        time.sleep(SECOND_LOOK_SECONDS)
        still_there = set(_look(connection, margin))
        found = [file for file in found if file in still_there]
    return found


def _check_may_look(connection: Connection[Any]) -> None:
    if not _one(connection, _MAY_LOOK):
        raise MayNotLook(
            f"the role {connection.info.user!r} may not look; a superuser may, or a member of pg_read_all_stats who "
            "may execute pg_ls_dir and pg_stat_file"
        )
    if _one(connection, "SELECT pg_is_in_recovery()"):
        raise MayNotLook("this server is a standby, which does not know its primary's transactions; ask the primary")
    if _one(connection, "SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()"):
        raise MayNotLook("a prepared transaction is open, and does not say when it began; commit it or roll it back")


def _look(connection: Connection[Any], margin: timedelta) -> list[UnreferencedFile]:
    # First the transactions, then the catalogue: one that commits in between is in the catalogue.
    horizon = _one(connection, _HORIZON)
    rows = connection.execute(_FILES, [horizon - margin]).fetchall()
    return [UnreferencedFile(path, int(size)) for path, size in rows]


def _one(connection: Connection[Any], query: LiteralString) -> Any:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]
