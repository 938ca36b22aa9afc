"""Fits on a whole window: several recipes at once for a day's candidates, or one for a champion or a winner.

What lives here: recipes in, fitted models out. What does not: which recipes (search.py, ensemble.py).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from fraud_assets.learning.errors import LearningError
from fraud_assets.learning.fitting.calibration import Calibrator
from fraud_assets.learning.fitting.canonical import canonical
from fraud_assets.learning.fitting.ensemble import LogOddsAverage
from fraud_assets.learning.fitting.families import Recipe, known_family, make_classifier
from fraud_assets.learning.fitting.models import ColumnEncoder, FraudModel
from fraud_assets.learning.fitting.pool import worker_pool
from fraud_assets.learning.fitting.search import SearchBudget, longest_first
from fraud_assets.learning.fitting.trials import Fitted, fit_classifier, joined
from fraud_assets.learning.fitting.window import Window


def fit_recipe(
    recipe: Recipe,
    rows: pd.DataFrame,
    budget: SearchBudget,
    calibrator: Calibrator = Calibrator(),  # noqa: B008  frozen
) -> FraudModel:
    """A recipe fitted on labelled rows: a winner on newer days, or a champion on the candidates' window.

    `calibrator` is the recipe's, from the out-of-fold scores of its search. Raises `LearningError` when the rows have
    only one class or lack a feature of the recipe, and when the family, or a member of the ensemble, cannot be fitted.
    """
    window = Window.whole(rows, recipe.features, recipe.categorical)
    parts = {part.family: part for part in recipe.members or (recipe,)}
    with threadpool_limits(1), worker_pool(budget.jobs) as pool:
        fitted = fit_all(pool, window, parts, budget)
    for family, outcome in fitted.items():
        if outcome.failure is not None:
            raise LearningError(f"The {family} could not be fitted on {len(rows):,} rows: {outcome.failure}.")
    return canonical(model_of(recipe, window.encoder, fitted, calibrator))


def fit_all(pool: Parallel, window: Window, recipes: Mapping[str, Recipe], budget: SearchBudget) -> dict[str, Fitted]:
    """Each recipe's classifier on the whole window, or why there is none, by the name that the recipe comes under."""
    asked = {
        name: (
            recipes[name].family,
            dict(recipes[name].parameters),
            window.encoder.layout,
            budget.rows_of_fit(recipes[name].family),
            budget.seed,
        )
        for name in longest_first(recipes)
    }
    parts = {name: _parts(recipes[name].family) for name in asked}
    running = [(name, part) for name in asked for part in parts[name]]
    results = pool(delayed(fit_classifier)(window.X, window.y, *asked[name], part) for name, part in running)
    of_name: dict[str, list[Fitted]] = {name: [] for name in recipes}
    for (name, _), result in zip(running, results, strict=True):
        of_name[name].append(result)
    return {
        name: joined(make_classifier(*asked[name]), fitted) if len(fitted) > 1 else fitted[0]
        for name, fitted in of_name.items()
    }


def _parts(family: str) -> Sequence[int | None]:
    """The numbers of the parts that a family is fitted in; None is all of it."""
    parts = known_family(family).parts
    return range(parts) if parts > 1 else [None]


def model_of(
    recipe: Recipe, encoder: ColumnEncoder, fitted: Mapping[str, Fitted], calibrator: Calibrator
) -> FraudModel:
    """The model of a recipe from the classifiers that it needs, by family: its own, or those of its members."""
    classifier: Any = fitted[recipe.family].classifier if not recipe.members else _average(recipe, fitted)
    model = FraudModel(clone(classifier), recipe.features, recipe.categorical, calibrator)
    return model.adopt(encoder, classifier)


def _average(recipe: Recipe, fitted: Mapping[str, Fitted]) -> LogOddsAverage:
    members = [fitted[member.family].classifier for member in recipe.members]
    weights = tuple(float(recipe.parameters[member.family] or 0) for member in recipe.members)
    return LogOddsAverage(tuple(clone(member) for member in members), weights).adopt(members)
