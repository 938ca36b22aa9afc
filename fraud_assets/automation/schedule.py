"""The schedule: each night a run for the day that just ended, and for those before it that were missed."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

import dagster as dg

from fraud_assets.automation.job import IN_DATE_ORDER, JOB, LAST_ASSET, DailyJob, UnderWay
from fraud_assets.partitions import shifted
from fraud_assets.settings import Settings

SCHEDULE = JOB


class StoredDays(Protocol):
    """What automation asks storage: which days of an asset there are."""

    def stored_row_counts(self, asset_key: str) -> Mapping[str, int]:
        """The number of rows of the current version of each partition, by partition key."""
        ...


def daily_schedule(
    settings: Settings,
    partitions: dg.DailyPartitionsDefinition,
    job: DailyJob,
    *,
    now: Callable[[ZoneInfo], datetime] = datetime.now,
) -> dg.ScheduleDefinition:
    """A run each night for the day that just ended; off until somebody switches it on. `now` is the clock."""
    zone, said = settings.tzinfo, settings.schedule

    @dg.schedule(
        name=SCHEDULE,
        job=job,
        cron_schedule=f"0 {said.hour} * * *",
        execution_timezone=settings.timezone,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=(
            f"Every day at {said.hour}:00 ({settings.timezone}) a run of all assets for the day that just ended"
            + (f", and for missed ones of the last {said.catch_up_days} days." if said.catch_up else ".")
        ),
    )
    def daily_fraud_model(
        context: dg.ScheduleEvaluationContext, storage: dg.ResourceParam[StoredDays]
    ) -> list[dg.RunRequest] | dg.SkipReason:
        ended = context.scheduled_execution_time.astimezone(zone).date() - timedelta(days=1)
        newest = now(zone).date() - timedelta(days=1)
        if ended < newest:
            # Dagster makes up for ticks that it has slept through, each for its own day.
            return dg.SkipReason(f"The tick for {ended} comes too late: {_left_to(said.catch_up, newest)}")
        first = partitions.start.date()
        if ended < first:
            return dg.SkipReason(f"{ended} is before the first day, {first}.")
        whole = storage.stored_row_counts(LAST_ASSET).keys()
        under_way = UnderWay.of(context.instance)
        looked_at = missed_days(ended, whole, said.catch_up_days) if said.catch_up else [ended]
        wanted = [
            day
            for day in looked_at
            if day >= first and day.isoformat() not in whole and not under_way.makes(LAST_ASSET, day)
        ]
        if not wanted:
            return dg.SkipReason(f"{ended} is stored already, or under way.")
        return [request_of(day) for day in wanted]

    return daily_fraud_model


def _left_to(catch_up: bool, newest: date) -> str:
    if catch_up:
        return f"that for {newest} catches up on what was missed."
    return f"the newest day that has ended is {newest}. Backfill what was missed, or set schedule.catch_up."


def missed_days(last: date, whole: Iterable[str], back: int) -> list[date]:
    """`last`, and before it those of the `back` days that are after the first whole one, oldest first.

    Days before anything was ever run are not missed: they are a backfill's.
    """
    earliest = min(whole, default=None)
    first = last if earliest is None else max(shifted(last, -back), date.fromisoformat(earliest))
    return [shifted(first, offset) for offset in range((last - first).days + 1)] if first <= last else [last]


def request_of(day: date) -> dg.RunRequest:
    """The run of a day's job."""
    return dg.RunRequest(run_key=day.isoformat(), partition_key=day.isoformat(), tags=IN_DATE_ORDER)
