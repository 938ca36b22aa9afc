"""How `up` ends when it is not asked to: after kill -9 nothing is in the way, and the next one leaves nothing behind.

No day is run in this home: what is looked at is processes.
"""

import os
import signal
import time
import urllib.request
from collections.abc import Iterator

import psutil
import pytest
from playwright.sync_api import expect

from fraud_assets.local.postgres_process import find_postmaster
from fraud_assets.local.service import WELL_SECONDS
from fraud_assets_tests.browser import open_page
from fraud_assets_tests.local.stack import Stack, stack_in, wait_for


@pytest.fixture
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack_in(tmp_path_factory.mktemp("up and down")) as made:
        yield made


def test_after_kill_9_of_the_parent_the_next_up_works(stack: Stack) -> None:
    stack.up()
    assert stack.process is not None
    served = [process for process in stack.processes() if "reports" in process.cmdline()]
    assert len(served) == 1
    stack.process.kill()
    stack.process.wait()
    wait_for(lambda: not served[0].is_running(), "the end of the report server, by itself")
    stack.up()
    with urllib.request.urlopen(f"{stack.reports}/healthz", timeout=30) as answer:
        assert answer.status == 200
    with open_page() as page:
        page.goto(f"{stack.url}/asset-groups")
        expect(page.get_by_text("scored_batch", exact=True).first).to_be_visible()
        # Before anything has been run, the reports are there and say so.
        page.goto(stack.reports)
        expect(page.locator("h1")).to_be_visible()
    stack.end(signal.SIGINT)
    wait_for(lambda: stack.processes() == [], "the end of every process")


def test_what_ends_by_itself_is_started_again(stack: Stack) -> None:
    stack.up()
    # Dagster's daemon, once it has been well for a while.
    (daemon,) = _daemons(stack)
    wait_for(lambda: time.time() - daemon.create_time() > WELL_SECONDS + 1, "its being well")
    daemon.kill()
    wait_for(lambda: [other for other in _daemons(stack) if other.pid != daemon.pid] != [], "another daemon")
    # The database, at once.
    data = (stack.home / "postgres").resolve() / "data"
    killed = find_postmaster(data)
    assert killed is not None
    os.kill(killed.pid, signal.SIGKILL)
    wait_for(lambda: (found := find_postmaster(data)) is not None and found.pid != killed.pid, "another server")
    wait_for(lambda: "The database is back." in (stack.folder / "up.log").read_text(), "its being said")
    assert not stack.process_ended()
    with stack.connect() as connection:
        assert connection.execute("SELECT 1").fetchall() == [(1,)]
    # Whoever wants it stopped is told how, as it would not stay so.
    stopped = stack.answer("stop")
    assert stopped.returncode == 1
    assert "end that with Ctrl-C" in " ".join(stopped.stderr.split())
    stack.end(signal.SIGINT)
    assert stack.answer("stop").returncode == 0


def _daemons(stack: Stack) -> list[psutil.Process]:
    return [process for process in stack.processes() if "dagster._daemon" in process.cmdline()]
