"""Small scikit-learn estimators of our own: sampling with corrected probabilities, Platt scaling, and two guards.

What lives here: cloneable estimators on numeric matrices. What does not: which of them a family uses (families.py).
"""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, TransformerMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier

# Fewer genuine rows than this say too little about what is usual, however few the frauds are.
LEAST_GENUINE = 5_000


class UnderSampledClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """Fits on a sample of the rows, and takes the sampling out of the probabilities again.

    `genuine_per_fraud` limits genuine rows to that multiple of the frauds (but not below 5,000); `max_rows` limits all
    rows, frauds then to half of them. With genuine rows kept at rate b relative to frauds, p' = bp / (bp + 1 - p)
    (Dal Pozzolo et al. 2015, "Calibrating probability with undersampling for unbalanced classification", eq. 4).
    """

    def __init__(
        self,
        classifier: Any,
        genuine_per_fraud: float | None = None,
        max_rows: int | None = None,
        random_state: int = 0,
    ) -> None:
        self.classifier = classifier
        self.genuine_per_fraud = genuine_per_fraud
        self.max_rows = max_rows
        self.random_state = random_state

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Self:
        """`X` (n, features) floats, `y` (n,) of 0 and 1, both classes present."""
        frauds, genuine = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
        kept_frauds, kept_genuine = self._sizes(len(frauds), len(genuine))
        rng = np.random.default_rng(self.random_state)
        kept = np.concatenate(
            [
                rng.choice(frauds, kept_frauds, replace=False, shuffle=False),
                rng.choice(genuine, kept_genuine, replace=False, shuffle=False),
            ]
        )
        kept.sort()
        sampled = (X, y) if len(kept) == len(y) else (X[kept], y[kept])
        self.classifier_ = clone(self.classifier).fit(*sampled)
        self.genuine_rate_ = (kept_genuine / len(genuine)) / (kept_frauds / len(frauds))
        self.classes_ = np.array([0, 1])
        return self

    def _sizes(self, frauds: int, genuine: int) -> tuple[int, int]:
        wanted = genuine
        if self.genuine_per_fraud is not None:
            wanted = min(genuine, max(LEAST_GENUINE, round(self.genuine_per_fraud * frauds)))
        if self.max_rows is None or frauds + wanted <= self.max_rows:
            return frauds, wanted
        kept_frauds = max(1, min(frauds, self.max_rows // 2))
        return kept_frauds, max(1, min(wanted, self.max_rows - kept_frauds))

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """(n, 2): the probabilities of genuine and of fraud at the rate of all rows, not of the sampled ones."""
        # A forest's mean of many ones can be one bit above one.
        sampled = self.classifier_.predict_proba(X)[:, 1].astype(np.float64).clip(0, 1)
        weighted = self.genuine_rate_ * sampled
        fraud = weighted / (weighted + (1 - sampled))
        return np.column_stack([1 - fraud, fraud])

    def predict(self, X: NDArray[Any]) -> NDArray[np.int64]:
        return (self.predict_proba(X)[:, 1] >= 0.5).astype(np.int64)


class PlattScaledClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier with only a decision function, given probabilities by a sigmoid (Platt 1999).

    The sigmoid is fitted on out-of-fold decisions of the training rows; with a single fraud there is no such fold, and
    it is fitted on the decisions of the classifier's own rows.
    """

    def __init__(self, classifier: Any, folds: int = 3) -> None:
        self.classifier = classifier
        self.folds = folds

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Self:
        folds = min(self.folds, int(np.bincount(y, minlength=2).min()))
        if folds >= 2:
            scaled = CalibratedClassifierCV(
                clone(self.classifier), method="sigmoid", cv=StratifiedKFold(folds), ensemble=False
            )
        else:
            # A frozen classifier is not refitted; the one "fold" gathers its decisions on all rows.
            fitted = FrozenEstimator(clone(self.classifier).fit(X, y))
            everything = np.arange(len(y))
            scaled = CalibratedClassifierCV(fitted, method="sigmoid", cv=[(everything, everything)], ensemble=False)
        self.classifier_ = scaled.fit(X, y)
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:
        probabilities: NDArray[np.float64] = self.classifier_.predict_proba(X)
        return probabilities

    def predict(self, X: NDArray[Any]) -> NDArray[np.int64]:
        return (self.predict_proba(X)[:, 1] >= 0.5).astype(np.int64)


class EmptyColumnFiller(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Turns columns that are missing throughout the fitted rows into zeros: histogram boosting cannot bin them."""

    def fit(self, X: NDArray[Any], y: NDArray[Any] | None = None) -> Self:
        self.empty_ = np.isnan(X).all(axis=0)
        return self

    def transform(self, X: NDArray[Any]) -> NDArray[Any]:
        return np.where(self.empty_, 0.0, X) if self.empty_.any() else X


class CappedNeighborsClassifier(KNeighborsClassifier):  # type: ignore[misc]
    """k nearest neighbours weighted by distance, or all rows when there are fewer than k."""

    def __init__(self, n_neighbors: int = 30) -> None:
        # Brute force: in 17 dimensions trees visit nearly every row, one at a time.
        super().__init__(n_neighbors=n_neighbors, weights="distance", algorithm="brute")

    def kneighbors(self, X: Any = None, n_neighbors: int | None = None, return_distance: bool = True) -> Any:
        wanted = self.n_neighbors if n_neighbors is None else n_neighbors
        return super().kneighbors(X, min(wanted, self.n_samples_fit_), return_distance)
