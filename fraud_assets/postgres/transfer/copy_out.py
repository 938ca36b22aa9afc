"""Reading in bulk: a query's rows as COPY sends them, in blocks of whole rows.

psycopg hands out a row at a time, through three layers of generators; for a million rows that takes longer than the
server needs to send them. What is waiting in libpq already is therefore taken from libpq directly.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import psycopg
from psycopg import Connection, sql
from psycopg.abc import Buffer

from fraud_assets.postgres.transfer.fixed_width import HEADER, TRAILER


@dataclass(frozen=True)
class Block:
    """Rows in the binary format, one after the other, and the length of each in bytes."""

    content: bytes
    lengths: list[int]


def copied_blocks(connection: Connection[Any], query: sql.Composed, block_bytes: int) -> Iterator[Block]:
    """The rows of a query, in blocks of about so many bytes. Raises what the server says, when it says it."""
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(query)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        content, lengths = io.BytesIO(), list[int]()
        for row in _rows(connection, copy):
            content.write(row)
            lengths.append(len(row))
            if content.tell() >= block_bytes:
                yield Block(content.getvalue(), lengths)
                content, lengths = io.BytesIO(), []
        if lengths:
            yield Block(content.getvalue(), lengths)


def _rows(connection: Connection[Any], copy: psycopg.Copy) -> Iterator[Buffer]:
    arrived = connection.pgconn.get_copy_data
    begun = copy.read()
    row: Buffer = begun[len(HEADER) :]  # The header comes with the first row, or with the trailer.
    while row != TRAILER:
        yield row
        size, row = arrived(1)
        if size == 0:
            row = copy.read()  # Nothing has come yet: psycopg waits for it, and can be interrupted.
        elif size < 0:
            _raise_result(connection)
    copy.read()  # the end, and whether all went well


def _raise_result(connection: Connection[Any]) -> NoReturn:
    """Raise what ended a COPY before its trailer."""
    result = connection.pgconn.get_result()
    while connection.pgconn.get_result() is not None:
        pass
    if result is None:
        raise psycopg.OperationalError("the connection was lost")
    raise psycopg.errors.error_from_result(result)
