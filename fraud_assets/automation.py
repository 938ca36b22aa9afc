"""When assets are made without anyone watching: the job of a day, and its schedule."""

from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:  # Dagster has no public names for what its own builders return
    from dagster._core.definitions.partitions.partitioned_schedule import UnresolvedPartitionedAssetScheduleDefinition
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

JOB = "daily_fraud_model"


def daily_job() -> "UnresolvedAssetJobDefinition":
    """Every asset of one day."""
    return dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.all(),
        description="Every asset of one day, from its raw batch to its scores.",
    )


def daily_schedule(
    job: "UnresolvedAssetJobDefinition",
) -> "UnresolvedPartitionedAssetScheduleDefinition | dg.ScheduleDefinition":
    """A run each night for the day that just ended; off until somebody switches it on."""
    return dg.build_schedule_from_partitioned_job(
        job,
        name=JOB,
        hour_of_day=1,
        description="A run each night at one o'clock for the day that just ended.",
        default_status=dg.DefaultScheduleStatus.STOPPED,
    )
