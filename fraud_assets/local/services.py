"""`up`: the code server, Dagster's UI and its daemon as children of one process, all of which end together.

What lives here: starting, waiting, watching and ending them. What does not: the database (database.py).
"""

import ctypes
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from fraud_assets.local.console import out, progress
from fraud_assets.local.daily import code_location
from fraud_assets.local.database import Workplace
from fraud_assets.local.errors import Refusal
from fraud_assets.local.leftovers import STACK_VARIABLE, end_left_behind, only_one
from fraud_assets.local.runs import end_abandoned_runs

USUAL_PORT = 3000
READY_SECONDS = 90.0
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


def serve(workplace: Workplace, host: str, port: int | None) -> None:
    """Run until Ctrl-C or SIGTERM, or until one of the services ends by itself."""
    over = threading.Event()
    ended_by: list[Service] = []
    with _signals(over), only_one(workplace):
        end_left_behind(workplace)
        chosen = _choose_port(host, port)
        code_location(workplace)  # a mistake in the settings is said here, and not in a log
        with workplace.instance() as instance:
            end_abandoned_runs(instance)
            with _services(workplace, host, chosen, over) as services:
                _wait_until_ready(f"http://{_shown(host)}:{chosen}", services, over)
                if not over.is_set():
                    _announce(workplace, host, chosen)
                while not over.wait(0.5):
                    ended_by = [service for service in services if service.process.poll() is not None]
                    if ended_by:
                        break
    if ended_by:
        raise Refusal(
            f"{ended_by[0].name} ended by itself; its last words ({ended_by[0].log}):\n{ended_by[0].last_words()}"
        )
    out.print("Everything is stopped.")


def _choose_port(host: str, port: int | None) -> int:
    if port is not None:
        if not _is_free(host, port):
            raise Refusal(f"The port {port} on {host} is taken; end what listens there, or name another with --port.")
        return port
    return USUAL_PORT if _is_free(host, USUAL_PORT) else _any_port(host)


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise Refusal(
                f"{host}:{port} cannot be listened on ({error.strerror}); name another --host or --port."
            ) from error
        return True


def _any_port(host: str) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _shown(host: str) -> str:
    if host in {"0.0.0.0", "::"}:  # noqa: S104  an address to compare with, not one to bind
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


@contextmanager
def _signals(over: threading.Event) -> Iterator[None]:
    def end(number: int, frame: object) -> None:
        over.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _services(workplace: Workplace, host: str, port: int, over: threading.Event) -> Iterator[list[Service]]:
    folder = workplace.settings.home / "logs"
    code_port = _any_port("127.0.0.1")
    workspace = workplace.dagster_home / "workspace.yaml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        workspace.write_text(
            f"load_from:\n  - grpc_server:\n      host: 127.0.0.1\n      port: {code_port}\n"
            "      location_name: fraud_assets\n",
            encoding="utf-8",
        )
    except OSError as error:
        raise Refusal(
            f"{workplace.settings.home} cannot be written ({error.strerror}); set FRAUD_HOME elsewhere."
        ) from error
    commands = {
        "code-server": ["dagster", "api", "grpc", "--module-name", "fraud_assets.definitions",
                        "--host", "127.0.0.1", "--port", str(code_port), "--location-name", "fraud_assets"],
        "webserver": ["dagster_webserver", "--host", host, "--port", str(port), "--workspace", str(workspace)],
        "daemon": ["dagster._daemon", "run", "--workspace", str(workspace)],
    }  # fmt: skip
    services: list[Service] = []
    try:
        for name, arguments in commands.items():
            if not over.is_set():
                services.append(_start(workplace, name, [sys.executable, "-m", *arguments], folder / f"{name}.log"))
            if name == "code-server":
                _wait_for_port(code_port, services, over)
        yield services
    finally:
        _end(services)


def _start(workplace: Workplace, name: str, command: list[str], log: Path) -> Service:
    with log.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603  our own programs
            command,
            env={**os.environ, STACK_VARIABLE: str(workplace.settings.home)},
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


def _wait_for_port(port: int, services: list[Service], over: threading.Event) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and not over.is_set():
        _check_alive(services)
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        over.wait(0.1)
    if over.is_set():
        return
    raise Refusal(f"The {services[-1].name} was not ready after {READY_SECONDS:.0f} s; see {services[-1].log}.")


def _check_alive(services: list[Service]) -> None:
    for service in services:
        if service.process.poll() is not None:
            raise Refusal(f"{service.name} could not start; its last words ({service.log}):\n{service.last_words()}")


def _wait_until_ready(url: str, services: list[Service], over: threading.Event) -> None:
    deadline = time.monotonic() + READY_SECONDS
    with progress("Starting Dagster", 1) as steps:
        while not over.is_set():
            _check_alive(services)
            if _is_loaded(url):
                steps.advance("Dagster is ready")
                return
            if time.monotonic() > deadline:
                raise Refusal(
                    f"Dagster was not ready after {READY_SECONDS:.0f} s; see the logs in {services[0].log.parent}."
                )
            over.wait(0.2)


def _is_loaded(url: str) -> bool:
    """Whether the UI answers, and has loaded the code location."""
    query = json.dumps({"query": "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"})
    request = urllib.request.Request(  # noqa: S310  our own address
        f"{url}/graphql", data=query.encode(), headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            return bool(json.load(answer)["data"]["repositoriesOrError"].get("nodes"))
    except (urllib.error.URLError, ConnectionError, TimeoutError, ValueError, KeyError, TypeError):
        return False


def _announce(workplace: Workplace, host: str, port: int) -> None:
    out.print(f"Dagster   http://{_shown(host)}:{port}")
    out.print(f"Lineage   http://{_shown(host)}:{port}/asset-groups")
    out.print(f"Database  {workplace.psql()}", markup=False)
    out.print("Ctrl-C stops all of it.")


def _end(services: list[Service]) -> None:
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
