"""Which settings of `retention` are meant for which asset, and what they must leave."""

from datetime import date
from typing import Any

import pytest

from fraud_assets.assets import all_assets
from fraud_assets.assets.plan import Plan
from fraud_assets.assets.retention import ARCHIVED_VERSIONS, Kept, kept, mistakes, needed_days
from fraud_assets.partitions import daily_partitions
from fraud_assets.settings import RetentionSettings, Settings
from fraud_assets_tests.small_world import ALL_ASSETS, SMALL


def _plan(**retention: Any) -> Plan:
    settings = Settings.model_validate({**SMALL, "retention": retention})
    return Plan(settings, daily_partitions(date(2026, 1, 1), "UTC"))


def test_an_asset_goes_by_its_own_name_before_its_familys() -> None:
    settings = RetentionSettings(days={"a": 5, "a/b": 7}, archived_versions={"a/b": 0})
    assert kept(settings, "a/c") == Kept(5, None)
    assert kept(settings, "a/b") == Kept(7, 0)
    assert kept(settings, "a/b/c") == Kept(7, 0)
    assert kept(settings, "ab") == Kept()


@pytest.mark.parametrize(("days", "first"), [(1, "2026-03-01"), (2, "2026-02-28"), (30, "2026-01-31")])
def test_days_are_counted_from_the_newest(days: int, first: str) -> None:
    assert Kept(days).first_day("2026-03-01") == first
    assert Kept().first_day("2026-03-01") is None


def test_what_is_looked_back_on_follows_from_the_windows() -> None:
    """Delay 2, training 8, validation 4: a run brings features of 16 days, and batches of the days before those."""
    plan = _plan()
    needed = needed_days(plan, all_assets(plan))
    assert set(needed) == set(ALL_ASSETS) - {"performance_report"}
    history = 2 * 2 + 4 + 8
    assert needed["cleaned_features"] >= history
    assert needed["raw_batch"] == history - plan.feature_history[0]
    assert needed["best_model"] == needed["evaluation_table"] == plan.settings.reports.history_days
    assert needed["scored_batch"] == 8
    assert needed["candidate_models/ensemble"] == 1 + plan.settings.learning.search_every_days


def test_just_enough_is_no_mistake_and_a_day_less_is() -> None:
    plan = _plan()
    needed = needed_days(plan, all_assets(plan))
    assert mistakes(_plan(days=needed), all_assets(plan)) == []
    for name, days in needed.items():
        if days > 1:
            plan = _plan(days={**needed, name: days - 1})
            (said,) = mistakes(plan, all_assets(plan))
            assert f"keeps {days - 1} days of {name}, and today's settings look back on {days}; keep" in said


def test_each_mistake_is_a_sentence() -> None:
    plan = _plan(days={"nothing": 3, "candidate_models": 2}, archived_versions={"nobody": 1, "candidate_models": 0})
    said = mistakes(plan, all_assets(plan))
    assert len(said) == 3
    assert all(one.endswith(".") for one in said)


def test_assets_say_how_many_superseded_versions_storage_keeps() -> None:
    plan = _plan(archived_versions={"candidate_models": 0, "raw_batch": 1})
    said = {
        key.to_user_string(): spec.metadata[ARCHIVED_VERSIONS]
        for asset in all_assets(plan)
        for key, spec in asset.specs_by_key.items()
        if ARCHIVED_VERSIONS in spec.metadata
    }
    assert said == {"raw_batch": 1} | {name: 0 for name in ALL_ASSETS if name.startswith("candidate_models/")}
