"""The pages in a real browser: forty days as people see them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fraud_assets_tests.reporting.server.looks import Watched, brightness, watched_page
from fraud_assets_tests.reporting.server.made_history import ALERTS, MadeHistory
from fraud_assets_tests.reporting.server.site import MODEL_DAY, Site


@pytest.fixture(scope="module")
def watched(site: Site) -> Iterator[Watched]:
    with watched_page(site.url) as found:
        yield found


@pytest.fixture(autouse=True)
def _as_people_start(watched: Watched) -> Iterator[None]:
    watched.page.set_viewport_size({"width": 1400, "height": 900})
    watched.page.emulate_media(color_scheme="light")
    yield
    watched.assert_quiet()


def paths(made: MadeHistory) -> dict[str, int]:
    """Each kind of page, and the fewest charts that it has."""
    return {
        "/": 4,
        f"/days/{made.days[-2]}": 12,
        f"/days/{made.days[-1]}": 12,
        "/models": 2,
        f"/alerts/{made.days[-1]}": 1,
    }


def traces(watched: Watched, anchor: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = watched.page.locator(f"#{anchor} .plot").evaluate(
        "plot => plot._fullData.map(trace => ({name: trace.name || '', x: [...(trace.x || [])]}))"
    )
    return found


def test_every_page_draws_its_charts_and_has_the_table_behind_each(watched: Watched, made: MadeHistory) -> None:
    for path, fewest in paths(made).items():
        page = watched.open(path)
        watched.assert_charts_are_drawn(fewest)
        assert watched.overflow() <= 0, path
        for place in range(page.locator("figure[data-plot]").count()):
            figure = page.locator("figure[data-plot]").nth(place)
            assert figure.locator("details table tbody tr").count() > 0, (path, place)


def test_a_table_behind_a_chart_opens_by_keyboard(watched: Watched) -> None:
    page = watched.open("/")
    behind = page.locator("#metric details")
    assert not behind.locator("table").is_visible()
    behind.locator("summary").focus()
    page.keyboard.press("Enter")
    assert behind.locator("table").is_visible()
    assert "Ensemble" in behind.locator("thead").inner_text()


def test_the_range_and_the_models_change_the_figures(watched: Watched, made: MadeHistory) -> None:
    page = watched.open("/")
    everything = traces(watched, "metric")
    assert sum("Logistic" in trace["name"] for trace in everything) == 1
    page.get_by_label("From", exact=True).fill(made.days[10])
    page.get_by_label("To", exact=True).fill(made.days[19])
    page.get_by_label("Ensemble").check()
    page.get_by_label("Random forest").check()
    page.get_by_role("button", name="Show").click()
    watched.drawn()
    chosen = traces(watched, "metric")
    assert not any("Logistic" in trace["name"] for trace in chosen)
    (ensemble,) = (trace for trace in chosen if trace["name"].startswith("Ensemble"))
    assert ensemble["x"] == made.days[10:20]
    assert all(day in made.days[3:20] for trace in traces(watched, "volume") for day in trace["x"])
    assert page.get_by_label("Ensemble").is_checked()
    assert page.locator(".month tbody tr").count() == 10


def test_another_metric_is_another_figure(watched: Watched) -> None:
    page = watched.open("/")
    page.get_by_label("Metric").select_option("saving_per_day")
    page.get_by_role("button", name="Show").click()
    watched.drawn()
    assert "aving" in page.locator("#metric .title").inner_text()
    assert "aving" in page.locator("#metric .plot .ytitle").all_text_contents()[0]


def test_the_form_works_without_scripts(watched: Watched, site: Site, made: MadeHistory) -> None:
    browser = watched.page.context.browser
    assert browser is not None
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site.url)
    page.get_by_label("From", exact=True).fill(made.days[30])
    page.get_by_role("button", name="Show").click()
    assert f"from={made.days[30]}" in page.url
    assert page.locator(".month tbody tr").count() == 10
    context.close()


def test_days_lead_to_their_neighbours(watched: Watched, made: MadeHistory) -> None:
    page = watched.page
    page.goto(f"{watched.root}/alerts/{made.days[-1]}")
    assert page.locator("a[rel=next]").count() == 0
    page.locator("a[rel=prev]").first.click()
    page.wait_for_url(f"**/alerts/{made.days[-2]}")
    page.locator("a[rel=next]").first.click()
    page.wait_for_url(f"**/alerts/{made.days[-1]}")


def test_alerts_are_sorted_filtered_and_taken_away(watched: Watched, made: MadeHistory, tmp_path: Path) -> None:
    day = made.days[-1]
    page = watched.open(f"/alerts/{day}")
    assert page.locator(".alerts tbody tr").count() == ALERTS
    page.get_by_role("columnheader", name="Amount").get_by_role("link").click()
    watched.drawn()
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("Amount")
    assert [
        float(text.replace(",", "")) for text in page.locator(".alerts tbody td:nth-child(6)").all_inner_texts()
    ] == (sorted(made.scores(day).query("is_alert")["amount"], reverse=True))
    page.get_by_label("Amount of at least").fill("100")
    page.get_by_label("Reason contains").fill("habit")
    page.get_by_role("button", name="Show").click()
    watched.drawn()
    rows = page.locator(".alerts tbody tr").count()
    assert 0 < rows < ALERTS
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("Amount"), "sorting stays"
    assert len(traces(watched, "scores")[0]["x"]) == rows
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    download.value.save_as(tmp_path / "alerts.csv")
    assert len((tmp_path / "alerts.csv").read_text(encoding="utf-8-sig").splitlines()) == rows + 1


def test_the_review_sample_can_be_looked_at(watched: Watched, made: MadeHistory) -> None:
    page = watched.page
    page.goto(f"{watched.root}/alerts/{made.days[-1]}")
    page.get_by_label("Show").select_option("review")
    page.get_by_role("button", name="Show").click()
    page.get_by_text("10 transactions of the review sample").wait_for()
    assert page.locator(".alerts tbody tr").count() == 10


def test_a_model_is_downloaded(watched: Watched) -> None:
    page = watched.open("/models")
    with page.expect_download() as download:
        page.get_by_role("link", name=f"Download the model of {MODEL_DAY}").click()
    assert download.value.suggested_filename == f"fraud-model-{MODEL_DAY}.zip"


def test_a_phone_in_the_dark_shows_every_page_without_scrolling_sideways(watched: Watched, made: MadeHistory) -> None:
    watched.page.set_viewport_size({"width": 390, "height": 844})
    watched.page.emulate_media(color_scheme="dark")
    style = "one => [getComputedStyle(one).backgroundColor, getComputedStyle(one).color]"
    for path, fewest in paths(made).items():
        if path.endswith(made.days[-1]) and "/days/" in path:
            continue  # Its charts are those of the day before.
        page = watched.open(path)
        assert watched.overflow() <= 0, path
        watched.assert_charts_are_drawn(fewest)
        background, text = page.locator("body").evaluate(style)
        assert brightness(background) < 0.15 < 0.7 < brightness(text)
        paper = page.locator(".plot .main-svg").first.evaluate("one => getComputedStyle(one).backgroundColor")
        ticks = page.locator(".plot .xtick text, .plot .ytick text").first.evaluate("one => getComputedStyle(one).fill")
        assert brightness(paper) < 0.2, path
        assert brightness(ticks) > 0.5, path


def test_a_change_of_the_scheme_changes_drawn_charts(watched: Watched) -> None:
    page = watched.open("/")
    paper = "one => getComputedStyle(one).backgroundColor"
    plot = page.locator("#metric .plot .main-svg").first
    assert brightness(plot.evaluate(paper)) > 0.8
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(1_500)
    assert brightness(plot.evaluate(paper)) < 0.2


def test_the_keyboard_reaches_everything(watched: Watched, made: MadeHistory) -> None:
    for path in ("/?from=2024-02-05", f"/alerts/{made.days[-1]}?amount=150"):
        page = watched.open(path)
        page.keyboard.press("Tab")
        assert page.locator(":focus").inner_text() == "Skip to the content"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "content"
        watched.open(path)
        watched.assert_keyboard_reaches_everything()
