"""Runs in this process: Dagster executes the assets, a bar shows how far it is, and a failure is one sentence."""

import threading
from collections.abc import Iterator, Mapping, Sequence
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
from fraud_assets.automation.told import reasons, said_of
from fraud_assets.instance.launcher import PROCESS_TAG
from fraud_assets.local.console import Follower, err, progress
from fraud_assets.local.errors import RunFailed, is_lost_database
from fraud_assets.local.processes import is_alive, own_identity
from fraud_assets.postgres.errors import DatabaseUnavailable

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


@dataclass(frozen=True)
class Ran:
    """How a run went. `failures` says of each step that failed why, by step key; "" stands for the run itself."""

    is_success: bool
    failures: Mapping[str, str]
    warnings: Sequence[dg.AssetCheckEvaluation]


def run_day(defs: dg.Definitions, instance: DagsterInstance, day: str) -> None:
    """Every asset of one day. Raises `RunFailed`."""
    _with_a_bar(defs.resolve_job_def(JOB), instance, f"{JOB} of {day}", partition_key=day)


def run_range(defs: dg.Definitions, instance: DagsterInstance, assets: Sequence[str], days: Days) -> None:
    """Some assets of a range of days, in a single run. Raises `RunFailed`."""
    job = defs.resolve_implicit_global_asset_job_def()
    title = f"{', '.join(assets)} of {days}"
    _with_a_bar(job, instance, title, assets=assets, tags={RANGE_START: days.first, RANGE_END: days.last})


def run_assets(
    defs: dg.Definitions,
    instance: DagsterInstance,
    assets: Sequence[str],
    days: Days,
    *,
    run_id: str,
    bar: Follower,
    tags: Mapping[str, str],
) -> Ran:
    """Some assets of one day, or of a range of days, in a single run. What fails is told, and not raised."""
    job = defs.resolve_implicit_global_asset_job_def()
    if days.first == days.last:
        return _execute(job, instance, bar, run_id, partition_key=days.first, assets=assets, tags=tags)
    tags = {**tags, RANGE_START: days.first, RANGE_END: days.last}
    return _execute(job, instance, bar, run_id, assets=assets, tags=tags)


def _with_a_bar(job: dg.JobDefinition, instance: DagsterInstance, title: str, **what: Any) -> None:
    chosen = job if "assets" not in what else job.get_subset(asset_selection=set(_keys(what["assets"])))
    with progress(title, len(list(chosen.nodes))) as bar:
        ran = _execute(job, instance, bar, new_run_id(), **what)
        if ran.is_success:
            bar.finish()
    for evaluation in ran.warnings:
        err.print(said_of(evaluation), markup=False)
    if not ran.is_success:
        raise RunFailed("\n".join(said(ran.failures)) or f"{title} did not succeed.")


def new_run_id() -> str:
    """The id of a run that is still to be made."""
    return make_new_run_id()


def said(failures: Mapping[str, str]) -> list[str]:
    """A sentence for each failure of a run."""
    return [f"{step} failed: {why}" if step else f"The run failed: {why}" for step, why in failures.items()]


def _execute(
    job: dg.JobDefinition,
    instance: DagsterInstance,
    bar: Follower,
    run_id: str,
    *,
    partition_key: str | None = None,
    assets: Sequence[str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> Ran:
    selection = None if assets is None else _keys(assets)
    run_tags = {**(tags or {}), PROCESS_TAG: own_identity()}
    is_ended = _end_when_interrupted(instance, run_id)
    with _following(instance, run_id, bar):
        # `JobDefinition.execute_in_process` does the same, but keeps every output of the run in memory until its end.
        result = core_execute_in_process(
            run_config=_QUIET,
            job=InMemoryJob(job.as_ephemeral_job(resource_defs={}, input_values={}, asset_selection=selection)),
            instance=instance,
            output_capturing_enabled=False,
            raise_on_error=False,
            run_tags=merge_run_tags(job, partition_key, run_tags, selection, instance, _QUIET),
            run_id=run_id,
            asset_selection=frozenset(selection or ()),
        )
    if is_ended.is_set() or (not result.success and any(map(_is_interrupt, result.all_events))):
        raise KeyboardInterrupt
    # Those that block are why the run has failed, and are said there.
    failed = (evaluation for evaluation in result.get_asset_check_evaluations() if not evaluation.passed)
    warnings = [evaluation for evaluation in failed if not evaluation.blocking]
    return Ran(result.success, dict(reasons(result.all_events)), warnings)


def _keys(assets: Sequence[str]) -> list[dg.AssetKey]:
    return [dg.AssetKey.from_user_string(name) for name in assets]


def _is_interrupt(event: dg.DagsterEvent) -> bool:
    """Whether a step has ended, or is to be tried again, because somebody has interrupted it."""
    if event.event_type not in (DagsterEventType.STEP_FAILURE, DagsterEventType.STEP_UP_FOR_RETRY):
        return False
    data: Any = event.event_specific_data
    error = data.error
    while error is not None and error.cls_name not in _INTERRUPTS:
        error = error.cause
    return error is not None


def _end_when_interrupted(instance: DagsterInstance, run_id: str) -> threading.Event:
    """To Dagster an interrupt is one more reason to try a step again; whoever presses Ctrl-C means the run.

    What it returns is set when the run has been ended for that.
    """
    is_ended = threading.Event()

    def look(entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is not None and event.event_type is DagsterEventType.STEP_UP_FOR_RETRY and _is_interrupt(event):
            is_ended.set()
            raise KeyboardInterrupt

    instance.add_event_listener(run_id, look)
    return is_ended


@contextmanager
def _following(instance: DagsterInstance, run_id: str, bar: Follower) -> Iterator[None]:
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
                bar.look()
        except Exception as error:
            # The run meets a lost database as well, and is the one to say so.
            if not (isinstance(error, DatabaseUnavailable) or is_lost_database(error)):
                raise

    thread = threading.Thread(target=follow, name="run progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=5)


def _show(entry: Any, bar: Follower) -> None:
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
