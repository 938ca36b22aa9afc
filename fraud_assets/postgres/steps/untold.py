"""Telling Dagster of what a run has stored and did not live to report.

Dagster records a step's materializations when the step's output is stored as a whole. A run of many partitions that
fails or is killed in the middle of them has stored the first ones, and its UI knows nothing of that.
"""

from collections.abc import Iterable
from typing import Any

import dagster as dg

from fraud_assets.postgres.steps.recorded import recorded_materializations
from fraud_assets.postgres.storage.ledger import StoredByRun

DATA_VERSION = "dagster/data_version"
CODE_VERSION = "dagster/code_version"


def report_untold(instance: dg.DagsterInstance, stored: Iterable[StoredByRun]) -> int:
    """Record a materialization for each of these versions that Dagster has none of; returns how many there were.

    They belong to no run, as a run that has ended cannot say more; their metadata names the one that stored them.
    """
    told = 0
    for version in stored:
        if not _is_told(instance, version):
            instance.report_runless_asset_event(_materialization(version))
            told += 1
    return told


def _is_told(instance: dg.DagsterInstance, version: StoredByRun) -> bool:
    events = recorded_materializations(instance, version.asset_key, version.partition_key)
    numbers = (event.metadata.get("version") for event in events)
    return any(number is not None and number.value == version.version for number in numbers)


def _materialization(version: StoredByRun) -> dg.AssetMaterialization:
    metadata: dict[str, Any] = {
        "dagster/row_count": version.row_count,
        "bytes": version.byte_count,
        "version": version.version,
        "content_hash": version.content_hash,
        "stored_by": dg.MetadataValue.dagster_run(version.run_id),
    }
    tags = {DATA_VERSION: version.content_hash}
    if version.code_version is not None:
        tags[CODE_VERSION] = version.code_version
    return dg.AssetMaterialization(
        asset_key=dg.AssetKey.from_user_string(version.asset_key),
        partition=version.partition_key or None,
        description=f"Version {version.version}, stored by a run that ended before it could say so.",
        metadata=metadata,
        tags=tags,
    )
