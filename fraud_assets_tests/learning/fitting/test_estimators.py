"""Sampling is taken out of the probabilities again, and every estimator can be cloned."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from fraud_assets.learning.fitting.estimators import (
    CappedNeighborsClassifier,
    PlattScaledClassifier,
    UnderSampledClassifier,
)


def imbalanced(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    y = (rng.random(n) < 1 / (1 + np.exp(4.5 - 1.5 * X[:, 0]))).astype(np.int8)
    return X, y


@pytest.mark.parametrize("limits", [{"max_rows": 6_000}, {"genuine_per_fraud": 3}, {"max_rows": 1_500}])
def test_probabilities_of_a_sample_are_those_of_all_rows(limits: dict[str, int]) -> None:
    X, y = imbalanced(60_000)
    unseen, _ = imbalanced(5_000, seed=1)
    whole = LogisticRegression().fit(X, y).predict_proba(unseen)[:, 1]
    sampled = UnderSampledClassifier(LogisticRegression(), **limits).fit(X, y)
    corrected = sampled.predict_proba(unseen)[:, 1]
    raw = sampled.classifier_.predict_proba(unseen)[:, 1]
    assert abs(corrected.mean() - whole.mean()) < 0.005
    assert raw.mean() > 1.5 * whole.mean()
    assert (np.argsort(raw) == np.argsort(corrected)).mean() > 0.99


def test_all_frauds_are_kept_and_limits_hold() -> None:
    X, y = imbalanced(60_000)
    counts: list[tuple[int, int]] = []

    class Counting(LogisticRegression):  # type: ignore[misc]
        def fit(self, X: np.ndarray, y: np.ndarray) -> "Counting":
            counts.append((int(y.sum()), len(y)))
            return super().fit(X, y)  # type: ignore[no-any-return]

    frauds = int(y.sum())
    UnderSampledClassifier(Counting(), max_rows=10_000).fit(X, y)
    UnderSampledClassifier(Counting(), max_rows=1_000).fit(X, y)
    UnderSampledClassifier(Counting(), genuine_per_fraud=6).fit(X, y)
    UnderSampledClassifier(Counting()).fit(X, y)
    assert counts == [(frauds, 10_000), (500, 1_000), (frauds, 7 * frauds), (frauds, 60_000)]


def test_certain_scores_stay_certain() -> None:
    class Certain(LogisticRegression):  # type: ignore[misc]
        def predict_proba(self, X: np.ndarray) -> np.ndarray:
            return np.column_stack([1 - X[:, 0], X[:, 0]])

    X, y = imbalanced(20_000)
    model = UnderSampledClassifier(Certain(), max_rows=3_000).fit(X, y)
    extremes = np.array([[0.0, 0], [1.0, 0], [1 + 2e-16, 0]])
    assert model.predict_proba(extremes)[:, 1].tolist() == [0, 1, 1]


@pytest.mark.parametrize("frauds", [1, 2, 40])
def test_platt_scaling_works_with_any_number_of_frauds(frauds: int) -> None:
    rng = np.random.default_rng(2)
    y = np.zeros(200, dtype=np.int8)
    y[:frauds] = 1
    X = rng.normal(size=(200, 2)) + 3 * y[:, None]
    probabilities = PlattScaledClassifier(SVC()).fit(X, y).predict_proba(X)[:, 1]
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    assert probabilities[y == 1].mean() > probabilities[y == 0].mean()


def test_fewer_rows_than_neighbours_are_all_neighbours() -> None:
    model = CappedNeighborsClassifier(n_neighbors=50).fit(np.array([[0.0], [1.0], [9.0]]), np.array([0, 0, 1]))
    probabilities = model.predict_proba(np.array([[8.9], [0.1]]))[:, 1]
    assert probabilities[0] > 0.9
    assert probabilities[1] < 0.1


@pytest.mark.parametrize(
    "estimator",
    [
        UnderSampledClassifier(LogisticRegression(C=3), genuine_per_fraud=5, max_rows=7, random_state=9),
        PlattScaledClassifier(SVC(C=3), folds=2),
        CappedNeighborsClassifier(n_neighbors=4),
    ],
)
def test_a_clone_has_the_same_parameters(estimator: object) -> None:
    assert repr(clone(estimator)) == repr(estimator)
