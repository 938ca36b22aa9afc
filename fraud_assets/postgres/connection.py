"""Where the database is: one resource that every part of storage is handed. It never shows its password."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg
import psycopg
import pyarrow as pa
from psycopg import Connection, IsolationLevel, sql
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field

from fraud_assets.postgres.bootstrap import create_ledger, migrate_ledger
from fraud_assets.postgres.errors import DatabaseUnavailable, PostgresStorageError
from fraud_assets.postgres.rights import grant_models, grant_tables, grant_tables_of, grant_writing
from fraud_assets.postgres.storage.extents import Extent, extents
from fraud_assets.postgres.storage.journal import JournalEntry, append_entry, journal_entries
from fraud_assets.postgres.storage.ledger import (
    StoredByRun,
    Version,
    current_versions,
    last_version_before,
    stored_by_runs,
    upstream_versions,
    versions,
)
from fraud_assets.postgres.storage.outdated import Outdated, outdated_by


class PostgresResource(dg.ConfigurableResource[Any]):
    """A PostgreSQL database by its plain URL, `postgresql://user:password@host:port/database`.

    `url` is best given as `dg.EnvVar("…")`: Dagster then stores and shows the variable's name only.
    """

    url: str = Field(description="postgresql://user:password@host:port/database; use dg.EnvVar")
    schema_: str | None = Field(default=None, description="the schema of tables that name none themselves")
    # Nothing greater: a dg.EnvVar.int is 0 until it is read.
    connect_timeout_seconds: int = Field(default=10, ge=0, description="0 waits without end")

    @property
    def place(self) -> str:
        """Host, port and database, for messages."""
        return shown_place(self.url)

    @contextmanager
    def connect(self) -> Iterator[Connection[Any]]:
        """A connection in autocommit, with the ledger in place.

        Raises `DatabaseUnavailable` where nobody answers or lets us in, `PostgresStorageError` for a URL that is none.
        """
        checked(self.url)
        try:
            connection = psycopg.connect(
                self.url, autocommit=True, connect_timeout=self.connect_timeout_seconds, application_name="dagster_io"
            )
        except psycopg.OperationalError as error:
            raise DatabaseUnavailable(unreachable(self.url, error)) from error
        with connection:
            # What a statement sees after waiting for a lock must be what the holder of the lock has left.
            connection.isolation_level = IsolationLevel.READ_COMMITTED
            # Whatever is set for the role: psycopg reads times in this style.
            connection.execute("SET datestyle = ISO")
            create_ledger(connection)
            yield connection

    def stored_facts(self, asset_key: str, fact: str) -> dict[str, Any]:
        """One of the facts that an asset's current partitions were stored with, by partition key."""
        with self.connect() as connection:
            rows = connection.execute(
                "SELECT partition_key, facts -> %s FROM dagster_io.versions"
                " WHERE asset_key = %s AND status = 'current' AND facts ? %s ORDER BY partition_key",
                [fact, asset_key, fact],
            ).fetchall()
        return dict(rows)

    def last_stored_before(self, asset_key: str, partition_key: str) -> Version | None:
        """The record of an asset's last partition before one, keys compared as text; None where there is none."""
        with self.connect() as connection:
            return last_version_before(connection, asset_key, partition_key)

    def journal(self, name: str) -> list[JournalEntry]:
        """All entries of a journal, oldest first."""
        with self.connect() as connection:
            return journal_entries(connection, name)

    def write_journal(self, name: str, author: str, content: Mapping[str, Any]) -> JournalEntry:
        """Append an entry to a journal: it cannot be changed or removed afterwards."""
        with self.connect() as connection:
            return append_entry(connection, name, author, content)

    def stored_versions(self, asset_key: str, partition_key: str) -> list[Version]:
        """All versions of a partition, newest first, the pruned ones too."""
        with self.connect() as connection:
            return versions(connection, asset_key, partition_key)

    def upstream_versions(self, version_id: int) -> list[Version]:
        """The versions that a version was made from, as the ledger has them today."""
        with self.connect() as connection:
            return upstream_versions(connection, version_id)

    def outdated_by(self, asset_key: str, fact: str, excepted: Collection[tuple[str, str]] = ()) -> list[Outdated]:
        """What is out of date since partitions of an asset were stored anew with another content and another fact.

        `excepted` are pairs of a reader and what it reads as it was first stored.
        """
        with self.connect() as connection:
            return outdated_by(connection, asset_key, fact, excepted)

    def stored_extents(
        self, asset_key: str, partition_keys: Iterable[str], *, distinct: str, ordered: str
    ) -> dict[str, Extent]:
        """By partition that is stored: its rows, the distinct values of one column, and the ends of another."""
        with self.connect() as connection:
            return extents(connection, asset_key, partition_keys, distinct, ordered)

    def stored_schemas(self, asset_key: str, partition_keys: Iterable[str]) -> dict[str, pa.Schema]:
        """By partition that is stored as a table: the Arrow schema that its current version was handed in with."""
        with self.connect() as connection:
            found = current_versions(connection, asset_key, partition_keys)
        return {version.partition_key: version.schema for version in found if version.schema is not None}

    def stored_row_counts(self, asset_key: str) -> dict[str, int]:
        """The number of rows of an asset's current partitions, by partition key."""
        return self._stored(asset_key, "row_count")

    def stored_code_versions(self, asset_key: str) -> dict[str, str | None]:
        """The code version that an asset's current partitions were made by, by partition key."""
        return self._stored(asset_key, "code_version")

    def stored_version_numbers(self, asset_key: str) -> dict[str, int]:
        """The number of the current version of each of an asset's partitions, by partition key."""
        return self._stored(asset_key, "version")

    def _stored(self, asset_key: str, column: str) -> dict[str, Any]:
        """A column of the ledger for an asset's current partitions, by partition key."""
        query = sql.SQL(
            "SELECT partition_key, {} FROM dagster_io.versions"
            " WHERE asset_key = %s AND status = 'current' ORDER BY partition_key"
        ).format(sql.Identifier(column))
        with self.connect() as connection:
            return dict(connection.execute(query, [asset_key]).fetchall())

    def stored_by_runs(self, run_ids: Iterable[str]) -> list[StoredByRun]:
        """Every version that these Dagster runs have stored, in the order of storing, also those superseded since."""
        with self.connect() as connection:
            return stored_by_runs(connection, run_ids)

    def stored_column_type(self, asset_key: str, column: str) -> pa.DataType | None:
        """The type of a column in the newest version of an asset that has one; None where there is none."""
        with self.connect() as connection:
            row = connection.execute(
                "SELECT arrow_schema FROM dagster_io.versions WHERE asset_key = %s AND arrow_schema IS NOT NULL"
                " ORDER BY version_id DESC LIMIT 1",
                [asset_key],
            ).fetchone()
        schema = None if row is None else pa.ipc.read_schema(pa.py_buffer(row[0]))
        return schema.field(column).type if schema is not None and column in schema.names else None

    def grant_read(self, role: str) -> None:
        """Let a role read every table of `schema_`, today's and tomorrow's, and nothing else: no archive, no ledger.

        Raises `PostgresStorageError` for a role that does not exist.
        """
        with self.connect() as connection:
            grant_tables(connection, self.schema_ or "public", role)

    def grant_read_models(self, role: str) -> None:
        """Let a role read current models, as signed bytes in the view `dagster_io.current_models`, and nothing else.

        Raises `PostgresStorageError` for a role that does not exist.
        """
        with self.connect() as connection:
            grant_models(connection, role)

    def prepare_for(self, writer: str, reader: str | None = None) -> None:
        """As the database's owner: make or migrate the ledger, and give a writer and a reader what they need.

        The writer owns the tables that it makes in `schema_`, and nothing of the ledger; the reader sees those tables
        and current models. To let it read what the writer makes, the owner must be a member of the writer's role.
        Raises `PostgresStorageError` for roles that do not exist, and for rights that are not the owner's to give.
        """
        schema = self.schema_ or "public"
        checked(self.url)
        try:
            connection = psycopg.connect(self.url, autocommit=True, connect_timeout=self.connect_timeout_seconds)
        except psycopg.OperationalError as error:
            raise DatabaseUnavailable(unreachable(self.url, error)) from error
        with connection:
            migrate_ledger(connection)
            grant_writing(connection, schema, writer)
            if reader is not None:
                grant_tables_of(connection, schema, writer, reader)
                grant_models(connection, reader)


def checked(url: str) -> dict[str, Any]:
    """A URL's parts. Raises `PostgresStorageError`, which shows nothing of the URL: a part may be the password's."""
    try:
        parts = dict(conninfo_to_dict(url))
    except psycopg.ProgrammingError:
        parts = {}
    place = f"{parts.get('host', '')}{parts.get('dbname', '')}"
    ports = str(parts.get("port") or 5432).split(",")
    is_plain = url.startswith(("postgresql://", "postgres://")) and "@" not in place
    if not parts or not is_plain or not all(port.isdecimal() for port in ports):
        raise PostgresStorageError(
            "The database's URL cannot be read; write it as postgresql://user:password@host:port/database, with "
            "special characters of the password percent-encoded (@ as %40, / as %2F)."
        )
    return parts


def shown_place(url: str) -> str:
    """A URL's host, port and database: what may be shown of it."""
    try:
        parts = checked(url)
    except PostgresStorageError:
        return "(a URL that cannot be read)"
    return f"{parts.get('host', 'localhost')}:{parts.get('port') or 5432}/{database_name(parts)}"


def database_name(parts: dict[str, Any]) -> str:
    """The database that a URL's parts lead to; libpq's default is the one called like the user."""
    return str(parts.get("dbname") or parts.get("user") or "")


def unreachable(url: str, error: psycopg.OperationalError) -> str:
    """One sentence for a connection that failed. libpq's own messages hold no password."""
    reason = " ".join(str(error).split()).rstrip(".?")
    return f"The database {shown_place(url)} cannot be reached: {reason}. Check the URL, and that the server runs."
