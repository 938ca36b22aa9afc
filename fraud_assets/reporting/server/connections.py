"""A few connections to PostgreSQL that are kept open, read only, and replaced when the database comes back.

What does not live here: any statement of a page.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg import Connection, IsolationLevel

from fraud_assets.reporting.server.store import BUSY, TURN_SECONDS, StoreUnavailable

T = TypeVar("T")

MOST = 4
"""Pages are drawn by one processor at a time: more connections than that would only wait inside of PostgreSQL."""
# A network that swallows what is sent must not hold a page until the kernel gives up, a quarter of an hour later.
NETWORK: Mapping[str, Any] = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}

# Set in each transaction and not in each session: a pooler may hand out another session every time.
_LIMITS = "SET LOCAL statement_timeout = '15s'; SET LOCAL lock_timeout = '5s'; SET LOCAL TimeZone = 'UTC'"

_log = logging.getLogger(__name__)


@contextmanager
def taking_turns(turns: threading.Semaphore) -> Iterator[None]:
    """One of the turns, given back afterwards. Raises `StoreUnavailable` where none comes for too long."""
    if not turns.acquire(timeout=TURN_SECONDS):
        raise StoreUnavailable(BUSY)
    try:
        yield
    finally:
        turns.release()


class Connections:
    """Up to `most` connections, opened when needed. Works from any thread."""

    def __init__(self, url: str, most: int = MOST) -> None:
        self._url = url
        self._turns = threading.BoundedSemaphore(most)
        self._lock = threading.Lock()
        self._idle: list[Connection[Any]] = []

    def read(self, work: Callable[[Connection[Any]], T]) -> T:
        """What `work` makes of one read-only transaction, in which everything is seen as of one moment.

        A connection that has died since it was last used is replaced, and `work` begins anew. Raises
        `StoreUnavailable` when the database cannot be reached, takes too long, or refuses the role.
        """
        try:
            with taking_turns(self._turns):
                return self._tried(work)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise _unavailable("The database does not answer", error) from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise _unavailable("The report server's role may not read a table that this page needs", error) from error

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _tried(self, work: Callable[[Connection[Any]], T]) -> T:
        kept = self._kept()
        if kept is not None:
            try:
                return self._used(kept, work)
            except (psycopg.OperationalError, psycopg.InterfaceError):
                if not kept.closed:
                    raise
                # The server has been restarted or the way to it was cut: what else is idle has died with this one.
                self.close()
        return self._used(self._opened(), work)

    def _used(self, connection: Connection[Any], work: Callable[[Connection[Any]], T]) -> T:
        try:
            with connection.transaction():
                connection.execute(_LIMITS)
                return work(connection)
        finally:
            if connection.closed:
                connection.close()
            else:
                with self._lock:
                    self._idle.append(connection)

    def _kept(self) -> Connection[Any] | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _opened(self) -> Connection[Any]:
        connection = psycopg.connect(self._url, application_name="fraud_reports", prepare_threshold=None, **NETWORK)
        connection.read_only = True
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        return connection


def _unavailable(sentence: str, error: psycopg.Error) -> StoreUnavailable:
    # libpq's words name hosts and roles: they are for the log, not for a page. They hold no password.
    _log.warning("%s: %s", sentence, " ".join(str(error).split()))
    return StoreUnavailable(f"{sentence}.")
