"""Writing in bulk: Arrow batches into a table with COPY in PostgreSQL's binary format.

Batches are made, encoded and hashed here while the ones before are on their way to the server, which takes longer
over a row than we do: a writer that did one after the other would leave it idle half of the time.
"""

import hashlib
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import psycopg
import pyarrow as pa
from pgpq import ArrowToPostgresBinaryEncoder
from psycopg import Connection, sql
from psycopg.abc import Buffer
from psycopg.copy import LibpqWriter

from fraud_assets.postgres.errors import UnstorableColumn
from fraud_assets.postgres.names import Relation
from fraud_assets.postgres.transfer.fixed_width import Encoder, is_encodable
from fraud_assets.postgres.values.frames import to_wire

BATCHES_AHEAD = 3


@dataclass(frozen=True)
class Copied:
    """What a COPY has put into a table. The hash covers column names, types and every row's bytes, in order."""

    rows: int
    content_hash: str


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
    encoder = _encoder(wire)
    rows = 0
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary{})").format(
        relation.identifier,
        sql.SQL(", ").join(map(sql.Identifier, wire.names)),
        sql.SQL(", FREEZE" if freeze else ""),
    )
    try:
        with connection.cursor() as cursor, cursor.copy(statement, writer=_AheadWriter(cursor)) as copy:
            copy.write(encoder.write_header())
            for batch in batches:
                storable = to_wire(batch, wire)
                encoded = encoder.write_batch(storable)
                copy.write(encoded)
                digest.update(storable, encoded)
                rows += batch.num_rows
            # The encoder holds rows back until it has a buffer full of them: the last ones come with the end.
            encoded = encoder.finish()
            copy.write(encoded)
            digest.finish(encoded)
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        where = error.diag.context or relation
        raise UnstorableColumn(
            f"The database refuses a value ({where}): {error.diag.message_primary}; correct it in the asset."
        ) from error
    return Copied(rows, digest.hexdigest())


def counted(wire: pa.Schema, batches: Iterable[pa.RecordBatch], *, unhashed: frozenset[str] = frozenset()) -> Copied:
    """What `copy_in` would say of these batches, without copying them anywhere."""
    digest = _Digest(wire, unhashed)
    if not wire.names:
        return Copied(0, digest.hexdigest())
    encoder = _encoder(wire)
    encoder.write_header()
    rows = 0
    for batch in batches:
        storable = to_wire(batch, wire)
        digest.update(storable, encoder.write_batch(storable))
        rows += batch.num_rows
    digest.finish(encoder.finish())
    return Copied(rows, digest.hexdigest())


class _RowEncoder(Protocol):
    def write_header(self) -> Buffer: ...
    def write_batch(self, batch: pa.RecordBatch) -> Buffer: ...
    def finish(self) -> Buffer: ...


def _encoder(schema: pa.Schema) -> _RowEncoder:
    """Both make the same bytes of the same rows."""
    encoder: _RowEncoder = Encoder(schema) if is_encodable(schema) else ArrowToPostgresBinaryEncoder(schema)
    return encoder


class _AheadWriter(LibpqWriter):
    """Sends in a thread, a few batches behind the one that writes. psycopg's own queue would hold 1,024 of them."""

    def __init__(self, cursor: psycopg.Cursor[Any]) -> None:
        super().__init__(cursor)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="copy")
        self._sending: deque[Future[None]] = deque()

    def write(self, data: Buffer) -> None:
        self._sending.append(self._thread.submit(super().write, data))
        while len(self._sending) > BATCHES_AHEAD:
            self._sending.popleft().result()

    def finish(self, exc: BaseException | None = None) -> None:
        try:
            while self._sending:
                self._sending.popleft().result()
        finally:
            self._thread.shutdown()
        super().finish(exc)


class _Digest:
    """SHA-256 over the encoded rows; where columns are left out of it, over an encoding without them."""

    def __init__(self, wire: pa.Schema, unhashed: frozenset[str]) -> None:
        self._names = [name for name in wire.names if name not in unhashed]
        hashed = pa.schema([wire.field(name) for name in self._names])
        self._sha256 = hashlib.sha256(repr([(field.name, str(field.type)) for field in hashed]).encode())
        self._encoder: _RowEncoder | None = None
        if len(hashed) < len(wire):
            self._encoder = _encoder(hashed)
            self._encoder.write_header()

    def update(self, batch: pa.RecordBatch, encoded: Buffer) -> None:
        if self._encoder is not None:
            encoded = self._encoder.write_batch(batch.select(self._names))
        self._sha256.update(encoded)

    def finish(self, encoded: Buffer) -> None:
        self._sha256.update(encoded if self._encoder is None else self._encoder.finish())

    def hexdigest(self) -> str:
        return self._sha256.hexdigest()
