"""Replacing one partition: written aside, then swapped in, in one transaction.

The order of the steps is the point, each for a measured reason. The new child is created and filled without touching
the parent, so that writers of other partitions and readers go on. COPY ... FREEZE makes its rows visible to readers
whose snapshot is older than the swap. A CHECK that implies the partition's bound lets ATTACH skip its scan. The parent
is locked only for the swap itself, in attempts of a tenth of a second that give everything back when somebody is
reading through the parent; a crash anywhere leaves the old partition as it was.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import Connection, sql

from fraud_assets.postgres.errors import UnstorableColumn
from fraud_assets.postgres.locks import lock_table_name, patiently, wait_briefly
from fraud_assets.postgres.names import PARTITION_COLUMN, Relation, child_name
from fraud_assets.postgres.storage.ledger import (
    ARCHIVE_SCHEMA,
    Content,
    Origin,
    Status,
    Version,
    current_versions,
    next_version_id,
    record_current,
    set_status,
)
from fraud_assets.postgres.storage.retention import prune_archived
from fraud_assets.postgres.storage.tables import (
    StoredColumn,
    TableSpec,
    column_definitions,
    column_list,
    stored_columns,
    type_sql,
    wire_schema,
)
from fraud_assets.postgres.transfer.copy_in import Copied, copy_in


@dataclass(frozen=True)
class _Child:
    relation: Relation
    version_id: int
    columns: list[StoredColumn]
    copied: Copied


def replace_partition(
    connection: Connection[Any],
    spec: TableSpec,
    partition_key: str,
    handed_in: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    origin: Origin,
    keep: int | None,
) -> Version:
    """Make `batches` the current version of a partition and archive the one before; `keep` archived ones stay, or all.

    The parent must fit the frame already (`ensure_table`). The connection must be in autocommit, outside of a
    transaction. Raises whatever the batches raise, with nothing changed.
    """
    with connection.transaction():
        child = _write_child(connection, spec, partition_key, handed_in, batches)
        version = patiently(
            connection, spec.relation, lambda: _swap(connection, spec, partition_key, child, handed_in, origin)
        )
    if keep is not None:
        prune_archived(connection, spec.asset_key, partition_key, keep)
    return version


def _write_child(
    connection: Connection[Any],
    spec: TableSpec,
    partition_key: str,
    handed_in: pa.Schema,
    batches: Iterable[pa.RecordBatch],
) -> _Child:
    version_id = next_version_id(connection)
    columns = stored_columns(connection, spec.relation)
    relation = Relation(spec.relation.schema, child_name(spec.relation.name, partition_key, version_id))
    connection.execute(sql.SQL("CREATE TABLE {} ({})").format(relation.identifier, column_definitions(columns)))
    wire = wire_schema(columns, handed_in)
    copied = copy_in(connection, relation, wire, batches, unhashed=spec.volatile, freeze=True)
    _mark(connection, relation, partition_key)
    _index(connection, spec, relation, partition_key)
    return _Child(relation, version_id, columns, copied)


def _mark(connection: Connection[Any], relation: Relation, partition_key: str) -> None:
    """Say which partition the rows are of, once for all of them.

    A column that is added with a default is a note in the catalogue, and takes no byte and no time of any row. The
    CHECK reads the rows, so that ATTACH need not do it while others wait.
    """
    connection.execute(
        sql.SQL(
            "ALTER TABLE {table} ADD COLUMN {column} text NOT NULL DEFAULT {key},"
            " ADD CONSTRAINT one_partition CHECK ({column} = {key})"
        ).format(table=relation.identifier, column=sql.Identifier(PARTITION_COLUMN), key=sql.Literal(partition_key))
    )


def _index(connection: Connection[Any], spec: TableSpec, relation: Relation, partition_key: str) -> None:
    if spec.primary_key:
        statement = sql.SQL("ALTER TABLE {} ADD PRIMARY KEY ({})")
        try:
            connection.execute(statement.format(relation.identifier, column_list(spec.primary_key)))
        except psycopg.IntegrityError as error:
            names = ", ".join(spec.primary_key)
            raise UnstorableColumn(
                f"The rows of the partition {partition_key!r} of {spec.relation} do not have the primary key ({names}) "
                f"that the asset's metadata names: {error.diag.message_primary}; correct the asset or its primary_key."
            ) from error
    for index in spec.indexes:
        connection.execute(sql.SQL("CREATE INDEX ON {} ({})").format(relation.identifier, column_list(index)))


def _swap(
    connection: Connection[Any],
    spec: TableSpec,
    partition_key: str,
    child: _Child,
    handed_in: pa.Schema,
    origin: Origin,
) -> Version:
    lock_table_name(connection, spec.relation)
    _follow_parent(connection, spec, child)
    size = relation_bytes(connection, child.relation) or 0
    wait_briefly(connection)
    _archive_current(connection, spec, partition_key)
    connection.execute(
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES IN ({})").format(
            spec.relation.identifier, child.relation.identifier, sql.Literal(partition_key)
        )
    )
    content = Content(child.copied.rows, size, child.copied.content_hash, handed_in, child.relation)
    return record_current(connection, child.version_id, spec.asset_key, partition_key, content, origin)


def _follow_parent(connection: Connection[Any], spec: TableSpec, child: _Child) -> None:
    """Bring the child to the parent's columns where another writer has changed them during the COPY.

    Only the child is locked, which nobody else can see yet. (A widening rewrites it, and a rewrite is not frozen: a
    REPEATABLE READ snapshot from before it finds the partition empty, as PostgreSQL's manual says of ALTER TABLE.)
    """
    before = {column.name: column for column in child.columns}
    actions = []
    for column in stored_columns(connection, spec.relation):
        name, type_name = sql.Identifier(column.name), type_sql(column.type)
        if column.name not in before:
            actions.append(sql.SQL("ADD COLUMN {} {}").format(name, type_name))
        elif before[column.name].type != column.type:
            actions.append(sql.SQL("ALTER COLUMN {} TYPE {}").format(name, type_name))
    if actions:
        statement = sql.SQL("ALTER TABLE {} {}").format(child.relation.identifier, sql.SQL(", ").join(actions))
        connection.execute(statement)


def _archive_current(connection: Connection[Any], spec: TableSpec, partition_key: str) -> None:
    for version in current_versions(connection, spec.asset_key, [partition_key]):
        old = version.relation
        if relation_bytes(connection, old) is None:  # Somebody has dropped it by hand.
            set_status(connection, version.version_id, Status.PRUNED)
            continue
        # The parent before the child, as every reader through the parent does: the other order deadlocks with them.
        connection.execute(
            sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(spec.relation.identifier, old.identifier)
        )
        statement = sql.SQL("ALTER TABLE {} SET SCHEMA {}")
        connection.execute(statement.format(old.identifier, sql.Identifier(ARCHIVE_SCHEMA)))
        set_status(connection, version.version_id, Status.ARCHIVED, Relation(ARCHIVE_SCHEMA, old.name))


def relation_bytes(connection: Connection[Any], relation: Relation) -> int | None:
    """Bytes of a table with its indexes; None where it does not exist."""
    row = connection.execute(
        "SELECT pg_total_relation_size(to_regclass(%s))", [relation.identifier.as_string(connection)]
    ).fetchone()
    assert row is not None
    size: int | None = row[0]
    return size
