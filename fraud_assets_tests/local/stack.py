"""A home with the `up` that runs in it, for the tests that look at its pages and at how it ends."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import psutil
import psycopg
import pytest

from fraud_assets.keys import READER_KEY
from fraud_assets.local.embedded import running
from fraud_assets.local.ports import LOOPBACK, any_port
from fraud_assets_tests.clock import Clock, sweep
from fraud_assets_tests.conftest import discard
from fraud_assets_tests.small_world import SMALL_TOML

PATIENCE_SECONDS = 900


class Stack:
    """A folder with settings, and the `up` that runs in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.process: subprocess.Popen[bytes] | None = None
        self.url = self.reports = ""
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("FRAUD_")}
        self.environment |= {"FRAUD_HOME": str(self.home), "FRAUD_CONFIG": str(folder / "fraud.toml")}
        # Stacks that start at the same moment would all choose the usual ports, and be asked for each other.
        self.environment["FRAUD_REPORTS__PORT"] = str(any_port(LOOPBACK))
        self.clock = Clock(folder / "clock")

    def call(self, *arguments: str) -> None:
        subprocess.run(self._command(*arguments), cwd=self.folder, env=self.environment, check=True, timeout=300)

    def answer(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """What a command says, and how it exits."""
        command = self._command(*arguments)
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=300, check=False
        )

    def up(self) -> None:
        """Start `up` and wait for its addresses; it goes by a clock that a test can move."""
        log = self.folder / "up.log"
        with log.open("w") as file:
            self.process = subprocess.Popen(
                self._command("up", "--port", str(any_port(LOOPBACK))),
                cwd=self.folder,
                env=self.environment | self.clock.environment,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        wait_for(lambda: "Ctrl-C" in log.read_text() or self.process_ended(), "the start")
        said = log.read_text()
        assert "Ctrl-C" in said, said
        self.url, self.reports = (
            re.findall(rf"^{name} +(\S+)", said, re.MULTILINE)[0] for name in ("Dagster", "Reports")
        )

    def end(self, number: signal.Signals) -> None:
        """Ask it to end, and wait until it has ended well."""
        assert self.process is not None
        self.process.send_signal(number)
        assert self.process.wait(timeout=60) == 0, (self.folder / "up.log").read_text()

    def process_ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "fraud_assets.local", *arguments]

    def passwords(self) -> list[str]:
        """The owner's and the reader's."""
        server = running(self.home)
        assert server is not None
        return [server.password, (self.home / READER_KEY).read_text()]

    @contextmanager
    def connect(self, database: str = "fraud") -> Iterator[psycopg.Connection[tuple[object, ...]]]:
        server = running(self.home)
        assert server is not None
        with psycopg.connect(server.url(database)) as connection:
            yield connection

    @contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        """Dagster's own storage of this stack."""
        server = running(self.home)
        assert server is not None
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FRAUD_DATABASE_URL", server.url("fraud"))
            patch.setenv("FRAUD_DAGSTER_DATABASE_URL", server.url("dagster"))
            with dg.DagsterInstance.from_config(str(self.home / "dagster")) as made:
                yield made

    def processes(self) -> list[psutil.Process]:
        """Every process that belongs to this home: the command's, Dagster's, runs', the database's, browsers'."""
        place = str(self.home)
        data = str((self.home / "postgres").resolve())
        found = []
        for process in psutil.process_iter():
            try:
                words = process.cmdline()
                belongs = any(place in word or data in word for word in words)
                if belongs or process.environ().get("FRAUD_HOME") == place:
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
                continue
        return [process for process in found if process.pid != os.getpid()]


@contextmanager
def stack_in(folder: Path, settings: str = SMALL_TOML) -> Iterator[Stack]:
    """A stack over a small simulation; whatever has become of it, nothing is left behind."""
    (folder / "fraud.toml").write_text(settings)
    made = Stack(folder)
    try:
        yield made
    finally:
        if made.process is not None and made.process.poll() is None:
            made.process.kill()
            made.process.wait()
        discard(made.home)
        sweep()


def wait_for(what: Callable[[], bool], name: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < deadline, f"{name} did not happen within {PATIENCE_SECONDS} s"
        time.sleep(0.5)
