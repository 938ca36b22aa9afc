"""The archive: which versions of a partition there are, and getting an old one back.

A restored version is written like any other: a fresh partition in today's columns, swapped in, with a version number
of its own. What it replaces is archived in turn, so restoring loses nothing. A model's bytes are checked and signed
anew, and not unpickled.
"""

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import dagster as dg
import pyarrow as pa
from psycopg import Connection, sql

from fraud_assets.postgres.connection import PostgresResource
from fraud_assets.postgres.errors import PostgresStorageError
from fraud_assets.postgres.names import ORDINAL_COLUMN, shortened
from fraud_assets.postgres.steps.contexts import UNPARTITIONED, asset_name
from fraud_assets.postgres.storage.ledger import (
    RESTORED_BY,
    RESTORED_VERSION,
    Layout,
    Origin,
    Status,
    Version,
    find_version,
    versions,
)
from fraud_assets.postgres.storage.models import restore_model
from fraud_assets.postgres.storage.retention import prune_archived
from fraud_assets.postgres.storage.rows import replace_rows
from fraud_assets.postgres.storage.swap import replace_partition
from fraud_assets.postgres.storage.tables import (
    StoredColumn,
    TableSpec,
    registered_spec,
    select_list,
    stored_columns,
    table_exists,
)
from fraud_assets.postgres.transfer.sessions import RelationVanished, closing_reader, open_session
from fraud_assets.postgres.values.frames import incoming
from fraud_assets.postgres.values.remembering import as_remembered, remembered

AssetName: TypeAlias = "dg.AssetKey | str | Sequence[str]"
"""An asset key in any form that Dagster takes: `AssetKey`, "a/b", or the list of its parts."""


def partition_versions(postgres: PostgresResource, asset: AssetName, partition: str | None = None) -> list[Version]:
    """All versions of a partition, newest first: the current one, the archived ones, and records of pruned ones.

    `partition` is a partition key, a `MultiPartitionKey` too; None for an asset without partitions. The list is empty
    for what has never been stored.
    """
    with postgres.connect() as connection:
        return versions(connection, *_names(asset, partition))


def restore_version(
    postgres: PostgresResource,
    asset: AssetName,
    partition: str | None,
    version: int,
    *,
    keep: int | None = None,
    signing_key: str | bytes = b"",
) -> Version:
    """Make an archived version of a partition current again. Returns the new version; the current one as it is.

    Rows come back in today's columns: null in those that are younger, and in their wider types. A model needs the
    `signing_key` that it was stored under. `keep` archived versions stay, or all of them. The new version's record
    has the code version, the facts and the upstream versions of the one that it is a copy of, and its number.

    Raises `PartitionMissing` for a version that never was, `PostgresStorageError` for one that was pruned or a table
    that is not there any more, and `ModelRefused` for a model whose seal or libraries are wrong.
    """
    _check_keep(keep)
    with postgres.connect() as connection:
        found = find_version(connection, *_names(asset, partition), version)
        if found.status == Status.PRUNED:
            raise PostgresStorageError(_is_gone(found))
        if found.status == Status.CURRENT:
            return found
        origin = _origin(connection, found)
        if found.is_model:
            key = signing_key.encode() if isinstance(signing_key, str) else signing_key
            return restore_model(connection, found, signing_key=key, origin=origin, keep=keep)
        return _restore_table(postgres, connection, found, origin, keep)


def prune_versions(postgres: PostgresResource, asset: AssetName, partition: str | None, keep: int) -> int:
    """Drop the rows, or the bytes, of all but the newest `keep` archived versions; their records stay.

    Returns how many were dropped. The current version is none of them. A version that is being read is left for the
    next time.
    """
    _check_keep(keep)
    with postgres.connect() as connection:
        return prune_archived(connection, *_names(asset, partition), keep)


def _names(asset: AssetName, partition: str | None) -> tuple[str, str]:
    return asset_name(dg.AssetKey.from_coercible(asset)), UNPARTITIONED if partition is None else str(partition)


def _check_keep(keep: int | None) -> None:
    if keep is not None and keep < 0:
        raise PostgresStorageError(f"keep={keep} is no number of versions; give 0 or more.")


def _origin(connection: Connection[Any], found: Version) -> Origin:
    """What a copy is made from is what the original was made from."""
    seen = connection.execute(
        "SELECT upstream_version_id FROM dagster_io.seen WHERE version_id = %s", [found.version_id]
    ).fetchall()
    facts = found.facts | {RESTORED_VERSION: found.version}
    return Origin(RESTORED_BY, found.code_version, tuple(upstream for (upstream,) in seen), tuple(facts.items()))


def _restore_table(
    postgres: PostgresResource, connection: Connection[Any], found: Version, origin: Origin, keep: int | None
) -> Version:
    spec = registered_spec(connection, found.asset_key)
    if spec is None or not table_exists(connection, spec):
        raise PostgresStorageError(
            f"The table of {found.asset_key} is not there any more; materialize any of its partitions, which makes the "
            "table again, and then restore."
        )
    frame = incoming(_archived(postgres, spec, found, stored_columns(connection, spec.relation)))
    replace = replace_rows if spec.layout is Layout.ROWS else replace_partition
    return replace(connection, spec, found.partition_key, frame.schema, frame.batches, origin, keep)


def _archived(
    postgres: PostgresResource, spec: TableSpec, found: Version, existing: Sequence[StoredColumn]
) -> pa.RecordBatchReader:
    """The rows of an archived version, in those of its columns that the table still has, in its own order."""
    handed_in = found.schema
    assert handed_in is not None
    by_name = {column.name: column for column in existing}
    columns = [by_name[name] for name in map(shortened, handed_in.names) if name in by_name]
    session = open_session(postgres.url, [column.type for column in columns])
    try:
        raw = session.read(_query(spec, found, columns))
        schema = remembered(raw.schema, {column.name: column.type for column in columns}, [handed_in])
        return closing_reader(session, schema, (as_remembered(batch, schema) for batch in _whole(raw.batches, found)))
    except RelationVanished as error:
        session.close()
        raise PostgresStorageError(_is_gone(found)) from error
    except BaseException:
        session.close()
        raise


def _whole(batches: Iterator[pa.RecordBatch], version: Version) -> Iterator[pa.RecordBatch]:
    """The batches, if they are as many rows as were stored: it may have been pruned since it was looked up."""
    rows = 0
    for batch in batches:
        yield batch
        rows += batch.num_rows
    if rows != version.row_count:
        raise PostgresStorageError(
            f"The archive has {rows:,} of the {version.row_count:,} rows of {_named(version)}: they have been pruned "
            "meanwhile, or changed by hand. Nothing was restored."
        )


def _is_gone(version: Version) -> str:
    content = "bytes are" if version.is_model else "rows are"
    return f"{_named(version)} has been pruned: its {content} gone, and can only be made again."


def _named(version: Version) -> str:
    of = f" of {version.partition_key!r}" if version.partition_key else ""
    return f"Version {version.version} of {version.asset_key}{of}"


def _query(spec: TableSpec, version: Version, columns: Sequence[StoredColumn]) -> sql.Composed:
    if spec.layout is Layout.PARTITIONS:
        return sql.SQL("SELECT {} FROM ONLY {}").format(select_list(columns), version.relation.identifier)
    # Nothing but the table's own columns is in reach of the select list: any other name may be a column's too.
    return sql.SQL(
        "SELECT {} FROM (SELECT r.* FROM dagster_io.archived_rows a,"
        " LATERAL json_populate_record(NULL::{}, a.content) r WHERE a.version_id = {}) archived ORDER BY {}"
    ).format(
        select_list(columns),
        spec.relation.identifier,
        sql.Literal(version.version_id),
        sql.Identifier(ORDINAL_COLUMN),
    )
