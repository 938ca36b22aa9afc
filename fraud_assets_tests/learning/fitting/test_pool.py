"""Worker processes end with the process that started them, however it ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import joblib
import psutil
import pytest

from fraud_assets.learning import FAMILIES, SearchBudget, fit_candidates
from fraud_assets.learning.fitting.pool import worker_pool
from fraud_assets_tests.learning.frames import NUMERIC_SPEC, labelled_rows

SECONDS_TO_END = 10
SECONDS_TO_START = 120


def fit_for_long(backend: str) -> None:
    """Two workers in the middle of fits that take minutes."""
    with joblib.parallel_config(backend):
        with worker_pool(2) as pool:
            _start_both(pool)
        fit_candidates(labelled_rows(200_000, frauds=20_000), tuple(FAMILIES), NUMERIC_SPEC, SearchBudget(jobs=2))


def idle(backend: str) -> None:
    """Two workers that have done their work, and wait for more."""
    with joblib.parallel_config(backend), worker_pool(2) as pool:
        _start_both(pool)
        time.sleep(600)


def _start_both(pool: joblib.Parallel) -> None:
    pool(joblib.delayed(time.sleep)(0.5) for _ in range(4))
    print("ready", flush=True)


@pytest.mark.parametrize(("function", "backend"), [("fit_for_long", "loky"), ("idle", "loky")])
def test_a_killed_run_leaves_no_worker(function: str, backend: str, tmp_path: Path) -> None:
    here = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "JOBLIB_TEMP_FOLDER": str(tmp_path)}
    command = [sys.executable, "-c", f"from {__name__} import {function}; {function}({backend!r})"]
    with subprocess.Popen(command, env=here, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        try:
            assert run.stdout is not None
            assert run.stdout.readline() == b"ready\n"
            if function == "fit_for_long":
                assert _within(SECONDS_TO_START, lambda: any(tmp_path.rglob("*.pkl"))), "no fit has begun"
            workers = psutil.Process(run.pid).children(recursive=True)
            assert len(workers) >= 2
        finally:
            run.send_signal(signal.SIGKILL)
        # Nobody has waited for the killed run yet: it is a zombie, as in a container without an init.
        try:
            assert _within(SECONDS_TO_END, lambda: not any(map(_lives, workers)))
        finally:
            for worker in filter(_lives, workers):
                worker.kill()
    assert _within(SECONDS_TO_END, lambda: not any(tmp_path.rglob("*.pkl"))), "its memory maps stay behind"


def test_a_worker_that_starts_after_its_owner_has_died_ends() -> None:
    code = "import time; from fraud_assets.learning.fitting.pool import end_with_owner"
    with subprocess.Popen([sys.executable, "-c", ""]) as owner:
        os.waitid(os.P_PID, owner.pid, os.WEXITED | os.WNOWAIT)  # dead, and not collected
        late = f"{code}; end_with_owner({owner.pid}); time.sleep(600)"
        assert subprocess.run([sys.executable, "-c", late], check=False, timeout=SECONDS_TO_START).returncode == 1


def _lives(process: psutil.Process) -> bool:
    """Whether it runs; a dead one that nobody has collected does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not (holds := condition()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return holds
