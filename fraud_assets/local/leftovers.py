"""One stack for one home: a lock against a second `up`, and an end for what a killed one has left behind."""

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fraud_assets.local.database import Workplace
from fraud_assets.local.embedded import stop as stop_database
from fraud_assets.local.errors import Refusal

STACK_VARIABLE = "DAGSTER_FRAUD_ASSETS_STACK"
"""In the environment of every process of a stack, runs and their workers included: the home that it belongs to."""

GRACE_SECONDS = 10.0


@contextmanager
def only_one(workplace: Workplace) -> Iterator[None]:
    """Hold the home's lock; at the end, stop the embedded database. Raises `Refusal` where another has it."""
    try:
        file = (workplace.settings.home / "up.lock").open("w", encoding="ascii")
    except OSError as error:
        raise Refusal(f"{workplace.settings.home} cannot be written ({error.strerror}); set FRAUD_HOME.") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refusal(
                f"Another fraud-assets up is running for {workplace.settings.home}; use it, or end it first."
            ) from error
        try:
            yield
        finally:
            if workplace.is_embedded:
                stop_database(workplace.settings.home)


def has_stack(home: Path) -> bool:
    """Whether a stack of this home is running: it has the lock."""
    try:
        with (home / "up.lock").open("r", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def end_left_behind(workplace: Workplace) -> None:
    """End what an earlier stack of this home still runs: killed with -9, it could not end its runs itself."""
    marker = f"{STACK_VARIABLE}={workplace.settings.home}".encode()
    deadline = time.monotonic() + GRACE_SECONDS
    for number in (signal.SIGTERM, signal.SIGKILL):
        while left := _marked(marker):
            for pid in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
            if number is signal.SIGKILL or time.monotonic() > deadline:
                break
            time.sleep(0.2)


def _marked(marker: bytes) -> list[int]:
    """The processes with this entry in their environment, by Linux's /proc; none where there is no such folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if marker in (entry / "environ").read_bytes().split(b"\0") and int(entry.name) != os.getpid():
                found.append(int(entry.name))
    return found
