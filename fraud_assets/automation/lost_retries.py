"""The sensor that launches again what Dagster's daemon was to launch again, and could not.

A run that lost its process is launched again by the daemon within seconds, and once: where that fails as well, because
the disk is still full or the database not yet back, the daemon gives up, and the day would wait for a person.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo

import dagster as dg

from fraud_assets.automation.job import IN_DATE_ORDER, PARTITION, RANGE_END, RANGE_START, DailyJob
from fraud_assets.automation.reruns import CORRECTION

SENSOR = "lost_retries"
LOOK_SECONDS = 120
PATIENCE = timedelta(minutes=2)
"""For so long after a failure the run is the daemon's to launch again."""
SPAN = timedelta(days=2)
"""What has failed earlier is a person's, or the schedule's, which catches up."""
AGAIN = "fraud_assets/again"
"""The tag of runs that this sensor has launched: the how manieth time."""
MOST = 3
RETRIED_BY, RETRY_NUMBER = "dagster/auto_retry_run_id", "dagster/retry_number"
FAILURE_REASON, OF_ITS_OWN = "dagster/failure_reason", "STEP_FAILURE"
_KEPT = (*IN_DATE_ORDER, CORRECTION, RANGE_START, RANGE_END)


def lost_retries_sensor(job: DailyJob, *, now: Callable[[tzinfo], datetime] = datetime.now) -> dg.SensorDefinition:
    """On from the start: it launches only what was under way already, and has not failed for a reason of its own."""

    @dg.sensor(
        name=SENSOR,
        job=job,
        minimum_interval_seconds=LOOK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Launches a lost run again where Dagster's daemon could not, because the disk was full, say.",
    )
    def lost_retries(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        time = now(UTC)
        most_retries = context.instance.run_retries_max_retries if context.instance.run_retries_enabled else 0
        recent = dg.RunsFilter(tags=dict(IN_DATE_ORDER), updated_after=time - SPAN)
        # Newest first, as Dagster lists them.
        runs = [(record.dagster_run, record.update_timestamp) for record in context.instance.get_run_records(recent)]
        lost = [
            run
            for number, (run, updated) in enumerate(runs)
            if is_lost(run, most_retries)
            and updated.replace(tzinfo=UTC) < time - PATIENCE
            and not any(_replaces(later, run) for later, _ in runs[:number])
        ]
        yield from (launched_again(run) for run in reversed(lost))
        if not lost:
            yield dg.SkipReason("Every run that was lost has been launched again.")

    return lost_retries


def is_lost(run: dg.DagsterRun, most_retries: int) -> bool:
    """Whether a run failed from outside, was to be launched again, and was not."""
    return (
        run.status is dg.DagsterRunStatus.FAILURE
        and run.tags.get(FAILURE_REASON) != OF_ITS_OWN
        and RETRIED_BY not in run.tags
        and int(run.tags.get(RETRY_NUMBER, 0)) < most_retries
        and int(run.tags.get(AGAIN, 0)) < MOST
    )


def _replaces(later: dg.DagsterRun, run: dg.DagsterRun) -> bool:
    """Whether a later run is of the same days, and makes at least what this one was to make."""
    is_of_the_same_days = all(later.tags.get(tag) == run.tags.get(tag) for tag in (PARTITION, RANGE_START, RANGE_END))
    return is_of_the_same_days and _is_within(run.asset_selection, later.asset_selection)


def _is_within(assets: Iterable[dg.AssetKey] | None, others: Iterable[dg.AssetKey] | None) -> bool:
    """None stands for all."""
    return others is None or (assets is not None and set(assets) <= set(others))


def launched_again(run: dg.DagsterRun) -> dg.RunRequest:
    """The same once more, from its beginning: what was stored already is stored again with the same content."""
    tags = {name: run.tags[name] for name in _KEPT if name in run.tags}
    return dg.RunRequest(
        run_key=f"again {run.run_id}",
        partition_key=run.tags.get(PARTITION),
        asset_selection=sorted(run.asset_selection) if run.asset_selection else None,
        tags={**tags, AGAIN: str(int(run.tags.get(AGAIN, 0)) + 1)},
    )
