"""`up` as people use it: the pages in a browser, a partition and a backfill launched there, and an end without a trace.

The tests of this file share one running stack and build on each other, in the order of the file.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import psycopg
import pytest
from playwright.sync_api import Page, expect

from fraud_assets.local.embedded import running
from fraud_assets_tests.browser import open_page
from fraud_assets_tests.conftest import discard
from fraud_assets_tests.small_world import ALL_ASSETS, SMALL_TOML

PATIENCE_SECONDS = 240
YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
DAYS = [str(YESTERDAY - timedelta(days=back)) for back in (2, 1, 0)]


class Stack:
    """A folder with settings, and the `up` that runs in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.process: subprocess.Popen[bytes] | None = None
        self.url = ""
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("FRAUD_")}
        self.environment |= {"FRAUD_HOME": str(self.home), "FRAUD_CONFIG": str(folder / "fraud.toml")}

    def call(self, *arguments: str) -> None:
        subprocess.run(self._command(*arguments), cwd=self.folder, env=self.environment, check=True, timeout=300)

    def up(self) -> None:
        """Start `up` and wait for its addresses."""
        log = self.folder / "up.log"
        with log.open("w") as file:
            self.process = subprocess.Popen(
                self._command("up"), cwd=self.folder, env=self.environment, stdout=file, stderr=subprocess.STDOUT
            )
        _wait_for(lambda: "Ctrl-C" in log.read_text() or self.process_ended(), "the start")
        said = log.read_text()
        assert "Ctrl-C" in said, said
        self.url = re.findall(r"^Dagster +(\S+)", said, re.MULTILINE)[0]

    def process_ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "fraud_assets.local", *arguments]

    def password(self) -> str:
        server = running(self.home)
        assert server is not None
        return server.password

    @contextmanager
    def connect(self, database: str = "fraud") -> Iterator[psycopg.Connection[tuple[object, ...]]]:
        server = running(self.home)
        assert server is not None
        with psycopg.connect(server.url(database)) as connection:
            yield connection

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


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("up and running")
    (folder / "fraud.toml").write_text(SMALL_TOML)
    made = Stack(folder)
    try:
        made.call("run", "--date", DAYS[-1])
        made.up()
        yield made
    finally:
        if made.process is not None and made.process.poll() is None:
            made.process.kill()
            made.process.wait()
        discard(made.home)


def _wait_for(what: Callable[[], bool], name: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < deadline, f"{name} did not happen within {PATIENCE_SECONDS} s"
        time.sleep(1)


def _launch(page: Page, days: str, count: str) -> None:
    """Choose partitions in the dialog that a Materialize button opens, and launch."""
    dialog = page.get_by_role("dialog")
    box = dialog.locator("input[type=text]").first
    box.click()
    box.fill(days)
    box.press("Enter")
    expect(dialog).to_contain_text(count)
    dialog.get_by_role("button", name=re.compile("Launch")).click()
    # The server plans the backfill before it answers, and other tests may have the machine meanwhile.
    expect(dialog, dialog.inner_text()).to_have_count(0, timeout=PATIENCE_SECONDS * 1000)


def _made_since(stack: Stack, last: int) -> dict[str, list[str]]:
    with stack.connect() as connection:
        rows = connection.execute(
            "SELECT asset_key, partition_key FROM dagster_io.versions WHERE version_id > %s ORDER BY 1, 2", [last]
        ).fetchall()
    made: dict[str, list[str]] = {}
    for asset, day in rows:
        made.setdefault(str(asset), []).append(str(day))
    return made


def _last_version(stack: Stack) -> int:
    with stack.connect() as connection:
        row = connection.execute("SELECT max(version_id) FROM dagster_io.versions").fetchone()
    assert row is not None
    return int(str(row[0]))


def test_the_lineage_graph_shows_every_asset(stack: Stack) -> None:
    with open_page() as page:
        page.goto(f"{stack.url}/asset-groups")
        for asset in ALL_ASSETS:
            expect(page.get_by_text(asset.rsplit("/", 1)[-1], exact=True).first).to_be_visible()


def test_a_partition_is_materialized_from_its_page(stack: Stack) -> None:
    last = _last_version(stack)
    with open_page() as page:
        page.goto(f"{stack.url}/assets/labels")
        page.get_by_role("button", name="Materialize").first.click()
        _launch(page, DAYS[-1], "1 partition")
    _wait_for(lambda: _made_since(stack, last) == {"labels": [DAYS[-1]]}, "the materialization")


def test_a_backfill_of_three_days_makes_exactly_three_of_each(stack: Stack) -> None:
    last = _last_version(stack)
    with open_page() as page:
        page.goto(f"{stack.url}/asset-groups")
        page.get_by_text("Materialize all").first.click()
        _launch(page, f"[{DAYS[0]}...{DAYS[-1]}]", "3 partitions")

    def is_over() -> bool:
        with stack.connect("dagster") as connection:
            rows = connection.execute("SELECT status FROM bulk_actions").fetchall()
        return [str(row[0]) for row in rows][-1:] == ["COMPLETED_SUCCESS"]

    _wait_for(is_over, "the backfill")
    assert _made_since(stack, last) == dict.fromkeys(ALL_ASSETS, DAYS)


def test_the_evaluation_shows_its_pictures(stack: Stack) -> None:
    with open_page() as page:
        page.goto(f"{stack.url}/assets/evaluation_table?view=partitions&partition={DAYS[-1]}")
        page.get_by_text("Show Markdown").first.click()
        picture = page.get_by_role("dialog").locator("img")
        expect(picture).to_be_visible()
        assert picture.evaluate("image => image.complete && image.naturalWidth") >= 800


def test_the_password_is_in_no_command_line_log_or_metadata(stack: Stack) -> None:
    password = stack.password()
    lines = [" ".join(process.cmdline()) for process in stack.processes()]
    assert len(lines) > 5
    assert not [line for line in lines if password in line]
    logs = [path for path in (stack.home / "logs").iterdir() if path.is_file()]
    logs += [path for path in (stack.home / "dagster").rglob("*") if path.is_file()]
    assert logs
    assert not [path for path in logs if password.encode() in path.read_bytes()]
    with stack.connect("dagster") as connection:
        for table in ("event_logs", "runs", "snapshots", "bulk_actions"):
            found = connection.execute(
                f"SELECT count(*) FROM {table} t WHERE position(%s in t::text) > 0".encode(), [password]
            ).fetchone()
            assert found == (0,), table


def test_sigterm_leaves_no_process_behind(stack: Stack) -> None:
    assert stack.process is not None
    stack.process.send_signal(signal.SIGTERM)
    assert stack.process.wait(timeout=60) == 0
    assert stack.processes() == []


def test_after_kill_9_of_the_parent_the_next_up_works(stack: Stack) -> None:
    stack.up()
    assert stack.process is not None
    stack.process.kill()
    stack.process.wait()
    stack.up()
    with open_page() as page:
        page.goto(f"{stack.url}/asset-groups")
        expect(page.get_by_text("scored_batch", exact=True).first).to_be_visible()
    stack.process.send_signal(signal.SIGINT)
    assert stack.process.wait(timeout=60) == 0
    _wait_for(lambda: stack.processes() == [], "the end of every process")
