"""The nightly schedule: which day each tick launches, over a year of clocks, and what it leaves alone."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import psycopg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from fraud_assets.automation.job import JOB, LAST_ASSET, daily_job
from fraud_assets.automation.schedule import daily_schedule, missed_days
from fraud_assets.postgres import PostgresResource
from fraud_assets.settings import Settings

START = date(2026, 1, 1)


@pytest.fixture
def postgres(database_url: str) -> PostgresResource:
    resource = PostgresResource(url=database_url)
    with resource.connect():
        return resource


def _store(postgres: PostgresResource, *days: date) -> None:
    """Enter the last asset of these days into the ledger, as runs of the whole day do."""
    with psycopg.connect(postgres.url) as connection:
        for day in days:
            connection.execute(
                "INSERT INTO dagster_io.versions (asset_key, partition_key, version, status, row_count, byte_count,"
                " content_hash, run_id) VALUES (%s, %s, 1, 'current', 1, 1, 'x', 'y')",
                [LAST_ASSET, str(day)],
            )


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """One with files: Dagster hands a schedule no other."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as made:
        yield made


class Night:
    """A schedule of these settings, and the instant at which it is asked."""

    def __init__(self, postgres: PostgresResource, instance: dg.DagsterInstance, tmp_path: Path, **said: Any) -> None:
        self.settings = Settings.model_validate({"home": tmp_path, **said})
        self.zone = self.settings.tzinfo
        self.instance, self.postgres = instance, postgres
        self.now = datetime(2026, 3, 16, 1, tzinfo=self.zone)
        partitions = dg.DailyPartitionsDefinition(str(START), timezone=self.settings.timezone)

        assets = [dg.AssetSpec(name, partitions_def=partitions) for name in ("labels", LAST_ASSET)]

        @dg.multi_asset(specs=assets, can_subset=True)
        def made() -> Iterator[dg.MaterializeResult[None]]:
            yield from ()

        job = daily_job()
        self.schedule = daily_schedule(self.settings, partitions, job, now=lambda zone: self.now.astimezone(zone))
        self.repository = dg.Definitions([made], schedules=[self.schedule], jobs=[job]).get_repository_def()

    def tick(self, at: datetime | None = None) -> list[str] | str:
        """The days that a tick launches, or why there are none."""
        with dg.build_schedule_context(
            instance=self.instance,
            scheduled_execution_time=at or self.now,
            resources={"storage": self.postgres},
            repository_def=self.repository,
        ) as context:
            found = self.schedule.evaluate_tick(context)
        days = [str(request.partition_key) for request in found.run_requests or []]
        return days or str(found.skip_message)


@pytest.mark.parametrize(
    ("timezone", "hour", "first"),
    [
        ("UTC", 23, date(2026, 2, 20)),
        ("Europe/Berlin", 2, date(2026, 3, 25)),
        ("Europe/Berlin", 2, date(2026, 10, 21)),
        ("America/Santiago", 0, date(2026, 9, 1)),
        ("America/Santiago", 23, date(2026, 4, 1)),
    ],
)
def test_each_day_is_launched_once_whatever_the_clocks_do(
    postgres: PostgresResource, instance: dg.DagsterInstance, tmp_path: Path, timezone: str, hour: int, first: date
) -> None:
    """In Berlin there is a night without two o'clock, and one with two of them; in Santiago one without midnight."""
    night = Night(postgres, instance, tmp_path, timezone=timezone, schedule={"hour": hour})
    start = datetime(first.year, first.month, first.day, tzinfo=ZoneInfo(timezone)) + timedelta(hours=1)
    ticks = schedule_execution_time_iterator(
        start.timestamp(), str(night.schedule.cron_schedule), night.schedule.execution_timezone, ascending=True
    )
    launched: list[str] = []
    for night.now in islice(ticks, 12):
        found = night.tick()
        assert isinstance(found, list), found
        launched += found
    begin = date.fromisoformat(launched[0])
    assert abs((begin - first).days) <= 1
    assert launched == [str(begin + timedelta(days=number)) for number in range(12)]


def test_a_day_that_is_stored_is_left_alone(
    postgres: PostgresResource, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    night = Night(postgres, instance, tmp_path)
    _store(postgres, date(2026, 3, 15))
    assert night.tick() == "2026-03-15 is stored already, or under way."


@pytest.mark.parametrize(
    ("tags", "assets", "is_left"),
    [
        ({"dagster/partition": "2026-03-15"}, None, True),
        ({"dagster/partition": "2026-03-14"}, None, False),
        ({"dagster/partition": "2026-03-15"}, {"labels"}, False),
        (
            {"dagster/asset_partition_range_start": "2026-03-01", "dagster/asset_partition_range_end": "2026-03-15"},
            {LAST_ASSET},
            True,
        ),
    ],
)
def test_a_day_that_is_under_way_is_left_alone(
    postgres: PostgresResource, instance: dg.DagsterInstance, tmp_path: Path,
    tags: dict[str, str], assets: set[str] | None, is_left: bool,
) -> None:  # fmt: skip
    night = Night(postgres, instance, tmp_path)
    selection = None if assets is None else frozenset(dg.AssetKey(name) for name in assets)
    job = night.repository.get_job(JOB)
    run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=tags, asset_selection=selection)
    assert (night.tick() == "2026-03-15 is stored already, or under way.") is is_left
    instance.report_run_failed(run)
    assert night.tick() == ["2026-03-15"]


def test_a_tick_that_was_slept_through_launches_nothing(
    postgres: PostgresResource, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    for catch_up in (False, True):
        night = Night(postgres, instance, tmp_path, schedule={"catch_up": catch_up})
        late = night.tick(night.now - timedelta(days=2))
        assert "2026-03-13 comes too late" in late


def test_missed_days_are_caught_up_on_when_told_to(
    postgres: PostgresResource, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    _store(postgres, *(date(2026, 3, day) for day in (2, 9, 10, 11, 13)))
    night = Night(postgres, instance, tmp_path, schedule={"catch_up": True, "catch_up_days": 5})
    assert night.tick() == ["2026-03-12", "2026-03-14", "2026-03-15"]
    assert Night(postgres, instance, tmp_path).tick() == ["2026-03-15"]


def test_days_before_the_first_are_a_backfills() -> None:
    last = date(2026, 3, 15)
    assert missed_days(last, [], 7) == [last]
    assert missed_days(last, ["2026-03-14"], 7) == [date(2026, 3, 14), last]
    assert missed_days(last, ["2026-03-20"], 7) == [last]
    assert missed_days(last, ["2025-01-01"], 1) == [date(2026, 3, 14), last]


def test_the_first_day_has_none_before_it(
    postgres: PostgresResource, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    night = Night(postgres, instance, tmp_path, schedule={"catch_up": True})
    night.now = datetime(2026, 1, 1, 1, tzinfo=UTC)
    assert "before the first day" in night.tick()
