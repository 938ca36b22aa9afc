"""Calibration: bins that say something where the alerts are, and numbers that move with the scores' honesty."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from fraud_assets.learning.measuring.calibration import (
    BIN_COLUMNS,
    brier_skill,
    expected_calibration_error,
    reliability_bins,
)


def honest(n: int = 40_000, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores that are the chance of fraud, about 1 % on average, and what came."""
    rng = np.random.default_rng(seed)
    chance = 1 / (1 + np.exp(6 - rng.gamma(1, 1, size=n)))
    return chance, rng.random(n) < chance


def test_a_bin_has_half_of_the_rows_above_it_and_the_last_one_is_where_the_alerts_are() -> None:
    bins = reliability_bins(*honest(800))
    assert tuple(bins) == BIN_COLUMNS
    assert bins["rows"].tolist() == [400, 200, 100, 50, 50]
    assert bins["bin"].tolist() == [1, 2, 3, 4, 5]
    assert (bins["highest_score"].to_numpy()[:-1] < bins["lowest_score"].to_numpy()[1:]).all()


def test_bins_hold_what_they_say() -> None:
    scores, labels = honest(5_000)
    bins = reliability_bins(scores, labels)
    for _, found in bins.iterrows():
        inside = (scores >= found["lowest_score"]) & (scores <= found["highest_score"])
        assert (inside.sum(), labels[inside].sum()) == (found["rows"], found["frauds"])
        assert found["mean_score"] == pytest.approx(scores[inside].mean())
        assert found["fraud_share"] == pytest.approx(labels[inside].mean())
        exact = stats.binomtest(int(found["frauds"]), int(found["rows"])).proportion_ci(method="exact")
        assert (found["fraud_share_low"], found["fraud_share_high"]) == pytest.approx((exact.low, exact.high))


def test_honest_scores_lie_inside_95_of_100_intervals_and_exaggerated_ones_do_not() -> None:
    def held(power: float) -> float:
        drawn = [honest(5_000, seed) for seed in range(60)]
        bins = pd.concat([reliability_bins(scores**power, labels) for scores, labels in drawn])
        return float(bins["mean_score"].between(bins["fraud_share_low"], bins["fraud_share_high"]).mean())

    # The exact interval is too wide where frauds are few, never too narrow.
    assert 0.94 <= held(1) <= 0.99
    assert held(0.8) < 0.5


def test_the_calibration_error_is_the_distance_of_the_bins() -> None:
    scores, labels = honest()
    bins = reliability_bins(scores, labels)
    by_hand = np.average((bins["mean_score"] - bins["fraud_share"]).abs(), weights=bins["rows"])
    assert expected_calibration_error(scores, labels) == pytest.approx(by_hand)
    assert expected_calibration_error(scores, labels) < 0.002
    assert expected_calibration_error(np.minimum(scores + 0.05, 1), labels) == pytest.approx(0.05, abs=0.002)


def test_errors_at_the_top_do_not_cancel_out() -> None:
    """Among the highest 2 % half are promised too much and half too little: a single bin for them would see nothing."""
    scores = np.concatenate([np.full(9_800, 0.001), np.full(100, 0.3), np.full(100, 0.7)])
    labels = np.concatenate([np.zeros(9_800, bool), np.arange(200) % 2 == 0])
    assert expected_calibration_error(scores, labels) == pytest.approx(0.98 * 0.001 + 0.02 * 0.2)


@settings(deadline=None)
@given(
    scores=st.lists(st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0, 1)), min_size=1, max_size=400),
    data=st.data(),
)
def test_every_row_is_in_one_bin_equal_scores_in_the_same_and_labels_have_no_say(
    scores: list[float], data: st.DataObject
) -> None:
    given_scores = np.array(scores)
    labels = np.array(data.draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores))))
    bins = reliability_bins(given_scores, labels)
    assert bins["rows"].sum() == len(scores)
    assert bins["frauds"].sum() == labels.sum()
    assert (bins["rows"] > 0).all()
    assert (bins["highest_score"].to_numpy()[:-1] < bins["lowest_score"].to_numpy()[1:]).all()
    assert 0 <= expected_calibration_error(given_scores, labels) <= 1
    label_free = ["bin", "rows", "lowest_score", "highest_score", "mean_score"]
    pd.testing.assert_frame_equal(bins[label_free], reliability_bins(given_scores, ~labels)[label_free])


def test_skill_is_1_for_perfect_scores_and_0_for_the_share_of_fraud() -> None:
    labels = np.array([True, False, False, False])
    assert brier_skill(0.0, labels) == 1
    assert brier_skill(float(np.mean((0.25 - labels) ** 2)), labels) == pytest.approx(0)
    assert brier_skill(0.5, labels) == pytest.approx(1 - 0.5 / 0.1875)
    assert brier_skill(0.1, np.array([False, False])) is None
