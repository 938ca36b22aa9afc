"""Loading: from partition keys to rows, read from the tables of their current versions.

The parent table is never named: a long read of one day must not hold up another day's swap. What is read is locked
against replacement for as long as it is read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
from psycopg import sql

from fraud_assets.postgres.bulk import ReadSession, RelationVanished, closing_reader
from fraud_assets.postgres.connection import PostgresResource
from fraud_assets.postgres.errors import PartitionMissing, PostgresStorageError
from fraud_assets.postgres.frames import as_remembered, remembered
from fraud_assets.postgres.ledger import Layout, Version, current_versions
from fraud_assets.postgres.names import ORDINAL_COLUMN, PARTITION_COLUMN, Relation
from fraud_assets.postgres.tables import registered_spec, stored_columns

LOOKUPS = 20


@dataclass(frozen=True)
class Selection:
    """What an input asks for: some columns or all, and a condition with its bound values."""

    columns: tuple[str, ...] | None = None
    where: str | None = None
    where_params: tuple[str | int | float | bool, ...] = ()


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
) -> Loaded:
    """The rows of those partitions that exist, in the order of `partition_keys`; None means all that exist.

    Raises `PartitionMissing` naming the first of `required` that does not exist.
    """
    for _ in range(LOOKUPS):
        with postgres.connect() as connection:
            spec = registered_spec(connection, asset_key)
            found = {v.partition_key: v for v in current_versions(connection, asset_key, partition_keys)}
            _check_required(asset_key, required, found.keys())
            if spec is None:
                return Loaded(pa.RecordBatchReader.from_batches(pa.schema([]), iter(())), ())
            columns = _chosen(spec.relation, [c.name for c in stored_columns(connection, spec.relation)], selection)
        keys = [key for key in (found if partition_keys is None else partition_keys) if key in found]
        chosen = tuple(found[key] for key in keys)
        try:
            reader = _open(postgres, spec.relation, spec.layout, columns, chosen, selection)
        except RelationVanished:
            continue
        return Loaded(reader, chosen)
    raise PostgresStorageError(f"{asset_key} was replaced {LOOKUPS} times while it was being looked up; try again.")


def _check_required(asset_key: str, required: frozenset[str], found: object) -> None:
    missing = sorted(key for key in required if key not in found)  # type: ignore[operator]
    if missing:
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        which = f"The partition {missing[0]!r}{others} of {asset_key}" if missing[0] else asset_key
        raise PartitionMissing(
            f"{which} has never been stored; materialize it first, or set missing='empty' in the input's metadata."
        )


def _chosen(table: Relation, existing: list[str], selection: Selection) -> list[str]:
    if selection.columns is None:
        return existing
    unknown = [name for name in selection.columns if name not in existing]
    if unknown:
        raise PostgresStorageError(
            f"{table} has no column {unknown[0]!r}; it has {', '.join(existing)}. Correct the input's columns."
        )
    return list(selection.columns)


def _open(
    postgres: PostgresResource,
    table: Relation,
    layout: Layout,
    columns: list[str],
    chosen: tuple[Version, ...],
    selection: Selection,
) -> pa.RecordBatchReader:
    session = ReadSession(postgres.url)
    try:
        if layout is Layout.PARTITIONS and chosen:
            session.lock(version.relation for version in chosen)
        query = _query(table, layout, columns, chosen, selection)
        raw = session.read(query, list(selection.where_params) * max(1, _repeats(layout, chosen)))
        schema = remembered(raw.schema, chosen[-1].schema if chosen else None)
    except BaseException:
        session.close()
        raise

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in raw:
            yield as_remembered(batch, schema)

    return closing_reader(session, schema, batches())


def _repeats(layout: Layout, chosen: tuple[Version, ...]) -> int:
    return len(chosen) if layout is Layout.PARTITIONS else 1


def _query(
    table: Relation, layout: Layout, columns: list[str], chosen: tuple[Version, ...], selection: Selection
) -> sql.Composed:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    if not chosen:
        return sql.SQL("SELECT {} FROM {} WHERE false").format(names, table.identifier)
    if layout is Layout.ROWS:
        keys = sql.SQL(", ").join(sql.Literal(version.partition_key) for version in chosen)
        query = sql.SQL("SELECT {} FROM {} WHERE {} IN ({})").format(
            names, table.identifier, sql.Identifier(PARTITION_COLUMN), keys
        )
        order = sql.SQL(" ORDER BY array_position(ARRAY[{}]::text[], {}), {}").format(
            keys, sql.Identifier(PARTITION_COLUMN), sql.Identifier(ORDINAL_COLUMN)
        )
        return query + _condition(selection, 0, sql.SQL(" AND ({})")) + order
    parts = []
    for position, version in enumerate(chosen):
        part = sql.SQL("SELECT {} FROM ONLY {}").format(names, version.relation.identifier)
        parts.append(part + _condition(selection, position, sql.SQL(" WHERE ({})")))
    return sql.SQL(" UNION ALL ").join(parts)


def _condition(selection: Selection, position: int, form: sql.SQL) -> sql.Composed:
    """The author's condition with its `%s` turned into the server's numbered parameters."""
    if selection.where is None:
        return sql.SQL("").format()
    pieces = selection.where.split("%s")
    if len(pieces) - 1 != len(selection.where_params):
        raise PostgresStorageError(
            f"The input's where has {len(pieces) - 1} placeholders (%s) and {len(selection.where_params)} "
            "where_params; give one value each."
        )
    first = position * len(selection.where_params)
    numbered = pieces[0] + "".join(f"${first + i + 1}{piece}" for i, piece in enumerate(pieces[1:]))
    return form.format(sql.SQL(numbered))
