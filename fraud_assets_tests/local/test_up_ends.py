"""How `up` ends when it is not asked to: after kill -9 nothing is in the way, and the next one leaves nothing behind.

No day is run in this home: what is looked at is processes.
"""

import signal
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

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
