"""`up`: the code server, Dagster's UI, its daemon and the report server as children of one process, which end together.

What lives here: starting, waiting, watching and ending them. What does not: the database (database.py,
kept_database.py), and the report server by itself (report_server.py).
"""

import json
import os
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus

from fraud_assets.local.console import out, progress
from fraud_assets.local.daily import code_location
from fraud_assets.local.database import Workplace
from fraud_assets.local.errors import Refusal
from fraud_assets.local.kept_database import KeptDatabase
from fraud_assets.local.leftovers import STACK_VARIABLE, end_left_behind, only_one
from fraud_assets.local.ports import LOOPBACK, address, any_port, choose_port
from fraud_assets.local.reader import reader_environment
from fraud_assets.local.report_server import warn_of_no_login
from fraud_assets.local.runs import end_abandoned_runs
from fraud_assets.local.service import Service, end_services, keep_alive, start_service

USUAL_PORT = 3000
REPORTS_URL = "FRAUD_REPORTS__URL"
DAGSTER_URL = "FRAUD_ALERTS__DAGSTER_URL"
REPORTS = "reports"
READY_SECONDS = 90.0


@dataclass(frozen=True)
class Addresses:
    """Where people find the stack."""

    host: str
    dagster_port: int
    reports_port: int

    @property
    def dagster(self) -> str:
        return address(self.host, self.dagster_port)

    @property
    def reports(self) -> str:
        return address(self.host, self.reports_port)


def serve(workplace: Workplace, host: str, port: int | None) -> None:
    """Run until Ctrl-C or SIGTERM, or until one of the services ends as soon as it is started."""
    over = threading.Event()
    ended_by: Service | None = None
    with _signals(over), only_one(workplace):
        end_left_behind(workplace)
        places = _places(workplace, host, port)
        # For the children: where links lead, unless the settings say where people find the servers.
        os.environ[REPORTS_URL] = workplace.settings.reports.url or places.reports
        os.environ[DAGSTER_URL] = workplace.settings.alerts.dagster_url or places.dagster
        warn_of_no_login(host)
        code_location(workplace)  # a mistake in the settings is said here, and not in a log
        with workplace.instance() as instance:
            end_abandoned_runs(instance)
            with _services(workplace, places, over) as services:
                _wait_until_ready(places, services, over)
                if not over.is_set():
                    _announce(workplace, places)
                database = KeptDatabase(workplace)
                while ended_by is None and not over.wait(0.5):
                    database.look()
                    ended_by = keep_alive(services)
    if ended_by is not None:
        raise Refusal(f"{ended_by.name} ended by itself; its last words ({ended_by.log}):\n{ended_by.last_words()}")
    out.print("Everything is stopped.")


def _places(workplace: Workplace, host: str, port: int | None) -> Addresses:
    dagster_port = choose_port(host, port, USUAL_PORT)
    reports_port = choose_port(host, None, workplace.settings.reports.port)
    return Addresses(host, dagster_port, any_port(host) if reports_port == dagster_port else reports_port)


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
def _services(workplace: Workplace, places: Addresses, over: threading.Event) -> Iterator[list[Service]]:
    folder = workplace.settings.home / "logs"
    code_port = any_port(LOOPBACK)
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
        "webserver": ["dagster_webserver", "--host", places.host, "--port", str(places.dagster_port),
                      "--workspace", str(workspace)],
        "daemon": ["dagster._daemon", "run", "--workspace", str(workspace)],
        REPORTS: ["fraud_assets.local", "reports", "--host", places.host, "--port", str(places.reports_port)],
    }  # fmt: skip
    environments = {REPORTS: reader_environment(workplace)}
    services: list[Service] = []
    try:
        for name, arguments in commands.items():
            if not over.is_set():
                environment = environments.get(name, os.environ) | {STACK_VARIABLE: str(workplace.settings.home)}
                command = [sys.executable, "-m", *arguments]
                services.append(start_service(name, command, environment, folder / f"{name}.log"))
            if name == "code-server":
                _wait_for_port(code_port, services, over)
        yield services
    finally:
        end_services(services)


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


def _wait_until_ready(places: Addresses, services: list[Service], over: threading.Event) -> None:
    deadline = time.monotonic() + READY_SECONDS
    waited_for = (("Dagster", _is_loaded, places.dagster), ("The report server", _is_well, places.reports))
    with progress("Starting Dagster and the report server", len(waited_for)) as steps:
        for name, is_ready, url in waited_for:
            while not over.is_set() and not is_ready(url):
                _check_alive(services)
                if time.monotonic() > deadline:
                    raise Refusal(
                        f"{name} was not ready after {READY_SECONDS:.0f} s; see the logs in {services[0].log.parent}."
                    )
                over.wait(0.2)
            steps.advance(f"{name} is ready")


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


def _is_well(url: str) -> bool:
    """Whether the report server answers, and has its database."""
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:  # noqa: S310  our own address
            return bool(answer.status == HTTPStatus.OK)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _announce(workplace: Workplace, places: Addresses) -> None:
    out.print(f"Dagster   {places.dagster}")
    out.print(f"Lineage   {places.dagster}/asset-groups")
    out.print(f"Reports   {places.reports}")
    out.print(f"Database  {workplace.psql()}", markup=False)
    out.print("Ctrl-C stops all of it.")
