"""Reading sessions: one connection in one transaction, so that what has been locked or looked up stays as it is.

There are two kinds, chosen by the columns that are read: rows of numbers and times alone come through psycopg and are
decoded in `fixed_width`; all others come through ADBC, which knows every type and takes twice as long over a number.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import psycopg
import pyarrow as pa
from adbc_driver_manager import Error as AdbcError
from adbc_driver_postgresql import StatementOptions, dbapi
from psycopg import sql

from fraud_assets.postgres.errors import DatabaseUnavailable, PostgresStorageError
from fraud_assets.postgres.names import Relation
from fraud_assets.postgres.transfer.copy_out import Block, copied_blocks
from fraud_assets.postgres.transfer.fixed_width import COLUMN_TYPES, Decoder, is_fixed_width

READ_BATCH_BYTES = 4 * 1024 * 1024
_UNDEFINED_TABLE = "42P01"
# Connections, resources, operators' interventions, conflicts: SQLSTATE classes that another try may not meet again.
_PASSING = ("08", "40", "53", "55", "57", "58")


class RelationVanished(Exception):
    """A table was replaced between looking it up and reading it; look it up again."""


@dataclass(frozen=True)
class Rows:
    """Rows on their way, to be used up before their session is closed."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


class ReadSession(ABC):
    """One connection in one transaction: what it has locked stays as it is until it is closed."""

    def begin(self) -> None:
        """Have rows come back as they were written: a parallel or a synchronised scan would start anywhere."""
        self.run("SET LOCAL max_parallel_workers_per_gather = 0")
        self.run("SET LOCAL synchronize_seqscans = off")

    def freeze_view(self) -> None:
        """From the next statement on, see the database as it is then."""
        self.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")

    def lock(self, relations: Iterable[Relation]) -> None:
        """Keep tables from being replaced or dropped while they are read. Raises `RelationVanished`."""
        names = sql.SQL(", ").join(relation.identifier for relation in relations)
        self.run(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(names).as_string())

    @abstractmethod
    def run(self, statement: str) -> None: ...

    @abstractmethod
    def first_column(self, query: sql.Composed) -> list[Any]:
        """The values of a small query's one column."""

    @abstractmethod
    def read(self, query: sql.Composed, at_once: int | None = None) -> Rows:
        """A query's rows as they arrive.

        With `at_once`, all of them in one batch, where that saves a copy: there are no more than so many.
        """

    @abstractmethod
    def close(self) -> None: ...


def open_session(url: str, column_types: Sequence[str]) -> ReadSession:
    """The session that reads columns of these types fastest. Raises `DatabaseUnavailable`."""
    session = CopySession(url) if is_fixed_width(column_types) else AdbcSession(url)
    try:
        session.begin()
    except BaseException:
        session.close()
        raise
    return session


class CopySession(ReadSession):
    """Reads columns of fixed width."""

    def __init__(self, url: str) -> None:
        try:
            self._connection = psycopg.connect(url, application_name="dagster_io")
        except psycopg.OperationalError as error:
            raise _refused(error) from error

    def close(self) -> None:
        self._connection.close()

    def run(self, statement: str) -> None:
        try:
            self._connection.execute(statement.encode())
        except psycopg.Error as error:
            raise _refused(error) from error

    def first_column(self, query: sql.Composed) -> list[Any]:
        try:
            return [value for (value,) in self._connection.execute(query).fetchall()]
        except psycopg.Error as error:
            raise _refused(error) from error

    def read(self, query: sql.Composed, at_once: int | None = None) -> Rows:
        decoder = self._decoder(query)
        blocks = self._blocks(query)
        # A query that the server refuses is refused here, and not when somebody reads.
        first = next(blocks, None)
        begun = blocks if first is None else chain([first], blocks)
        decoded = _streamed(begun, decoder) if at_once is None else _whole(begun, decoder, at_once)
        return Rows(decoder.schema, decoded)

    def _decoder(self, query: sql.Composed) -> Decoder:
        """For the types that the rows really have, which COPY does not tell: the table may have changed meanwhile."""
        try:
            described = self._connection.execute(sql.SQL("SELECT * FROM ({}) described LIMIT 0").format(query))
        except psycopg.Error as error:
            raise _refused(error) from error
        columns = described.description or []
        types = [COLUMN_TYPES.get(column.type_code) for column in columns]
        if not is_fixed_width(types):
            raise RelationVanished("the types of its columns have been changed meanwhile")
        return Decoder([column.name for column in columns], types)

    def _blocks(self, query: sql.Composed) -> Iterator[Block]:
        try:
            yield from copied_blocks(self._connection, query, READ_BATCH_BYTES)
        except psycopg.Error as error:
            raise _refused(error) from error


def _streamed(blocks: Iterable[Block], decoder: Decoder) -> Iterator[pa.RecordBatch]:
    for block in blocks:
        columns = decoder.columns(len(block.lengths))
        decoder.decode(block.content, block.lengths, columns)
        yield columns.batch()


def _whole(blocks: Iterable[Block], decoder: Decoder, rows: int) -> Iterator[pa.RecordBatch]:
    columns = decoder.columns(rows)
    for block in blocks:
        decoder.decode(block.content, block.lengths, columns)
    yield columns.batch()


class AdbcSession(ReadSession):
    """Reads columns of any type."""

    def __init__(self, url: str) -> None:
        try:
            self._connection = dbapi.connect(url)
        except AdbcError as error:
            raise _refused(error) from error
        self._cursor: dbapi.Cursor | None = None

    def close(self) -> None:
        if self._cursor is not None:
            self._cursor.close()
            self._cursor = None
        self._connection.close()

    def run(self, statement: str) -> None:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(statement)
        except AdbcError as error:
            raise _refused(error) from error

    def first_column(self, query: sql.Composed) -> list[Any]:
        with self._connection.cursor() as cursor:
            try:
                cursor.execute(query.as_string())
                return [value for (value,) in cursor.fetchall()]
            except AdbcError as error:
                raise _refused(error) from error

    def read(self, query: sql.Composed, at_once: int | None = None) -> Rows:
        # The rows stop coming when the cursor is collected, so the session keeps it.
        self._cursor = cursor = self._connection.cursor(
            adbc_stmt_kwargs={StatementOptions.BATCH_SIZE_HINT_BYTES.value: str(READ_BATCH_BYTES)}
        )
        try:
            cursor.execute(query.as_string())
            reader = cursor.fetch_record_batch()
        except AdbcError as error:
            raise _refused(error) from error
        return Rows(reader.schema, iter(reader))


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


def _refused(error: AdbcError | psycopg.Error) -> Exception:
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
