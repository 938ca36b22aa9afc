"""A step on a worker: what it is told, and how it carries it out.

What lives here: one step, in the worker's own process. What does not: which step, and when (steps.py). Tables and
models go between the worker and the database; the scheduler has the events alone.
"""

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
from distributed import get_worker

from fraud_assets.cluster.batches import one_inner_thread
from fraud_assets.cluster.errors import ClusterError
from fraud_assets.cluster.versions import require_same


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


def carry_out_step(order: Order) -> list[DagsterEvent]:
    """The events of the step, which are stored already. Raises `ClusterError` where this worker must not do it."""
    worker = get_worker().address
    require_same(order.versions, worker)
    if code_versions(order.job) != order.code_versions:
        raise ClusterError(
            f"The Dask worker {worker} has other settings than whoever sent it {order.step_key}, and would compute "
            "something else; give it the same fraud.toml and FRAUD_* variables, and start it again."
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
