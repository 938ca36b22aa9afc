"""The containers of docker/ under a name of their own, for tests: started by its scripts, asked through its one door.

What lives here: calling scripts and compose, requests with and without a login, and the end without a trace. What does
not: what is asserted.
"""

import base64
import json
import os
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from functools import cached_property
from pathlib import Path
from typing import Any

import fraud_assets
from fraud_assets.local.ports import LOOPBACK, any_port

DOCKER = Path(fraud_assets.__file__).parents[1] / "docker"
SERVICES = ("postgres", "code", "webserver", "daemon", "reports", "nginx")
PATIENCE_SECONDS = 900
SMALL_TOML = """
label_delay_days = 2
training_days = 6
validation_days = 3
[source]
kind = "simulated"
customers = 600
terminals = 600
radius = 12.0
[learning]
configurations = 1
max_fits = 10
alerts_per_day = 10
[retries]
attempts = 6
first_delay_seconds = 2.0
"""
BUSY = "SELECT count(*) FROM runs WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')"


@dataclass
class Answer:
    """What came back through the door."""

    status: int
    headers: Message
    body: bytes


@dataclass
class Containers:
    """A stack of containers: the scripts of a docker/ folder, called with settings of its own."""

    name: str
    config: Path
    folder: Path = DOCKER
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=lambda: any_port(LOOPBACK))

    @property
    def environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("FRAUD_", "COMPOSE_"))}
        return clean | {
            "COMPOSE_PROJECT_NAME": self.name,
            "FRAUD_IMAGE": f"{self.name}:test",
            "FRAUD_PORT": str(self.port),
            "FRAUD_CONFIG_FOLDER": str(self.config),
            **self.settings,
        }

    def script(
        self, script: str, *arguments: str, given: str | None = None, seconds: int = 1_500
    ) -> "subprocess.CompletedProcess[str]":
        """What a script of docker/ says, and how it exits."""
        return subprocess.run(
            [str(self.folder / script), *arguments],
            env=self.environment,
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def well(self, script: str, *arguments: str, given: str | None = None) -> str:
        """What a script says that must end well."""
        done = self.script(script, *arguments, given=given)
        assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
        return done.stdout

    def refusal(self, script: str, *arguments: str, given: str | None = None) -> str:
        """The one sentence of a script that must refuse."""
        done = self.script(script, *arguments, given=given)
        assert done.returncode == 1, f"{script} ended with {done.returncode}: {done.stdout}{done.stderr}"
        lines = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
        assert len(lines) == 1, done.stderr
        return lines[0]

    def compose(self, *arguments: str, given: str | None = None) -> str:
        """What compose says, called as the scripts call it."""
        files = ["-f", "compose.yaml"]
        if "FRAUD_DATABASE_URL" in self.settings:
            files += ["-f", "compose.postgres.yaml"]
        for file in filter(None, self.settings.get("FRAUD_COMPOSE_FILES", "").split(":")):
            files += ["-f", file]
        return run(["docker", "compose", *files, *arguments], self.folder, self.environment, given)

    def container(self, service: str) -> str:
        """The id of a service's container, also of one that has ended."""
        return self.compose("ps", "-aq", service).split()[0]

    def inspected(self, service: str) -> dict[str, Any]:
        """What Docker knows of a service's container."""
        found: dict[str, Any] = json.loads(run(["docker", "inspect", self.container(service)]))[0]
        return found

    def within(self, service: str, *command: str, given: str | None = None) -> str:
        """What a command says within a service's container."""
        return self.compose("exec", "-T", service, *command, given=given)

    def asked(self, database: str, query: str) -> str:
        """The answer of the bundled database, unaligned."""
        return self.within("postgres", "psql", "-U", "postgres", "-d", database, "-AtXc", query).strip()

    @cached_property
    def login(self) -> tuple[str, str]:
        return "fraud", self.well("password").strip()

    @property
    def scheme(self) -> str:
        return "https" if "FRAUD_TLS_CERTIFICATE" in self.settings else "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}"

    def request(
        self,
        path: str,
        login: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
    ) -> Answer:
        """What the door answers. Redirects are not followed."""
        asked = urllib.request.Request(f"http://{LOOPBACK}:{self.port}{path}", data, dict(headers or {}))
        if login is not None:
            asked.add_header("Authorization", "Basic " + base64.b64encode(":".join(login).encode()).decode())
        try:
            with _opener.open(asked, timeout=60) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def graphql(self, query: str, **variables: Any) -> Any:
        """Dagster's answer to a query, through the door."""
        sent = json.dumps({"query": query, "variables": variables}).encode()
        answer = self.request("/graphql", self.login, {"Content-Type": "application/json"}, sent)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)["data"]

    def wait_until_idle(self) -> None:
        """Until no run is under way."""
        wait_for(lambda: self.asked("dagster", BUSY) == "0", "the end of all runs")

    def discard(self) -> None:
        """Remove containers, volumes, networks and image: whatever has become of them."""
        label = f"label=com.docker.compose.project={self.name}"
        for kind, remove in (("ps -aq", "rm -f"), ("volume ls -q", "volume rm -f"), ("network ls -q", "network rm")):
            found = run(["docker", *kind.split(), "--filter", label]).split()
            if found:
                run(["docker", *remove.split(), *found])
        for volume in run(["docker", "volume", "ls", "-q", "--filter", f"name=^{self.name}_"]).split():
            run(["docker", "volume", "rm", "-f", volume])
        subprocess.run(["docker", "image", "rm", "-f", f"{self.name}:test"], capture_output=True, check=False)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect)


def run(
    command: Sequence[str],
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    given: str | None = None,
) -> str:
    """What a command says that must end well."""
    done = subprocess.run(
        list(command),
        cwd=folder,
        env=environment,
        input=given,
        capture_output=True,
        text=True,
        timeout=1_500,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


@contextmanager
def containers_in(folder: Path, settings: str = SMALL_TOML, **environment: str) -> Iterator[Containers]:
    """Containers under a name of their own; whatever becomes of them, nothing is left behind."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fraud.toml").write_text(settings)
    folder.chmod(0o755)
    made = Containers(f"fraud-test-{uuid.uuid4().hex[:8]}", folder, settings=dict(environment))
    try:
        yield made
    finally:
        if "FRAUD_TEST_KEEP_CONTAINERS" not in os.environ:
            made.discard()


def copied_checkout(folder: Path) -> Path:
    """A copy of the checkout's files that an image is built from and started with; returns its docker/."""
    for name in ("fraud_assets", "docker"):
        shutil.copytree(DOCKER.parent / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".env"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "dagster.yaml"):
        shutil.copy(DOCKER.parent / name, folder / name)
    return folder / "docker"


def wait_for(what: Callable[[], bool], name: str, seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"{name} did not happen within {seconds} s"
        time.sleep(1)


def seconds_said(said: str) -> int:
    """The seconds that docker/up took, in its own words."""
    found = re.search(r"Ready after (\d+) s", said)
    assert found is not None, said
    return int(found[1])
