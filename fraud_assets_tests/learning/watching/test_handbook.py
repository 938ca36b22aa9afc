"""Drift over two stable weeks of the handbook's data: no wolf is cried, and one that comes is seen."""

import pandas as pd
import pytest

from fraud_assets.learning import FeatureSpec, compute_features
from fraud_assets.learning.watching.drift import Level, Thresholds, measure_drift, reference_of
from fraud_assets.learning.watching.rates import daily_frauds, rate_change
from fraud_assets_tests.learning.frames import SHARED_DATA, at, handbook

# What the calendar and the amount say: the windows of customers and terminals, as stable, take a minute to compute.
SPEC = FeatureSpec(has_customer=False, has_terminal=False)
FIRST_DAY, LAST_DAY = "2018-07-01", "2018-07-14"
THRESHOLDS = Thresholds()

pytestmark = pytest.mark.skipif(
    not (SHARED_DATA / "handbook").is_dir(), reason="needs the handbook's days in shared/data beside the checkout"
)


def _of(rows: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    return rows[(rows["transaction_time"] >= first) & (rows["transaction_time"] < last + pd.Timedelta(days=1))]


def test_two_stable_weeks_are_stable_and_a_changed_day_is_not() -> None:
    transactions, labels = handbook("2018-05-27", LAST_DAY)
    features = compute_features(transactions, labels, SPEC, start=at("2018-05-27"), end=at("2018-07-15"))
    levels = []
    for day in pd.date_range(at(FIRST_DAY), at(LAST_DAY)):
        window = _of(features, day - pd.Timedelta(days=34), day - pd.Timedelta(days=7))
        reference = reference_of(window, SPEC.names, ())
        today = _of(features, day, day)
        measured = measure_drift(reference, today, THRESHOLDS, weekday=day.day_of_week)
        levels += [*measured["level"], _frauds(transactions, labels, day)]
    assert len(levels) == 14 * (len(SPEC.names) + 1)
    assert levels.count(Level.DRIFT) == 0
    assert levels.count(Level.WATCH) <= 2
    assert levels.count(Level.UNKNOWN) == 0
    cents = measure_drift(reference, today.assign(amount=today["amount"] * 100), THRESHOLDS, weekday=day.day_of_week)
    assert cents.loc[cents["level"] != Level.OK, "subject"].tolist() == ["amount"]


def _frauds(transactions: pd.DataFrame, labels: pd.DataFrame, day: pd.Timestamp) -> Level:
    newest = day - pd.Timedelta(days=7)
    before = day + pd.Timedelta(days=1)
    window = _of(transactions, newest - pd.Timedelta(days=27), newest)
    counts = daily_frauds(window, labels, before=before, timezone="UTC", within_days=7)
    return rate_change(counts, newest.strftime("%Y-%m-%d")).level
