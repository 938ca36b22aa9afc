"""A step on a worker: what it is told, and how it carries it out.

What lives here: one step, in the worker's own process. What does not: which step, and when (steps.py). Tables and
models go between the worker and the database; the scheduler has the events alone.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

import joblib
from dagster import DagsterEvent, DagsterInstance, DagsterRun
from dagster._core.definitions.reconstruct import ReconstructableJob
from dagster._core.definitions.repository_definition import RepositoryLoadData
from dagster._core.execution.api import create_execution_plan, execute_plan_iterator
from dagster._core.execution.context_creation_job import create_context_free_log_manager
from dagster._core.execution.plan.state import KnownExecutionState
from dagster._core.execution.retries import RetryMode
from dagster._core.instance.ref import InstanceRef
from dagster._serdes import ConfigurableClassData
from distributed import Reschedule, get_worker, secede
from distributed.protocol import pickle

from fraud_assets.cluster.batches import one_inner_thread
from fraud_assets.cluster.errors import ClusterError
from fraud_assets.cluster.versions import require_same

_ONE_STEP = threading.Lock()
"""Held by the step that this process carries out.

A step whose fits are elsewhere has given its thread up, and the next step would begin in it. Two steps in one process
end in a deadlock: Dagster configures logging with each, under locks that writing an event takes the other way round.
"""
SECONDS_ASIDE = 0.5


@dataclass(frozen=True)
class Order:
    """All that a worker is told of a step. The database's URL, and other secrets, it has from its own environment."""

    job: ReconstructableJob
    run: DagsterRun
    step_key: str
    instance: InstanceRef
    known_state: KnownExecutionState
    repository: RepositoryLoadData | None
    versions: Mapping[str, str]
    code_versions: Mapping[str, str | None]


def carry_out_step(written: bytes) -> bytes:
    """An order, to the list of the step's events; as bytes, which Dask does not look into to measure them.

    Where this process has a step already, the scheduler is asked to choose a worker again, until one has none.
    """
    if not _ONE_STEP.acquire(blocking=False):
        secede()  # the thread is for fits, which the other step may be waiting for
        time.sleep(SECONDS_ASIDE)
        raise Reschedule
    try:
        events: bytes = pickle.dumps(_carried_out(pickle.loads(written)))
    finally:
        _ONE_STEP.release()
    return events


def _carried_out(order: Order) -> list[DagsterEvent]:
    """The events of the step, which are stored already. Raises `ClusterError` where this worker must not do it."""
    worker = get_worker().address
    require_same(order.versions, worker)
    if code_versions(order.job) != order.code_versions:
        raise ClusterError(
            f"The Dask worker {worker} has other settings than whoever sent it {order.step_key}, and would compute "
            "something else; give it the same fraud.toml and FRAUD_* variables, and start it again.",
            may_pass=False,
        )
    one_inner_thread()
    # A step has one slot of the worker. What is to run elsewhere is sent there by `learning.backend`.
    with (
        DagsterInstance.from_ref(without_captured_output(order.instance)) as instance,
        joblib.parallel_config("sequential"),
    ):
        log = create_context_free_log_manager(instance, order.run)
        started = DagsterEvent.step_worker_started(
            log,
            order.run.job_name,
            f"On the Dask worker {worker}.",
            metadata={"worker": worker},
            step_key=order.step_key,
        )
        plan = create_execution_plan(
            job=order.job,
            run_config=order.run.run_config,
            step_keys_to_execute=[order.step_key],
            known_state=order.known_state,
            repository_load_data=order.repository,
        )
        events = execute_plan_iterator(
            plan, order.job, order.run, instance, retry_mode=RetryMode.DEFERRED, run_config=order.run.run_config
        )
        return [started, *events]


def code_versions(job: ReconstructableJob) -> dict[str, str | None]:
    """By asset of the job, the version that its code and those settings have that decide a result."""
    layer = job.get_definition().asset_layer
    return {key.to_user_string(): layer.get(key).code_version for key in layer.executable_asset_keys}


def without_captured_output(instance: InstanceRef) -> InstanceRef:
    """The instance, with what steps print left to the worker's own log.

    Dagster's own way takes the file descriptors of the whole process, which may have two steps at a time, for files
    that nobody would look for on this host.
    """
    captured = instance.compute_logs_data
    if captured is None or captured.class_name != "LocalComputeLogManager":
        return instance
    module = "dagster._core.storage.noop_compute_log_manager"
    return instance._replace(compute_logs_data=ConfigurableClassData(module, "NoOpComputeLogManager", "{}"))
