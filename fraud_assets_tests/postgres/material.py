"""Storage without Dagster, for tests: write a frame, read it back, and look at what is in the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import psycopg
import pyarrow as pa
from psycopg import Connection

from fraud_assets.postgres.connection import PostgresResource
from fraud_assets.postgres.names import Relation, shortened
from fraud_assets.postgres.storage.evolution import ensure_table
from fraud_assets.postgres.storage.ledger import Layout, Origin, Version
from fraud_assets.postgres.storage.reading import Selection, load
from fraud_assets.postgres.storage.rows import replace_rows
from fraud_assets.postgres.storage.swap import replace_partition
from fraud_assets.postgres.storage.tables import TableSpec
from fraud_assets.postgres.values.frames import incoming
from fraud_assets.postgres.values.to_pandas import to_pandas

SCHEMA = "data"
EVERYTHING = Selection()


@dataclass(frozen=True)
class Store:
    """A database with one schema for tables, each called like its asset."""

    url: str

    @property
    def postgres(self) -> PostgresResource:
        return PostgresResource(url=self.url, schema_=SCHEMA)

    def write(
        self, asset: str, key: str, frame: object, *, keep: int | None = 3, run: str = "run", **options: Any
    ) -> Version:
        spec = TableSpec(asset, Relation(SCHEMA, shortened(asset)), **options)
        found = incoming(frame)
        replace = replace_rows if spec.layout is Layout.ROWS else replace_partition
        with self.postgres.connect() as connection:
            ensure_table(connection, spec, found.schema)
            return replace(connection, spec, key, found.schema, found.batches, Origin(run), keep)

    def changes(self, asset: str, frame: object, **options: Any) -> list[str]:
        """What `ensure_table` reports for a frame."""
        with self.postgres.connect() as connection:
            return ensure_table(
                connection, TableSpec(asset, Relation(SCHEMA, shortened(asset)), **options), incoming(frame).schema
            )

    def table(self, asset: str, keys: Sequence[str] | None = None, selection: Selection = EVERYTHING) -> pa.Table:
        return load(self.postgres, asset, keys, selection).reader.read_all()

    def frame(self, asset: str, keys: Sequence[str] | None = None, selection: Selection = EVERYTHING) -> pd.DataFrame:
        return to_pandas(load(self.postgres, asset, keys, selection, at_once=True).reader.read_all())

    def connect(self) -> Connection[Any]:
        """A plain connection in autocommit, to look with."""
        return psycopg.connect(self.url, autocommit=True)

    def query(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        with self.connect() as connection:
            return connection.execute(statement.encode(), parameters or None).fetchall()

    def run(self, statements: str) -> None:
        with self.connect() as connection:
            connection.execute(statements.encode())

    def relations(self) -> set[tuple[str, str]]:
        """Every table that is not the system's or the ledger's own, with its schema."""
        rows = self.query(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'dagster_io')"
        )
        return {(schema, name) for schema, name in rows}

    def ledger(self) -> list[tuple[Any, ...]]:
        """Everything that the ledger says of versions, in order."""
        return self.query(
            "SELECT version_id, asset_key, partition_key, version, status, relation_schema, relation_name, row_count"
            " FROM dagster_io.versions ORDER BY version_id"
        )

    def check_consistent(self) -> None:
        """Every version that the ledger has rows of has its table, every table its version, each partition one."""
        recorded = self.query(
            "SELECT relation_schema, relation_name FROM dagster_io.versions WHERE relation_name IS NOT NULL"
        )
        parents = self.query("SELECT schema_name, table_name FROM dagster_io.tables")
        assert self.relations() == {*recorded, *parents}
        attached = self.query("SELECT inhrelid::regclass::oid FROM pg_inherits")
        current = self.query(
            "SELECT to_regclass(format('%I.%I', relation_schema, relation_name))::oid FROM dagster_io.versions"
            " WHERE status = 'current' AND relation_name IS NOT NULL"
        )
        assert sorted(attached) == sorted(current)
