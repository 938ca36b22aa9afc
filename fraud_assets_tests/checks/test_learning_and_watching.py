"""Warnings about models: what they have learned from, how old they are, and whether their scores are right."""

import dagster as dg
import pytest

from fraud_assets.checks import (
    CHECK_SPECS,
    ScoreSum,
    champion_is_young_enough,
    every_family_fitted,
    features_are_stable,
    history_is_complete,
    labels_are_mature,
    live_performance_is_as_promised,
    scores_are_calibrated,
)


@pytest.mark.parametrize(
    ("since", "newest", "champion", "is_young"),
    [
        ("2025-12-15", "2026-03-14", "2026-03-14", True),
        ("2025-12-14", "2026-03-14", "2026-03-14", False),
        ("2026-03-15", "2026-01-01", None, False),
        ("2026-03-15", None, None, True),
    ],
)
def test_a_champion_that_is_old_or_was_lost_is_told_of(
    since: str, newest: str | None, champion: str | None, is_young: bool
) -> None:
    check = champion_is_young_enough("2026-03-15", since, 90, newest, champion, 28)
    assert check.passed is is_young
    assert ("what_to_do" in check.metadata) is not is_young


@pytest.mark.parametrize(
    ("frauds", "expected", "variance", "is_right"),
    [
        (100, 100.0, 80.0, True),
        (135, 100.0, 80.0, True),
        (137, 100.0, 80.0, False),
        (60, 100.0, 80.0, False),
        (10_500, 10_000.0, 8_000.0, True),
        (0, 9.0, 1.0, True),
        (12, 1.0, 1.0, False),
    ],
)
def test_scores_are_right_when_as_many_are_frauds_as_they_add_up_to(
    frauds: int, expected: float, variance: float, is_right: bool
) -> None:
    assert scores_are_calibrated(ScoreSum(frauds, expected, variance), 7).passed is is_right


TOO_FEW, RIGHT, OFF = ScoreSum(3, 9.0, 1.0), ScoreSum(100, 100.0, 80.0), ScoreSum(200, 100.0, 80.0)


@pytest.mark.parametrize(
    ("live", "validation", "is_right", "seen"),
    [
        (TOO_FEW, OFF, False, "200 frauds where scores add up to 100.0, over the validation days"),
        (TOO_FEW, RIGHT, True, "100 frauds where scores add up to 100.0, over the validation days"),
        (TOO_FEW, TOO_FEW, True, "Too few frauds to judge by: 3 frauds"),
        (TOO_FEW, None, True, "Too few frauds to judge by: 3 frauds"),
        (RIGHT, OFF, True, "over 2 scored days"),
        (OFF, RIGHT, False, "over 2 scored days"),
    ],
)
def test_the_validation_days_are_judged_until_live_ones_are_enough(
    live: ScoreSum, validation: ScoreSum | None, is_right: bool, seen: str
) -> None:
    check = scores_are_calibrated(live, 2, validation)
    assert check.passed is is_right
    assert seen in str(check.metadata["seen"].value)


def test_every_warning_says_what_was_seen_what_was_expected_and_what_to_do() -> None:
    failing = [
        history_is_complete(["2026-03-01", "2026-03-02"], {"2026-03-02"}),
        every_family_fitted({"random_forest": "no memory"}),
        live_performance_is_as_promised(0.2, 0.3, 0.5, "history"),
        live_performance_is_as_promised(0.6, 0.3, 0.5, "history"),
        labels_are_mature("After 7 days 50.0% of 10 frauds were known.", 0.5, 0.9, 7, 21),
        labels_are_mature("After 7 days 50.0% of 10 frauds were known.", 0.5, 0.9, 7, None),
        features_are_stable(30, ["age"], {"amount": "index 0.4"}),
    ]
    for check in failing:
        assert not check.passed
        assert check.severity is dg.AssetCheckSeverity.WARN
        sentences = [str(check.metadata[name].value) for name in ("seen", "expected", "what_to_do")]
        assert all(sentence.endswith(".") for sentence in sentences), sentences
        assert check.description == f"{sentences[0]} {sentences[2]}"


def test_nothing_to_judge_passes_and_says_so() -> None:
    check = live_performance_is_as_promised(None, None, None, "nothing yet")
    assert check.passed
    assert "Nothing to judge yet" in str(check.metadata["seen"].value)


def test_every_check_says_what_it_looks_at() -> None:
    for spec in CHECK_SPECS.values():
        assert spec.description
