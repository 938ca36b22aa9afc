"""The choice of a family's parameters and threshold, on the training window alone.

What lives here: fits on the earlier part of a window, scores on its later part, and what follows from them. What does
not: the fit on the whole window (candidates.py), and any look at validation rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve
from threadpoolctl import threadpool_limits

from fraud_assets.learning.fitting.families import Layout, Parameters, known_family, make_classifier
from fraud_assets.learning.fitting.models import FloatArray, score_matrix
from fraud_assets.learning.fitting.splits import Fold, InnerFolds

FALLBACK_THRESHOLD = 0.5


@dataclass(frozen=True)
class SearchBudget:
    """What a search may cost. `jobs` fits run at a time (-1: one a core); all else decides the result, too.

    A family tries the first `configurations` of its list. A fit of a search sees at most `max_search_rows` rows, and
    any fit of a slow family (k-nearest neighbours, support vectors) at most `max_slow_rows`.
    """

    configurations: int = 4
    max_search_rows: int = 60_000
    max_slow_rows: int = 10_000
    seed: int = 0
    jobs: int = 1

    def rows_of_fit(self, family: str) -> int | None:
        """The most rows that a fit of the family on a whole window sees; None is no limit."""
        return self.max_slow_rows if known_family(family).is_slow else None

    def rows_of_search(self, family: str) -> int:
        return min(self.max_search_rows, self.rows_of_fit(family) or self.max_search_rows)


@dataclass(frozen=True)
class Found:
    """What a search says about a family: parameters, threshold, and every configuration with its score.

    Each entry of `tried` is a dict of parameters, average_precision (None: not measured) and failure (None: none).
    """

    parameters: Parameters
    threshold: float
    tried: list[dict[str, Any]]
    failure: str | None = None


@dataclass(frozen=True)
class ScoredPart:
    """Rows to score of one fold: their positions, labels, and how many rows each stands for."""

    positions: NDArray[np.int64]
    y: NDArray[Any]
    weights: FloatArray


@dataclass(frozen=True)
class Trial:
    """One configuration on one fold: its scores of the fold's scored part, or why there are none."""

    scores: FloatArray | None
    failure: str | None = None


def search(
    X: FloatArray, y: NDArray[Any], families: Sequence[str], layout: Layout, inner: InnerFolds, budget: SearchBudget
) -> dict[str, Found]:
    """The best configuration of each family by average precision over the inner folds.

    `X` (n, features) and `y` (n,) of 0 and 1, rows in time order. All fits of all families run through one joblib
    pool. Of equal configurations the one listed first is taken; without a fold the first, with threshold .5.
    """
    tasks = [
        (family, parameters, fold)
        for family in families
        for parameters in known_family(family).configurations[: budget.configurations]
        for fold in inner.folds
    ]
    parts = {fold: _scored_part(fold, y, budget) for fold in inner.folds}
    trials = Parallel(n_jobs=budget.jobs)(
        delayed(try_configuration)(
            X,
            y,
            family,
            dict(parameters),
            layout,
            fold,
            parts[fold].positions,
            budget.rows_of_search(family),
            budget.seed,
        )
        for family, parameters, fold in tasks
    )
    of_family: dict[str, list[Trial]] = {family: [] for family in families}
    for (family, _, _), trial in zip(tasks, trials, strict=True):
        of_family[family].append(trial)
    return {family: _best(family, of_family[family], list(parts.values()), budget) for family in families}


def try_configuration(
    X: FloatArray,
    y: NDArray[Any],
    family: str,
    parameters: Parameters,
    layout: Layout,
    fold: Fold,
    scored: NDArray[np.int64],
    max_rows: int,
    seed: int,
) -> Trial:
    """Fit on the fold's earlier rows, and score the given later ones. What goes wrong is told, not raised."""
    try:
        with threadpool_limits(1):
            classifier = make_classifier(family, parameters, layout, max_rows=max_rows, seed=seed)
            classifier.fit(X[: fold.train_end], y[: fold.train_end])
        scores = score_matrix(classifier, X[scored])
    except Exception as error:  # whatever a family cannot cope with costs that configuration, not the day
        return Trial(None, failure_text(error))
    if not np.isfinite(scores).all():
        return Trial(None, "some scores are not finite")
    return Trial(scores)


def failure_text(error: Exception) -> str:
    """One line that names the kind of error and what it says."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def best_threshold(y: NDArray[Any], scores: FloatArray, weights: FloatArray) -> float:
    """The score from which on an alert gives the highest F1; of equal ones the highest score."""
    precision, recall, thresholds = precision_recall_curve(y, scores, sample_weight=weights)
    total = precision + recall
    f1 = np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)[:-1]
    return float(thresholds[len(f1) - 1 - int(np.argmax(f1[::-1]))])


def _scored_part(fold: Fold, y: NDArray[Any], budget: SearchBudget) -> ScoredPart:
    """All frauds of the fold's later part, and as many genuine rows as its share of `max_search_rows` allows."""
    positions = np.arange(fold.score_start, fold.score_end)
    frauds, genuine = positions[y[positions] == 1], positions[y[positions] == 0]
    share = len(positions) / (len(positions) + fold.train_end)
    kept = min(len(genuine), max(1, round(budget.max_search_rows * share) - len(frauds)))
    rng = np.random.default_rng(budget.seed)
    sampled = np.sort(np.concatenate([frauds, rng.choice(genuine, kept, replace=False, shuffle=False)]))
    weights = np.where(y[sampled] == 1, 1.0, len(genuine) / kept if kept else 1.0)
    return ScoredPart(sampled, y[sampled], weights)


def _best(family: str, trials: list[Trial], parts: list[ScoredPart], budget: SearchBudget) -> Found:
    configurations = known_family(family).configurations[: budget.configurations]
    if not parts:
        return Found(configurations[0], FALLBACK_THRESHOLD, [])
    per_configuration = [trials[start : start + len(parts)] for start in range(0, len(trials), len(parts))]
    tried = [
        _measured(parameters, of_folds, parts)
        for parameters, of_folds in zip(configurations, per_configuration, strict=True)
    ]
    measured = [position for position, entry in enumerate(tried) if entry["average_precision"] is not None]
    if not measured:
        return Found(configurations[0], FALLBACK_THRESHOLD, tried, failure=tried[0]["failure"])
    best = max(measured, key=lambda position: (tried[position]["average_precision"], -position))
    scores = [trial.scores for trial in per_configuration[best] if trial.scores is not None]
    threshold = best_threshold(
        np.concatenate([part.y for part in parts]),
        np.concatenate(scores),
        np.concatenate([part.weights for part in parts]),
    )
    return Found(configurations[best], threshold, tried)


def _measured(parameters: Parameters, trials: list[Trial], parts: list[ScoredPart]) -> dict[str, Any]:
    precisions = [
        average_precision_score(part.y, trial.scores, sample_weight=part.weights)
        for trial, part in zip(trials, parts, strict=True)
        if trial.scores is not None
    ]
    failure = next((trial.failure for trial in trials if trial.failure is not None), None)
    return {
        "parameters": dict(parameters),
        "average_precision": None if failure else float(np.mean(precisions)),
        "failure": failure,
    }
