"""Days that are not as days should be, in a real browser: pages show what there is, and what a name says is text."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import psycopg
import pytest

from fraud_assets.local.embedded import EmbeddedServer
from fraud_assets.reporting.server import PostgresStore, create_app
from fraud_assets_tests.reporting.server.looks import Watched, watched_page
from fraud_assets_tests.reporting.server.made_day import points
from fraud_assets_tests.reporting.server.made_history import SCHEMA, MadeHistory, store_reports
from fraud_assets_tests.reporting.server.made_tables import Tables
from fraud_assets_tests.reporting.server.site import running
from fraud_assets_tests.small_world import fresh_database

HOSTILE = "<script>alert(1)</script>"


@dataclass(frozen=True)
class Awkward:
    """A history with one candidate, whose name is hostile; its days are named by what is wrong with them."""

    watched: Watched
    days: list[str]

    no_fraud = property(lambda self: self.days[-3])
    no_values = property(lambda self: self.days[-2])
    half_finished = property(lambda self: self.days[-1])


@pytest.fixture(scope="module")
def awkward(postgres_server: EmbeddedServer) -> Iterator[Awkward]:
    made = MadeHistory(9, models=(HOSTILE,))
    with fresh_database(postgres_server) as url:
        made.fill(url, scored=4, pointed=3)
        _spoil(url, made)
        store_reports(url, made.days[-3:-1])
        with running(create_app(PostgresStore(url, SCHEMA))) as site, watched_page(site.url) as watched:
            yield Awkward(watched, made.days)


def _spoil(url: str, made: MadeHistory) -> None:
    no_fraud, no_values, half = made.days[-3:]
    summary, evaluation = (frame.set_index("day", drop=False) for frame in (made.summary(), made.evaluation()))
    numbers = evaluation.select_dtypes("number").columns
    with psycopg.connect(url, autocommit=True) as connection:
        tables = Tables(connection, SCHEMA)
        without = summary.loc[[no_fraud]].assign(frauds=0, fraud_rate=0.0, fraud_amount=0.0)
        tables.replace("daily_summary", no_fraud, without.reset_index(drop=True))
        nothing_caught = points(no_fraud, made.models).assign(frauds_caught=0, precision=0.0, recall=np.nan)
        nothing_caught["alerts"] = nothing_caught["false_alarms"]
        tables.replace("operating_points", no_fraud, nothing_caught)
        nothing = evaluation.loc[[no_values]].assign(**dict.fromkeys(numbers, np.nan), failure="it could not be fitted")
        tables.replace("evaluation_table", no_values, nothing.reset_index(drop=True))
        tables.remove("operating_points", no_values)
        bare = summary.loc[[half], ["day", "transactions"]].reset_index(drop=True)
        tables.replace("daily_summary", half, bare)
        for table in ("live_performance", "feature_drift", "feature_importance", "label_maturity", "calibration_bins"):
            tables.remove(table, half)
        tables.remove("operating_points", half)


def test_every_page_of_awkward_days_is_shown(awkward: Awkward) -> None:
    watched = awkward.watched
    for path in ("/", "/models", *(f"/days/{day}" for day in awkward.days[-3:])):
        watched.open(path)
        watched.assert_charts_are_drawn(1)
        watched.assert_quiet()


def test_a_hostile_name_is_text(awkward: Awkward) -> None:
    watched = awkward.watched
    page = watched.open("/")
    assert page.get_by_label(HOSTILE).count() == 1
    assert page.locator("#metric .plot .legendtext").filter(has_text="alert(1)").count() == 1
    page.get_by_label(HOSTILE).check()
    page.get_by_role("button", name="Show").click()
    watched.drawn()
    assert page.get_by_label(HOSTILE).is_checked()
    assert HOSTILE in watched.open("/models").locator("#leaderboard tbody").inner_text()
    assert HOSTILE in watched.open(f"/days/{awkward.no_fraud}").locator("#candidates").all_text_contents()[0]
    watched.assert_quiet()


def test_a_hostile_query_is_text(awkward: Awkward) -> None:
    watched = awkward.watched
    watched.page.goto(f"{watched.root}/alerts/{awkward.days[-1]}?reason=%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E")
    assert watched.page.get_by_label("Reason contains").input_value() == '"><img src=x onerror=alert(1)>'
    watched.page.goto(f"{watched.root}/?model=%3Cscript%3Ealert(2)%3C/script%3E")
    watched.assert_quiet()


def test_a_half_finished_day_shows_what_there_is_and_what_is_missing(awkward: Awkward) -> None:
    page = awkward.watched.open(f"/days/{awkward.half_finished}")
    assert "No model has been decided on" in page.locator(".decision").inner_text()
    missing = page.locator("#missing").inner_text()
    assert "operating_points" in missing
    assert "feature_drift" in missing
    assert page.locator("#volume figure").count() == 1


def test_a_day_that_does_not_exist_helps(awkward: Awkward) -> None:
    page = awkward.watched.page
    answer = page.goto(f"{awkward.watched.root}/days/2030-01-01")
    assert answer is not None
    assert answer.status == 404
    awkward.watched.complaints.clear()  # Chromium says of each 404 that it is one.
    page.get_by_role("link", name=awkward.days[-1]).click()
    awkward.watched.drawn()
    assert page.url.endswith(f"/days/{awkward.days[-1]}")


def test_a_range_without_days_says_which_there_are(awkward: Awkward) -> None:
    page = awkward.watched.page
    page.goto(f"{awkward.watched.root}/?from=2030-01-01")
    assert f"from {awkward.days[0]} to {awkward.days[-1]}" in page.locator("main").inner_text()
    awkward.watched.assert_quiet()
