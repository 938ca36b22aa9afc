"""A table or query behind any SQLAlchemy URL: the day's rows through a server-side cursor, only the needed columns.

Rows whose timestamp is null belong to no day and are never seen. No password appears in any message.
"""

import hashlib
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError, SQLAlchemyError

from fraud_assets.settings import ColumnRoles, SqlSource
from fraud_assets.sources.base import Surroundings, first_row_id
from fraud_assets.sources.batch import DayBatch, DayContent, collect_day
from fraud_assets.sources.days import bounds, require_begun
from fraud_assets.sources.delivered import Delivered
from fraud_assets.sources.errors import SourceError, SourceNotReady
from fraud_assets.sources.roles import Column, Kind, canonical_columns, needed_columns
from fraud_assets.sources.rows import RawChunk, RowRules
from fraud_assets.sources.sql_values import arrow_array, belongs_to_day, identifier_type, query_bounds
from fraud_assets.sources.table_shape import check_names

# A server says these to a client that it will never let in; anything else that fails to connect may pass.
_REFUSED = re.compile(r"authentication failed|access denied|does not exist|unknown database|no pg_hba", re.IGNORECASE)
# What SQLAlchemy would take for a bound parameter in a user's query.
_LOOKS_BOUND = re.compile(r"(?<![:\w$\\]):(?=[\w$]+(?![:\w$]))")


class SqlTable:
    """The source `sql`. Integer ids stay int64, everything else that identifies becomes a string."""

    def __init__(self, settings: SqlSource, surroundings: Surroundings) -> None:
        self._settings = settings
        self._around = surroundings
        self._columns = canonical_columns(settings.columns)
        self._needed = needed_columns(settings.columns, self._columns)
        self._url = _url(settings.url.get_secret_value())
        self._origin = settings.table or "source.query"

    @property
    def _is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    @property
    def roles(self) -> ColumnRoles:
        return self._settings.columns

    def first_day(self) -> date | None:
        return None

    def has_day(self, day: date) -> bool:
        """Whether one row of the day can be found."""
        engine = self._engine()
        try:
            with self._sentences(), engine.connect() as connection:
                selectable = self._selectable(connection)
                window = bounds(day, self._around.zone)
                example = _first_value(connection, selectable, self.roles.timestamp)
                if example is None:
                    return False
                naive_zone = ZoneInfo(self.roles.timestamp_timezone) if self.roles.timestamp_timezone else None
                low, high = query_bounds(example, window, naive_zone, self._origin, self.roles.timestamp)
                one = self._statement(selectable, low, high).order_by(None).limit(1)
                return connection.execute(one).first() is not None
        finally:
            engine.dispose()

    def delivered(self, day: date, fingerprint: str) -> Delivered:
        return Delivered.NO_FILE

    def read_day(self, day: date) -> DayBatch:
        """Raises `SourceNotReady` when the database does not answer or has no rows of the day."""
        require_begun(day, self._around.zone)
        engine = self._engine()
        try:
            with self._sentences(), engine.connect() as connection:
                return collect_day(day, self._around.temporary_folder, lambda _: self._open(connection, day))
        finally:
            engine.dispose()

    def _engine(self) -> sa.Engine:
        database = self._url.database
        is_file = self._is_sqlite and database and not database.startswith((":", "file:"))
        if is_file and not Path(str(database)).is_file():
            # SQLite would make an empty database.
            raise SourceNotReady(f"source.url: there is no SQLite file {database}.")
        try:
            return sa.create_engine(self._url, hide_parameters=True, poolclass=sa.NullPool)
        except NoSuchModuleError:
            raise SourceError(f"source.url: SQLAlchemy has no dialect {self._url.drivername!r} installed.") from None
        except ImportError as error:
            raise SourceError(f"source.url: the driver {error.name!r} is not installed.") from None

    def _open(self, connection: sa.Connection, day: date) -> DayContent:
        selectable = self._selectable(connection)
        window = bounds(day, self._around.zone)
        naive_zone = ZoneInfo(self.roles.timestamp_timezone) if self.roles.timestamp_timezone else None
        example = _first_value(connection, selectable, self.roles.timestamp)
        digest = hashlib.sha256()
        rules = RowRules(
            columns=self._columns,
            identifier_types={column.name: _id_type(connection, selectable, column) for column in _ids(self._columns)},
            window=window,
            naive_zone=naive_zone,
            origin=self._origin,
            pseudonymizer=self._around.pseudonymizer,
            first_row_id=first_row_id(day),
        )
        if example is None:
            raise self._no_rows(day)
        low, high = query_bounds(example, window, naive_zone, self._origin, self.roles.timestamp)
        chunks = self._chunks(connection, self._statement(selectable, low, high), rules, digest)
        return DayContent(self._origin, rules, chunks, digest.hexdigest, lambda: self._no_rows(day))

    def _no_rows(self, day: date) -> SourceError:
        return SourceNotReady(f"{self._origin} has no rows with {self.roles.timestamp!r} on {day}.")

    def _selectable(self, connection: sa.Connection) -> sa.FromClause:
        source: sa.FromClause
        if self._settings.table is not None:
            schema, _, name = self._settings.table.rpartition(".")
            if not sa.inspect(connection).has_table(name, schema=schema or None):
                raise SourceError(f"The database has no table or view {self._settings.table!r}; correct source.table.")
            source = sa.table(name, *map(sa.column, self._needed), schema=schema or None)
            every = sa.select(sa.text("*")).select_from(source)
        else:
            query = _LOOKS_BOUND.sub(r"\\:", (self._settings.query or "").strip().rstrip(";"))
            # The line break ends a comment in the query's last line.
            source = sa.text(query + "\n").columns(*map(sa.column, self._needed)).subquery("source")
            every = sa.select(sa.text("*")).select_from(source)
        found = list(connection.execute(every.limit(0)).keys())
        check_names(found, self._needed, self._origin)
        return source

    def _statement(self, source: sa.FromClause, low: Any, high: Any) -> sa.Select[Any]:
        time = source.c[self.roles.timestamp]
        # Ties are broken by everything else, so that the order of rows is the data's and not the server's mood.
        first = [self.roles.timestamp, *([self.roles.transaction_id] if self.roles.transaction_id else [])]
        order = [source.c[name] for name in dict.fromkeys([*first, *self._needed])]
        return sa.select(*(source.c[name] for name in self._needed)).where(time >= low, time < high).order_by(*order)

    def _chunks(
        self, connection: sa.Connection, statement: sa.Select[Any], rules: RowRules, digest: Any
    ) -> Generator[RawChunk, None, None]:
        options = {"stream_results": True, "yield_per": self._around.chunk_rows}
        next_row = 1
        place = self._needed.index(self.roles.timestamp)
        with connection.execution_options(**options).execute(statement) as result:
            for rows in result.partitions():
                columns = [arrow_array(values) for values in zip(*rows, strict=True)]
                inside = belongs_to_day(columns[place], rules.window, rules.naive_zone)
                cells = pa.table(columns, self._needed).filter(pa.array(inside))
                for row, wanted in zip(rows, inside.tolist(), strict=True):
                    if wanted:
                        digest.update(repr(tuple(row)).encode())
                if cells.num_rows:
                    yield RawChunk(cells, np.arange(next_row, next_row + cells.num_rows, dtype=np.int64))
                    next_row += cells.num_rows

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        """Turns what a database says into one sentence without its password."""
        try:
            yield
        except OperationalError as error:
            message = self._scrubbed(error)
            if error.statement is not None and self._is_sqlite and "locked" not in message:
                # SQLite calls a mistake in a statement operational, too.
                raise SourceError(f"{self._origin} cannot be read: {message}.") from None
            if _REFUSED.search(message):
                raise SourceError(f"source.url: the database refuses: {message}.") from None
            raise SourceNotReady(f"source.url: the database does not answer: {message}.") from None
        except SQLAlchemyError as error:
            raise SourceError(f"{self._origin} cannot be read: {self._scrubbed(error)}.") from None

    def _scrubbed(self, error: SQLAlchemyError) -> str:
        """The driver's own first line; with sensitive columns only its class, because it may quote a value."""
        cause: BaseException = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        if self.roles.sensitive and not isinstance(error, OperationalError):
            return type(cause).__name__
        line = str(cause).strip().partition("\n")[0].rstrip(".")
        password = self._url.password
        for secret in {str(password), quote(str(password)), quote_plus(str(password))} if password else ():
            line = line.replace(secret, "***")
        return line


def _url(text: str) -> sa.URL:
    """`postgresql://` and `postgres://` mean psycopg 3 here, whichever version of SQLAlchemy reads them."""
    try:
        url = sa.make_url(text)
    except (ArgumentError, ValueError):
        # The message of either quotes the URL, password and all.
        raise SourceError(
            "source.url is no SQLAlchemy URL; write it as dialect://user:password@host/database."
        ) from None
    return url.set(drivername="postgresql+psycopg") if url.drivername in {"postgresql", "postgres"} else url


def _ids(columns: tuple[Column, ...]) -> list[Column]:
    return [column for column in columns if column.kind is Kind.IDENTIFIER]


def _id_type(connection: sa.Connection, source: sa.FromClause, column: Column) -> pa.DataType:
    return identifier_type(_first_value(connection, source, column.source))


def _first_value(connection: sa.Connection, source: sa.FromClause, name: str) -> Any:
    """Any value of the column that is not null: what the driver makes of it says how to compare and store it."""
    column = source.c[name]
    return connection.execute(sa.select(column).where(column.is_not(None)).limit(1)).scalar()
