"""From a model's scores to probabilities that keep their word: log-odds, and the calibrator on them.

What lives here: Platt's calibration on the log-odds of scores that a model gave to rows it had not seen. What does
not: which rows those are (search.py), and how well a calibrated model does afterwards.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from fraud_assets.learning.errors import LearningError

FloatArray = NDArray[np.float64]

# With fewer out-of-fold frauds the two numbers of a calibrator are noise.
LEAST_FRAUDS = 10
# A forest's 0 means "none among my leaves", not "impossible": log-odds are cut off here where they are averaged.
SMALLEST_PROBABILITY = 1e-6


@dataclass(frozen=True)
class Calibrator:
    """The strictly increasing map p -> expit(slope · logit(p) + intercept), from a model's score to a probability.

    The default is the identity. Raises `LearningError` for a slope that would not keep the order of the scores.
    """

    slope: float = 1.0
    intercept: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.slope) and math.isfinite(self.intercept) and self.slope > 0):
            raise LearningError(
                f"A calibrator needs a finite slope above 0 and a finite intercept, not {self.slope} and "
                f"{self.intercept}; fit it on more labelled transactions."
            )

    @property
    def is_identity(self) -> bool:
        return self == Calibrator()

    def __call__(self, scores: FloatArray) -> FloatArray:
        """The probabilities of scores within [0, 1]: any shape, same order; 0 and 1 stay what they are."""
        if self.is_identity:
            return scores
        probabilities: FloatArray = expit(self.slope * logit(scores) + self.intercept)
        return probabilities

    def as_json(self) -> dict[str, float]:
        """A dict that JSON can hold, and `from_json` can read."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        return cls(float(document["slope"]), float(document["intercept"]))


def log_odds(scores: FloatArray, least: float = SMALLEST_PROBABILITY) -> FloatArray:
    """logit(p), with p kept within [least, 1 - 1e-6], least 1e-6 unless it is told, so that it is finite."""
    odds: FloatArray = logit(np.clip(scores, least, 1 - SMALLEST_PROBABILITY))
    return odds


def fit_calibrator(scores: FloatArray, y: NDArray[Any], weights: FloatArray) -> Calibrator:
    """The calibrator under which the labels are likeliest: a logistic regression on the log-odds of the scores.

    `scores` (n,) of rows that the model has not seen, `y` (n,) of 0 and 1, `weights` (n,) how many rows each stands
    for. Labels are pulled a little towards each other as in Platt 1999 ("Probabilistic outputs for support vector
    machines", section 2.2), so that scores which separate the classes do not give an infinite slope. The identity
    where there are fewer than 10 frauds, one class only, or scores that do not rise with the labels.
    """
    odds = log_odds(scores)
    frauds = int((y == 1).sum())
    if frauds < LEAST_FRAUDS or frauds == len(y) or np.ptp(odds) == 0:
        return Calibrator()
    fraud_weight, genuine_weight = float(weights[y == 1].sum()), float(weights[y == 0].sum())
    target = np.where(y == 1, (fraud_weight + 1) / (fraud_weight + 2), 1 / (genuine_weight + 2))
    regression = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-8)
    regression.fit(
        np.concatenate([odds, odds])[:, None],
        np.repeat([1, 0], len(odds)),
        sample_weight=np.concatenate([weights * target, weights * (1 - target)]),
    )
    slope, intercept = float(regression.coef_[0, 0]), float(regression.intercept_[0])
    sound = math.isfinite(slope) and math.isfinite(intercept) and slope > 0
    return Calibrator(slope, intercept) if sound else Calibrator()
