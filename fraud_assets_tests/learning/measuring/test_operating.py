"""Operating points: counted right, few, and with the areas that scikit-learn computes from all scores."""

import time
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from fraud_assets.learning import AlertPolicy, evaluate_scorers
from fraud_assets.learning.measuring.days import LabelledDays, ScoredDays
from fraud_assets.learning.measuring.operating import (
    MOST_POINTS,
    POINT_TYPES,
    SCORE_BINS,
    operating_points,
    thin_steps,
)
from fraud_assets_tests.learning.frames import labelled_rows

TOLERANCE = 0.005
"""How far the areas under the thinned curves may be from those under the whole ones."""

POLICY = AlertPolicy(cost_per_alert=2.0, recovered_share=0.8)
Floats = NDArray[np.float64]


def points_of(
    label: Any, score: Any, threshold: float | None = None, amount: Any = None, days: int = 4
) -> pd.DataFrame:
    label, score = np.asarray(label, dtype=bool), np.asarray(score, dtype=float)
    amounts = np.full(len(label), 10.0) if amount is None else np.asarray(amount, dtype=float)
    day = np.sort(np.arange(len(label)) % days)
    labelled = LabelledDays(label, amounts, day, tuple(f"2024-03-0{1 + d}" for d in range(days)), None)
    return operating_points(ScoredDays.of(labelled, score, threshold=threshold, policy=POLICY), threshold)


def average_precision(points: pd.DataFrame) -> float:
    known = points[points["alerts"] > 0]
    return float((known["recall"].diff().fillna(known["recall"].iloc[0]) * known["precision"]).sum())


def roc_auc(points: pd.DataFrame) -> float:
    x, y = (np.append(0.0, points[name]) for name in ("false_positive_rate", "recall"))
    return float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum())


def realistic(rows: int, fraud_rate: float, strength: float, digits: int = 9) -> tuple[NDArray[np.bool_], Floats]:
    random = np.random.default_rng(7)
    label = random.random(rows) < fraud_rate
    is_seen = label & (random.random(rows) < 0.8)
    score = 1 / (1 + np.exp(5 - random.normal(size=rows) - strength * is_seen))
    return label, score.round(digits)


def test_every_threshold_of_a_few_rows_is_counted_by_hand() -> None:
    found = points_of([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1], 0.75, amount=[100.0, 5.0, 50.0, 1.0], days=2)
    assert list(found.columns) == list(POINT_TYPES)
    assert found["threshold"].tolist() == [0.9, 0.8, 0.75, 0.7, 0.1]
    assert found["alerts"].tolist() == [1, 2, 2, 3, 4]
    assert found["frauds_caught"].tolist() == [1, 1, 1, 2, 2]
    assert found["false_alarms"].tolist() == [0, 1, 1, 1, 2]
    assert found["alerts_per_day"].tolist() == [0.5, 1, 1, 1.5, 2]
    assert found["precision"].tolist() == pytest.approx([1, 1 / 2, 1 / 2, 2 / 3, 1 / 2])
    assert found["recall"].tolist() == [0.5, 0.5, 0.5, 1, 1]
    assert found["false_positive_rate"].tolist() == [0, 0.5, 0.5, 0.5, 1]
    # A fraud of 100 brings 80, one of 50 brings 40; each alert costs 2; two days.
    assert found["saving_per_day"].tolist() == pytest.approx([39, 38, 38, 57, 56])
    assert found["is_chosen"].tolist() == [False, False, True, False, False]


ROWS = st.lists(st.tuples(st.booleans(), st.integers(0, 30)), min_size=1, max_size=150)


@given(ROWS, st.one_of(st.none(), st.integers(-2, 32).map(lambda value: value / 30)))
@example([(True, 3), (False, 3), (False, 3)], 0.1)
@example([(True, 1), (False, 2), (False, 0)], None)
@example([(False, 1), (False, 1)], 2.0)
def test_the_areas_are_those_of_scikit_learn(rows: list[tuple[bool, int]], threshold: float | None) -> None:
    label, score = np.array([row[0] for row in rows]), np.array([row[1] / 30 for row in rows])
    found = points_of(label, score, threshold)
    assert found["threshold"].is_monotonic_decreasing
    assert (found["alerts"] == found["frauds_caught"] + found["false_alarms"]).all()
    assert (found["alerts"] == [(score >= t).sum() for t in found["threshold"]]).all()
    assert (found["frauds_caught"] == [label[score >= t].sum() for t in found["threshold"]]).all()
    last = found.iloc[-1]
    assert (last["frauds_caught"], last["false_alarms"]) == (label.sum(), (~label).sum())
    assert found["is_chosen"].sum() == (threshold is not None)
    if label.any():
        assert average_precision(found) == pytest.approx(average_precision_score(label, score))
    else:
        assert found["recall"].isna().all()
    if label.any() and not label.all():
        assert roc_auc(found) == pytest.approx(roc_auc_score(label, score))


@pytest.mark.parametrize("digits", [9, 3, 1])
@pytest.mark.parametrize(("fraud_rate", "strength"), [(0.0087, 5.0), (0.0087, 1.0), (0.3, 1.5), (0.001, 4.0)])
def test_few_points_keep_the_areas_of_many_rows(fraud_rate: float, strength: float, digits: int) -> None:
    label, score = realistic(60_000, fraud_rate, strength, digits)
    found = points_of(label, score, 0.4)
    assert min(90, len(np.unique(score))) <= len(found) <= MOST_POINTS + 1
    assert average_precision(found) == pytest.approx(average_precision_score(label, score), abs=TOLERANCE)
    assert roc_auc(found) == pytest.approx(roc_auc_score(label, score), abs=TOLERANCE)


@pytest.mark.parametrize("scale", [1.0, 5_000.0])
def test_counts_by_score_are_exact_at_the_edges_of_equal_bins(scale: float) -> None:
    label, score = realistic(60_000, 0.02, 4.0)
    score = score * scale
    found = points_of(label, score)
    low, high = (0.0, 1.0) if scale == 1 else (score.min(), score.max())
    for edge in np.linspace(low, high, SCORE_BINS + 1)[1:-1]:
        above = found[found["threshold"] >= edge]
        assert above["alerts"].max() == (score >= edge).sum() or (above.empty and not (score >= edge).any())


@pytest.mark.parametrize("seed", range(6))
def test_the_highest_saving_and_one_false_alarm_are_among_the_points(seed: int) -> None:
    label, score = realistic(60_000, 0.02, 4.0)
    amount = np.random.default_rng(seed).gamma(0.5, 90, size=len(label))
    found = points_of(label, score, amount=amount)
    order = np.argsort(-score)
    saved = (amount[order] * 0.8 * label[order] - 2.0).cumsum() / 4
    assert found["saving_per_day"].max() == pytest.approx(saved.max())
    assert found["false_alarms"].isin([1]).any()
    assert (found["false_alarms"].iloc[0], found["alerts"].iloc[-1]) == (0, 60_000)


def test_a_threshold_above_all_scores_has_no_alert_and_no_precision() -> None:
    own = points_of([1, 0], [0.3, 0.2], 0.9).iloc[0]
    assert (own["is_chosen"], own["alerts"], own["recall"], own["saving_per_day"]) == (True, 0, 0, 0)
    assert np.isnan(own["precision"])


def test_a_threshold_that_is_a_score_or_below_all_is_one_row() -> None:
    label, score = realistic(30_000, 0.02, 4.0)
    kept = points_of(label, score)["threshold"]
    for threshold in (np.sort(score)[-777], kept.iloc[0], kept.iloc[77], score.min() - 1):
        found = points_of(label, score, threshold)
        assert found.loc[found["is_chosen"], "threshold"].tolist() == [threshold]
        assert found.loc[found["is_chosen"], "alerts"].tolist() == [(score >= threshold).sum()]
        assert found["threshold"].is_unique
        assert found["alerts"].iloc[-1] == 30_000


def test_without_a_row_there_is_no_point() -> None:
    found = points_of([], [])
    assert (len(found), list(found.columns)) == (0, list(POINT_TYPES))


def test_many_rows_take_no_time() -> None:
    label, score = realistic(227_000, 0.3, 1.5)
    started = time.perf_counter()
    points_of(label, score, 0.4)
    assert time.perf_counter() - started < 1


def test_an_evaluation_has_the_points_of_every_scorer_with_finite_scores() -> None:
    frame = labelled_rows()
    strength = frame["strength"].to_numpy()
    scores = {
        "good": 1 / (1 + np.exp(4 - 2 * strength)),
        "broken": np.where(strength == strength.max(), np.inf, strength),
        "baseline_amount": frame["amount"].to_numpy(),
    }
    thresholds = {"good": 0.5, "broken": 0.5}
    found = evaluate_scorers(frame, scores, thresholds, policy=POLICY, timezone="UTC")
    assert found.points["candidate"].unique().tolist() == ["good", "baseline_amount"]
    assert found.points.groupby("candidate")["is_chosen"].sum().to_dict() == {"good": 1, "baseline_amount": 0}
    own = found.points[found.points["is_chosen"]].iloc[0]
    good = found.overall.set_index("candidate").loc["good"]
    assert (own["precision"], own["recall"]) == (good["precision"], good["recall"])
    assert own["alerts_per_day"] == own["alerts"] / 8


@given(st.lists(st.floats(0, 1), min_size=1, max_size=400), st.integers(10, 60))
def test_thinning_keeps_the_ends_and_few_points(heights: list[float], most: int) -> None:
    kept = thin_steps(np.array(heights), most)
    assert len(kept) <= max(most, 2)
    assert kept[0] == 0
    assert kept[-1] == len(heights) - 1
    assert (np.diff(kept) > 0).all()


@given(st.lists(st.floats(0, 1), min_size=100, max_size=400), st.integers(10, 60))
def test_a_monotone_step_function_is_thinned_evenly(heights: list[float], most: int) -> None:
    falling = np.sort(np.array(heights))[::-1]
    kept = thin_steps(falling, most)
    drawn = falling[kept[np.searchsorted(kept, np.arange(len(falling)))]]
    assert np.abs(drawn - falling).max() <= np.ptp(falling) / (most - 2) + 2e-4
