"""Waiting for one another: advisory locks by name between writers, and short waits for tables that people read.

Writers of a table queue at its advisory lock. A request for the table itself must not wait long: readers who come
after it would queue behind it. So it gives up after a tenth of a second, lets them through, and comes again.
"""

import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from psycopg import Connection, sql

from fraud_assets.postgres.errors import DatabaseUnavailable
from fraud_assets.postgres.names import Relation

LOCK_TIMEOUT_MS = 100
PATIENCE_SECONDS = 600.0

Result = TypeVar("Result")


def lock_name(connection: Connection[Any], *parts: str) -> None:
    """Take the advisory lock of a name until the transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", ["/".join(("dagster_io", *parts))])


def lock_table_name(connection: Connection[Any], relation: Relation) -> None:
    """Be the only writer that changes a table's columns or partitions, until the transaction ends."""
    lock_name(connection, "table", relation.schema, relation.name)


def wait_briefly(connection: Connection[Any]) -> None:
    """From here to the end of the transaction, wait for no lock longer than readers can be kept waiting."""
    connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(LOCK_TIMEOUT_MS)))


def patiently(
    connection: Connection[Any], relation: Relation, attempt: Callable[[], Result], seconds: float | None = None
) -> Result:
    """Do something in a transaction, or savepoint, of its own, until it gets its locks.

    Raises `DatabaseUnavailable` when it has not got them for so many seconds, `PATIENCE_SECONDS` unless it is said.
    """
    patience = PATIENCE_SECONDS if seconds is None else seconds
    deadline = time.monotonic() + patience
    while True:
        try:
            with connection.transaction():
                return attempt()
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(
                    f"Somebody has been using {relation} for {patience:.0f} s, so that it could not be "
                    "changed; end that session and try again."
                ) from error
            # Readers who queued behind our request get their turn before the next attempt.
            time.sleep(random.uniform(0.02, 0.15))  # noqa: S311
