"""Which runs are launched again where Dagster's daemon could not: those that it was to launch, once, and no others."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from fraud_assets.automation.job import IN_DATE_ORDER, daily_job
from fraud_assets.automation.lost_retries import AGAIN, MOST, launched_again, lost_retries_sensor

OF_A_DAY = {**IN_DATE_ORDER, "dagster/partition": "2024-05-09"}
RETRIES = {"run_retries": {"enabled": True, "max_retries": 2}}


DAYS = dg.DailyPartitionsDefinition("2024-05-01")


@dg.asset(partitions_def=DAYS)
def a() -> None: ...


@dg.asset(partitions_def=DAYS)
def b() -> None: ...


@dg.asset(partitions_def=DAYS)
def c() -> None: ...


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral(settings=RETRIES) as made:
        yield made


def _run(instance: dg.DagsterInstance, status: str = "FAILURE", **changes: Any) -> dg.DagsterRun:
    tags = {**OF_A_DAY, **changes.pop("tags", {})}
    return instance.add_run(dg.DagsterRun(job_name="daily", status=dg.DagsterRunStatus[status], tags=tags, **changes))


def _look(instance: dg.DagsterInstance, after: timedelta = timedelta(minutes=10)) -> list[dg.RunRequest]:
    job = daily_job()
    sensor = lost_retries_sensor(job, now=lambda _: datetime.now(UTC) + after)
    repository = dg.Definitions(assets=[a, b, c], jobs=[job]).get_repository_def()
    with dg.build_sensor_context(instance=instance, repository_def=repository) as context:
        return list(sensor.evaluate_tick(context).run_requests or [])


def test_what_was_lost_is_launched_again(instance: dg.DagsterInstance) -> None:
    run = _run(instance, tags={"dagster/will_retry": "true", "fraud_assets/correction": "2024-05-09"})
    (request,) = _look(instance)
    assert request.partition_key == "2024-05-09"
    assert request.run_key == f"again {run.run_id}"
    tags = {**IN_DATE_ORDER, "fraud_assets/correction": "2024-05-09", AGAIN: "1"}
    assert request.tags.items() >= tags.items()
    assert request.asset_selection is None


@pytest.mark.parametrize(
    "tags",
    [
        {"dagster/failure_reason": "STEP_FAILURE"},
        {"dagster/auto_retry_run_id": "a run"},
        {"dagster/retry_number": "2"},
        {AGAIN: str(MOST)},
    ],
)
def test_what_failed_by_itself_or_often_enough_is_not(instance: dg.DagsterInstance, tags: dict[str, str]) -> None:
    _run(instance, tags=tags)
    assert _look(instance) == []


def test_at_first_it_is_the_daemons_and_after_days_a_persons(instance: dg.DagsterInstance) -> None:
    _run(instance)
    assert _look(instance, timedelta(seconds=30)) == []
    assert _look(instance, timedelta(days=3)) == []


@pytest.mark.parametrize(
    ("lost", "later", "is_launched"),
    [(None, None, False), ("ab", "abc", False), ("ab", None, False), ("ab", "bc", True), (None, "abc", True)],
)
def test_what_somebody_runs_since_is_not(
    instance: dg.DagsterInstance, lost: str | None, later: str | None, is_launched: bool
) -> None:
    first, second = (frozenset(map(dg.AssetKey, names)) if names else None for names in (lost, later))
    run = _run(instance, asset_selection=first)
    _run(instance, "STARTED", asset_selection=second)
    assert [request.run_key for request in _look(instance)] == ([f"again {run.run_id}"] if is_launched else [])


def test_another_day_does_not_stand_in_the_way(instance: dg.DagsterInstance) -> None:
    _run(instance)
    _run(instance, "SUCCESS", tags={"dagster/partition": "2024-05-10"})
    assert len(_look(instance)) == 1


def test_a_range_stays_a_range() -> None:
    days = {"dagster/asset_partition_range_start": "2024-05-01", "dagster/asset_partition_range_end": "2024-05-03"}
    run = dg.DagsterRun(job_name="daily", tags=days, asset_selection=frozenset([dg.AssetKey("b"), dg.AssetKey("a")]))
    request = launched_again(run)
    assert request.tags == {**days, AGAIN: "1"}
    assert request.partition_key is None
    assert request.asset_selection == [dg.AssetKey("a"), dg.AssetKey("b")]
