"""The IO manager for tables: a Dagster partition is a PostgreSQL partition, replaced whole or not at all."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import dagster as dg
import pyarrow as pa
from psycopg import Connection
from pydantic import Field

from fraud_assets.postgres.connection import PostgresResource, checked, database_name
from fraud_assets.postgres.steps.contexts import (
    asset_name,
    check_is_asset,
    combined_hash,
    facts,
    origins,
    output_partitions,
    seen_for,
    table_spec,
    told_by_columns,
    undeclared_lineage,
)
from fraud_assets.postgres.steps.failures import as_failures
from fraud_assets.postgres.steps.inputs import all_partitions, note_seen, selection, wanted
from fraud_assets.postgres.steps.materializations import partition_metadata, table_metadata, tell
from fraud_assets.postgres.steps.splitting import split
from fraud_assets.postgres.storage.evolution import ensure_table
from fraud_assets.postgres.storage.ledger import Layout, Origin, Version
from fraud_assets.postgres.storage.reading import load
from fraud_assets.postgres.storage.rows import replace_rows
from fraud_assets.postgres.storage.swap import replace_partition
from fraud_assets.postgres.storage.tables import TableSpec, stored_columns
from fraud_assets.postgres.transfer.freed_memory import give_back
from fraud_assets.postgres.values.frames import Incoming, incoming
from fraud_assets.postgres.values.to_pandas import typed


class PostgresTableIOManager(dg.ConfigurableIOManager):
    """Stores pandas and Arrow frames as tables, and loads them as the annotation of the input asks.

    An asset's table is called like the last part of its key, in the first schema that is named: in the asset's
    metadata, here, in the resource, by the part of the key before the last, or else `public`. Each partition of the
    run is replaced by itself, in one transaction; what it was before is kept as an archived version.

    **What an asset may return**: a pandas DataFrame, a pyarrow Table, RecordBatch or RecordBatchReader, or anything
    else that exports an Arrow stream (a Polars frame does); a list or an iterator of RecordBatches inside of an
    `Output`. A reader is stored as it comes, in bounded memory:

        @dg.asset
        def events() -> pa.RecordBatchReader:
            return pa.RecordBatchReader.from_batches(schema, batches())  # a generator of pa.RecordBatch

    In a run of several partitions (`BackfillPolicy.single_run()`) it returns a dict of partition key to any of these,
    or, with `partition_expr`, one frame for all of them.

    **Metadata of an asset**, each key optional:

    - `schema`: the schema of its table.
    - `layout`: "partitions" (the default: a native partition for each) or "rows" (one plain table for all, for assets
      of a few rows a partition).
    - `partition_expr`: the column that tells which partition a row belongs to; for partitions of two dimensions a dict
      of dimension to column. A date or a time belongs to the half-open window of a time partition (a time without a
      zone is what the clocks of the partitions' zone show); every other column is compared with the key as text. One
      frame for the whole run is split by it: a partition without a row becomes an empty one; a row outside of the
      run's partitions, or with NULL there, is refused before anything is stored. The rows may be in any order; those
      of a RecordBatchReader must be grouped by partition, and wait in a temporary file for the last of them.
    - `primary_key`: a list of columns. `indexes`: a list of lists of columns.
    - `column_types`: a dict of column to PostgreSQL type, where the frame's own type is not the one to store.
    - `column_comments`: a dict of column to text.
    - `volatile`: a list of columns that measure the run, such as seconds, and stay out of the content hash.
    - `max_rewrite_rows`: the largest table that a widened column of this asset may rewrite.
    - `keep_first`: True keeps the version that a partition was first stored as for good: no number of later ones, and
      no pruning by hand, drops it.
    - `archived_versions`: how many superseded versions of a partition stay, instead of the manager's number.
    - `dagster/column_lineage`: shown with each materialization, unless that brings its own.

    **Metadata of an input** (`dg.AssetIn(metadata={…})`), each key optional:

    - `columns`: a list of the columns to load, in their order.
    - `where`: a condition in SQL, over columns as the database has them. `where_params`: the values of its `%s`.
    - `window`: `[first, last]`, in partitions relative to the one behind the edge: `[-37, 0]` brings the 37 before it
      too, as far as they exist. Partitions of two dimensions have windows along the one that is time.
    - `missing`: "error" (the default: the partitions behind the edge must exist) or "empty".
    - `version`: "current" (the default), or "first": what each partition was first stored as, in today's columns, as
      far as it has not been pruned. The ledger records that one as seen.

    An input gets the rows of its partitions in the partitions' order, as pandas DataFrame, pyarrow Table or
    RecordBatchReader, as it is annotated (pandas without an annotation). A reader without partitions of its own, and
    one with an `AllPartitionMapping`, gets all partitions that exist. A RecordBatchReader holds its partitions, and a
    connection, until it is used up or forgotten.

    **Metadata of a materialization**: `dagster/table_name`, `dagster/column_schema` (types and comments as the
    database has them), `dagster/row_count`, `bytes`, `write_seconds`, `version`, `content_hash`, `upstream_versions`
    (how many versions it was made from) and `upstream` (the first of them).
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
            check_is_asset(context)
            schema = self.schema_ or self.postgres.schema_
            spec = table_spec(context, schema, self.max_rewrite_rows)
            keys = output_partitions(context)
            provenance = origins(context, keys)
            stored: dict[str, Version] = {}
            fitted: pa.Schema | None = None
            with split(obj, keys, told_by_columns(context)) as frame_of, self.postgres.connect() as connection:
                for key in keys:
                    started = time.monotonic()
                    frame = incoming(frame_of(key))
                    # A value made on demand says what it is while it is made, so its facts are asked for afterwards.
                    origin = replace(provenance[key], facts=facts(context, key))
                    # Once for frames that are alike: each time is a transaction that has to reach the disk.
                    if fitted is None or not fitted.equals(frame.schema):
                        for change in ensure_table(connection, spec, frame.schema):
                            context.log.warning(f"Storage {change}.")
                        fitted = frame.schema
                    stored[key] = self._store(connection, spec, key, frame, origin)
                    self._describe(context, stored[key], time.monotonic() - started, keys)
                self._describe_table(context, connection, spec)
            content = combined_hash({key: version.content_hash for key, version in stored.items()})
            context.step_context.set_data_version(context.asset_key, dg.DataVersion(content))

    def _store(
        self, connection: Connection[Any], spec: TableSpec, partition_key: str, frame: Incoming, origin: Origin
    ) -> Version:
        store = replace_rows if spec.layout is Layout.ROWS else replace_partition
        keep = self.archived_versions if spec.archived_versions is None else spec.archived_versions
        return store(connection, spec, partition_key, frame.schema, frame.batches, origin, keep)

    def _describe(self, context: dg.OutputContext, version: Version, seconds: float, keys: Sequence[str]) -> None:
        seen = seen_for(context, version.partition_key)
        tell(context, version.partition_key, partition_metadata(version, seconds, seen), keys)

    def _describe_table(self, context: dg.OutputContext, connection: Connection[Any], spec: TableSpec) -> None:
        database = database_name(checked(self.postgres.url))
        columns = stored_columns(connection, spec.relation)
        context.add_output_metadata(
            table_metadata(database, spec.relation, columns) | undeclared_lineage(context),
        )

    def load_input(self, context: dg.InputContext) -> object:
        """The rows of the partitions that the input asks for, in their order."""
        with as_failures():
            check_is_asset(context)
            asset, ask = asset_name(context.asset_key), wanted(context)
            give_back()
            keys = all_partitions(context, self.postgres.stored_row_counts(asset)) if ask.keys is None else ask.keys
            annotation = None if context.dagster_type.is_any else context.dagster_type.typing_type
            is_stream = annotation is pa.RecordBatchReader
            loaded = load(self.postgres, asset, keys, selection(context), ask.required, at_once=not is_stream)
            note_seen(context, loaded.versions, ask)
            rows = typed(loaded.reader, annotation)
            give_back()
            return rows
