"""One child process of `up`: started with a log and a process group of its own, and ended with all that it started.

What ends by itself is started again, once it has been well: a daemon whose database is gone for a moment may end of it.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from fraud_assets.local.console import err

GRACE_SECONDS = 15.0
WELL_SECONDS = 30.0
"""What ends sooner than so after its start would end again."""
_PR_SET_PDEATHSIG = 1


@dataclass
class Service:
    """A child process with a log of its own, in a process group of its own."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path
    command: list[str]
    environment: Mapping[str, str]
    started: float = field(default_factory=time.monotonic)

    def last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-15:])


def start_service(name: str, command: list[str], environment: Mapping[str, str], log: Path) -> Service:
    """Start a program that ends with this process, however that ends, and writes what it says to `log`."""
    log.unlink(missing_ok=True)
    return _started(name, command, environment, log)


def keep_alive(services: list[Service]) -> Service | None:
    """Start again, in place, whatever has ended by itself. Returns one that has ended too soon for that."""
    for number, service in enumerate(services):
        if service.process.poll() is None:
            continue
        if time.monotonic() - service.started < WELL_SECONDS:
            return service
        err.print(f"{service.name} has ended by itself, and is started again; its last words are in {service.log}.")
        # What it has started, such as runs, would go on without anybody who knows of it.
        end_services([service])
        services[number] = _started(service.name, service.command, service.environment, service.log)
    return None


def _started(name: str, command: list[str], environment: Mapping[str, str], log: Path) -> Service:
    with log.open("ab") as file:
        process = subprocess.Popen(  # noqa: S603  our own programs
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
    return Service(name, process, log, command, environment)


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
