"""Loading: from partition keys to rows, read from the tables of their current versions, or of their first.

The parent table is never named: a long read of one day must not hold up another day's swap. What is read is locked
against replacement for as long as it is read.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import pyarrow as pa
from psycopg import sql

from fraud_assets.postgres.connection import PostgresResource
from fraud_assets.postgres.errors import PartitionMissing, PostgresStorageError
from fraud_assets.postgres.names import ORDINAL_COLUMN, PARTITION_COLUMN, shortened
from fraud_assets.postgres.storage.ledger import Layout, Status, Version, current_versions, first_versions
from fraud_assets.postgres.storage.superseded import source
from fraud_assets.postgres.storage.tables import StoredColumn, TableSpec, registered_spec, select_list, stored_columns
from fraud_assets.postgres.transfer.sessions import ReadSession, RelationVanished, closing_reader, open_session
from fraud_assets.postgres.values.remembering import as_remembered, remembered
from fraud_assets.postgres.values.types import wire_type

LOOKUPS = 20

Plain: TypeAlias = "str | int | float | bool | None"
WhereParam: TypeAlias = "Plain | list[Plain]"


class Which(StrEnum):
    """Which version of a partition is read."""

    CURRENT = "current"
    FIRST = "first"
    """What it was first stored as, whatever has superseded it since."""


@dataclass(frozen=True)
class Selection:
    """What an input asks for: some columns or all, a condition with the values of its placeholders, which version.

    `where` names columns as the database has them; `%s` in it is a value of `where_params`, and `%%` a percent sign
    where there are any.
    """

    columns: tuple[str, ...] | None = None
    where: str | None = None
    where_params: tuple[WhereParam, ...] = ()
    which: Which = Which.CURRENT


@dataclass(frozen=True)
class Loaded:
    """Rows on their way, and the versions that they are read from, in the order of the keys asked for."""

    reader: pa.RecordBatchReader
    versions: tuple[Version, ...]


def load(
    postgres: PostgresResource,
    asset_key: str,
    partition_keys: Sequence[str] | None,
    selection: Selection,
    required: frozenset[str] = frozenset(),
    *,
    at_once: bool = False,
) -> Loaded:
    """The rows of those partitions that exist, in the order of `partition_keys`; None means all that exist.

    They come in batches, or `at_once`, in as few as can be, where all of them are wanted in memory anyway.

    Raises `PartitionMissing` naming the first of `required` that does not exist (a first version that was pruned does
    not either), and `PostgresStorageError` for columns that do not exist and conditions that the server
    refuses.
    """
    vanished: tuple[Version, ...] = ()
    for _ in range(LOOKUPS):
        with postgres.connect() as connection:
            spec = registered_spec(connection, asset_key)
            look_up = first_versions if selection.which is Which.FIRST else current_versions
            found = {v.partition_key: v for v in look_up(connection, asset_key, partition_keys)}
            _check_required(asset_key, required, found.keys(), selection.which)
            if spec is None:
                return Loaded(_nothing(selection.columns or (), []), ())
            existing = stored_columns(connection, spec.relation)
            columns = chosen_columns(spec, existing, selection)
        chosen = tuple(found[key] for key in (found if partition_keys is None else partition_keys) if key in found)
        if not chosen:
            return Loaded(_nothing(selection.columns or [c.name for c in columns], columns), ())
        try:
            return Loaded(open_versions(postgres, spec, existing, columns, chosen, selection, at_once), chosen)
        except RelationVanished as error:
            # A swap changes the ledger and the table's name together; the same versions twice were dropped otherwise.
            if chosen == vanished:
                raise PostgresStorageError(
                    f"{asset_key} cannot be read ({error}); if it was dropped by hand, materialize it again."
                ) from error
            vanished = chosen
    raise PostgresStorageError(f"{asset_key} was replaced {LOOKUPS} times while it was being looked up; try again.")


def _check_required(asset_key: str, required: frozenset[str], found: Collection[str], which: Which) -> None:
    missing = sorted(key for key in required if key not in found)
    if missing:
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        what = f"The partition {missing[0]!r}{others} of {asset_key}" if missing[0] else asset_key
        gone = ", or what it was first stored as has been pruned" if which is Which.FIRST else ""
        raise PartitionMissing(
            f"{what} has never been stored{gone}; materialize it first, or set missing='empty' in the input's metadata."
        )


def chosen_columns(spec: TableSpec, existing: list[StoredColumn], selection: Selection) -> list[StoredColumn]:
    """The columns that are asked for. Raises `PostgresStorageError` for one that the table has not."""
    if selection.columns is None:
        return existing
    by_name = {column.name: column for column in existing}
    for name in selection.columns:
        if shortened(name) not in by_name:
            raise PostgresStorageError(
                f"{spec.relation} has no column {name!r}; it has {', '.join(by_name)}. Correct the input's columns."
            )
    return [by_name[shortened(name)] for name in selection.columns]


def _nothing(names: Sequence[str], columns: Sequence[StoredColumn]) -> pa.RecordBatchReader:
    """No rows, in as many columns as are known."""
    types = {column.name: wire_type(column.type) or pa.null() for column in columns}
    schema = pa.schema([pa.field(name, types.get(shortened(name), pa.null())) for name in names])
    return pa.RecordBatchReader.from_batches(schema, iter(()))


def open_versions(
    postgres: PostgresResource,
    spec: TableSpec,
    existing: list[StoredColumn],
    columns: list[StoredColumn],
    chosen: tuple[Version, ...],
    selection: Selection,
    at_once: bool,
) -> pa.RecordBatchReader:
    """The rows of these versions, in their order. Raises `RelationVanished` where one is not there any more."""
    session = open_session(postgres.url, [column.type for column in columns])
    try:
        if spec.layout is Layout.PARTITIONS:
            session.lock(version.relation for version in chosen)
            query = _partitions_query(spec, existing, columns, chosen, selection)
        else:
            _freeze_rows(session, chosen)
            is_one_table = all(version.status == Status.CURRENT for version in chosen)
            query = (
                _rows_query(spec, columns, chosen, selection)
                if is_one_table
                else _superseded_rows_query(spec, existing, columns, chosen, selection)
            )
        raw = session.read(query, sum(version.row_count for version in chosen) if at_once else None)
        handed_in = [version.schema for version in chosen if version.schema is not None]
        schema = remembered(raw.schema, {column.name: column.type for column in columns}, handed_in)
    except BaseException:
        session.close()
        raise

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in raw.batches:
            yield as_remembered(batch, schema)

    return closing_reader(session, schema, batches())


def _freeze_rows(session: ReadSession, chosen: tuple[Version, ...]) -> None:
    """See the rows of exactly these versions: all partitions share one table, which does not say whose rows it holds.

    Raises `RelationVanished` where one of them has been replaced by now.
    """
    session.freeze_view()
    known = sql.SQL(", ").join(
        sql.SQL("({}, {})").format(sql.Literal(version.version_id), sql.Literal(str(version.status)))
        for version in chosen
    )
    query = sql.SQL("SELECT version_id FROM dagster_io.versions WHERE (version_id, status) IN ({})")
    if len(session.first_column(query.format(known))) != len(chosen):
        raise RelationVanished


def _partitions_query(
    spec: TableSpec,
    existing: list[StoredColumn],
    columns: list[StoredColumn],
    chosen: tuple[Version, ...],
    selection: Selection,
) -> sql.Composed:
    where = condition(selection, sql.SQL(" WHERE ({}\n)"))
    parts = (
        sql.SQL("SELECT {} FROM {}{}").format(select_list(columns), source(spec, existing, version), where)
        for version in chosen
    )
    return sql.SQL(" UNION ALL ").join(parts)


def _superseded_rows_query(
    spec: TableSpec,
    existing: list[StoredColumn],
    columns: list[StoredColumn],
    chosen: tuple[Version, ...],
    selection: Selection,
) -> sql.Composed:
    parts = (
        sql.SQL("(SELECT {} FROM {} WHERE {} = {}{} ORDER BY {})").format(
            select_list(columns),
            source(spec, existing, version),
            sql.Identifier(PARTITION_COLUMN),
            sql.Literal(version.partition_key),
            condition(selection, sql.SQL(" AND ({}\n)")),
            sql.Identifier(ORDINAL_COLUMN),
        )
        for version in chosen
    )
    return sql.SQL(" UNION ALL ").join(parts)


def _rows_query(
    spec: TableSpec, columns: list[StoredColumn], chosen: tuple[Version, ...], selection: Selection
) -> sql.Composed:
    return sql.SQL("SELECT {} FROM {} WHERE {} IN ({}){} ORDER BY array_position(ARRAY[{}]::text[], {}), {}").format(
        select_list(columns),
        spec.relation.identifier,
        sql.Identifier(PARTITION_COLUMN),
        keys := sql.SQL(", ").join(sql.Literal(version.partition_key) for version in chosen),
        condition(selection, sql.SQL(" AND ({}\n)")),
        keys,
        sql.Identifier(PARTITION_COLUMN),
        sql.Identifier(ORDINAL_COLUMN),
    )


def condition(selection: Selection, form: sql.SQL) -> sql.Composable:
    """The author's condition in `form`, with its values as literals: no query with parameters is streamed."""
    if selection.where is None:
        return sql.SQL("")
    if not selection.where_params:
        if "%s" in re.sub("'[^']*'|\"[^\"]*\"", "", selection.where):
            raise PostgresStorageError(
                "The input's where has a placeholder (%s) and no where_params; give one value each, or put a space "
                "behind a percent sign that is an operator."
            )
        return form.format(sql.SQL(selection.where))
    # Alternating: text, placeholder or escaped percent sign, text, and so on.
    pieces = re.split("(%%|%s)", selection.where)
    if pieces.count("%s") != len(selection.where_params):
        raise PostgresStorageError(
            f"The input's where has {pieces.count('%s')} placeholders (%s) and {len(selection.where_params)} "
            "where_params; give one value each."
        )
    values = iter(selection.where_params)
    written: list[sql.Composable] = [
        sql.Literal(next(values)) if piece == "%s" else sql.SQL("%" if piece == "%%" else piece) for piece in pieces
    ]
    return form.format(sql.Composed(written))
