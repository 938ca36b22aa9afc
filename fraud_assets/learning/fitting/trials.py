"""One configuration on one fold: fitted on its earlier rows, scored on its later ones.

What lives here: what a worker does for a search or a final fit, and the rows that a fold is scored on. What does not:
which configurations are tried (search.py).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score
from threadpoolctl import threadpool_limits

from fraud_assets.learning.fitting.calibration import FloatArray
from fraud_assets.learning.fitting.estimators import Drawn, SamplingClassifier, joined_forest
from fraud_assets.learning.fitting.families import Layout, Parameters, make_classifier
from fraud_assets.learning.fitting.models import Matrix, score_matrix
from fraud_assets.learning.fitting.pool import give_back_freed_memory
from fraud_assets.learning.fitting.splits import Fold


@dataclass(frozen=True)
class ScoredPart:
    """Rows to score of one fold: their positions, labels, and how many rows each stands for."""

    positions: NDArray[np.int64]
    y: NDArray[Any]
    weights: FloatArray

    def average_precision(self, scores: FloatArray) -> float:
        return float(average_precision_score(self.y, scores, sample_weight=self.weights))


@dataclass(frozen=True)
class Trial:
    """One configuration on one fold: its scores of the fold's scored part, or why there are none."""

    scores: FloatArray | None
    failure: str | None = None


@dataclass(frozen=True)
class Fitted:
    """What a worker hands back: a classifier, or the reason why there is none, and the seconds spent."""

    classifier: Any
    failure: str | None
    seconds: float


def scored_part(fold: Fold, y: NDArray[Any], most: int, seed: int) -> ScoredPart:
    """All frauds of the fold's later part, and as many of its genuine rows as leave no more than `most` rows."""
    positions = np.arange(fold.score_start, fold.score_end)
    frauds, genuine = positions[y[positions] == 1], positions[y[positions] == 0]
    kept = min(len(genuine), max(1, most - len(frauds)))
    rng = np.random.default_rng(seed)
    sampled = np.sort(np.concatenate([frauds, rng.choice(genuine, kept, replace=False, shuffle=False)]))
    weights = np.where(y[sampled] == 1, 1.0, len(genuine) / kept if kept else 1.0)
    return ScoredPart(sampled, y[sampled], weights)


def try_configuration(
    X: Matrix,
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
        classifier = make_classifier(family, parameters, layout, max_rows, seed)
        fitted = fit_classifier(X[: fold.train_end], y[: fold.train_end], classifier)
        if fitted.failure is not None:
            return Trial(None, fitted.failure)
        scores = score_matrix(fitted.classifier, X[scored])
    except Exception as error:  # whatever a family cannot cope with costs that configuration, not the day
        return Trial(None, failure_text(error))
    if not np.isfinite(scores).all():
        return Trial(None, "some scores are not finite")
    return Trial(scores)


def fit_classifier(X: Matrix, y: NDArray[Any], classifier: SamplingClassifier, drawn: Drawn | None = None) -> Fitted:
    """Fit an unfitted classifier with one inner thread, on samples of its own or on those that were drawn for it.

    What goes wrong is told, not raised, so that the others go on.
    """
    # A worker keeps what its last fit has freed; with the next one of another size it would hold both.
    give_back_freed_memory()
    started = time.perf_counter()
    try:
        with threadpool_limits(1):
            # A memory map that workers share is an array like any other: nothing of it may stay in what is stored.
            X, y = np.asarray(X), np.asarray(y)
            classifier.fit_drawn(X, y, classifier.draw(y) if drawn is None else drawn)
    except Exception as error:  # a family may fail in any way; the day goes on without it
        return Fitted(None, failure_text(error), time.perf_counter() - started)
    return Fitted(classifier, None, time.perf_counter() - started)


def joined(whole: SamplingClassifier, parts: Sequence[Fitted]) -> Fitted:
    """What has been fitted in parts as one, or why a part failed; `whole` is the unfitted classifier."""
    seconds = sum(part.seconds for part in parts)
    failure = next((part.failure for part in parts if part.failure is not None), None)
    if failure is not None:
        return Fitted(None, failure, seconds)
    return Fitted(joined_forest(whole, [part.classifier for part in parts]), None, seconds)


def failure_text(error: Exception) -> str:
    """One line that names the kind of error and what it says."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
