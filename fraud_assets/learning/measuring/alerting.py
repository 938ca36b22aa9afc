"""Which transactions of a day are alerts, and what the alerts save.

What lives here: the policy, the same for the day's scores and for validation. What does not: who looks at an alert,
and metrics (metrics.py).
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from fraud_assets.learning.errors import LearningError

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


class AlertKind(StrEnum):
    """What limits a day's alerts: the people who can look at them, or what looking at one costs."""

    CAPACITY = "capacity"
    COST = "cost"


@dataclass(frozen=True)
class AlertPolicy:
    """How a day's alerts are raised, and what one is worth.

    `cost_per_alert` is in the unit of the amounts, and 0 where it is not known; `recovered_share` is the share of a
    fraudulent amount that an alert saves. `alerts_per_day` limits alerts by capacity only, and is the k of precision
    and recall at k with either kind. Raises `LearningError` for numbers that make no sense.
    """

    kind: AlertKind = AlertKind.CAPACITY
    alerts_per_day: int = 100
    cost_per_alert: float = 0.0
    recovered_share: float = 1.0

    def __post_init__(self) -> None:
        if self.alerts_per_day < 1:
            raise LearningError(f"alerts_per_day is {self.alerts_per_day}; it must be at least 1.")
        if not 0 <= self.cost_per_alert < np.inf:
            raise LearningError(f"cost_per_alert is {self.cost_per_alert}; it must be a number from 0 on.")
        if not 0 < self.recovered_share <= 1:
            raise LearningError(f"recovered_share is {self.recovered_share}; it must be above 0 and at most 1.")
        if self.kind is AlertKind.COST and self.cost_per_alert == 0:
            raise LearningError(
                "Alerts by cost need a cost_per_alert above 0, or every transaction is one; set it, or raise alerts by "
                "capacity."
            )

    def alerts(self, scores: FloatArray, amounts: FloatArray, learnable: BoolArray) -> BoolArray:
        """Which of one day's rows are alerts, in the order of the rows.

        By capacity: the `alerts_per_day` highest scores, of equal ones those that come first. By cost: all whose
        expected saving, score · amount · `recovered_share`, is above `cost_per_alert`; `scores` must be calibrated
        probabilities then. A row that is not learnable (a refund, a declined transaction) or has no score is none.
        """
        eligible = learnable & ~np.isnan(scores)
        if self.kind is AlertKind.COST:
            worth = np.where(eligible, scores, 0.0) * np.where(eligible, amounts, 0.0) * self.recovered_share
            return eligible & (worth > self.cost_per_alert)
        return self.highest(scores, eligible)

    def highest(self, scores: FloatArray, eligible: BoolArray) -> BoolArray:
        """The `alerts_per_day` highest scores of one day's eligible rows, of equal ones those that come first."""
        candidates = np.flatnonzero(eligible)
        order = np.argsort(-scores[candidates], kind="stable")[: self.alerts_per_day]
        chosen = np.zeros(len(scores), dtype=np.bool_)
        chosen[candidates[order]] = True
        return chosen

    def savings(self, alerts: BoolArray, amounts: FloatArray, fraud: FloatArray | BoolArray) -> FloatArray:
        """What each row saves: nothing without an alert, else amount · `recovered_share` · fraud - `cost_per_alert`.

        `fraud` is the label, for what was saved, or the calibrated probability, for what is expected. In the unit of
        the amounts; amounts of several currencies are added as if they were one.
        """
        worth = np.where(alerts, amounts, 0.0) * self.recovered_share * np.where(alerts, fraud, 0.0)
        return worth - self.cost_per_alert * alerts
