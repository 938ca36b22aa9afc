"""Small scikit-learn estimators of our own: sampling with corrected probabilities, Platt scaling, and two guards.

What lives here: cloneable estimators on numeric matrices. What does not: which of them a family uses (families.py).
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, TransformerMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

# Fewer genuine rows than this say too little about what is usual, however few the frauds are.
LEAST_GENUINE = 5_000
BALANCED = "balanced"


@dataclass(frozen=True)
class Drawn:
    """The positions of each sample's rows, ascending (None: all rows); the weight of a fraud beside a genuine row; and
    how much rarer genuine rows are in the samples, by number and weight, than among all rows.
    """

    samples: tuple[NDArray[np.int64] | None, ...]
    fraud_weight: float
    genuine_rate: float

    def compact(self, X: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], "Drawn"]:
        """Those rows that are in a sample, their labels, and the samples' positions among them."""
        kept = [sample for sample in self.samples if sample is not None]
        if len(kept) < len(self.samples):
            return X, y, self
        needed = kept[0] if len(kept) == 1 else np.unique(np.concatenate(kept))
        return X[needed], y[needed], replace(self, samples=tuple(np.searchsorted(needed, sample) for sample in kept))


class SamplingClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """Fits on samples of the rows, with a weight for frauds, and takes both out of the probabilities again.

    `genuine_per_fraud` limits genuine rows to that multiple of the frauds (but not below 5,000). `fraud_weight` is
    what a fraud counts beside a genuine row; "balanced" makes both classes count the same. `bags` samples are drawn,
    and the probabilities of the classifiers fitted on them averaged. `max_rows` limits the rows of all samples
    together, frauds then to half of them.

    With genuine rows kept at rate b relative to frauds, p' = bp / (bp + 1 - p) (Dal Pozzolo et al. 2015, "Calibrating
    probability with undersampling for unbalanced classification", eq. 4); a weight of w is the same as b = 1/w (Elkan
    2001, "The foundations of cost-sensitive learning", theorem 2).
    """

    def __init__(
        self,
        classifier: Any,
        genuine_per_fraud: float | None = None,
        fraud_weight: float | str | None = None,
        bags: int = 1,
        max_rows: int | None = None,
        random_state: int = 0,
    ) -> None:
        self.classifier = classifier
        self.genuine_per_fraud = genuine_per_fraud
        self.fraud_weight = fraud_weight
        self.bags = bags
        self.max_rows = max_rows
        self.random_state = random_state

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Self:
        """`X` (n, features) floats, `y` (n,) of 0 and 1, both classes present."""
        return self.fit_drawn(X, y, self.draw(y))

    def draw(self, y: NDArray[Any]) -> "Drawn":
        """What `fit` takes of rows with these labels, (n,) of 0 and 1, both classes present."""
        frauds, genuine = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
        kept_frauds, kept_genuine = self._sizes(len(frauds), len(genuine))
        weight = self._weight(kept_frauds, kept_genuine)
        rng = np.random.default_rng(self.random_state)
        # Samples of all rows would all be the same one.
        takes_all = (kept_frauds, kept_genuine) == (len(frauds), len(genuine))
        samples = [
            None if takes_all else _sample(rng, frauds, kept_frauds, genuine, kept_genuine)
            for _ in range(1 if takes_all else self.bags)
        ]
        rate = (kept_genuine / len(genuine)) / (kept_frauds / len(frauds)) / weight
        return Drawn(tuple(samples), weight, rate)

    def fit_drawn(self, X: NDArray[Any], y: NDArray[Any], drawn: "Drawn") -> Self:
        """Fit on samples that were drawn before, perhaps in another process."""
        self.classifiers_ = []
        for kept in drawn.samples:
            sampled = (X, y) if kept is None else (X[kept], y[kept])
            self.classifiers_.append(_fit_weighted(clone(self.classifier), *sampled, drawn.fraud_weight))
        self.genuine_rate_ = drawn.genuine_rate
        self.classes_ = np.array([0, 1])
        return self

    def _sizes(self, frauds: int, genuine: int) -> tuple[int, int]:
        """The frauds and genuine rows of each sample."""
        wanted = genuine
        if self.genuine_per_fraud is not None:
            wanted = min(genuine, max(LEAST_GENUINE, round(self.genuine_per_fraud * frauds)))
        if self.max_rows is None:
            return frauds, wanted
        most = max(2, self.max_rows // self.bags)
        if frauds + wanted <= most:
            return frauds, wanted
        kept_frauds = max(1, min(frauds, most // 2))
        return kept_frauds, max(1, min(wanted, most - kept_frauds))

    def _weight(self, frauds: int, genuine: int) -> float:
        if self.fraud_weight is None:
            return 1.0
        return genuine / frauds if self.fraud_weight == BALANCED else float(self.fraud_weight)

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """(n, 2): the probabilities of genuine and of fraud at the rate and weight of all rows, not of the samples."""
        fraud = np.mean([self._corrected(classifier, X) for classifier in self.classifiers_], axis=0)
        return np.column_stack([1 - fraud, fraud])

    def _corrected(self, classifier: Any, X: NDArray[Any]) -> NDArray[np.float64]:
        # A forest's mean of many ones can be one bit above one.
        sampled = classifier.predict_proba(X)[:, 1].astype(np.float64).clip(0, 1)
        weighted = self.genuine_rate_ * sampled
        corrected: NDArray[np.float64] = weighted / (weighted + (1 - sampled))
        return corrected

    def predict(self, X: NDArray[Any]) -> NDArray[np.int64]:
        return (self.predict_proba(X)[:, 1] >= 0.5).astype(np.int64)


def part_of_forest(whole: SamplingClassifier, part: int, parts: int) -> SamplingClassifier:
    """An unfitted classifier of the same rows with one of `parts` equal shares of the forest's trees."""
    own: SamplingClassifier = clone(whole)
    forest = own.classifier.steps[-1][1]
    trees, rest = divmod(forest.n_estimators, parts)
    if rest:
        raise ValueError(f"{forest.n_estimators} trees cannot be fitted in {parts} equal parts.")
    # Each part grows other trees, whichever process fits it.
    forest.set_params(n_estimators=trees, random_state=forest.random_state + part)
    return own


def joined_forest(whole: SamplingClassifier, parts: Sequence[SamplingClassifier]) -> SamplingClassifier:
    """The fitted classifier whose forest has the trees of all parts, in their order; `whole` is the unfitted one."""
    joined = copy.copy(parts[0])
    joined.classifier = clone(whole.classifier)
    joined.classifiers_ = [
        _joined(whole.classifier, bags) for bags in zip(*(p.classifiers_ for p in parts), strict=True)
    ]
    return joined


def _joined(whole: Pipeline, fitted: Sequence[Pipeline]) -> Pipeline:
    forest = copy.copy(fitted[0].steps[-1][1])
    forest.set_params(**whole.steps[-1][1].get_params())
    forest.estimators_ = [tree for pipeline in fitted for tree in pipeline.steps[-1][1].estimators_]
    return Pipeline([*fitted[0].steps[:-1], (fitted[0].steps[-1][0], forest)])


def _sample(
    rng: np.random.Generator,
    frauds: NDArray[np.int64],
    kept_frauds: int,
    genuine: NDArray[np.int64],
    kept_genuine: int,
) -> NDArray[np.int64]:
    """Positions drawn without replacement from each class, ascending."""
    drawn = [
        rng.choice(frauds, kept_frauds, replace=False, shuffle=False),
        rng.choice(genuine, kept_genuine, replace=False, shuffle=False),
    ]
    return np.sort(np.concatenate(drawn))


def _fit_weighted(classifier: Any, X: NDArray[Any], y: NDArray[Any], fraud_weight: float) -> Any:
    if fraud_weight == 1:
        return classifier.fit(X, y)
    weights = np.where(y == 1, fraud_weight, 1.0)
    if isinstance(classifier, Pipeline):
        return classifier.fit(X, y, **{f"{classifier.steps[-1][0]}__sample_weight": weights})
    return classifier.fit(X, y, sample_weight=weights)


class RadialSVC(SVC):  # type: ignore[misc]
    """Support vectors with radial basis functions, whose decisions are matrix products in single precision.

    They are the library's own to about four digits, at several times the speed: libsvm takes row after row.
    """

    def decision_function(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """(n,) of float64; positive is fraud."""
        rows, vectors = X.astype(np.float32), self.support_vectors_.astype(np.float32)
        distances = rows @ (-2 * vectors.T)
        distances += (rows**2).sum(axis=1)[:, None]
        distances += (vectors**2).sum(axis=1)
        np.maximum(distances, 0, out=distances)
        distances *= np.float32(-self._gamma)
        kernel = np.exp(distances, out=distances)
        decisions: NDArray[np.float64] = (kernel @ self.dual_coef_[0].astype(np.float32)).astype(np.float64)
        return decisions + float(self.intercept_[0])


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

    def __init__(self, n_neighbors: int = 30, p: float = 2) -> None:
        # Brute force: in 17 dimensions trees visit nearly every row, one at a time.
        super().__init__(n_neighbors=n_neighbors, p=p, weights="distance", algorithm="brute")

    def kneighbors(self, X: Any = None, n_neighbors: int | None = None, return_distance: bool = True) -> Any:
        wanted = self.n_neighbors if n_neighbors is None else n_neighbors
        return super().kneighbors(X, min(wanted, self.n_samples_fit_), return_distance)
