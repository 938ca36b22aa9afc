"""One child process of `up`: started with a log and a process group of its own, and ended with all that it started."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

GRACE_SECONDS = 15.0
_PR_SET_PDEATHSIG = 1


@dataclass
class Service:
    """A child process with a log of its own, in a process group of its own."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-15:])


def start_service(name: str, command: list[str], environment: Mapping[str, str], log: Path) -> Service:
    """Start a program that ends with this process, however that ends, and writes what it says to `log`."""
    with log.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603  our own programs
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
    return Service(name, process, log)


def _die_with_parent() -> None:
    """On Linux, be sent SIGTERM when the parent dies, even by kill -9."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def end_services(services: list[Service]) -> None:
    """Ask every group to end, wait, and kill what is left, runs and their workers included."""
    for service in reversed(services):
        _signal_group(service, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    for service in reversed(services):
        with suppress(subprocess.TimeoutExpired):
            service.process.wait(max(0.1, deadline - time.monotonic()))
    for service in services:
        _signal_group(service, signal.SIGKILL)
        service.process.wait()


def _signal_group(service: Service, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(service.process.pid, number)
