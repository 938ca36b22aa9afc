"""The steps of a run on the workers of a cluster: dagster-dask's executor, with all that a run of ours relies on.

What lives here: which step is sent when, and what becomes of it. What does not: what a worker does (on_worker.py).

dagster-dask sends all steps at once, in the order of the graph, and returns what they say. It knows no pools, no
retries, and no step that must not run because one before it has failed or a check blocks; two runs of a job at a time
have the same names for their steps on the scheduler, so that one gets the other's answers. Here Dagster's own account
of a run decides, as in its other executors.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from queue import Empty, SimpleQueue
from uuid import uuid4

from dagster import DagsterEvent
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.events import EngineEventData
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.active import ActiveExecution
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.execution.plan.objects import StepFailureData
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.plan.step import ExecutionStep
from dagster._core.execution.retries import RetryMode
from dagster_dask.executor import DaskExecutor, get_dask_resource_requirements
from dagster_shared.error import SerializableErrorInfo
from distributed import Client, Future
from distributed.protocol import pickle
from distributed.scheduler import KilledWorker

from fraud_assets.cluster.connection import connected
from fraud_assets.cluster.errors import ClusterError, ended_workers, lacks_module
from fraud_assets.cluster.on_worker import Order, carry_out_step, code_versions
from fraud_assets.cluster.versions import own_versions
from fraud_assets.settings import DaskSettings

SECONDS_BETWEEN_LOOKS = 1.0


class StepsOnDask(DaskExecutor):  # type: ignore[misc]
    """Carries out the steps of one run on the workers of a scheduler that exists."""

    def __init__(self, settings: DaskSettings) -> None:
        super().__init__("existing", {"address": settings.scheduler})
        self._settings = settings

    @property
    def retries(self) -> RetryMode:
        return RetryMode.ENABLED

    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
        """The events of all steps. Raises `ClusterError` where there is no cluster, or it is lost."""
        with ExitStack() as stack:
            client = stack.enter_context(connected(self._settings))
            pools = stack.enter_context(InstanceConcurrencyContext(plan_context.instance, plan_context.dagster_run))
            active = stack.enter_context(
                ActiveExecution(execution_plan, retry_mode=self.retries, instance_concurrency_context=pools)
            )
            told = f"Steps go to the Dask scheduler {self._settings.scheduler}."
            yield DagsterEvent.engine_event(plan_context, told, EngineEventData())
            yield from self._carried_out(plan_context, active, SentSteps(client, plan_context, execution_plan))

    def _carried_out(
        self, plan_context: PlanOrchestrationContext, active: ActiveExecution, sent: "SentSteps"
    ) -> Iterator[DagsterEvent]:
        while not active.is_complete or sent.are_out:
            if active.check_for_interrupts():
                names = sent.take_back()
                active.mark_interrupted()
                yield DagsterEvent.engine_event(
                    plan_context,
                    "Interrupted: steps that wait are taken back, one that a worker has begun it ends by itself",
                    EngineEventData.interrupted(names),
                )
                raise DagsterExecutionInterruptedError
            for step in active.get_steps_to_execute():
                yield sent.send(step, active)
            yield from active.concurrency_event_iterator(plan_context)
            for event in self._answered(plan_context, active, sent):
                yield event
                active.handle_event(event)
            for key in sent.ended():
                active.verify_complete(plan_context, key)
            yield from active.plan_events_iterator(plan_context)

    def _answered(
        self, plan_context: PlanOrchestrationContext, active: ActiveExecution, sent: "SentSteps"
    ) -> Iterator[DagsterEvent]:
        """The events of a step that is done; none where none is for a while."""
        future = sent.next_answer(SECONDS_BETWEEN_LOOKS)
        if future is None:
            return
        step = sent.step_of(future)
        context = plan_context.for_step(step)
        try:
            events = pickle.loads(future.result())
        except Exception as error:  # what a worker could not even begin, or has died of
            failure = foreseen(error, step)
            if failure.may_pass:
                yield self.log_failure_or_retry_event_after_error(context, _told(failure), active.get_known_state())
            else:
                yield DagsterEvent.step_failure_event(context, StepFailureData(_told(failure), None))  # type: ignore[no-untyped-call]
            return
        yield from events
        # A resource that cannot be had ends a step without an event that says so.
        for event in events:
            if event.is_resource_init_failure:
                why = event.engine_event_data.error
                yield self.log_failure_or_retry_event_after_error(context, why, active.get_known_state())


class SentSteps:
    """The steps of a run that the cluster has, and their answers as they come in."""

    def __init__(self, client: Client, plan_context: PlanOrchestrationContext, plan: ExecutionPlan) -> None:
        self._client = client
        self._plan_context = plan_context
        self._repository = plan.repository_load_data
        self._out: dict[Future, ExecutionStep] = {}
        self._answers: SimpleQueue[Future] = SimpleQueue()
        self._ended: list[str] = []

    @property
    def are_out(self) -> bool:
        return bool(self._out)

    def send(self, step: ExecutionStep, active: ActiveExecution) -> DagsterEvent:
        """Have a worker carry the step out; the event says so."""
        context = self._plan_context
        job = context.reconstructable_job
        order = Order(
            job=job,
            run=context.dagster_run,
            step_key=step.key,
            instance=context.instance.get_ref(),
            known_state=active.get_known_state(),
            repository=self._repository,
            versions=dict(own_versions()),
            code_versions=code_versions(job),
        )
        # Of this run and attempt alone: the scheduler takes equal names for equal work, and answers from memory.
        name = f"{step.key}-{context.run_id}-{uuid4().hex}"
        needs = get_dask_resource_requirements(step.tags)
        future = self._client.submit(carry_out_step, pickle.dumps(order), key=name, resources=needs or None, pure=False)
        self._out[future] = step
        future.add_done_callback(self._answers.put)
        told = f'The step "{step.key}" waits for a worker of the cluster.'
        return DagsterEvent.step_worker_starting(context.for_step(step), told, metadata={})

    def next_answer(self, seconds: float) -> Future | None:
        """A step's future that is done, or has failed; None where there is none within so many seconds."""
        try:
            return self._answers.get(timeout=seconds)
        except Empty:
            if self._out and self._client.status not in ("running", "connecting"):
                raise ClusterError(
                    "The Dask scheduler was lost while it had steps to do; see that it runs. Run the day again."
                ) from None
            return None

    def step_of(self, future: Future) -> ExecutionStep:
        """The step that is done."""
        step = self._out.pop(future)
        self._ended.append(step.key)
        return step

    def ended(self) -> Iterator[str]:
        """The keys of the steps that have ended since the last look."""
        while self._ended:
            yield self._ended.pop()

    def take_back(self) -> list[str]:
        """Cancel what has not begun; the keys of all that had been sent."""
        self._client.cancel(list(self._out), force=True)
        return [step.key for step in self._out.values()]


def foreseen(error: Exception, step: ExecutionStep) -> ClusterError:
    """What to say of a step that no worker has carried out, and whether another attempt is worth it."""
    if isinstance(error, ClusterError):
        return error
    if isinstance(error, ImportError):
        return lacks_module(error)
    if isinstance(error, KilledWorker):
        return ended_workers(step.key, error.allowed_failures + 1)
    said = " ".join(str(error).split())
    return ClusterError(f"No Dask worker could carry out {step.key}: {type(error).__name__}: {said}")


def _told(error: ClusterError) -> SerializableErrorInfo:
    """An error as Dagster records it."""
    name = type(error).__name__
    return SerializableErrorInfo(f"{name}: {error}\n", [], name)
