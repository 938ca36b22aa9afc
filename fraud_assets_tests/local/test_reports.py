"""The report server as a process of its own: whom it logs in as, what it is told, how it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from fraud_assets.keys import READER_KEY
from fraud_assets.local.embedded import ensure_running
from fraud_assets.local.reader import READER
from fraud_assets.local.report_server import warn_of_no_login

PATIENCE_SECONDS = 60


@contextmanager
def _serving(environment: dict[str, str], *arguments: str) -> Iterator[tuple[psutil.Process, str, Path]]:
    """`fraud-assets reports` until the block ends: the process, its address, and what it says."""
    log = Path("reports.log").absolute()
    command = [sys.executable, "-m", "fraud_assets.local", "reports", *arguments]
    with log.open("w") as file:
        process = subprocess.Popen(command, env=environment, stdout=file, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while "Reports   http" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield psutil.Process(process.pid), log.read_text().split("Reports   ")[1].split()[0], log
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0, log.read_text()


def _health(address: str) -> int:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"{address}/healthz", timeout=5) as answer:
                return int(answer.status)
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.fixture
def home(new_home: Callable[[str], Path]) -> Path:
    return new_home("home")


def test_it_logs_in_as_the_reader_and_knows_nothing_that_writes(home: Path) -> None:
    environment = {**os.environ, "FRAUD_HOME": str(home)}
    with _serving(environment) as (process, address, log):
        assert address.startswith("http://127.0.0.1:")
        assert _health(address) == 200
        server = ensure_running(home)
        with psycopg.connect(server.url("fraud")) as connection:
            users = connection.execute(
                "SELECT usename::text FROM pg_stat_activity WHERE application_name = 'fraud_reports'"
            ).fetchall()
        assert set(users) == {(READER,)}
        told = "\n".join(process.environ().values())
        secrets = [server.password, (home / "signing.key").read_text()]
        assert not [secret for secret in secrets if secret in told]
        reader = (home / READER_KEY).read_text()
        assert reader in told
        assert not [word for word in process.cmdline() for secret in (*secrets, reader) if secret in word]
        listening = [c.laddr.ip for c in process.net_connections() if c.status == psutil.CONN_LISTEN]
        assert listening == ["127.0.0.1"]
    assert not [secret for secret in (*secrets, reader) if secret in log.read_text()]


def test_with_the_readers_url_alone_it_opens_nothing_else(home: Path, database_url: str) -> None:
    environment = {**os.environ, "FRAUD_HOME": str(home), "FRAUD_REPORTS__DATABASE_URL": database_url}
    with _serving(environment, "--port", str(_free_port())) as (_, address, _):
        assert _health(address) == 200
    assert not home.exists(), "no server of its own, no keys"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.1.2.3"])
def test_loopback_needs_no_warning(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    warn_of_no_login(host)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "reports.example.com"])
def test_anything_else_is_said_in_one_sentence(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    warn_of_no_login(host)
    said = capsys.readouterr().err
    assert f"whoever reaches {host}" in said
    assert said.count("\n") == 1
