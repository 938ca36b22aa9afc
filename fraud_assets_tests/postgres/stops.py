"""PostgreSQL's immediate shutdown of a test's own embedded server: no checkpoint, no goodbye."""

import os
import signal
import time
from pathlib import Path

from fraud_assets.local.postgres_process import find_postmaster, process_arguments


def stop_immediately(home: Path) -> None:
    """Stop the server of a home, and wait until it is gone; the next start recovers from the log."""
    postmaster = find_postmaster((home / "postgres").resolve() / "data")
    assert postmaster is not None
    os.kill(postmaster.pid, signal.SIGQUIT)
    deadline = time.monotonic() + 30
    while process_arguments(postmaster.pid) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
