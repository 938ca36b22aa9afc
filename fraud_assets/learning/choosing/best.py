"""The model to use: the winning recipe refitted on the newest labelled days, and the decision that chose it.

What lives here: the records that are stored, and the refit. What does not: the choice itself (evaluation.py).
"""

import time
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fraud_assets.learning.fitting.candidates import Candidate, fit_recipe
from fraud_assets.learning.fitting.families import Recipe
from fraud_assets.learning.fitting.models import FraudModel
from fraud_assets.learning.fitting.search import SearchBudget


@dataclass(frozen=True)
class Decision:
    """Which recipe was chosen on a day, and on what grounds. `score` and `runner_up_score` are average precisions."""

    day: str
    winner: str
    score: float
    runner_up: str | None
    runner_up_score: float | None
    validation_from: str
    validation_until: str
    reason: str


@dataclass(frozen=True)
class BestModel:
    """A recipe fitted for use, with the score from which on it calls a transaction fraud.

    `trained_from` and `trained_until` are the first and last transaction_time of the refit's rows.
    `fit_seconds` is the only field that differs between equal runs.
    """

    recipe: Recipe
    model: FraudModel
    threshold: float
    decision: Decision
    trained_from: pd.Timestamp
    trained_until: pd.Timestamp
    rows: int
    frauds: int
    fit_seconds: float

    def facts(self) -> dict[str, Any]:
        """What a person wants to know of it, in plain values."""
        return {
            "family": self.recipe.family,
            "parameters": dict(self.recipe.parameters),
            "features": list(self.recipe.features),
            "threshold": self.threshold,
            "trained_from": self.trained_from.isoformat(),
            "trained_until": self.trained_until.isoformat(),
            "rows": self.rows,
            "frauds": self.frauds,
            "fit_seconds": self.fit_seconds,
            "decision": self.decision.reason,
        }


def refit_best(candidate: Candidate, rows: pd.DataFrame, decision: Decision, budget: SearchBudget) -> BestModel:
    """The candidate's recipe fitted on the labelled rows of the refit window; its threshold stays.

    Raises `LearningError` when the rows have only one class.
    """
    started = time.monotonic()
    model = fit_recipe(candidate.recipe, rows, budget)
    return BestModel(
        recipe=candidate.recipe,
        model=model,
        threshold=candidate.threshold,
        decision=decision,
        trained_from=rows["transaction_time"].min(),
        trained_until=rows["transaction_time"].max(),
        rows=len(rows),
        frauds=int(rows["label"].sum()),
        fit_seconds=round(time.monotonic() - started, 3),
    )
