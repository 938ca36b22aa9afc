"""`up` as people use it: the pages in a browser, a partition and a backfill launched there, and an end without a trace.

The tests of this file share one running stack and build on each other, in the order of the file: a backfill mostly
waits for Dagster's daemon, which looks every thirty seconds, and the pages are looked at meanwhile.
"""

import json
import re
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from fraud_assets.automation.quiet_labels import on_record
from fraud_assets.checks import label_feed_is_alive
from fraud_assets_tests.browser import launch, open_page
from fraud_assets_tests.clock import MISSING
from fraud_assets_tests.local.stack import Stack, stack_in, wait_for
from fraud_assets_tests.small_world import ALL_ASSETS, EXTERNAL, SMALL_TOML

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
DAYS = [str(YESTERDAY - timedelta(days=back)) for back in (4, 3, 2, 1, 0)]
# By asset, the pictures in the metadata of each of its materializations.
PICTURES = {
    "raw_batch": ["volume by hour"],
    **{asset: ["search results"] for asset in ALL_ASSETS if asset.startswith("candidate_models/")},
    "evaluation_table": [
        "precision and recall", "ROC", "precision and recall by alerts per day", "comparison", "calibration",
        "saving by threshold", "score distribution", "confusion",
    ],
    "best_model": ["average precision over time", "candidates compared"],
    "feature_importance": ["importance"],
    "scored_batch": ["scores and amounts of the alerts"],
    "live_performance": ["promise and live"],
    "label_maturity": ["label maturity"],
    "feature_drift": ["drift of the last days"],
}  # fmt: skip
# By asset, a number that Dagster plots over the partitions by itself.
NUMBERS = {
    "raw_batch": "amount_total",
    "evaluation_table": "random_forest/average_precision",
    "best_model": "threshold",
    "scored_batch": "expected_saving",
    "feature_drift": "highest_psi",
}
LINE_PIXELS = """canvas => {
    const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let found = 0;
    for (let i = 0; i < data.length; i += 4) found += data[i + 2] > 180 && data[i] < 110 && data[i + 3] > 200;
    return found;
}"""
"""How many pixels of a plot have the colour of its line."""
EDGES = "svg > path[marker-end]"
"""The arrows of the lineage page."""
SCHEDULE = "/locations/fraud_assets/schedules/daily_fraud_model"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with_pictures = SMALL_TOML.replace("pictures = false", "pictures = true")
    with stack_in(tmp_path_factory.mktemp("up and running"), with_pictures) as made:
        made.call("run", "--date", DAYS[-1])
        made.up()
        yield made


@pytest.fixture(scope="module")
def page(stack: Stack) -> Iterator[Page]:
    """One browser for all that is only looked at, so that it loads the UI's programs once."""
    with open_page() as opened:
        yield opened


@contextmanager
def _new_page(page: Page) -> Iterator[Page]:
    """A page of a fresh profile in the same browser: what somebody does who comes to launch something."""
    browser = page.context.browser
    assert browser is not None
    fresh = browser.new_page(viewport=page.viewport_size)
    try:
        yield fresh
    finally:
        fresh.context.close()


def _launch(stack: Stack, page: Page, path: str, button: str, days: str, count: str) -> None:
    """Choose partitions in the dialog that a button on a page opens, launch, and see that Dagster has accepted it."""
    with _new_page(page) as fresh:
        launch(fresh, f"{stack.url}{path}", button, days, count)


def _metadata(page: Page, label: str) -> Locator:
    """The row of a partition's metadata that has this label."""
    return page.locator("tr", has=page.get_by_text(label, exact=True))


def _asked(stack: Stack, query: str) -> dict[str, Any]:
    """Dagster's answer to a GraphQL query."""
    request = urllib.request.Request(
        f"{stack.url}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        data: dict[str, Any] = json.load(answer)["data"]
    return data


def _asks_for_plots(sent: str | None) -> bool:
    return "AssetPartitionEventsQuery" in (sent or "")


def _line_pixels(canvas: Locator) -> int:
    """Once the line is there: it grows from the axis for a moment."""
    wait_for(lambda: canvas.evaluate(LINE_PIXELS) > 0, "the plot")
    return int(canvas.evaluate(LINE_PIXELS))


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


def test_the_lineage_graph_shows_every_asset_and_every_edge(stack: Stack, page: Page) -> None:
    page.goto(f"{stack.url}/asset-groups")
    for asset in (*ALL_ASSETS, *EXTERNAL):
        expect(page.get_by_text(asset.rsplit("/", 1)[-1], exact=True).first).to_be_visible()
    dependencies = sum(
        len(node["dependencyKeys"])
        for node in _asked(stack, "{ assetNodes { dependencyKeys { path } } }")["assetNodes"]
    )
    assert dependencies > len(ALL_ASSETS)
    # The page draws what is in sight: from further away that is all of it.
    further = page.locator("button:has([aria-label=zoom_out])")
    for _ in range(4):
        further.click()
    expect(page.locator(EDGES)).to_have_count(dependencies)


def test_a_check_that_failed_says_what_was_seen_what_was_expected_and_what_to_do(stack: Stack, page: Page) -> None:
    """A silence of the label feed, recorded as its sensor does."""
    failed = on_record(label_feed_is_alive([DAYS[-1]], {"2020-01-01": 5}, 3))
    with stack.instance() as instance:
        instance.report_runless_asset_event(failed)
    page.goto(f"{stack.url}/assets/labels?view=checks")
    page.get_by_text("label_feed_is_alive").first.click()
    for name in ("seen", "expected", "what_to_do"):
        expect(_metadata(page, name)).to_contain_text(str(failed.metadata[name].value))


def test_a_partition_is_materialized_from_its_page(stack: Stack, page: Page) -> None:
    last = _last_version(stack)
    _launch(stack, page, "/assets/labels", "Materialize", DAYS[-1], "1 partition")
    wait_for(lambda: _made_since(stack, last) == {"labels": [DAYS[-1]]}, "the materialization")


@pytest.fixture(scope="module")
def before_backfill(stack: Stack, page: Page) -> int:
    """The last version before a backfill of five days, which is launched for all assets and not waited for."""
    last = _last_version(stack)
    _launch(stack, page, "/asset-groups", "Materialize all", f"[{DAYS[0]}...{DAYS[-1]}]", "5 partitions")
    return last


@pytest.mark.parametrize("asset", PICTURES)
def test_pictures_open_from_the_metadata(stack: Stack, page: Page, before_backfill: int, asset: str) -> None:
    page.goto(f"{stack.url}/assets/{asset}?view=partitions&partition={DAYS[-1]}")
    for title in PICTURES[asset]:
        _metadata(page, title).get_by_text("Show Markdown").click()
        dialog = page.get_by_role("dialog")
        picture = dialog.locator("img")
        expect(picture).to_be_visible()
        assert picture.evaluate("image => image.complete && image.naturalWidth") >= 800
        dialog.get_by_role("button", name="Close").click()
        expect(dialog).to_have_count(0)


def test_a_day_that_was_run_before_leads_to_its_report(stack: Stack, page: Page, before_backfill: int) -> None:
    page.goto(f"{stack.reports}/days/{DAYS[-1]}")
    expect(page.locator("figure[data-plot] .main-svg").first).to_be_visible()


def test_a_backfill_of_five_days_makes_exactly_five_of_each_in_their_order(stack: Stack, before_backfill: int) -> None:
    def is_over() -> bool:
        with stack.connect("dagster") as connection:
            rows = connection.execute("SELECT status FROM bulk_actions").fetchall()
        return [str(row[0]) for row in rows][-1:] == ["COMPLETED_SUCCESS"]

    wait_for(is_over, "the backfill")
    assert _made_since(stack, before_backfill) == dict.fromkeys(ALL_ASSETS, DAYS)
    with stack.connect() as connection:
        chosen = connection.execute(
            "SELECT partition_key, facts ->> 'champion_day' FROM dagster_io.versions"
            " WHERE asset_key = 'best_model' AND version_id > %s ORDER BY version_id",
            [before_backfill],
        ).fetchall()
    # Each is compared with the one before it, which the decision names.
    assert chosen == list(zip(DAYS, [None, *DAYS[:-1]], strict=True))


@pytest.mark.parametrize("asset", NUMBERS)
def test_dagster_plots_the_numbers_over_the_days(stack: Stack, page: Page, asset: str) -> None:
    page.goto(f"{stack.url}/assets/{asset}?view=overview")
    with page.expect_response(lambda answer: _asks_for_plots(answer.request.post_data)) as answered:
        page.get_by_role("button", name="Plots").click()
    plotted = {
        made["partition"]: entry["floatValue"]
        for made in answered.value.json()["data"]["assetNodeOrError"]["latestMaterializationByPartition"]
        for entry in (made["metadataEntries"] if made else ())
        if entry["label"] == NUMBERS[asset]
    }
    assert set(DAYS) <= plotted.keys()
    heading = page.get_by_text(NUMBERS[asset], exact=True)
    expect(heading).to_be_visible()
    canvas = heading.locator("xpath=following::canvas[1]")
    expect(canvas).to_be_visible()
    assert _line_pixels(canvas) > 20


def test_the_metadata_leads_to_the_days_report(stack: Stack, page: Page) -> None:
    page.goto(f"{stack.url}/assets/performance_report?view=partitions&partition={DAYS[-1]}")
    link = _metadata(page, "report").get_by_role("link").first
    expect(link).to_have_attribute("href", f"{stack.reports}/days/{DAYS[-1]}")
    page.goto(str(link.get_attribute("href")))
    expect(page.locator("h1")).to_contain_text(str(YESTERDAY.year))
    expect(page.locator("figure[data-plot] .main-svg").first).to_be_visible()


@pytest.mark.parametrize(
    ("asset", "column", "made_of"),
    [
        ("scored_batch", "score", r"from cleaned_features \(\d+ columns\)"),
        ("cleaned_features", "terminal_transactions_7d", r"from raw_batch \(amount, terminal_id, transaction_time\)$"),
        ("raw_batch", "amount", r"from source_transactions \(amount\)"),
        ("source_transactions", "amount", "becomes amount"),
    ],
)
def test_each_column_says_which_columns_it_is_made_of(
    stack: Stack, page: Page, asset: str, column: str, made_of: str
) -> None:
    page.goto(f"{stack.url}/assets/{asset}?view=overview")
    box = page.get_by_placeholder("Filter columns")
    box.fill(column)
    row = box.locator("xpath=following::table[1]").locator("tr", has=page.get_by_text(column, exact=True))
    expect(row.locator("td").last).to_have_text(re.compile(made_of))


def test_the_schedule_is_switched_on_and_launches_the_day_that_has_just_ended(stack: Stack, page: Page) -> None:
    """The clock of the whole stack moves to the next tick; the day that has then ended is today."""
    if not stack.clock.environment:
        pytest.skip(MISSING)
    page.goto(f"{stack.url}{SCHEDULE}")
    switch = page.locator("tr", has=page.get_by_text("Running", exact=True)).locator("label")
    switch.click()
    expect(switch.locator("input")).to_be_checked()
    wait_for(lambda: _schedule(stack)["status"] == "RUNNING", "the switch")
    today = datetime.now(UTC).date()
    stack.clock.move_to(datetime.combine(today + timedelta(days=1), time(1, 0, 5), UTC))
    wait_for(lambda: bool(_schedule(stack)["ticks"]), "the tick")
    page.reload()
    expect(page.get_by_text("1 run requested").first).to_be_visible()
    with stack.connect("dagster") as connection:
        launched = connection.execute(
            "SELECT t.value FROM run_tags s JOIN run_tags t USING (run_id)"
            " WHERE s.key = 'dagster/schedule_name' AND t.key = 'dagster/partition'"
        ).fetchall()
    assert launched == [(str(today),)]


def _schedule(stack: Stack) -> dict[str, Any]:
    """What Dagster knows of the schedule: whether it is on, and its ticks that launched something."""
    state = _asked(
        stack,
        '{ schedulesOrError(repositorySelector: {repositoryName: "__repository__", repositoryLocationName:'
        ' "fraud_assets"}) { ... on Schedules { results { scheduleState { status ticks(limit: 5, statuses: [SUCCESS])'
        " { tickId } } } } } }",
    )
    found: dict[str, Any] = state["schedulesOrError"]["results"][0]["scheduleState"]
    return found


def test_passwords_are_in_no_command_line_log_or_metadata(stack: Stack) -> None:
    lines = [" ".join(process.cmdline()) for process in stack.processes()]
    assert len(lines) > 5
    assert [line for line in lines if "fraud_assets.local reports" in line]
    logs = [path for path in (stack.home / "logs").iterdir() if path.is_file()]
    assert "reports.log" in {path.name for path in logs}
    logs += [path for path in (stack.home / "dagster").rglob("*") if path.is_file()]
    for password in stack.passwords():
        assert not [line for line in lines if password in line]
        assert not [path for path in logs if password.encode() in path.read_bytes()]
        with stack.connect("dagster") as connection:
            for table in ("event_logs", "runs", "snapshots", "bulk_actions"):
                found = connection.execute(
                    f"SELECT count(*) FROM {table} t WHERE position(%s in t::text) > 0".encode(), [password]
                ).fetchone()
                assert found == (0,), table


def test_sigterm_leaves_no_process_behind(stack: Stack) -> None:
    stack.end(signal.SIGTERM)
    assert stack.processes() == []
