"""The texts in Dagster's own tables: found, changed one by one, and written anew so that nothing of them is left.

What does not live here: what is looked for in them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, sql

from fraud_assets.postgres.names import Relation
from fraud_assets.postgres.storage.forgetting import rewrite_patiently, rewrite_statistics

ROWS_AT_A_TIME = 500


@dataclass(frozen=True)
class Place:
    """A column of Dagster's with text in it: of JSON, but for the values of tags."""

    table: str
    column: str

    @property
    def relation(self) -> Relation:
        return Relation("public", self.table)


PLACES = (
    Place("event_logs", "event"),
    Place("asset_keys", "last_materialization"),
    Place("asset_check_executions", "evaluation_event"),
    Place("asset_event_tags", "value"),
    Place("runs", "run_body"),
    Place("run_tags", "value"),
    Place("bulk_actions", "body"),
    Place("backfill_tags", "value"),
    Place("job_ticks", "tick_body"),
    Place("instigators", "instigator_body"),
    Place("asset_daemon_asset_evaluations", "asset_evaluation_body"),
)


def changed_texts(
    connection: Connection[Any], change: Callable[[str], str], *, dry_run: bool = False
) -> dict[str, int]:
    """Change texts in all of Dagster's tables that exist; returns how many rows of each are others, or would be.

    The connection must be in autocommit; each table is one transaction.
    """
    found = {place.table: _changed(connection, place, change, dry_run) for place in existing_places(connection)}
    return {table: rows for table, rows in found.items() if rows}


def existing_places(connection: Connection[Any]) -> list[Place]:
    """Those of `PLACES` that this database has."""
    rows = connection.execute(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
    ).fetchall()
    return [place for place in PLACES if (place.table, place.column) in set(rows)]


def write_anew(connection: Connection[Any]) -> None:
    """Rewrite all of these tables: what was changed in them is then in none of their files. In autocommit."""
    for place in existing_places(connection):
        rewrite_patiently(connection, place.relation)
    rewrite_statistics(connection)


def _changed(connection: Connection[Any], place: Place, change: Callable[[str], str], dry_run: bool) -> int:
    table, column = place.relation.identifier, sql.Identifier(place.column)
    changed = 0
    with connection.transaction():
        for row, text in _texts(connection, place):
            new = change(text)
            if new == text:
                continue
            changed += 1
            if not dry_run:
                statement = sql.SQL("UPDATE {} SET {} = {} WHERE id = {}")
                connection.execute(statement.format(table, column, sql.Literal(new), sql.Literal(row)))
    return changed


def _texts(connection: Connection[Any], place: Place) -> Iterator[tuple[int, str]]:
    """Every row's text, in the order of the table's numbers, some at a time."""
    query = sql.SQL(
        "SELECT id, {column} FROM {table} WHERE id > %s AND {column} IS NOT NULL ORDER BY id LIMIT %s"
    ).format(column=sql.Identifier(place.column), table=place.relation.identifier)
    last = 0
    while rows := connection.execute(query, [last, ROWS_AT_A_TIME]).fetchall():
        yield from rows
        last = rows[-1][0]
