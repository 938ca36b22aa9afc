"""The document as a browser shows it: drawn without a network, in the light and the dark, at any width."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from fraud_assets.reporting.document import DayFrames, day_headline, day_sections, render
from fraud_assets_tests.browser import open_page
from fraud_assets_tests.reporting.day_frames import half_finished, made_day

DRAWN = "html[data-figures=drawn]"
# Marks on the plot itself: a blank one has axes and no mark.
MARKS = """plots => plots.map(plot => plot.querySelectorAll(
    '.trace, .point, .heatmaplayer image, .shapelayer path, .annotation-text').length)"""


@contextmanager
def _opened(
    tmp_path: Path, frames: DayFrames, most: int | None = None, **options: Any
) -> Iterator[tuple[Page, list[str]]]:
    """The page of a document, and what went wrong there: errors, and requests for anything but the file."""
    file = tmp_path / "report.html"
    document = render(frames.day, day_sections(frames)[:most], headline=day_headline(frames), **options)
    file.write_text(document, encoding="utf-8")
    problems: list[str] = []
    with open_page() as page:
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: _note_request(request.url, problems))
        page.goto(file.as_uri())
        yield page, problems


def _note_request(url: str, problems: list[str]) -> None:
    if not url.startswith(("file:", "data:", "blob:")):
        problems.append(url)


def test_every_figure_is_drawn_and_follows_colours_and_width(tmp_path: Path) -> None:
    frames = made_day()
    with _opened(tmp_path, frames, plotly_js=True) as (page, problems):
        page.wait_for_selector(DRAWN, timeout=60_000)
        figures = page.locator("figure[data-plot]").count()
        assert figures == 19
        assert page.locator("figure.drawn .js-plotly-plot > .plot-container").count() == figures
        assert min(page.locator(".js-plotly-plot").evaluate_all(MARKS)) > 0
        light = _looks(page)
        assert light["narrow"] == 0
        page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        _until(lambda: _looks(page)["paper"] != light["paper"])
        page.set_viewport_size({"width": 390, "height": 844})
        _until(lambda: _looks(page)["narrow"] == figures)
        assert page.evaluate("document.documentElement.scrollWidth") == 390, "nothing but boxes scrolls sideways"
        page.get_by_text("The numbers behind the chart").first.click()
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert problems == []


def _looks(page: Page) -> dict[str, Any]:
    """The paper of the last figure, and how many figures are drawn for a narrow page."""
    found: dict[str, Any] = page.evaluate(
        """() => {
            const plots = [...document.querySelectorAll('.js-plotly-plot')];
            return {
                paper: plots.at(-1).layout.template.layout.paper_bgcolor,
                narrow: plots.filter(plot => plot.layout.font?.size === 12).length,
            };
        }"""
    )
    return found


def _until(is_so: Callable[[], bool], seconds: float = 60) -> None:
    """The page's policy forbids what Playwright waits with."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("is_half", [False, True])
def test_without_plotly_the_tables_stand_open(tmp_path: Path, is_half: bool) -> None:
    frames = half_finished(made_day()) if is_half else made_day()
    with _opened(tmp_path, frames, most=4) as (page, problems):
        page.wait_for_selector("html[data-figures=missing]", state="attached")
        details = page.locator("details")
        assert details.count() == page.locator("details[open]").count() > 0
        assert page.locator(".no-plotly").is_visible()
        assert not page.locator(".plot").first.is_visible()
        assert problems == []


def test_one_broken_figure_spoils_no_other(tmp_path: Path) -> None:
    frames = made_day()
    sections = day_sections(frames)[:2]
    document = render(frames.day, sections, plotly_js=True)
    broken = document.replace('<script type="application/json">{', '<script type="application/json">broken {', 1)
    file = tmp_path / "report.html"
    file.write_text(broken, encoding="utf-8")
    with open_page() as page:
        page.goto(file.as_uri())
        page.wait_for_selector(DRAWN, timeout=60_000)
        assert page.locator("figure.drawn").count() == 1
        assert page.locator("#precision-recall details[open]").count() == 1
