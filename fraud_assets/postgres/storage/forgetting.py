"""Rows that must never have been: taken out of stored versions, current and archived, down to the bytes on disk.

It goes in two steps, so that an interruption anywhere loses nothing. `delete_rows` and `rewrite_rows` change a version
and mark its record; `settle` then rewrites the table's files, and brings the record's size and hash up to date.
`unsettled` finds what an interrupted call has left. The ledger notes of each version when how many rows were taken out,
and nothing of whose they were. What does not live here: which rows.
"""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.rows import class_row

from fraud_assets.postgres.connection import PostgresResource
from fraud_assets.postgres.errors import DatabaseUnavailable, PostgresStorageError
from fraud_assets.postgres.locks import lock_table_name
from fraud_assets.postgres.names import ORDINAL_COLUMN, PARTITION_COLUMN, Relation
from fraud_assets.postgres.storage.contents import content_now, own_columns, rows_of
from fraud_assets.postgres.storage.ledger import Layout, Status, Version
from fraud_assets.postgres.storage.reclaiming import may_rewrite, rewrite
from fraud_assets.postgres.storage.tables import TableSpec, registered_spec

FORGOTTEN = "forgotten"
"""The fact that says when how many rows were taken out of a version, or changed: a list, oldest first."""
UNSETTLED = "unsettled"
"""The fact of a version whose rows are gone, while its files, its size and its hash are still what they were."""
PATIENCE_SECONDS = 60.0
ARCHIVED_ROWS = Relation("dagster_io", "archived_rows")


def held_versions(connection: Connection[Any], asset_key: str) -> list[Version]:
    """The versions of an asset whose rows are there, by partition, oldest first."""
    with connection.cursor(row_factory=class_row(Version)) as cursor:
        cursor.execute(
            "SELECT * FROM dagster_io.versions WHERE asset_key = %s AND status <> 'pruned'"
            " ORDER BY partition_key, version",
            [asset_key],
        )
        return cursor.fetchall()


def unsettled(connection: Connection[Any]) -> list[Version]:
    """The versions that an interrupted call has left to be settled."""
    with connection.cursor(row_factory=class_row(Version)) as cursor:
        cursor.execute(
            "SELECT * FROM dagster_io.versions WHERE facts ? %s AND status <> 'pruned' ORDER BY version_id", [UNSETTLED]
        )
        return cursor.fetchall()


def found_values(
    connection: Connection[Any], spec: TableSpec, version: Version, column: str, condition: sql.Composable
) -> list[str | None]:
    """A column of those rows of a version that meet a condition over its own columns, as text; a value for each row."""
    query = sql.SQL("SELECT {}::text FROM {} WHERE {}").format(
        sql.Identifier(column), rows_of(connection, spec, version), condition
    )
    return [value for (value,) in connection.execute(query).fetchall()]


def delete_rows(connection: Connection[Any], spec: TableSpec, found: Version, condition: sql.Composable) -> int:
    """Delete the rows of a version that meet a condition over its own columns; returns how many there were.

    In one transaction with the note in the ledger, under the table's lock.
    """
    with connection.transaction():
        lock_table_name(connection, spec.relation)
        version = _as_it_is(connection, found)
        rows = 0 if version is None else connection.execute(_delete(connection, spec, version, condition)).rowcount
        if rows:
            _note(connection, found, rows, deleted=rows)
    return rows


def _delete(connection: Connection[Any], spec: TableSpec, version: Version, condition: sql.Composable) -> sql.Composed:
    if spec.layout is Layout.PARTITIONS:
        return sql.SQL("DELETE FROM {} WHERE {}").format(rows_of(connection, spec, version), condition)
    if version.status == Status.CURRENT:
        return sql.SQL("DELETE FROM {} WHERE {} = {} AND ({})").format(
            spec.relation.identifier,
            sql.Identifier(PARTITION_COLUMN),
            sql.Literal(version.partition_key),
            condition,
        )
    return sql.SQL("DELETE FROM {} WHERE version_id = {} AND ordinal IN (SELECT {} FROM {} WHERE {})").format(
        ARCHIVED_ROWS.identifier,
        sql.Literal(version.version_id),
        sql.Identifier(ORDINAL_COLUMN),
        rows_of(connection, spec, version),
        condition,
    )


def rewrite_rows(
    connection: Connection[Any], spec: TableSpec, found: Version, change: Callable[[str], str], *, dry_run: bool = False
) -> int:
    """Change the texts of a version in the layout `rows`; returns how many of its rows are others now.

    With `dry_run`, how many would be.
    """
    assert spec.layout is Layout.ROWS
    changed = 0
    with connection.transaction():
        lock_table_name(connection, spec.relation)
        version = _as_it_is(connection, found)
        if version is None:
            return 0
        names = [column.name for column in own_columns(connection, spec, version) if column.type == "text"]
        if not names:
            return 0
        columns = sql.SQL(", ").join(map(sql.Identifier, [ORDINAL_COLUMN, *names]))
        query = sql.SQL("SELECT {} FROM {}").format(columns, rows_of(connection, spec, version))
        for ordinal, *texts in connection.execute(query).fetchall():
            changes = {
                name: new
                for name, text in zip(names, texts, strict=True)
                if text is not None and (new := change(text)) != text
            }
            changed += bool(changes)
            if changes and not dry_run:
                connection.execute(_update(spec, version, ordinal, changes))
        if changed and not dry_run:
            _note(connection, found, changed, deleted=0)
    return changed


def _update(spec: TableSpec, version: Version, ordinal: int, changes: Mapping[str, str]) -> sql.Composed:
    if version.status == Status.CURRENT:
        assignments = (sql.SQL("{} = {}").format(sql.Identifier(name), text) for name, text in changes.items())
        return sql.SQL("UPDATE {} SET {} WHERE {} = {} AND {} = {}").format(
            spec.relation.identifier,
            sql.SQL(", ").join(assignments),
            sql.Identifier(PARTITION_COLUMN),
            sql.Literal(version.partition_key),
            sql.Identifier(ORDINAL_COLUMN),
            sql.Literal(ordinal),
        )
    return sql.SQL(
        "UPDATE {} SET content = (content::jsonb || {}::jsonb)::json WHERE version_id = {} AND ordinal = {}"
    ).format(
        ARCHIVED_ROWS.identifier,
        sql.Literal(json.dumps(dict(changes))),
        sql.Literal(version.version_id),
        sql.Literal(ordinal),
    )


def _as_it_is(connection: Connection[Any], found: Version) -> Version | None:
    """The version's record under its table's lock: a swap may have archived it since it was found."""
    with connection.cursor(row_factory=class_row(Version)) as cursor:
        cursor.execute(
            "SELECT * FROM dagster_io.versions WHERE version_id = %s AND status <> 'pruned'", [found.version_id]
        )
        return cursor.fetchone()


def _note(connection: Connection[Any], version: Version, rows: int, *, deleted: int) -> None:
    entry = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "rows": rows}
    connection.execute(
        "UPDATE dagster_io.versions SET row_count = row_count - %s,"
        " facts = facts || jsonb_build_object(%s::text, true,"
        "     %s::text, coalesce(facts -> %s, '[]'::jsonb) || %s::jsonb)"
        " WHERE version_id = %s",
        [deleted, UNSETTLED, FORGOTTEN, FORGOTTEN, json.dumps([entry]), version.version_id],
    )


def settle(postgres: PostgresResource, told: Callable[[Version], object] = lambda version: None) -> list[Version]:
    """Rewrite the files of all marked versions, and bring their records up to date. Returns them as they were.

    `told` hears of each that is done. Raises `DatabaseUnavailable` where somebody keeps a table in use for
    `PATIENCE_SECONDS`; what is left then stays marked.
    """
    with postgres.connect() as connection:
        marked = unsettled(connection)
        specs = {version.asset_key: registered_spec(connection, version.asset_key) for version in marked}
        for relation in _shared(marked, specs):
            rewrite_patiently(connection, relation)
        for found in marked:
            spec = specs[found.asset_key]
            version = _as_it_is(connection, found)
            if spec is None or version is None:
                continue
            if spec.layout is Layout.PARTITIONS:
                rewrite_patiently(connection, version.relation)
            content = content_now(postgres, connection, spec, version)
            connection.execute(
                "UPDATE dagster_io.versions SET row_count = %s, byte_count = %s, content_hash = %s, facts = facts - %s"
                " WHERE version_id = %s",
                [content.row_count, content.byte_count, content.content_hash, UNSETTLED, found.version_id],
            )
            told(version)
        for spec in specs.values():
            if spec is not None and spec.layout is Layout.PARTITIONS:
                _renew_statistics(connection, spec.relation)
        if marked:
            rewrite_statistics(connection)
    return marked


def _shared(marked: list[Version], specs: Mapping[str, TableSpec | None]) -> list[Relation]:
    """The tables that hold many versions each, once."""
    found: dict[Relation, None] = {}
    for version in marked:
        spec = specs[version.asset_key]
        if spec is not None and spec.layout is Layout.ROWS:
            found[ARCHIVED_ROWS if version.status == Status.ARCHIVED else spec.relation] = None
    return list(found)


def rewrite_patiently(connection: Connection[Any], relation: Relation) -> None:
    """Rewrite a table's files, again and again until nobody is in the way.

    Raises `DatabaseUnavailable` when somebody always is, and `PostgresStorageError` for a role that may not.
    """
    if not may_rewrite(connection, relation):
        raise PostgresStorageError(
            f"The role {connection.info.user!r} may not rewrite {relation}. What was deleted is gone from the table "
            f"and still in its files; let its owner run VACUUM (FULL) {relation}, and then run the same again."
        )
    _clear_statistics(connection, relation)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not rewrite(connection, relation):
        if time.monotonic() > deadline:
            raise DatabaseUnavailable(
                f"{relation} could not be rewritten for {PATIENCE_SECONDS:.0f} s: somebody is using it, or the disk is "
                "full. What was deleted is gone from the table and still in its files; put that right and run the same "
                "again."
            )
        time.sleep(0.2)


def _clear_statistics(connection: Connection[Any], relation: Relation) -> None:
    """Drop the planner's statistics of a table: ANALYZE leaves those of one that has become empty as they were.

    Before PostgreSQL 18 only a superuser may.
    """
    names = [relation.schema, relation.name]
    if connection.info.server_version >= 180_000:
        connection.execute(
            "SELECT pg_clear_attribute_stats(schemaname, tablename, attname, inherited) FROM pg_stats"
            " WHERE schemaname = %s AND tablename = %s",
            names,
        )
        return
    with suppress(psycopg.errors.InsufficientPrivilege):
        connection.execute("DELETE FROM pg_statistic WHERE starelid = to_regclass(format('%%I.%%I', %s, %s))", names)


def rewrite_statistics(connection: Connection[Any]) -> None:
    """The same for the catalogue of statistics, which quotes values too; only its owner, a superuser, may."""
    rewrite(connection, Relation("pg_catalog", "pg_statistic"))


def _renew_statistics(connection: Connection[Any], relation: Relation) -> None:
    """The planner's statistics quote values; those of a table with partitions are nobody's but ANALYZE's to renew."""
    quoted = connection.execute(
        "SELECT FROM pg_stats WHERE schemaname = %s AND tablename = %s LIMIT 1", [relation.schema, relation.name]
    ).fetchone()
    if quoted is not None:
        _clear_statistics(connection, relation)
        connection.execute(sql.SQL("ANALYZE {}").format(relation.identifier))
