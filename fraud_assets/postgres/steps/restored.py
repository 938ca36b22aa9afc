"""Telling Dagster that a version has been restored, so that its UI shows what is stored and not what was before."""

from typing import Any

import dagster as dg

from fraud_assets.postgres.steps.recorded import recorded_materializations
from fraud_assets.postgres.storage.ledger import Version

DATA_VERSION = "dagster/data_version"
_DAGSTERS_OWN = "dagster/"


def report_restored(instance: dg.DagsterInstance, restored: Version) -> None:
    """Record a materialization of the restored partition in Dagster's own storage; it belongs to no run.

    It has the metadata, the code version and the upstream data versions of the event that the original was recorded
    with, where Dagster still knows it, and the content hash as its data version: what was made from what the restore
    has replaced is then shown as out of date, and automation conditions see a new materialization.
    """
    original = _original(instance, restored)
    metadata: dict[str, Any] = {} if original is None else dict(original.metadata)
    metadata |= {
        "bytes": restored.byte_count,
        "version": restored.version,
        "content_hash": restored.content_hash,
        "restored_version": restored.restored_from,
    }
    metadata.pop("write_seconds", None)
    if not restored.is_model:
        metadata["dagster/row_count"] = restored.row_count
    tags = {} if original is None else dict(original.tags or {})
    instance.report_runless_asset_event(
        dg.AssetMaterialization(
            asset_key=dg.AssetKey.from_user_string(restored.asset_key),
            partition=restored.partition_key or None,
            description=f"Version {restored.restored_from}, restored as version {restored.version}.",
            metadata=metadata,
            tags={key: value for key, value in tags.items() if key.startswith(_DAGSTERS_OWN)}
            | {DATA_VERSION: restored.content_hash},
        )
    )


def _original(instance: dg.DagsterInstance, restored: Version) -> dg.AssetMaterialization | None:
    """What was recorded when the version was stored that this one is a copy of."""
    for event in recorded_materializations(instance, restored.asset_key, restored.partition_key):
        number = event.metadata.get("version")
        if number is not None and number.value == restored.restored_from:
            return event
    return None
