"""The job that keeps what is stored within the settings under `retention`, and its weekly schedule."""

from collections.abc import Callable
from typing import TypeAlias

import dagster as dg

from fraud_assets.settings import Settings

HOUSEKEEPING = "housekeeping"
HOURS_AFTER_THE_NIGHT = 12
"""How long after the night's run, so that the two do not meet."""

KeepHouse: TypeAlias = Callable[[dg.DagsterInstance], str]
"""Does it, and says in a few lines what went."""


def housekeeping_job(keep_house: KeepHouse) -> dg.JobDefinition:
    """What `fraud-assets prune` does, as a run."""

    @dg.op(description="Removes what retention does not keep: partitions, superseded versions, old events.")
    def prune(context: dg.OpExecutionContext) -> None:
        context.log.info(keep_house(context.instance))

    @dg.job(name=HOUSEKEEPING, description="Keeps what is stored within the settings under retention.")
    def housekeeping() -> None:
        prune()

    return housekeeping


def housekeeping_schedule(settings: Settings, job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """Every Sunday; off until somebody switches it on, as what goes is gone."""
    hour = (settings.schedule.hour + HOURS_AFTER_THE_NIGHT) % 24
    return dg.ScheduleDefinition(
        name=HOUSEKEEPING,
        job=job,
        cron_schedule=f"0 {hour} * * 0",
        execution_timezone=settings.timezone,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=f"On Sundays at {hour}:00 ({settings.timezone}) what fraud-assets prune does.",
    )
