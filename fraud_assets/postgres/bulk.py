"""Bulk transfer in PostgreSQL's binary format: Arrow batches into a table with COPY, a query's rows into Arrow.

Reading goes through ADBC, which decodes the binary stream in C; writing through pgpq and psycopg.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pyarrow as pa
from adbc_driver_manager import Error as AdbcError
from adbc_driver_postgresql import StatementOptions, dbapi
from pgpq import ArrowToPostgresBinaryEncoder
from psycopg import Connection, sql

from fraud_assets.postgres.errors import DatabaseUnavailable, PostgresStorageError, UnstorableColumn
from fraud_assets.postgres.frames import to_wire
from fraud_assets.postgres.names import Relation

READ_BATCH_BYTES = 4 * 1024 * 1024
_UNDEFINED_TABLE = "42P01"
# Connections, resources, operators' interventions, conflicts: SQLSTATE classes that another try may not meet again.
_PASSING = ("08", "40", "53", "55", "57", "58")


@dataclass(frozen=True)
class Copied:
    """What a COPY has put into a table. The hash covers column names, types and every row's bytes, in order."""

    rows: int
    content_hash: str


class RelationVanished(Exception):
    """A table was replaced between looking it up and reading it; look it up again."""


def copy_in(
    connection: Connection[Any],
    relation: Relation,
    wire: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    *,
    unhashed: frozenset[str] = frozenset(),
    freeze: bool,
) -> Copied:
    """COPY batches into a table whose columns have exactly the types of `wire`.

    `freeze` is for a table made in this very transaction: its rows are then visible to snapshots that are older, so
    that a reader who waited for the swap does not find an empty partition. Raises `UnstorableColumn` for values that
    the server refuses.
    """
    digest = _Digest(wire, unhashed)
    if not wire.names:
        return Copied(0, digest.hexdigest())
    encoder = ArrowToPostgresBinaryEncoder(wire)
    rows = 0
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary{})").format(
        relation.identifier,
        sql.SQL(", ").join(map(sql.Identifier, wire.names)),
        sql.SQL(", FREEZE" if freeze else ""),
    )
    try:
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(encoder.write_header())
            for batch in batches:
                storable = to_wire(batch, wire)
                encoded = encoder.write_batch(storable)
                digest.update(storable, encoded)
                copy.write(encoded)
                rows += batch.num_rows
            # The encoder holds rows back until it has a buffer full of them: the last ones come with the end.
            encoded = encoder.finish()
            digest.finish(encoded)
            copy.write(encoded)
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        where = error.diag.context or relation
        raise UnstorableColumn(
            f"The database refuses a value ({where}): {error.diag.message_primary}; correct it in the asset."
        ) from error
    return Copied(rows, digest.hexdigest())


class _Digest:
    """SHA-256 over the encoded rows; where columns are left out of it, over an encoding without them."""

    def __init__(self, wire: pa.Schema, unhashed: frozenset[str]) -> None:
        self._names = [name for name in wire.names if name not in unhashed]
        hashed = pa.schema([wire.field(name) for name in self._names])
        self._sha256 = hashlib.sha256(repr([(field.name, str(field.type)) for field in hashed]).encode())
        self._encoder: ArrowToPostgresBinaryEncoder | None = None
        if len(hashed) < len(wire):
            self._encoder = ArrowToPostgresBinaryEncoder(hashed)
            self._encoder.write_header()

    def update(self, batch: pa.RecordBatch, encoded: bytes) -> None:
        if self._encoder is not None:
            encoded = self._encoder.write_batch(batch.select(self._names))
        self._sha256.update(encoded)

    def finish(self, encoded: bytes) -> None:
        self._sha256.update(encoded if self._encoder is None else self._encoder.finish())

    def hexdigest(self) -> str:
        return self._sha256.hexdigest()


class ReadSession:
    """One ADBC connection in one transaction: what it has locked stays as it is until it is closed."""

    def __init__(self, url: str) -> None:
        try:
            self._connection = dbapi.connect(url)
        except AdbcError as error:
            raise _refused(error) from error
        self._cursor: dbapi.Cursor | None = None
        try:
            # Rows come back as they were written. A parallel or a synchronised scan would start anywhere.
            self._run("SET LOCAL max_parallel_workers_per_gather = 0")
            self._run("SET LOCAL synchronize_seqscans = off")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._cursor is not None:
            self._cursor.close()
            self._cursor = None
        self._connection.close()

    def _run(self, statement: str) -> None:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(statement)
        except AdbcError as error:
            raise _refused(error) from error

    def freeze_view(self) -> None:
        """From the next statement on, see the database as it is then."""
        self._run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")

    def lock(self, relations: Iterable[Relation]) -> None:
        """Keep tables from being replaced or dropped while they are read. Raises `RelationVanished`."""
        names = sql.SQL(", ").join(relation.identifier for relation in relations)
        self._run(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(names).as_string())

    def first_column(self, query: sql.Composed) -> list[Any]:
        """The values of a small query's one column."""
        with self._connection.cursor() as cursor:
            try:
                cursor.execute(query.as_string())
                return [value for (value,) in cursor.fetchall()]
            except AdbcError as error:
                raise _refused(error) from error

    def read(self, query: sql.Composed) -> pa.RecordBatchReader:
        """A query's rows as they arrive. The reader is to be used up before the session is closed."""
        # The rows stop coming when the cursor is collected, so the session keeps it.
        self._cursor = cursor = self._connection.cursor(
            adbc_stmt_kwargs={StatementOptions.BATCH_SIZE_HINT_BYTES.value: str(READ_BATCH_BYTES)}
        )
        try:
            cursor.execute(query.as_string())
            return cursor.fetch_record_batch()
        except AdbcError as error:
            raise _refused(error) from error


def closing_reader(session: ReadSession, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> pa.RecordBatchReader:
    """A reader that closes the session with its last row, or when nobody holds the reader any more."""

    def rows() -> Iterator[pa.RecordBatch]:
        try:
            yield pa.RecordBatch.from_pylist([], schema=schema)
            yield from batches
        except (AdbcError, OSError) as error:
            # What goes wrong in the stream has no SQLSTATE any more.
            raise DatabaseUnavailable(f"The database has stopped reading: {_reason(error)}. Try again.") from error
        finally:
            session.close()

    started = rows()
    # A generator that has not begun would not run its `finally`: a reader that nobody reads would stay open.
    next(started)
    return pa.RecordBatchReader.from_batches(schema, started)


def _refused(error: AdbcError) -> Exception:
    if error.sqlstate == _UNDEFINED_TABLE:
        return RelationVanished(_reason(error))
    if not error.sqlstate or error.sqlstate.startswith(_PASSING):
        return DatabaseUnavailable(f"The database has stopped answering: {_reason(error)}. Try again.")
    return PostgresStorageError(
        f"The database refuses to read: {_reason(error)}. Correct the input's where or columns."
    )


def _reason(error: Exception) -> str:
    """The server's own words, without what the drivers put around them."""
    return str(error).splitlines()[0].rpartition("ERROR:")[2].strip().removesuffix(".")
