"""Dagster's own run launcher, and an answer to whether a run still has a process: lost runs are not waited for.

Dagster's default launcher cannot say; a run whose machine was switched off would then be "started" for ever, and keep
its place in the queue and in the training pool.
"""

import json
from collections.abc import Mapping
from typing import Any

from dagster import DagsterInstance, DagsterRun, DefaultRunLauncher
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value

from fraud_assets.local.processes import is_alive

PROCESS_TAG = "fraud_assets/process"
"""The tag of a run that a command executes in its own process: which process that is."""
ANSWER_SECONDS = 20
_BUSY = {"DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"}
"""What gRPC says of a server that is there and takes too long."""


class WatchedRunLauncher(DefaultRunLauncher):
    """Launches runs through the code server, as Dagster does, and knows of each whether it is still being executed."""

    _instance: DagsterInstance

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the process of a started run is there: of a command by its identity, else as its code server says.

        A code server that is too busy to answer says nothing about the run, which then counts as running.
        """
        identity = run.tags.get(PROCESS_TAG)
        if identity is not None:
            return _running() if is_alive(identity) else _lost("the process that executed it has ended")
        server = run.tags.get(GRPC_INFO_TAG)
        return _running() if server is None else _as_the_server_says(run.run_id, json.loads(server))


def _as_the_server_says(run_id: str, server: Mapping[str, Any]) -> CheckRunHealthResult:
    client = DagsterGrpcClient(
        host=server["host"],
        port=server.get("port"),
        socket=server.get("socket"),
        use_ssl=bool(server.get("use_ssl", False)),
    )
    try:
        said = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run_id), timeout=ANSWER_SECONDS)
    except DagsterUserCodeUnreachableError as error:
        return _running() if _is_busy(error) else _lost("its code server is gone")
    answer = deserialize_value(said, CanCancelExecutionResult)
    return _running() if answer.can_cancel else _lost("its process has ended without a word")


def _is_busy(error: BaseException) -> bool:
    code = getattr(error.__cause__, "code", None)
    return code is not None and code().name in _BUSY


def _running() -> CheckRunHealthResult:
    return CheckRunHealthResult(WorkerStatus.RUNNING)


def _lost(why: str) -> CheckRunHealthResult:
    return CheckRunHealthResult(WorkerStatus.FAILED, why)
