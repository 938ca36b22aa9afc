"""The mean of daily metrics, which is what a day to come is compared with."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import average_precision_score

from fraud_assets.learning.measuring.daily import daily_means

SHARES = st.one_of(st.none(), st.floats(0, 1))


def test_the_interval_is_the_t_interval_of_the_days() -> None:
    """Taken on log-odds, which far from 0 and 1, and with days that differ little, is the same."""
    values = [0.50, 0.52, 0.49, 0.51, 0.53, 0.47]
    means = daily_means(pd.DataFrame({"average_precision": values, "roc_auc": 0.9}))
    low, high = stats.t.interval(0.95, 5, np.mean(values), stats.sem(values))
    found = [means[f"daily_average_precision{end}"] for end in ("", "_low", "_high")]
    assert found == pytest.approx([np.mean(values), low, high], abs=1e-4)
    assert [means["daily_roc_auc_low"], means["daily_roc_auc_high"]] == pytest.approx([0.9, 0.9])


def test_days_without_a_value_do_not_count() -> None:
    days = pd.DataFrame({"average_precision": [0.2, None, 0.4], "roc_auc": [None, 0.7, None]})
    means = daily_means(days)
    assert means == daily_means(days.iloc[[2, 1, 0]])
    assert means["daily_average_precision"] == pytest.approx(0.3)
    assert {name: value for name, value in means.items() if "roc" in name} == {"daily_roc_auc": 0.7}
    assert daily_means(days.iloc[:0]) == daily_means(days.assign(average_precision=None, roc_auc=None)) == {}


@given(st.lists(SHARES, min_size=1, max_size=20))
def test_bounds_are_shares_around_the_mean(values: list[float | None]) -> None:
    means = daily_means(pd.DataFrame({"average_precision": values, "roc_auc": None}, dtype="float64"))
    if "daily_average_precision_low" in means:
        low, value, high = (means[f"daily_average_precision{end}"] for end in ("_low", "", "_high"))
        assert 0 <= low <= value + 1e-12
        assert value - 1e-12 <= high <= 1


def test_a_scorer_as_good_as_ever_keeps_its_daily_promise_and_not_the_one_over_all_days() -> None:
    """Fraud comes in waves: days with many frauds rank better than those with few, and all at once like neither."""
    rng = np.random.default_rng(3)
    frauds = [2, 40] * 200
    days, scores, labels = [], [], []
    for count in frauds:
        label = np.repeat([1, 0], [count, 500])
        score = rng.normal(size=len(label)) + 2 * label
        days.append(average_precision_score(label, score))
        scores.append(score)
        labels.append(label)
    means = daily_means(pd.DataFrame({"average_precision": days[:200], "roc_auc": None}, dtype="float64"))
    live = float(np.mean(days[200:]))
    over_all = float(average_precision_score(np.concatenate(labels[:200]), np.concatenate(scores[:200])))
    assert abs(live - means["daily_average_precision"]) < 0.04 < abs(live - over_all)
