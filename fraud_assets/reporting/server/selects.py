"""SELECT statements over tables that may not exist yet, or lack a column: composed from what the catalogue knows.

What does not live here: which columns a page needs (`postgres_store`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from psycopg import Connection, sql

from fraud_assets.reporting.server.frames import frame_of

_COLUMNS = """
SELECT c.relname, array_agg(a.attname ORDER BY a.attnum)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = %s AND c.relname = ANY(%s) AND c.relkind IN ('r', 'p', 'v', 'm')
GROUP BY c.relname
"""
_KEY = sql.Identifier("partition_key")
_NOTHING = sql.SQL("NULL::double precision")


@dataclass(frozen=True)
class Reading:
    """One transaction's view of the tables of a schema; `columns` are those of each table that exists."""

    connection: Connection[Any]
    schema: str
    columns: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, connection: Connection[Any], schema: str, tables: Iterable[str]) -> "Reading":
        found = connection.execute(_COLUMNS, [schema, list(tables)]).fetchall()
        return cls(connection, schema, {name: frozenset(columns) for name, columns in found})

    def name(self, table: str) -> sql.Identifier:
        return sql.Identifier(self.schema, table)

    def has(self, table: str) -> bool:
        return table in self.columns

    def rows(self, table: str, wanted: Sequence[str] | None, where: sql.Composable, *values: object) -> pd.DataFrame:
        """The wanted columns of the rows that hold `where`, in the order of partitions and rows.

        None wants all but storage's own. A column that the table lacks is NULL; a table that does not exist is empty.
        """
        if wanted is None:
            wanted = sorted(self.columns.get(table, frozenset()) - {"partition_key", "row_ordinal"})
        if not self.has(table):
            return pd.DataFrame({name: pd.Series(dtype="object") for name in wanted})
        statement = sql.SQL("SELECT {} FROM {} WHERE {} ORDER BY partition_key, row_ordinal").format(
            self.selected(table, wanted), self.name(table), where
        )
        return frame_of(self.connection.execute(statement, values, binary=True))

    def of_day(self, table: str, wanted: Sequence[str] | None, day: str) -> pd.DataFrame:
        """A day's rows."""
        return self.rows(table, wanted, sql.SQL("{} = %s").format(_KEY), day)

    def selected(self, table: str, wanted: Sequence[str]) -> sql.Composed:
        """The columns as a SELECT names them."""
        has = self.columns[table]
        parts = [
            sql.Identifier(name) if name in has else sql.SQL("{} AS {}").format(_NOTHING, sql.Identifier(name))
            for name in wanted
        ]
        return sql.SQL(", ").join(parts)


def between(first: str | None, last: str | None) -> tuple[sql.Composable, list[str]]:
    """The condition for partitions from one key to another, both included, and its values; None is open."""
    conditions: list[sql.Composable] = [sql.SQL("true")]
    values = []
    for condition, key in ((sql.SQL("{} >= %s"), first), (sql.SQL("{} <= %s"), last)):
        if key is not None:
            conditions.append(condition.format(_KEY))
            values.append(key)
    return sql.SQL(" AND ").join(conditions), values
