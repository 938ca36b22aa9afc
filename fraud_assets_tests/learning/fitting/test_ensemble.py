"""The ensemble averages log-odds with weights that are best on out-of-fold scores, the same ones every time."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from fraud_assets.learning import (
    FAMILIES,
    Calibrator,
    SearchBudget,
    SearchResult,
    fit_candidates,
    score_candidates,
)
from fraud_assets.learning.fitting.calibration import SMALLEST_PROBABILITY, fit_calibrator
from fraud_assets.learning.fitting.ensemble import LogOddsAverage, choose_weights, least_probability
from fraud_assets.learning.fitting.search import Searched
from fraud_assets.learning.fitting.trials import ScoredPart
from fraud_assets_tests.learning.frames import NUMERIC_SPEC, labelled_rows

RNG = np.random.default_rng(3)
Y = [(RNG.random(2_000) < 0.05).astype(np.int8) for _ in range(2)]
PARTS = [ScoredPart(np.arange(2_000), y, np.where(y == 1, 1.0, 3.0)) for y in Y]


def scorer(signal: float, seed: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    return tuple(expit(rng.normal(-3, 1, len(y)) + signal * y) for y in Y)


def searched(scores: tuple[np.ndarray, ...] | None, slope: float = 1.0, failure: str | None = None) -> Searched:
    return Searched(SearchResult({}, 0.5, Calibrator(slope, 0.0), failure=failure), [], scores)


def mean_precision(scores: tuple[np.ndarray, ...]) -> float:
    return float(np.mean([part.average_precision(of_fold) for part, of_fold in zip(PARTS, scores, strict=True)]))


def test_two_that_know_different_things_are_better_together() -> None:
    found = {"a": searched(scorer(2.0, 1)), "b": searched(scorer(2.0, 2)), "noise": searched(scorer(0.0, 3))}
    ensemble = choose_weights(found, PARTS)
    weights = ensemble.result.parameters
    assert set(weights) == {"a", "b"}
    assert sum(float(weight or 0) for weight in weights.values()) == pytest.approx(1, abs=1e-5)
    assert ensemble.out_of_fold is not None
    alone = [mean_precision(found[name].out_of_fold or ()) for name in found]
    assert mean_precision(ensemble.out_of_fold) > max(alone) + 0.05
    assert ensemble.table[0]["parameters"] in ({"a": 1}, {"b": 1})
    assert ensemble.table[0]["average_precision"] == pytest.approx(max(alone))
    best = max(step["average_precision"] for step in ensemble.table)
    assert mean_precision(ensemble.out_of_fold) == pytest.approx(best, abs=1e-3)


def test_one_that_nothing_adds_to_stays_alone() -> None:
    sure = scorer(12.0, 1)
    ensemble = choose_weights({"noise": searched(scorer(0.0, 3)), "sure": searched(sure)}, PARTS)
    assert ensemble.result.parameters == {"sure": 1.0}
    assert ensemble.out_of_fold is not None
    for averaged, own in zip(ensemble.out_of_fold, sure, strict=True):
        assert np.corrcoef(logit(averaged), logit(own))[0, 1] > 0.999


def test_a_bold_member_weighs_as_much_as_its_picks_once_it_is_calibrated() -> None:
    shy = scorer(2.0, 1)
    bold = tuple(expit(2 * logit(scores) + 3) for scores in scorer(2.0, 2))
    ensemble = choose_weights({"shy": searched(shy), "bold": searched(bold, slope=0.5)}, PARTS)
    plain = choose_weights({"shy": searched(shy), "bold": searched(scorer(2.0, 2))}, PARTS)
    shy_weight, bold_weight = (float(ensemble.result.parameters[name] or 0) for name in ("shy", "bold"))
    as_plain = float(plain.result.parameters["bold"] or 0) / float(plain.result.parameters["shy"] or 0)
    assert bold_weight / shy_weight == pytest.approx(as_plain / 2, rel=1e-3)


def test_its_calibrator_and_threshold_come_from_its_own_out_of_fold_scores() -> None:
    found = {"a": searched(scorer(2.0, 1)), "b": searched(scorer(2.0, 2))}
    ensemble = choose_weights(found, PARTS)
    assert ensemble.out_of_fold is not None
    y, weights = np.concatenate(Y), np.concatenate([part.weights for part in PARTS])
    scores = np.concatenate(ensemble.out_of_fold)
    assert ensemble.result.calibrator == fit_calibrator(scores, y, weights)
    assert ensemble.result.threshold in ensemble.result.calibrator(scores)


@pytest.mark.parametrize("parts", [PARTS, []])
def test_those_that_failed_are_no_members(parts: list[ScoredPart]) -> None:
    found: Mapping[str, Searched] = {
        "broken": searched(None, failure="ValueError: no"),
        "a": searched(scorer(2.0, 1) if parts else None),
        "b": searched(scorer(1.9, 2) if parts else None),
    }
    assert set(choose_weights(found, parts).result.parameters) == {"a", "b"}
    failed = choose_weights({"broken": found["broken"]}, parts)
    assert failed.result.failure == "no family came out of the search"


def test_the_same_scores_give_the_same_weights() -> None:
    found = {"a": searched(scorer(2.0, 1)), "b": searched(scorer(2.0, 2)), "c": searched(scorer(1.8, 4))}
    assert choose_weights(found, PARTS).result == choose_weights(found, PARTS).result


def test_the_average_is_of_log_odds() -> None:
    X = RNG.normal(size=(500, 2))
    y = (RNG.random(500) < expit(X[:, 0] - 1)).astype(np.int8)
    members = (LogisticRegression(), LogisticRegression(C=0.001))
    average = LogOddsAverage(members, (0.75, 0.25)).fit(X, y)
    odds = [logit(member.fit(X, y).predict_proba(X)[:, 1]) for member in members]
    expected = expit(0.75 * odds[0] + 0.25 * odds[1])
    assert average.predict_proba(X)[:, 1] == pytest.approx(expected)
    assert average.predict_proba(X).sum(axis=1) == pytest.approx(np.ones(500))


def test_a_member_that_says_never_does_not_decide_alone() -> None:
    """Below a tenth of the share of fraud all of a member's scores count alike: the others decide the order there."""
    assert least_probability(np.array([1] + [0] * 99)) == pytest.approx(0.001)
    assert least_probability(np.array([1, 0]), np.array([1.0, 99.0])) == pytest.approx(0.001)
    assert least_probability(np.zeros(5)) == SMALLEST_PROBABILITY
    average = LogOddsAverage((LogisticRegression(), LogisticRegression()), (0.5, 0.5), least=0.001)
    never, unsure = np.array([0.0, 1e-5, 1e-3]), np.array([0.5, 0.1, 0.01])
    assert (np.diff(average.average([never, unsure])) < 0).all()
    assert average.average([never, never]) == pytest.approx(np.full(3, 0.001))


def test_scored_beside_its_members_it_has_the_scores_that_it_has_alone() -> None:
    rows = labelled_rows()
    fitted = fit_candidates(rows, [*FAMILIES, "ensemble"], NUMERIC_SPEC, SearchBudget(configurations=1))
    later = rows.assign(transaction_time=rows["transaction_time"] + pd.Timedelta(days=30))
    together = score_candidates(fitted, later)["ensemble"]
    alone = score_candidates({"ensemble": fitted["ensemble"]}, later)["ensemble"]
    np.testing.assert_array_equal(together, alone)
    weaker = replace(fitted["random_forest"], recipe=replace(fitted["random_forest"].recipe, parameters={}))
    others = score_candidates(fitted | {"random_forest": weaker}, later)["ensemble"]
    np.testing.assert_array_equal(others, alone)
