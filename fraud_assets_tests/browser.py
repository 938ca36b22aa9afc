"""A real browser for the tests that look at pages."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, expect, sync_playwright

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
def open_page() -> Iterator[Page]:
    """A page of a fresh profile in headless Chromium; skips where none is installed."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=list(ARGUMENTS))
        try:
            yield browser.new_page(viewport={"width": 1500, "height": 950})
        finally:
            browser.close()
