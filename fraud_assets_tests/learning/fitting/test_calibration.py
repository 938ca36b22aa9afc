"""The calibrator keeps the order of the scores, and makes them probabilities of rows that the model has not seen."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from fraud_assets.learning import Calibrator, LearningError
from fraud_assets.learning.fitting.calibration import fit_calibrator, log_odds

slopes = st.floats(0.05, 20)
intercepts = st.floats(-10, 10)


def drawn(n: int, slope: float, intercept: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and labels of which expit(slope · logit(score) + intercept) are the probabilities."""
    rng = np.random.default_rng(seed)
    scores = expit(rng.normal(-3, 2, n))
    y = (rng.random(n) < expit(slope * logit(scores) + intercept)).astype(np.int8)
    return scores, y


@given(slopes, intercepts, st.lists(st.integers(1, 999), min_size=2, unique=True))
@settings(deadline=None)
def test_it_rises_strictly(slope: float, intercept: float, thousandths: list[int]) -> None:
    scores = np.sort(np.array(thousandths) / 1_000)
    # Beyond these odds, double precision has no room between a probability and 1.
    calibrated = Calibrator(slope, intercept)(scores)[np.abs(slope * logit(scores) + intercept) < 30]
    assert (np.diff(calibrated) > 0).all()
    assert ((calibrated > 0) & (calibrated < 1)).all()


def test_certainty_stays_certain_and_the_identity_changes_no_bit() -> None:
    scores = np.array([0.0, 1e-300, 0.3, 1.0])
    assert Calibrator(2.0, -1.0)(scores)[[0, 3]].tolist() == [0.0, 1.0]
    assert Calibrator()(scores).tobytes() == scores.tobytes()


@pytest.mark.parametrize(("slope", "intercept"), [(0.5, -1.0), (1.0, 0.0), (2.0, 1.5)])
def test_it_finds_what_the_labels_were_drawn_with(slope: float, intercept: float) -> None:
    scores, y = drawn(60_000, slope, intercept)
    found = fit_calibrator(scores, y, np.ones(len(y)))
    assert found.slope == pytest.approx(slope, rel=0.1)
    assert found.intercept == pytest.approx(intercept, abs=0.15)
    assert found(scores).mean() == pytest.approx(y.mean(), rel=0.01)


def test_a_sample_with_weights_gives_what_all_rows_give() -> None:
    scores, y = drawn(60_000, 0.6, -1.0)
    genuine = np.flatnonzero(y == 0)
    kept = np.sort(np.concatenate([np.flatnonzero(y == 1), genuine[::10]]))
    weights = np.where(y[kept] == 1, 1.0, len(genuine) / len(genuine[::10]))
    whole = fit_calibrator(scores, y, np.ones(len(y)))
    sampled = fit_calibrator(scores[kept], y[kept], weights)
    assert sampled.slope == pytest.approx(whole.slope, rel=0.05)
    assert fit_calibrator(scores[kept], y[kept], np.ones(len(kept))).intercept > sampled.intercept + 1


@pytest.mark.parametrize("frauds", [0, 1, 9, 100])
def test_few_frauds_or_nothing_else_leave_the_scores_alone(frauds: int) -> None:
    y = np.zeros(100, dtype=np.int8)
    y[:frauds] = 1
    assert fit_calibrator(np.linspace(0.9, 0.1, 100), y, np.ones(100)).is_identity


def test_constant_and_inverted_scores_are_left_alone() -> None:
    scores, y = drawn(5_000, 1.0, 0.0)
    assert fit_calibrator(np.full(5_000, 0.1), y, np.ones(5_000)).is_identity
    assert fit_calibrator(1 - scores, y, np.ones(5_000)).is_identity


def test_scores_that_separate_the_classes_give_a_finite_slope() -> None:
    y = np.repeat(np.array([0, 1], dtype=np.int8), 50)
    found = fit_calibrator(np.where(y == 1, 0.9, 0.1), y, np.ones(100))
    assert 1 < found.slope < 10


@pytest.mark.parametrize("slope", [0.0, -1.0, math.nan, math.inf])
def test_a_slope_that_would_not_rise_is_refused(slope: float) -> None:
    with pytest.raises(LearningError, match="finite slope above 0"):
        Calibrator(slope, 0.0)


@given(slopes, intercepts)
@settings(deadline=None)
def test_it_survives_json(slope: float, intercept: float) -> None:
    calibrator = Calibrator(slope, intercept)
    assert Calibrator.from_json(json.loads(json.dumps(calibrator.as_json()))) == calibrator


def test_log_odds_are_finite() -> None:
    assert log_odds(np.array([0.0, 0.5, 1.0])) == pytest.approx([-13.8155, 0.0, 13.8155], rel=1e-4)
