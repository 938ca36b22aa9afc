"""Whether a run still has a process: of a command, of a real code server, of one that is gone."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.launcher.base import WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG

from fraud_assets.instance.launcher import PROCESS_TAG, WatchedRunLauncher
from fraud_assets.local.ports import any_port
from fraud_assets.local.processes import own_identity

HOST = "127.0.0.1"


def _status(**tags: str) -> WorkerStatus:
    run = dg.DagsterRun(job_name="any", tags=tags)
    return WatchedRunLauncher().check_run_worker_health(run).status


def test_a_run_of_a_command_lives_as_long_as_its_process() -> None:
    name, _, start = own_identity().rsplit("/", 2)
    assert _status(**{PROCESS_TAG: own_identity()}) is WorkerStatus.RUNNING
    assert _status(**{PROCESS_TAG: f"{name}/99999999/{start}"}) is WorkerStatus.FAILED


def test_a_run_that_nobody_knows_anything_of_is_left_alone() -> None:
    assert _status() is WorkerStatus.RUNNING


def test_a_run_whose_code_server_is_gone_is_lost() -> None:
    assert _status(**{GRPC_INFO_TAG: json.dumps({"host": HOST, "port": any_port(HOST)})}) is WorkerStatus.FAILED


def test_a_code_server_that_is_too_busy_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that takes connections and never answers."""
    monkeypatch.setattr("fraud_assets.instance.launcher.ANSWER_SECONDS", 1)
    with socket.create_server((HOST, 0)) as silent:
        place = {"host": HOST, "port": silent.getsockname()[1]}
        assert _status(**{GRPC_INFO_TAG: json.dumps(place)}) is WorkerStatus.RUNNING


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


@pytest.fixture
def code_server(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "shop.py").write_text("import dagster as dg\ndefs = dg.Definitions()\n")
    port = any_port(HOST)
    process = subprocess.Popen(
        [sys.executable, "-m", "dagster", "api", "grpc", "-f", "shop.py", "--host", HOST, "--port", str(port)],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while not _listens(port):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield port
    finally:
        # Asked to end in the moment in which it sets up its signals, it would never hear of it.
        process.kill()
        process.wait()


def test_a_run_that_its_code_server_does_not_know_is_lost(code_server: int) -> None:
    assert _status(**{GRPC_INFO_TAG: json.dumps({"host": HOST, "port": code_server})}) is WorkerStatus.FAILED
