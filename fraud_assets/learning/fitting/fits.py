"""Fits on a whole window: several recipes at once for a day's candidates, or one for a champion or a winner.

What lives here: recipes in, fitted models out. What does not: which recipes (search.py, ensemble.py).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from fraud_assets.learning.errors import LearningError
from fraud_assets.learning.fitting.calibration import Calibrator
from fraud_assets.learning.fitting.canonical import canonical
from fraud_assets.learning.fitting.ensemble import LogOddsAverage, least_probability
from fraud_assets.learning.fitting.estimators import SamplingClassifier, part_of_forest
from fraud_assets.learning.fitting.families import Recipe, known_family, make_classifier
from fraud_assets.learning.fitting.models import FraudModel
from fraud_assets.learning.fitting.pool import give_back_freed_memory, worker_pool
from fraud_assets.learning.fitting.search import SearchBudget, longest_first
from fraud_assets.learning.fitting.trials import Fitted, failure_text, fit_classifier, joined
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
    return canonical(model_of(recipe, window, fitted, calibrator))


def fit_all(pool: Parallel, window: Window, recipes: Mapping[str, Recipe], budget: SearchBudget) -> dict[str, Fitted]:
    """Each recipe's classifier on the whole window, or why there is none, by the name that the recipe comes under."""
    # Of what the window was made from only the window is left, and a worker gets no more than the rows that it fits on.
    give_back_freed_memory()
    whole: dict[str, SamplingClassifier] = {}
    fitted: dict[str, Fitted] = {}
    for name in longest_first(recipes):
        try:
            whole[name] = _classifier(recipes[name], window, budget)
        except Exception as error:  # a recipe of before may name a parameter that its library has no more
            fitted[name] = Fitted(None, failure_text(error), 0.0)
    parts = {name: _parts(recipes[name].family, classifier) for name, classifier in whole.items()}
    results = iter(pool(_tasks(window, whole, parts)))
    for name, classifier in whole.items():
        of_parts = [next(results) for _ in parts[name]]
        fitted[name] = joined(classifier, of_parts) if len(of_parts) > 1 else of_parts[0]
    return {name: fitted[name] for name in recipes}


def _classifier(recipe: Recipe, window: Window, budget: SearchBudget) -> SamplingClassifier:
    return make_classifier(
        recipe.family,
        dict(recipe.parameters),
        window.encoder.layout,
        budget.rows_of_fit(recipe.family),
        budget.seed,
    )


def _parts(family: str, whole: SamplingClassifier) -> list[SamplingClassifier]:
    """What is fitted on its own and then joined: a forest in parts, any other family as it is."""
    parts = known_family(family).parts
    return [part_of_forest(whole, part, parts) for part in range(parts)] if parts > 1 else [whole]


def _tasks(
    window: Window, whole: Mapping[str, SamplingClassifier], parts: Mapping[str, list[SamplingClassifier]]
) -> Iterator[Any]:
    """The fits one after the other, each with its rows, which are made when a worker is about to need them."""
    for name, classifier in whole.items():
        X, y, drawn = classifier.draw(window.y).compact(window.X, window.y)
        for part in parts[name]:
            yield delayed(fit_classifier)(X, y, part, drawn)


def model_of(recipe: Recipe, window: Window, fitted: Mapping[str, Fitted], calibrator: Calibrator) -> FraudModel:
    """The model of a recipe from the classifiers that it needs, by family: its own, or those of its members."""
    classifier: Any = fitted[recipe.family].classifier if not recipe.members else _average(recipe, window, fitted)
    model = FraudModel(clone(classifier), recipe.features, recipe.categorical, calibrator)
    return model.adopt(window.encoder, classifier)


def _average(recipe: Recipe, window: Window, fitted: Mapping[str, Fitted]) -> LogOddsAverage:
    members = [fitted[member.family].classifier for member in recipe.members]
    weights = tuple(float(recipe.parameters[member.family] or 0) for member in recipe.members)
    least = least_probability(window.y)
    return LogOddsAverage(tuple(clone(member) for member in members), weights, least).adopt(members)
