"""A real PostgreSQL for every test that wants one, and an environment that is the same for every user.

What does not live here: frames, models and other material of single rooms.
"""

import os
import shutil
import sys
import uuid
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import hypothesis
import pluggy
import psycopg
import pytest
from psycopg import sql

from fraud_assets.local.embedded import EmbeddedServer, ensure_running, stop

# A test server is thrown away: it need not survive a power cut.
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum_naptime": "1h",
}

# A checkout may be read-only, and a test means the same on every machine, however busy: examples of earlier runs are
# not kept, and none is too slow.
hypothesis.settings.register_profile("fraud_assets", database=None, deadline=None)
hypothesis.settings.load_profile("fraud_assets")

SHARED_DATA = "shared/data"
LONG = {"local", "assets"}


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One more than there are cores: tests of whole services wait for these much of their time."""
    return len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)) + 1


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only somebody else can run: root's tests, an ordinary user's, those of a Python open to both.

    And put what takes long first.
    """
    is_root = os.geteuid() == 0
    other = {"as_ordinary_user"} if is_root else {"as_root"}
    if not _is_open(Path(sys.executable).resolve(), Path(pytest.__file__), Path(__file__).resolve()):
        other.add("open_python")
    left_out = [item for item in items if any(item.get_closest_marker(name) for name in other)]
    config.hook.pytest_deselected(items=left_out)
    # What starts whole services first: left to the end, one of them would run alone.
    items[:] = sorted(
        (item for item in items if item not in left_out), key=lambda item: item.path.parent.name not in LONG
    )


def _is_open(*paths: Path) -> bool:
    """Whether everybody may reach and read these files."""
    folders = {folder for path in paths for folder in path.parents}
    return all(folder.stat().st_mode & 0o001 for folder in folders)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pluggy.Result[pytest.TestReport], None]:
    """In CI nothing is skipped but what needs the shared data where that is missing: another skip is a failure."""
    report = (yield).get_result()
    if report.skipped and "CI" in os.environ and SHARED_DATA not in str(report.longrepr):
        report.outcome = "failed"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the user's settings (and libpq's) nor the current folder reach a test."""
    for name in list(os.environ):
        if name.startswith(("FRAUD_", "PG")) or name == "DAGSTER_HOME":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def discard(home: Path) -> None:
    """Stop the server of a home, and remove the data that root's homes have elsewhere."""
    place = home / "postgres"
    if place.is_dir():
        stop(home)
    if place.is_symlink():
        shutil.rmtree(place.resolve(), ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """One running server for the whole session (for each xdist worker), without durability."""
    home = tmp_path_factory.mktemp("server")
    try:
        yield ensure_running(home, FAST)
    finally:
        discard(home)


@pytest.fixture
def database_url(postgres_server: EmbeddedServer) -> Iterator[str]:
    """URL of an empty database that is this test's alone, and gone after it."""
    name = f"test_{uuid.uuid4().hex}"
    database = sql.Identifier(name)
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 STRATEGY file_copy").format(database))
    try:
        yield postgres_server.url(name)
    finally:
        with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))


@pytest.fixture
def new_home(tmp_path: Path) -> Iterator[Callable[[str | Path], Path]]:
    """Makes the path of a home from its name (below `tmp_path`, unless absolute); its server ends with the test."""
    homes: list[Path] = []

    def make(name: str | Path) -> Path:
        homes.append(tmp_path / name)
        return homes[-1]

    yield make
    for home in homes:
        discard(home)
