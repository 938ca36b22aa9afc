"""The ensemble: a weighted average of the log-odds of the tuned candidates.

What lives here: the choice of the weights from out-of-fold scores, and the classifier. What does not: searching and
fitting the members (search.py, candidates.py).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone

from fraud_assets.learning.fitting.calibration import SMALLEST_PROBABILITY, FloatArray, log_odds
from fraud_assets.learning.fitting.results import SearchResult
from fraud_assets.learning.fitting.search import Searched, calibrated
from fraud_assets.learning.fitting.trials import ScoredPart

MOST_PICKS = 15
# A member's 0 is a leaf without a fraud, or no fraud among neighbours: less than a tenth of the share of fraud is more
# than any of them knows, and one such member would decide alone. On later days of the handbook's data this lifts ROC
# AUC from .883 to .885, and costs no average precision.
LEAST_OF_PREVALENCE = 0.1
WEIGHT_DIGITS = 6


class LogOddsAverage(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """expit of the weighted sum of the log-odds that some classifiers give to the same rows.

    No classifier's probability counts as less than `least`.
    """

    def __init__(
        self, classifiers: tuple[Any, ...], weights: tuple[float, ...], least: float = SMALLEST_PROBABILITY
    ) -> None:
        self.classifiers = classifiers
        self.weights = weights
        self.least = least

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Self:
        """`X` (n, features) floats, `y` (n,) of 0 and 1."""
        return self.adopt([clone(classifier).fit(X, y) for classifier in self.classifiers])

    def adopt(self, fitted: Sequence[Any]) -> Self:
        """Take members that were fitted elsewhere."""
        self.classifiers_ = list(fitted)
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X: NDArray[Any]) -> FloatArray:
        """(n, 2): the averages as probabilities of genuine and of fraud."""
        fraud = self.average([classifier.predict_proba(X)[:, 1] for classifier in self.classifiers_])
        return np.column_stack([1 - fraud, fraud])

    def average(self, scores: Sequence[NDArray[Any]]) -> FloatArray:
        """The averages (n,) of what the members have scored, an array (n,) from each."""
        odds = np.zeros(len(scores[0]))
        for weight, of_member in zip(self.weights, scores, strict=True):
            odds += weight * log_odds(of_member.astype(np.float64), self.least)
        fraud: FloatArray = expit(odds)
        return fraud

    def predict(self, X: NDArray[Any]) -> NDArray[np.int64]:
        return (self.predict_proba(X)[:, 1] >= 0.5).astype(np.int64)


def choose_weights(found: Mapping[str, Searched], parts: Sequence[ScoredPart]) -> Searched:
    """The ensemble of those families that reached every fold, chosen on their out-of-fold scores.

    Greedy forward selection with replacement (Caruana et al. 2004, "Ensemble selection from libraries of models"):
    pick after pick the member that lifts the mean average precision of the average most, 15 times; the best of the
    averages on the way, of equal ones the smallest. What is averaged are calibrated log-odds, so that no family counts
    for more because it is bolder; a member's weight is its share of the picks times the slope of its calibrator, which
    makes it a weight of the log-odds as they come from the member. The weights add up to 1.
    """
    members = {name: search for name, search in found.items() if search.out_of_fold is not None}
    if not members or not parts:
        return Searched(_equal_weights(found), [])
    least = least_probability(*(np.concatenate([getattr(p, kind) for p in parts]) for kind in ("y", "weights")))
    odds = {name: _calibrated_odds(search, least) for name, search in members.items()}
    picks: list[str] = []
    steps: list[tuple[float, tuple[str, ...]]] = []
    for _ in range(MOST_PICKS):
        precisions = {name: _precision([*picks, name], odds, parts) for name in members}
        picks.append(max(precisions, key=lambda name: precisions[name]))
        steps.append((precisions[picks[-1]], tuple(picks)))
    chosen = max(steps, key=lambda step: step[0])[1]
    weights = _weights(chosen, found)
    out_of_fold = _average(weights, members, least)
    calibrator, threshold = calibrated(out_of_fold, parts)
    table = [_record(picked, precision, parts, odds) for precision, picked in steps]
    return Searched(SearchResult(weights, threshold, calibrator), table, out_of_fold)


def least_probability(y: NDArray[Any], weights: NDArray[Any] | None = None) -> float:
    """What a member's probability counts as at least, from labels (n,) of 0 and 1, and how many rows each is for."""
    return max(SMALLEST_PROBABILITY, LEAST_OF_PREVALENCE * float(np.average(y, weights=weights)))


def _equal_weights(found: Mapping[str, Searched]) -> SearchResult:
    sound = [name for name, search in found.items() if search.result.failure is None]
    if not sound:
        return SearchResult({}, failure="no family came out of the search")
    return SearchResult({name: round(1 / len(sound), WEIGHT_DIGITS) for name in sound})


def _calibrated_odds(search: Searched, least: float) -> list[FloatArray]:
    calibrator = search.result.calibrator
    assert search.out_of_fold is not None
    return [calibrator.slope * log_odds(scores, least) + calibrator.intercept for scores in search.out_of_fold]


def _precision(picks: Sequence[str], odds: Mapping[str, list[FloatArray]], parts: Sequence[ScoredPart]) -> float:
    return float(np.mean(_precisions(picks, odds, parts)))


def _precisions(picks: Sequence[str], odds: Mapping[str, list[FloatArray]], parts: Sequence[ScoredPart]) -> list[float]:
    """The average precision in each fold."""
    return [
        part.average_precision(np.sum([odds[name][number] for name in picks], axis=0))
        for number, part in enumerate(parts)
    ]


def _weights(picks: Sequence[str], found: Mapping[str, Searched]) -> dict[str, float]:
    raw = {name: picks.count(name) * search.result.calibrator.slope for name, search in found.items() if name in picks}
    total = sum(raw.values())
    return {name: round(weight / total, WEIGHT_DIGITS) for name, weight in raw.items()}


def _average(weights: Mapping[str, float], members: Mapping[str, Searched], least: float) -> tuple[FloatArray, ...]:
    """What the ensemble would have scored in each fold."""
    by_fold = zip(*(members[name].out_of_fold or () for name in weights), strict=True)
    return tuple(
        expit(sum(w * log_odds(scores, least) for w, scores in zip(weights.values(), of_fold, strict=True)))
        for of_fold in by_fold
    )


def _record(
    picks: Sequence[str], precision: float, parts: Sequence[ScoredPart], odds: Mapping[str, list[FloatArray]]
) -> dict[str, Any]:
    """A row of the search's table: what had been picked, how often, and its score in each fold."""
    by_fold = _precisions(picks, odds, parts)
    return {
        "parameters": {name: picks.count(name) for name in dict.fromkeys(picks)},
        "average_precision": precision,
        **{f"fold_{number}": value for number, value in enumerate(by_fold, start=1)},
        "failure": None,
    }
