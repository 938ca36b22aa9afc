"""What a day's scores and alerts were worth, and what its weeks were expected to be."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from fraud_assets.learning.measuring.alerting import AlertPolicy
from fraud_assets.learning.measuring.intervals import Interval
from fraud_assets.learning.watching.live import (
    FEWEST_DAYS_OF_WEEK,
    PROMISED,
    coming_week,
    live_day,
    week_as_promised,
    week_mean,
    week_until,
    weekly_means,
)
from fraud_assets_tests.learning.frames import at

POLICY = AlertPolicy(alerts_per_day=3, cost_per_alert=5.0, recovered_share=0.5)


def _rows(**columns: Any) -> pd.DataFrame:
    """Eight transactions of 100 each; the three highest scores are alerts, and two of these are frauds."""
    rows = pd.DataFrame(
        {
            "transaction_time": at("2024-03-01T12:00:00"),
            "amount": 100.0,
            "score": [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2],
            "is_alert": [True] * 3 + [False] * 5,
            "is_learnable": True,
            "label": pd.array([1, 0, 1, 0, 1, 0, 0, 0], dtype="Int8"),
        }
    )
    return rows.assign(**columns)


def _label(*values: int | None) -> Any:
    return pd.array(list(values), dtype="Int8")


def test_a_day_whose_labels_are_all_known() -> None:
    live = live_day(_rows(), policy=POLICY, timezone="UTC")
    assert (live.transactions, live.labels, live.frauds) == (8, 8, 3)
    assert (live.alerts, live.alerts_labelled, live.frauds_in_alerts) == (3, 3, 2)
    assert live.alert_precision == live.alert_recall == pytest.approx(2 / 3)
    y, scores = [1, 0, 1, 0, 1, 0, 0, 0], _rows()["score"]
    assert live.metrics == pytest.approx(
        {
            "average_precision": average_precision_score(y, scores),
            "roc_auc": roc_auc_score(y, scores),
            "precision_at_k": 2 / 3,
            "saving_per_day": 2 * 100 * 0.5 - 3 * 5,
        }
    )
    assert set(live.metrics) == set(PROMISED)


def test_alerts_are_those_that_were_issued_and_not_the_highest_scores() -> None:
    live = live_day(_rows(is_alert=[False] * 6 + [True, True]), policy=POLICY, timezone="UTC")
    assert (live.alerts, live.frauds_in_alerts, live.alert_precision, live.alert_recall) == (2, 0, 0.0, 0.0)
    assert live.metrics["saving_per_day"] == -10
    assert live.metrics["precision_at_k"] == pytest.approx(2 / 3)


def test_what_is_not_known_is_neither_fraud_nor_genuine_and_costs_all_the_same() -> None:
    live = live_day(_rows(label=_label(None, 0, 1, 0, 1, None, None, 0)), policy=POLICY, timezone="UTC")
    assert (live.labels, live.frauds, live.alerts, live.alerts_labelled, live.frauds_in_alerts) == (5, 2, 3, 2, 1)
    assert (live.alert_precision, live.alert_recall) == (0.5, 0.5)
    assert live.metrics["saving_per_day"] == 100 * 0.5 - 3 * 5
    assert live.metrics["average_precision"] == pytest.approx(average_precision_score([0, 1, 0, 1, 0], [5, 4, 3, 2, 1]))


def test_refunds_declined_ones_and_rows_without_a_score_are_not_measured() -> None:
    rows = _rows(is_learnable=[True] * 7 + [False], score=[0.9, 0.8, 0.7, 0.6, np.nan, 0.4, 0.3, 1.0])
    live = live_day(rows, policy=POLICY, timezone="UTC")
    assert (live.transactions, live.labels, live.frauds) == (8, 7, 3)
    assert live.alert_recall == pytest.approx(2 / 3), "the fraud without a score was missed all the same"
    measured = average_precision_score([1, 0, 1, 0, 0, 0], [6, 5, 4, 3, 2, 1])
    assert live.metrics["average_precision"] == pytest.approx(measured)


@pytest.mark.parametrize(
    ("rows", "frauds", "saving"),
    [
        (_rows(label=_label(*[None] * 8)), 0, None),
        (_rows(score=np.nan, is_alert=False), 3, None),
        (_rows(label=_label(*[0] * 8)), 0, -15.0),
        (_rows().iloc[:0], 0, None),
    ],
)
def test_what_cannot_be_measured_is_none(rows: pd.DataFrame, frauds: int, saving: float | None) -> None:
    live = live_day(rows, policy=POLICY, timezone="UTC")
    assert live.frauds == frauds
    assert live.metrics["average_precision"] is None
    assert live.metrics["roc_auc"] is None
    assert live.metrics["saving_per_day"] == saving


def _daily(count: int, until: str = "2024-03-31") -> dict[str, float]:
    last = date.fromisoformat(until)
    return {(last - timedelta(days=back)).isoformat(): float(back) for back in range(count)}


def test_weeks_do_not_overlap_and_end_on_the_day() -> None:
    assert week_until("2024-03-03") == [
        "2024-02-26", "2024-02-27", "2024-02-28", "2024-02-29", "2024-03-01", "2024-03-02", "2024-03-03",
    ]  # fmt: skip
    daily = _daily(40)
    assert weekly_means(daily, "2024-03-31") == [3.0, 10.0, 17.0, 24.0, 31.0, pytest.approx(37.0)]
    assert weekly_means(daily, "2024-03-24") == weekly_means(daily, "2024-03-31")[1:]
    assert weekly_means({}, "2024-03-31") == []


@given(st.sets(st.integers(0, 300)), st.integers(0, 40))
def test_a_week_counts_with_enough_of_its_days_and_never_with_later_ones(days: set[int], ahead: int) -> None:
    last = date(2024, 6, 30)
    daily = {(last - timedelta(days=back)).isoformat(): float(back) for back in days}
    until = (last - timedelta(days=ahead)).isoformat()
    weeks = [[back for back in days if ahead + 7 * n <= back < ahead + 7 * (n + 1)] for n in range(26)]
    expected = [np.mean(week) for week in weeks if len(week) >= FEWEST_DAYS_OF_WEEK]
    assert weekly_means(daily, until) == pytest.approx(expected)
    assert week_mean(daily, until) == (
        None if len(weeks[0]) < FEWEST_DAYS_OF_WEEK else pytest.approx(np.mean(weeks[0]))
    )


def test_the_coming_week_needs_five_weeks_and_knows_how_promises_were_kept() -> None:
    """Weekly means of live minus promised of 0, 7, ..., 28 hundredths, behind a promise of .6."""
    daily = {day: value / 100 for day, value in _daily(35).items()}
    assert coming_week({day: daily[day] for day in list(daily)[:31]}, 0.6, "2024-03-31") is None
    assert coming_week(daily, None, "2024-03-31") is None
    week = coming_week(daily, 0.6, "2024-03-31")
    assert week is not None
    weeks = np.array([3, 10, 17, 24, 31]) / 100
    reach = 2.776445 * weeks.std(ddof=1) * np.sqrt(1 + 1 / 5)  # Student's t of 4 degrees of freedom, 97.5 %
    assert [week.low, week.high] == pytest.approx([0.77 - reach, 0.77 + reach])


def test_intervals_of_the_coming_week_hold_what_they_say() -> None:
    """Days that vary by .05 around weeks that vary by .02: the next week's mean is inside in about 95 of 100 cases."""
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(1_000):
        weeks = rng.normal(-0.03, 0.02, 10).repeat(7) + rng.normal(0, 0.05, 70)
        daily = dict(zip(_daily(63), weeks[7:], strict=True))
        week = coming_week(daily, 0.7, "2024-03-31")
        assert week is not None
        inside += week.low <= 0.7 + weeks[:7].mean() <= week.high
    assert 0.93 < inside / 1_000 < 0.97


def test_a_week_is_expected_wider_than_the_mean_of_the_validation_days() -> None:
    promises = {day: (0.7, Interval(0.65, 0.73)) for day in week_until("2024-03-31")}
    week = week_as_promised(promises, 14)
    assert week is not None
    assert [week.low, week.high] == pytest.approx([0.7 - 0.05 * 3**0.5, 0.7 + 0.03 * 3**0.5])
    assert week_as_promised({}, 14) is None
    assert week_as_promised(promises, 0) is None


def test_days_as_good_as_validation_are_inside_of_what_was_promised() -> None:
    """The mean of 7 days against that of 14 others from the same distribution."""
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(1_000):
        days = rng.normal(0.7, 0.06, 21)
        reach = 2.160 * days[7:].std(ddof=1) / np.sqrt(14)
        interval = Interval(days[7:].mean() - reach, days[7:].mean() + reach)
        week = week_as_promised(dict.fromkeys(week_until("2024-03-31"), (float(days[7:].mean()), interval)), 14)
        assert week is not None
        inside += week.low <= days[:7].mean() <= week.high
    assert 0.93 < inside / 1_000 < 0.97
