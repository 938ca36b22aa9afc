"""A fitted model as it is stored and used: frame in, probabilities out.

What lives here: the way from a frame to a numeric matrix, the model around a family's classifier, and scoring. What
does not: which classifier and on which rows (families.py, candidates.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd
from joblib import delayed
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from threadpoolctl import threadpool_limits

from fraud_assets.learning.errors import LearningError
from fraud_assets.learning.fitting.calibration import Calibrator, FloatArray
from fraud_assets.learning.fitting.families import Layout
from fraud_assets.learning.fitting.pool import worker_pool

Matrix = NDArray[np.float32]

# Rows are scored in pieces of one fixed size: bounded memory, and the same bits however many processes share them.
SCORED_AT_ONCE = 16_384


@dataclass(frozen=True)
class ColumnEncoder:
    """Frame to float32 matrix. Learns nothing but the names of categories; what they mean is up to the pipeline."""

    features: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]

    @classmethod
    def from_rows(cls, rows: pd.DataFrame, features: tuple[str, ...], categorical: tuple[str, ...]) -> Self:
        """The encoder of these columns, with the categories that `rows` have, in alphabetical order.

        Raises `LearningError` when a feature is no column of `rows`.
        """
        _require(features, rows)
        return cls(features, {name: tuple(sorted(rows[name].dropna().astype("str").unique())) for name in categorical})

    @property
    def layout(self) -> Layout:
        positions = {name: position for position, name in enumerate(self.features)}
        return Layout(
            numeric=tuple(positions[name] for name in self.features if name not in self.categories),
            categorical=tuple(positions[name] for name in self.features if name in self.categories),
        )

    def without(self, dropped: tuple[str, ...]) -> Self:
        """The encoder of the other columns."""
        return replace(
            self,
            features=tuple(name for name in self.features if name not in dropped),
            categories={name: values for name, values in self.categories.items() if name not in dropped},
        )

    def matrix(self, rows: pd.DataFrame, order: NDArray[np.intp] | None = None) -> Matrix:
        """(rows, features) of float32; missing and infinite numbers are NaN, categories are codes.

        `order` takes the rows at these positions instead of all. Single precision halves the memory; seven digits are
        more than any family tells apart. Raises `LearningError` when a feature is no column of `rows`.
        """
        _require(self.features, rows)
        matrix = np.empty((len(rows) if order is None else len(order), len(self.features)), dtype=np.float32)
        for position, name in enumerate(self.features):
            values = self._values(rows[name])
            matrix[:, position] = values if order is None else values[order]
        return matrix

    def _values(self, column: pd.Series) -> Matrix:
        if column.name in self.categories:
            return self._codes(column, self.categories[str(column.name)])
        with np.errstate(over="ignore"):  # what single precision cannot hold is as good as infinite
            values: Matrix = column.to_numpy(dtype="float64", na_value=np.nan).astype(np.float32)
        values[np.isinf(values)] = np.nan
        return values

    @staticmethod
    def _codes(values: pd.Series, categories: tuple[str, ...]) -> Matrix:
        codes = pd.Index(categories, dtype="str").get_indexer(pd.Index(values.astype("str"))).astype(np.float32)
        codes[codes < 0] = len(categories)  # a category that the training rows do not have is unknown, not missing
        codes[values.isna().to_numpy()] = np.nan
        return codes


def _require(features: tuple[str, ...], rows: pd.DataFrame) -> None:
    missing = [name for name in features if name not in rows]
    if missing:
        raise LearningError(
            f"The rows lack the feature {missing[0]!r} that the model was fitted on; compute their features anew."
        )


class FraudModel(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier on the named columns of a frame; `predict_proba(frame)[:, 1]` is the probability of fraud.

    The probabilities are the classifier's, as the calibrator maps them.
    """

    def __init__(
        self,
        classifier: Any,
        features: tuple[str, ...],
        categorical: tuple[str, ...] = (),
        calibrator: Calibrator = Calibrator(),  # noqa: B008  scikit-learn clones what it finds here; it is frozen
    ) -> None:
        self.classifier = classifier
        self.features = features
        self.categorical = categorical
        self.calibrator = calibrator

    def fit(self, rows: pd.DataFrame, y: NDArray[Any]) -> Self:
        encoder = ColumnEncoder.from_rows(rows, self.features, self.categorical)
        return self.adopt(encoder, clone(self.classifier).fit(encoder.matrix(rows), y))

    def adopt(self, encoder: ColumnEncoder, classifier: Any) -> Self:
        """Take a classifier that was fitted elsewhere on this encoder's matrix."""
        self.encoder_ = encoder
        self.classifier_ = classifier
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, rows: pd.DataFrame) -> FloatArray:
        """(rows, 2): the probabilities of genuine and of fraud."""
        fraud = self.calibrator(score_matrix(self.classifier_, self.encoder_.matrix(rows)))
        return np.column_stack([1 - fraud, fraud])

    def predict(self, rows: pd.DataFrame) -> NDArray[np.int64]:
        return (self.predict_proba(rows)[:, 1] >= 0.5).astype(np.int64)


def score(model: FraudModel, rows: pd.DataFrame, *, jobs: int = 1) -> FloatArray:
    """The calibrated probability of fraud of each row, in the order of the rows; the same bits for any `jobs`."""
    return model.calibrator(uncalibrated(model, rows, jobs=jobs))


def uncalibrated(model: FraudModel, rows: pd.DataFrame, *, jobs: int = 1) -> FloatArray:
    """What the model's classifier says of each row, before the calibrator."""
    matrix = model.encoder_.matrix(rows)
    pieces = [matrix[start : start + SCORED_AT_ONCE] for start in range(0, len(matrix), SCORED_AT_ONCE)]
    with threadpool_limits(1):
        scores = worker_pool(jobs)(delayed(score_matrix)(model.classifier_, piece) for piece in pieces)
    return np.concatenate([np.zeros(0), *scores])


def score_matrix(classifier: Any, matrix: Matrix) -> FloatArray:
    """The probability of fraud of each row of a matrix, with one inner thread and without the calibrator."""
    with threadpool_limits(1):
        scores: FloatArray = classifier.predict_proba(matrix)[:, 1]
    return scores
