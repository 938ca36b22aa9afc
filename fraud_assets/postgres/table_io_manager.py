"""The IO manager for tables: a Dagster partition is a PostgreSQL partition, replaced whole or not at all."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import dagster as dg
from psycopg import Connection
from pydantic import Field

from fraud_assets.postgres.connection import PostgresResource, checked, database_name
from fraud_assets.postgres.contexts import (
    asset_name,
    combined_hash,
    facts,
    note_seen,
    origins,
    output_partitions,
    selection,
    table_spec,
    wanted,
)
from fraud_assets.postgres.evolution import ensure_table
from fraud_assets.postgres.failures import as_failures
from fraud_assets.postgres.frames import Incoming, by_partition, incoming, typed
from fraud_assets.postgres.ledger import Layout, Origin, Version
from fraud_assets.postgres.reading import load
from fraud_assets.postgres.rows import replace_rows
from fraud_assets.postgres.swap import replace_partition
from fraud_assets.postgres.tables import StoredColumn, TableSpec, stored_columns


class PostgresTableIOManager(dg.ConfigurableIOManager):
    """Stores pandas and Arrow frames as tables, and loads them as the annotation of the input asks.

    Output metadata: `schema`, `layout` ("partitions" or "rows"), `primary_key`, `indexes`, `column_types`,
    `column_comments`, `volatile` (columns that measure the run and stay out of the content hash).
    Input metadata: `columns`, `where` and `where_params`, `window`, `missing` ("error" or "empty").
    """

    postgres: dg.ResourceDependency[PostgresResource]
    schema_: str | None = Field(default=None, description="the schema of assets that name none themselves")
    archived_versions: int = Field(default=3, ge=0, description="superseded versions of a partition that are kept")
    max_rewrite_rows: int = Field(
        default=50_000_000, ge=0, description="the largest table that a widened column may rewrite"
    )

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Replace each partition of the run with what the asset returned for it."""
        with as_failures():
            schema = self.schema_ or self.postgres.schema_
            spec = table_spec(context, schema, self.max_rewrite_rows)
            keys = output_partitions(context)
            frames = by_partition(obj, keys)
            provenance = origins(context, keys)
            stored: dict[str, Version] = {}
            with self.postgres.connect() as connection:
                for key in keys:
                    started = time.monotonic()
                    frame = incoming(frames[key])
                    # A value made on demand says what it is while it is made, so its facts are asked for afterwards.
                    origin = replace(provenance[key], facts=facts(context, key))
                    stored[key], changes = self._store(connection, spec, key, frame, origin)
                    for change in changes:
                        context.log.warning(f"Storage {change}.")
                    self._describe(context, stored[key], time.monotonic() - started, len(keys), provenance[key])
                self._describe_table(context, connection, spec)
            content = combined_hash({key: version.content_hash for key, version in stored.items()})
            context.step_context.set_data_version(context.asset_key, dg.DataVersion(content))

    def _store(
        self, connection: Connection[Any], spec: TableSpec, partition_key: str, frame: Incoming, origin: Origin
    ) -> tuple[Version, list[str]]:
        changes = ensure_table(connection, spec, frame.schema)
        store = replace_rows if spec.layout is Layout.ROWS else replace_partition
        version = store(connection, spec, partition_key, frame.schema, frame.batches, origin, self.archived_versions)
        return version, changes

    def _describe(
        self, context: dg.OutputContext, version: Version, seconds: float, partitions: int, origin: Origin
    ) -> None:
        metadata: dict[str, Any] = {
            "dagster/row_count": version.row_count,
            "bytes": version.byte_count,
            "write_seconds": round(seconds, 3),
            "version": version.version,
            "content_hash": version.content_hash,
            "upstream_versions": len(origin.upstream),
        }
        if partitions == 1:
            context.add_output_metadata(metadata)
        else:
            context.step_context.add_asset_metadata(metadata, context.asset_key, version.partition_key)

    def _describe_table(self, context: dg.OutputContext, connection: Connection[Any], spec: TableSpec) -> None:
        columns = stored_columns(connection, spec.relation)
        context.add_output_metadata(
            {
                "dagster/table_name": f"{database_name(checked(self.postgres.url))}.{spec.relation}",
                "dagster/column_schema": column_schema(columns),
            }
        )

    def load_input(self, context: dg.InputContext) -> object:
        """The rows of the partitions that the input asks for, in their order."""
        with as_failures():
            ask = wanted(context)
            loaded = load(self.postgres, asset_name(context.asset_key), ask.keys, selection(context), ask.required)
            note_seen(context, loaded.versions, ask)
            annotation = None if context.dagster_type.is_any else context.dagster_type.typing_type
            return typed(loaded.reader, annotation)


def column_schema(columns: Sequence[StoredColumn]) -> dg.TableSchema:
    """The columns as the database has them, for Dagster's metadata."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=column.type,
                description=column.comment,
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
            )
            for column in columns
        ]
    )
