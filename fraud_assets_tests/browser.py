"""A real browser for the tests that look at pages, and the dialog in which Dagster's UI launches partitions."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import HttpCredentials, Page, expect, sync_playwright

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# A page has to come to what is expected of it, however busy the machine is.
expect.set_options(timeout=30_000)


@contextmanager
def open_page(login: tuple[str, str] | None = None) -> Iterator[Page]:
    """A page of a fresh profile in headless Chromium, logging in as `login`; skips where none is installed."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=list(ARGUMENTS))
        try:
            credentials: HttpCredentials | None = None
            if login is not None:
                credentials = {"username": login[0], "password": login[1]}
            yield browser.new_page(
                viewport={"width": 1500, "height": 950}, http_credentials=credentials, ignore_https_errors=True
            )
        finally:
            browser.close()


def launch(page: Page, address: str, button: str, days: str, count: str) -> None:
    """Choose partitions in the dialog that a button on a page opens, launch, and see that Dagster has accepted it."""
    page.goto(address)
    page.get_by_role("button", name=button).first.click()
    dialog = page.get_by_role("dialog")
    box = dialog.locator("input[type=text]").first
    box.click()
    box.fill(days)
    box.press("Enter")
    expect(dialog).to_contain_text(count)
    # The dialog says "Launching..." for ever when the answer is an error: the answer is what tells why.
    with page.expect_response(lambda answer: _launches(answer.request.post_data)) as answered:
        dialog.get_by_role("button", name=re.compile("Launch")).click()
    assert answered.value.ok, answered.value.text()
    expect(dialog).to_have_count(0)


def _launches(sent: str | None) -> bool:
    return re.search(r"mutation Launch", sent or "") is not None
