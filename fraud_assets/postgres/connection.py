"""Where the database is: one resource that every part of storage is handed. It never shows its password."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
import psycopg
from psycopg import Connection, sql
from pydantic import Field

from fraud_assets.postgres.errors import PostgresStorageError
from fraud_assets.postgres.ledger import create_ledger

_prepared: set[str] = set()
_preparing = threading.Lock()


class PostgresResource(dg.ConfigurableResource[Any]):
    """A PostgreSQL database by its plain URL, `postgresql://user:password@host:port/database`.

    `url` is best given as `dg.EnvVar("…")`: Dagster then stores and shows the variable's name only.
    """

    url: str = Field(description="postgresql://user:password@host:port/database; use dg.EnvVar")
    schema_: str | None = Field(default=None, description="the schema of tables that name none themselves")
    connect_timeout_seconds: int = Field(default=10, ge=1)

    @property
    def place(self) -> str:
        """Host, port and database, for messages."""
        return shown_place(self.url)

    @contextmanager
    def connect(self) -> Iterator[Connection[Any]]:
        """A connection in autocommit, with the ledger in place. Raises `PostgresStorageError` where there is none."""
        try:
            connection = psycopg.connect(
                self.url, autocommit=True, connect_timeout=self.connect_timeout_seconds, application_name="dagster_io"
            )
        except psycopg.OperationalError as error:
            raise PostgresStorageError(unreachable(self.url, error)) from error
        with connection:
            self._prepare(connection)
            yield connection

    def _prepare(self, connection: Connection[Any]) -> None:
        if self.url not in _prepared:
            with _preparing:
                create_ledger(connection)
                _prepared.add(self.url)

    def stored_facts(self, asset_key: str, fact: str) -> dict[str, Any]:
        """One of the facts that an asset's current partitions were stored with, by partition key."""
        with self.connect() as connection:
            rows = connection.execute(
                "SELECT partition_key, facts -> %s FROM dagster_io.versions"
                " WHERE asset_key = %s AND status = 'current' AND facts ? %s ORDER BY partition_key",
                [fact, asset_key, fact],
            ).fetchall()
        return dict(rows)

    def stored_row_counts(self, asset_key: str) -> dict[str, int]:
        """The number of rows of an asset's current partitions, by partition key."""
        with self.connect() as connection:
            rows = connection.execute(
                "SELECT partition_key, row_count FROM dagster_io.versions"
                " WHERE asset_key = %s AND status = 'current' ORDER BY partition_key",
                [asset_key],
            ).fetchall()
        return dict(rows)

    def grant_read(self, role: str) -> None:
        """Let a role read every table of `schema_`, today's and tomorrow's, and nothing else: no archive, no ledger."""
        schema, reader = sql.Identifier(self.schema_ or "public"), sql.Identifier(role)
        with self.connect() as connection, connection.transaction():
            connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, reader))
            connection.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}").format(schema, reader))
            connection.execute(
                sql.SQL("ALTER DEFAULT PRIVILEGES IN SCHEMA {} GRANT SELECT ON TABLES TO {}").format(schema, reader)
            )


def shown_place(url: str) -> str:
    """A URL's host, port and database: what may be shown of it."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 5432}{parts.path}"


def unreachable(url: str, error: psycopg.OperationalError) -> str:
    """One sentence for a connection that failed. libpq's own messages hold no password."""
    reason = " ".join(str(error).split())
    return f"The database {shown_place(url)} cannot be reached: {reason}. Check the URL, and that the server runs."
