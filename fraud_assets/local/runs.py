"""Runs in this process: Dagster executes the assets, a bar shows how far it is, and a failure is one sentence."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster import DagsterEventType, DagsterInstance, DagsterRunStatus, RunsFilter
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.execute_in_process import core_execute_in_process, merge_run_tags
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.utils import make_new_run_id

from fraud_assets.automation import JOB
from fraud_assets.automation.told import failures, said_of
from fraud_assets.instance.launcher import PROCESS_TAG
from fraud_assets.local.console import Steps, err, progress
from fraud_assets.local.errors import RunFailed, is_lost_database
from fraud_assets.local.processes import is_alive, own_identity

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
_INTERRUPTS = ("DagsterExecutionInterruptedError", "KeyboardInterrupt")
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class Days:
    """A contiguous range of partitions, first and last included."""

    first: str
    last: str

    def __str__(self) -> str:
        return self.first if self.first == self.last else f"{self.first} to {self.last}"


def run_day(defs: dg.Definitions, instance: DagsterInstance, day: str) -> None:
    """Every asset of one day. Raises `RunFailed`."""
    job = defs.resolve_job_def(JOB)
    _execute(job, instance, f"{JOB} of {day}", partition_key=day)


def run_range(defs: dg.Definitions, instance: DagsterInstance, assets: Sequence[str], days: Days) -> None:
    """Some assets of a range of days, in a single run. Raises `RunFailed`."""
    job = defs.resolve_implicit_global_asset_job_def()
    selection = [dg.AssetKey.from_user_string(name) for name in assets]
    tags = {RANGE_START: days.first, RANGE_END: days.last}
    _execute(job, instance, f"{', '.join(assets)} of {days}", asset_selection=selection, tags=tags)


def _execute(
    job: dg.JobDefinition,
    instance: DagsterInstance,
    title: str,
    *,
    partition_key: str | None = None,
    asset_selection: Sequence[dg.AssetKey] | None = None,
    tags: dict[str, str] | None = None,
) -> None:
    run_id = make_new_run_id()
    chosen = job if asset_selection is None else job.get_subset(asset_selection=set(asset_selection))
    steps = len(list(chosen.nodes))
    with progress(title, steps) as bar, _following(instance, run_id, bar):
        run_tags = {**(tags or {}), PROCESS_TAG: own_identity()}
        # `JobDefinition.execute_in_process` does the same, but keeps every output of the run in memory until its end.
        result = core_execute_in_process(
            run_config=_QUIET,
            job=InMemoryJob(job.as_ephemeral_job(resource_defs={}, input_values={}, asset_selection=asset_selection)),
            instance=instance,
            output_capturing_enabled=False,
            raise_on_error=False,
            run_tags=merge_run_tags(job, partition_key, run_tags, asset_selection, instance, _QUIET),
            run_id=run_id,
            asset_selection=frozenset(asset_selection or ()),
        )
        if result.success:
            bar.finish()
    for evaluation in result.get_asset_check_evaluations():
        # Those that block are why the run has failed, which is said below.
        if not evaluation.passed and not evaluation.blocking:
            err.print(said_of(evaluation), markup=False)
    if not result.success and any(map(_is_interrupt, result.all_events)):
        raise KeyboardInterrupt
    if not result.success:
        raise RunFailed("\n".join(failures(result.all_events)) or f"{title} did not succeed.")


def _is_interrupt(event: dg.DagsterEvent) -> bool:
    data: Any = event.event_specific_data
    return event.event_type is DagsterEventType.STEP_FAILURE and data.error.cls_name in _INTERRUPTS


@contextmanager
def _following(instance: DagsterInstance, run_id: str, bar: Steps) -> Iterator[None]:
    """Moves the bar along with the run's events, from a thread of its own: the run has the main one."""
    over = threading.Event()

    def follow() -> None:
        cursor: str | None = None
        try:
            while not over.wait(0.5):
                page = instance.get_records_for_run(run_id, cursor=cursor)
                cursor = page.cursor
                for record in page.records:
                    _show(record.event_log_entry, bar)
        except Exception as error:
            # The run meets a lost database as well, and is the one to say so.
            if not is_lost_database(error):
                raise

    thread = threading.Thread(target=follow, name="run progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=5)


def _show(entry: Any, bar: Steps) -> None:
    event = entry.dagster_event
    if event is None:
        bar.say(entry.user_message)
    elif event.event_type is DagsterEventType.STEP_START:
        bar.say(str(event.step_key))
    elif event.event_type is DagsterEventType.STEP_SUCCESS:
        bar.advance(f"{event.step_key} done")


def unfinished_runs(instance: DagsterInstance) -> int:
    """How many runs are waiting or running."""
    statuses = [status for status in DagsterRunStatus if status not in FINISHED_STATUSES]
    return instance.get_runs_count(RunsFilter(statuses=statuses))


def end_abandoned_runs(instance: DagsterInstance) -> int:
    """Close the books on runs whose process was killed: they would hold their place in the training pool for ever."""
    ended = 0
    for run in instance.get_runs(RunsFilter(statuses=[DagsterRunStatus.STARTED, DagsterRunStatus.STARTING])):
        identity = run.tags.get(PROCESS_TAG)
        if identity is not None and not is_alive(identity):
            instance.report_run_failed(run, "The process that executed this run has ended without finishing it.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            ended += 1
    return ended
