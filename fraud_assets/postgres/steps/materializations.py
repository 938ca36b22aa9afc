"""What Dagster, and whoever looks at its pages, is told of what a run has stored."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from fraud_assets.postgres.names import Relation
from fraud_assets.postgres.steps.seen import SeenVersion
from fraud_assets.postgres.storage.ledger import Version
from fraud_assets.postgres.storage.tables import StoredColumn

LISTED_UPSTREAM = 50
_UPSTREAM_COLUMNS = dg.TableSchema(
    columns=[dg.TableColumn("asset"), dg.TableColumn("partition"), dg.TableColumn("version", "int")]
)


def partition_metadata(version: Version, seconds: float, seen: Sequence[SeenVersion]) -> dict[str, Any]:
    """Of one partition of a table: its rows, and what `version_metadata` says."""
    return {"dagster/row_count": version.row_count} | version_metadata(version, seconds, seen)


def version_metadata(version: Version, seconds: float, seen: Sequence[SeenVersion]) -> dict[str, Any]:
    """Of a table's partition or a model: bytes, seconds, version, content, and the versions that it was made from.

    Of those at most `LISTED_UPSTREAM` are listed; `upstream_versions` counts them all, and the ledger has them all.
    """
    metadata: dict[str, Any] = {
        "bytes": version.byte_count,
        "write_seconds": round(seconds, 3),
        "version": version.version,
        "content_hash": version.content_hash,
        "upstream_versions": len(seen),
    }
    if seen:
        records = [
            dg.TableRecord({"asset": one.asset, "partition": one.partition, "version": one.version})
            for one in seen[:LISTED_UPSTREAM]
        ]
        metadata["upstream"] = dg.MetadataValue.table(records, _UPSTREAM_COLUMNS)
    return metadata


def tell(context: dg.OutputContext, partition_key: str, metadata: dict[str, Any], run_keys: Sequence[str]) -> None:
    """Hand metadata of one of the run's partitions to Dagster: as the output's own where it is the only one."""
    if len(run_keys) == 1:
        context.add_output_metadata(metadata)
    else:
        context.step_context.add_asset_metadata(metadata, context.asset_key, partition_key)


def table_metadata(database: str, relation: Relation, columns: Sequence[StoredColumn]) -> dict[str, Any]:
    """Of the table: its name, and its columns as the database has them."""
    return {"dagster/table_name": f"{database}.{relation}", "dagster/column_schema": column_schema(columns)}


def column_schema(columns: Sequence[StoredColumn]) -> dg.TableSchema:
    """The columns as the database has them, with their comments."""
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
