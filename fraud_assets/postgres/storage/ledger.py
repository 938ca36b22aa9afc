"""The ledger: which versions of which partitions exist, what is in them, and which versions they were made from.

It lives in a schema of its own, beside the data. A version is a row that never changes but for its status:
current, archived (superseded, still there) or pruned (its rows are gone, the record of it is not).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import pyarrow as pa
from psycopg import Connection, sql
from psycopg.rows import class_row

from fraud_assets.postgres.errors import PartitionMissing, PostgresStorageError
from fraud_assets.postgres.names import Relation

ARCHIVE_SCHEMA = "dagster_archive"
RESTORED_BY = "restore"
"""What stands for the run of a version that was restored."""
RESTORED_VERSION = "restored_version"
"""The fact that says which version it is a copy of."""
FIRST_VERSION = 1
"""The number of the version that a partition was first stored as."""


class Layout(StrEnum):
    """How a table keeps its partitions."""

    PARTITIONS = "partitions"
    """One native partition each: for frames."""
    ROWS = "rows"
    """One plain table for all: for a few rows a partition."""
    MODEL = "model"
    """Signed bytes in the ledger's own table."""


class Status(StrEnum):
    CURRENT = "current"
    ARCHIVED = "archived"
    PRUNED = "pruned"


@dataclass(frozen=True)
class Version:
    """One version of one partition, as the ledger has it."""

    version_id: int
    """Its number in the whole database: what `dagster_io.seen` refers to."""
    asset_key: str
    """As the asset key is written in Dagster, with slashes between its parts."""
    partition_key: str
    """Empty for an asset without partitions."""
    version: int
    """Its number among the partition's versions, from 1 on."""
    status: str
    """A `Status`: current, archived or pruned."""
    relation_schema: str | None
    relation_name: str | None
    """The table of its own that it has in the layout `partitions`, until it is pruned."""
    row_count: int
    byte_count: int
    """Bytes on disk when it was stored, with indexes; a model's own bytes."""
    content_hash: str
    """SHA-256 of column names, types and rows in order; of a model's bytes."""
    arrow_schema: bytes | None = field(repr=False)
    """The serialized `schema`; None for a model."""
    code_version: str | None
    run_id: str
    """The Dagster run that stored it; "restore" for a version that was restored."""
    facts: dict[str, Any]
    """Texts, numbers and JSON that the asset said about it in its metadata; `restored_version` of a restored one."""
    created_at: datetime

    @property
    def is_model(self) -> bool:
        return self.arrow_schema is None

    @property
    def restored_from(self) -> int | None:
        """The number of the version that this one is a copy of; None for one that a run stored."""
        number = self.facts.get(RESTORED_VERSION) if self.run_id == RESTORED_BY else None
        return None if number is None else int(number)

    @property
    def relation(self) -> Relation:
        if self.relation_schema is None or self.relation_name is None:
            raise PostgresStorageError(f"Version {self.version} of {self.asset_key} has no table of its own.")
        return Relation(self.relation_schema, self.relation_name)

    @property
    def schema(self) -> pa.Schema | None:
        """The Arrow schema of the frame as it was handed in, with pandas' notes on its dtypes."""
        return None if self.arrow_schema is None else pa.ipc.read_schema(pa.py_buffer(self.arrow_schema))


@dataclass(frozen=True)
class Origin:
    """Where a version comes from: what is written beside its rows."""

    run_id: str
    code_version: str | None = None
    upstream: tuple[int, ...] = ()
    facts: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class StoredByRun:
    """What a run has stored of one partition, whatever has become of it since."""

    asset_key: str
    partition_key: str
    run_id: str
    version: int
    row_count: int
    byte_count: int
    content_hash: str
    code_version: str | None


def stored_by_runs(connection: Connection[Any], run_ids: Iterable[str]) -> list[StoredByRun]:
    """Every version that these runs have stored, in the order of storing."""
    names = sql.SQL(", ").join(map(sql.Identifier, StoredByRun.__dataclass_fields__))
    query = sql.SQL("SELECT {} FROM dagster_io.versions WHERE run_id = ANY(%s) ORDER BY version_id").format(names)
    with connection.cursor(row_factory=class_row(StoredByRun)) as cursor:
        return cursor.execute(query, [list(run_ids)]).fetchall()


def register_table(
    connection: Connection[Any], asset_key: str, relation: Relation, layout: Layout, options: Mapping[str, Any]
) -> None:
    """Note which asset owns a table; under the table's lock.

    Raises `PostgresStorageError` where another asset owns it, the asset has another table, or the layout differs.
    """
    _refuse_models(connection, asset_key)
    rows = connection.execute(
        "SELECT asset_key, schema_name, table_name, layout FROM dagster_io.tables"
        " WHERE (schema_name, table_name) = (%s, %s) OR asset_key = %s",
        [relation.schema, relation.name, asset_key],
    ).fetchall()
    for owner, schema_name, table_name, kept_as in rows:
        stored = Relation(schema_name, table_name)
        if owner != asset_key:
            raise PostgresStorageError(
                f"The table {relation} belongs to the asset {owner!r}, and {asset_key!r} would be stored there too; "
                "give one of them another schema in its metadata, or another last part of its key."
            )
        if stored != relation:
            raise PostgresStorageError(
                f"The asset {asset_key!r} is stored in {stored}, and would now be stored in {relation}; a database "
                "holds an asset once: use another database, or drop the old table and its row in dagster_io.tables."
            )
        if kept_as != layout:
            raise PostgresStorageError(
                f"The table {relation} has the layout {kept_as!r}, and the asset asks for {layout.value!r}; a layout "
                "cannot be changed in place: rename the asset, or drop the table and its row in dagster_io.tables."
            )
    connection.execute(
        "INSERT INTO dagster_io.tables (asset_key, schema_name, table_name, layout, options)"
        " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (asset_key) DO UPDATE SET options = excluded.options",
        [asset_key, relation.schema, relation.name, layout, json.dumps(options)],
    )


def refuse_tables(connection: Connection[Any], asset_key: str) -> None:
    """Raise `PostgresStorageError` for an asset that is stored as a table: it cannot be a model too."""
    row = connection.execute(
        "SELECT schema_name, table_name FROM dagster_io.tables WHERE asset_key = %s", [asset_key]
    ).fetchone()
    if row is not None:
        raise PostgresStorageError(
            f"The asset {asset_key!r} is stored in the table {Relation(*row)}, and would now be stored as a model; "
            "give it back its IO manager for tables, or rename the asset."
        )


def _refuse_models(connection: Connection[Any], asset_key: str) -> None:
    row = connection.execute(
        "SELECT FROM dagster_io.versions v JOIN dagster_io.models m USING (version_id) WHERE v.asset_key = %s LIMIT 1",
        [asset_key],
    ).fetchone()
    if row is not None:
        raise PostgresStorageError(
            f"The asset {asset_key!r} is stored as a model, and would now be stored as a table; give it back its IO "
            "manager for models, or rename the asset."
        )


def next_version_id(connection: Connection[Any]) -> int:
    row = connection.execute("SELECT nextval(pg_get_serial_sequence('dagster_io.versions', 'version_id'))").fetchone()
    assert row is not None
    return int(row[0])


@dataclass(frozen=True)
class Content:
    """What a version holds. `relation` is the table of its own that it has in the layout `partitions`."""

    row_count: int
    byte_count: int
    content_hash: str
    schema: pa.Schema | None = None
    relation: Relation | None = None


def record_current(
    connection: Connection[Any], version_id: int, asset_key: str, partition_key: str, content: Content, origin: Origin
) -> Version:
    """Write the row of a partition's new current version, numbered after the last, and what it saw.

    The caller holds the lock of the table, or of the model, and has archived the version before.
    """
    relation = content.relation
    row = connection.execute(
        "SELECT coalesce(max(version), 0) + 1 FROM dagster_io.versions WHERE asset_key = %s AND partition_key = %s",
        [asset_key, partition_key],
    ).fetchone()
    assert row is not None
    version = Version(
        version_id=version_id,
        asset_key=asset_key,
        partition_key=partition_key,
        version=row[0],
        status=Status.CURRENT,
        relation_schema=relation.schema if relation else None,
        relation_name=relation.name if relation else None,
        row_count=content.row_count,
        byte_count=content.byte_count,
        content_hash=content.content_hash,
        arrow_schema=None if content.schema is None else content.schema.serialize().to_pybytes(),
        code_version=origin.code_version,
        run_id=origin.run_id,
        facts=dict(origin.facts),
        created_at=datetime.now(UTC),
    )
    _insert(connection, version)
    connection.execute(
        "INSERT INTO dagster_io.seen (version_id, upstream_version_id) SELECT %s, unnest(%s::bigint[])",
        [version_id, sorted(set(origin.upstream))],
    )
    return version


def _insert(connection: Connection[Any], version: Version) -> None:
    values = vars(version) | {"facts": json.dumps(version.facts)}
    connection.execute(
        sql.SQL("INSERT INTO dagster_io.versions ({}) VALUES ({})").format(
            sql.SQL(", ").join(map(sql.Identifier, values)), sql.SQL(", ").join(sql.Placeholder() * len(values))
        ),
        list(values.values()),
    )


def set_status(connection: Connection[Any], version_id: int, status: Status, relation: Relation | None = None) -> None:
    connection.execute(
        "UPDATE dagster_io.versions SET status = %s, relation_schema = %s, relation_name = %s WHERE version_id = %s",
        [status, relation.schema if relation else None, relation.name if relation else None, version_id],
    )


def versions(connection: Connection[Any], asset_key: str, partition_key: str) -> list[Version]:
    """All versions of a partition, newest first, the pruned ones too."""
    with connection.cursor(row_factory=class_row(Version)) as cursor:
        cursor.execute(
            "SELECT * FROM dagster_io.versions WHERE asset_key = %s AND partition_key = %s ORDER BY version DESC",
            [asset_key, partition_key],
        )
        return cursor.fetchall()


def current_versions(
    connection: Connection[Any], asset_key: str, partition_keys: Iterable[str] | None = None
) -> list[Version]:
    """The current versions of an asset, of the given partitions or of all, in the partitions' order."""
    condition = sql.SQL("" if partition_keys is None else " AND partition_key = ANY(%(keys)s)")
    query = sql.SQL(
        "SELECT * FROM dagster_io.versions WHERE asset_key = %(asset)s AND status = 'current'{} ORDER BY partition_key"
    )
    with connection.cursor(row_factory=class_row(Version)) as cursor:
        keys = None if partition_keys is None else list(partition_keys)
        cursor.execute(query.format(condition), {"asset": asset_key, "keys": keys})
        return cursor.fetchall()


def last_version_before(connection: Connection[Any], asset_key: str, partition_key: str) -> Version | None:
    """The current version of the last partition before one, keys compared as plain text; None where there is none."""
    with connection.cursor(row_factory=class_row(Version)) as cursor:
        cursor.execute(
            "SELECT * FROM dagster_io.versions WHERE asset_key = %s AND status = 'current'"
            ' AND partition_key COLLATE "C" < %s ORDER BY partition_key COLLATE "C" DESC LIMIT 1',
            [asset_key, partition_key],
        )
        return cursor.fetchone()


def upstream_versions(connection: Connection[Any], version_id: int) -> list[Version]:
    """The versions that a version was made from, as the ledger has them today, by asset and partition."""
    with connection.cursor(row_factory=class_row(Version)) as cursor:
        cursor.execute(
            "SELECT u.* FROM dagster_io.seen s JOIN dagster_io.versions u ON u.version_id = s.upstream_version_id"
            " WHERE s.version_id = %s ORDER BY u.asset_key, u.partition_key, u.version",
            [version_id],
        )
        return cursor.fetchall()


def first_versions(
    connection: Connection[Any], asset_key: str, partition_keys: Iterable[str] | None = None
) -> list[Version]:
    """The version that each partition was first stored as, current or archived, but for those that were pruned.

    Of the given partitions or of all, in the partitions' order.
    """
    keys = None if partition_keys is None else list(partition_keys)
    with connection.cursor(row_factory=class_row(Version)) as cursor:
        cursor.execute(
            "SELECT * FROM dagster_io.versions WHERE asset_key = %s AND version = %s AND status <> 'pruned'"
            " AND (%s::text[] IS NULL OR partition_key = ANY(%s)) ORDER BY partition_key",
            [asset_key, FIRST_VERSION, keys, keys],
        )
        return cursor.fetchall()


def find_version(
    connection: Connection[Any], asset_key: str, partition_key: str, version: int | None = None
) -> Version:
    """The current version, or the one of that number. Raises `PartitionMissing`."""
    found = versions(connection, asset_key, partition_key)
    for candidate in found:
        if (candidate.status == Status.CURRENT) if version is None else (candidate.version == version):
            return candidate
    name = f"{asset_key} of {partition_key!r}" if partition_key else asset_key
    if version is not None and found:
        raise PartitionMissing(f"There is no version {version} of {name}; its newest is version {found[0].version}.")
    raise PartitionMissing(f"{name} has never been stored; materialize it first.")
