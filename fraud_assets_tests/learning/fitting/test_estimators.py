"""Sampling is taken out of the probabilities again, and every estimator can be cloned."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from fraud_assets.learning.fitting.estimators import (
    CappedNeighborsClassifier,
    PlattScaledClassifier,
    RadialSVC,
    SamplingClassifier,
    joined_forest,
    part_of_forest,
)
from fraud_assets.learning.fitting.families import FAMILIES, Layout, make_classifier


def imbalanced(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    y = (rng.random(n) < 1 / (1 + np.exp(4.5 - 1.5 * X[:, 0]))).astype(np.int8)
    return X, y


@pytest.mark.parametrize(
    "limits",
    [
        {"max_rows": 6_000},
        {"genuine_per_fraud": 3},
        {"max_rows": 1_500},
        {"fraud_weight": "balanced"},
        {"fraud_weight": 20.0},
        {"genuine_per_fraud": 10, "fraud_weight": "balanced", "max_rows": 9_000},
        {"genuine_per_fraud": 3, "bags": 3},
    ],
)
def test_probabilities_of_a_sample_are_those_of_all_rows(limits: dict[str, Any]) -> None:
    X, y = imbalanced(60_000)
    unseen, _ = imbalanced(5_000, seed=1)
    whole = LogisticRegression().fit(X, y).predict_proba(unseen)[:, 1]
    sampled = SamplingClassifier(LogisticRegression(), **limits).fit(X, y)
    corrected = sampled.predict_proba(unseen)[:, 1]
    raw = np.mean([one.predict_proba(unseen)[:, 1] for one in sampled.classifiers_], axis=0)
    assert abs(corrected.mean() - whole.mean()) < 0.005
    assert raw.mean() > 1.5 * whole.mean()
    assert spearmanr(raw, corrected).statistic > 0.999


def test_all_frauds_are_kept_and_limits_hold() -> None:
    X, y = imbalanced(60_000)
    counts: list[tuple[int, int]] = []

    class Counting(LogisticRegression):  # type: ignore[misc]
        def fit(self, X: np.ndarray, y: np.ndarray) -> "Counting":
            counts.append((int(y.sum()), len(y)))
            return super().fit(X, y)  # type: ignore[no-any-return]

    frauds = int(y.sum())
    SamplingClassifier(Counting(), max_rows=10_000).fit(X, y)
    SamplingClassifier(Counting(), max_rows=1_000).fit(X, y)
    SamplingClassifier(Counting(), genuine_per_fraud=6).fit(X, y)
    SamplingClassifier(Counting()).fit(X, y)
    assert counts == [(frauds, 10_000), (500, 1_000), (frauds, 7 * frauds), (frauds, 60_000)]


def test_bags_are_different_samples_within_the_limit_and_one_where_all_rows_fit() -> None:
    X, y = imbalanced(60_000)
    bagged = SamplingClassifier(LogisticRegression(), genuine_per_fraud=3, bags=3, max_rows=9_000).fit(X, y)
    slopes = {float(one.coef_[0, 0]) for one in bagged.classifiers_}
    assert len(slopes) == 3
    assert len(SamplingClassifier(LogisticRegression(), bags=3).fit(X, y).classifiers_) == 1
    kept = SamplingClassifier(KNeighborsClassifier(), bags=3, max_rows=9_000).fit(X, y).classifiers_
    assert sum(one.n_samples_fit_ for one in kept) == 9_000


def test_a_weight_reaches_the_last_step_of_a_pipeline() -> None:
    X, y = imbalanced(20_000)
    plain = make_pipeline(StandardScaler(), LogisticRegression())
    weighted = SamplingClassifier(plain, fraud_weight=7.0).fit(X, y)
    by_hand = clone(plain).fit(X, y, logisticregression__sample_weight=np.where(y == 1, 7.0, 1.0))
    assert (weighted.classifiers_[0].predict_proba(X) == by_hand.predict_proba(X)).all()


def test_certain_scores_stay_certain() -> None:
    class Certain(LogisticRegression):  # type: ignore[misc]
        def predict_proba(self, X: np.ndarray) -> np.ndarray:
            return np.column_stack([1 - X[:, 0], X[:, 0]])

    X, y = imbalanced(20_000)
    model = SamplingClassifier(Certain(), max_rows=3_000).fit(X, y)
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
        SamplingClassifier(
            LogisticRegression(C=3), genuine_per_fraud=5, fraud_weight=2.0, bags=2, max_rows=7, random_state=9
        ),
        PlattScaledClassifier(SVC(C=3), folds=2),
        CappedNeighborsClassifier(n_neighbors=4),
    ],
)
def test_a_clone_has_the_same_parameters(estimator: object) -> None:
    assert repr(clone(estimator)) == repr(estimator)


@pytest.mark.parametrize("gamma", ["scale", 0.02])
def test_decisions_in_single_precision_are_the_librarys(gamma: str | float) -> None:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(3_000, 12))
    y = (X[:, 0] + rng.normal(size=3_000) > 2).astype(int)
    fitted = RadialSVC(C=10.0, gamma=gamma).fit(X, y)
    later = np.vstack([rng.normal(size=(500, 12)), np.full((1, 12), 1e6), np.full((1, 12), -300.0)])
    np.testing.assert_allclose(fitted.decision_function(later), SVC.decision_function(fitted, later), atol=2e-3)
    np.testing.assert_array_equal(fitted.predict(X), SVC(C=10.0, gamma=gamma).fit(X, y).predict(X))


@pytest.mark.parametrize("sampling", [{}, {"genuine_per_fraud": 5, "bags": 3}, {"fraud_weight": "balanced"}])
def test_a_forest_fitted_in_parts_is_one_forest_of_all_their_trees(sampling: dict[str, Any]) -> None:
    X, y = imbalanced(3_000)
    unseen, _ = imbalanced(500, seed=1)
    layout = Layout(numeric=(0, 1), categorical=())
    whole = make_classifier("random_forest", {"min_samples_leaf": 5, **sampling}, layout, max_rows=2_000, seed=7)
    count = FAMILIES["random_forest"].parts
    parts = [part_of_forest(whole, part, count).fit(X, y) for part in range(count)]
    joined = joined_forest(whole, parts)
    forests = [pipeline.steps[-1][1] for pipeline in joined.classifiers_]
    assert [len(forest.estimators_) for forest in forests] == [60] * sampling.get("bags", 1)
    assert len({tree.random_state for tree in forests[0].estimators_}) == 60
    assert repr(clone(joined)) == repr(whole)
    for bag, forest in enumerate(forests):
        of_parts = [part.classifiers_[bag].predict_proba(unseen) for part in parts]
        assert joined.classifiers_[bag].predict_proba(unseen) == pytest.approx(np.mean(of_parts, axis=0))
        assert len(forest.predict_proba(unseen)) == len(unseen)
    with pytest.raises(ValueError, match="60 trees cannot be fitted in 7"):
        part_of_forest(whole, 0, 7)
