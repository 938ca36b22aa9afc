"""The model to use: the chosen recipe refitted on the newest labelled days, and what is stored with it.

What lives here: the record that is stored, and the refit. What does not: the choice itself (champion.py).
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fraud_assets.learning.choosing.decisions import Decision
from fraud_assets.learning.choosing.tuned import TunedRecipe
from fraud_assets.learning.fitting.calibration import Calibrator
from fraud_assets.learning.fitting.candidates import fit_recipe
from fraud_assets.learning.fitting.canonical import canonical
from fraud_assets.learning.fitting.families import Recipe
from fraud_assets.learning.fitting.models import FraudModel
from fraud_assets.learning.fitting.search import SearchBudget

Typical = str | float | None


@dataclass(frozen=True)
class BestModel:
    """A recipe fitted for use, with the calibrated score from which on it calls a transaction fraud.

    `trained_from` and `trained_until` are the first and last transaction_time of the refit's rows, `typical` their
    median of each numeric feature and their most frequent category of each other one. `promised` has what the recipe
    reached on the validation days: metrics over all of them, means of daily ones, and the ends of their intervals.
    Between equal runs only `fit_seconds` and `champion_version` may differ.
    """

    recipe: Recipe
    model: FraudModel
    threshold: float
    calibrator: Calibrator
    searched_on: str
    decision: Decision
    trained_from: pd.Timestamp
    trained_until: pd.Timestamp
    rows: int
    frauds: int
    typical: Mapping[str, Typical]
    promised: Mapping[str, float]
    fit_seconds: float
    champion_version: int | None = None
    """The version of the best model that the champion was read from."""

    def facts(self) -> dict[str, Any]:
        """What a person wants to know of it, in plain values."""
        return {
            "family": self.recipe.family,
            "parameters": dict(self.recipe.parameters),
            "members": {member.family: dict(member.parameters) for member in self.recipe.members},
            "features": list(self.recipe.features),
            "searched_on": self.searched_on,
            "threshold": self.threshold,
            "calibrator": self.calibrator.as_json(),
            "trained_from": self.trained_from.isoformat(),
            "trained_until": self.trained_until.isoformat(),
            "rows": self.rows,
            "frauds": self.frauds,
            "fit_seconds": self.fit_seconds,
            "decision": self.decision.reason,
            **self.decision.facts(),
            "champion_version": self.champion_version,
            "promised": dict(self.promised),
        }


def refit_best(
    tuned: TunedRecipe,
    rows: pd.DataFrame,
    decision: Decision,
    budget: SearchBudget,
    *,
    promised: Mapping[str, float],
    champion_version: int | None = None,
) -> BestModel:
    """The recipe fitted on the labelled rows of the refit window; its calibrator and threshold stay.

    Raises `LearningError` when the rows have only one class, or lack a feature of the recipe.
    """
    started = time.monotonic()
    recipe = tuned.recipe
    model = fit_recipe(recipe, rows, budget, calibrator=tuned.calibrator)
    best = BestModel(
        recipe=recipe,
        model=model,
        threshold=tuned.threshold,
        calibrator=tuned.calibrator,
        searched_on=tuned.searched_on,
        decision=decision,
        trained_from=rows["transaction_time"].min(),
        trained_until=rows["transaction_time"].max(),
        rows=len(rows),
        frauds=int(rows["label"].sum()),
        typical=typical_values(rows, recipe),
        promised=dict(promised),
        fit_seconds=round(time.monotonic() - started, 3),
        champion_version=champion_version,
    )
    return canonical(best)


def typical_values(rows: pd.DataFrame, recipe: Recipe) -> dict[str, Typical]:
    """The median of each numeric feature and the most frequent category of each other one; None where all are missing.

    Of equally frequent categories the first in alphabetical order.
    """
    return {
        name: _category(rows[name]) if name in recipe.categorical else _median(rows[name]) for name in recipe.features
    }


def _median(values: pd.Series) -> float | None:
    median = values.astype("float64").median()
    return None if pd.isna(median) else float(median)


def _category(values: pd.Series) -> str | None:
    frequent = values.dropna().astype("str").mode()
    return None if frequent.empty else str(frequent.min())
