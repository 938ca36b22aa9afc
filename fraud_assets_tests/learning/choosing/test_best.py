"""The refit of what was chosen: what it carries, and that equal refits are equal to the byte."""

import numpy as np
import pandas as pd
import pytest

from fraud_assets.learning import (
    BestModel,
    Calibrator,
    LearningError,
    Recipe,
    SearchBudget,
    TunedRecipe,
    refit_best,
    score,
)
from fraud_assets.learning.choosing.best import typical_values
from fraud_assets.postgres.storage.pickles import dumped, without
from fraud_assets_tests.learning.choosing.material import contest, decided
from fraud_assets_tests.learning.frames import labelled_rows

FEATURES = ("amount", "strength", "noise", "channel")
RECIPE = Recipe("logistic_regression", {"C": 1.0}, FEATURES, ("channel",))
TUNED = TunedRecipe(RECIPE, 0.3, Calibrator(0.5, -1.0), "2024-03-01")
DECISION = decided(contest({"logistic_regression": 0.5}))
PROMISED = {"average_precision": 0.5, "average_precision_low": 0.4}


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return labelled_rows()


def _refit(rows: pd.DataFrame, tuned: TunedRecipe = TUNED) -> BestModel:
    return refit_best(tuned, rows, DECISION, SearchBudget(), promised=PROMISED, champion_version=2)


def test_a_best_model_keeps_what_it_was_chosen_with(rows: pd.DataFrame) -> None:
    best = _refit(rows)
    assert TunedRecipe(best.recipe, best.threshold, best.calibrator, best.searched_on) == TUNED
    assert (best.decision, best.promised, best.champion_version) == (DECISION, PROMISED, 2)
    assert (best.rows, best.frauds) == (len(rows), rows["label"].sum())
    assert (best.trained_from, best.trained_until) == (rows["transaction_time"].min(), rows["transaction_time"].max())
    facts = best.facts()
    assert (facts["decision"], facts["decision_kind"]) == (DECISION.reason, "first")
    assert facts["calibrator"] == {"slope": 0.5, "intercept": -1.0}


def test_its_scores_are_calibrated(rows: pd.DataFrame) -> None:
    plain = score(_refit(rows, TunedRecipe(RECIPE, 0.3, Calibrator(), "2024-03-01")).model, rows)
    np.testing.assert_allclose(score(_refit(rows).model, rows), Calibrator(0.5, -1.0)(plain), rtol=1e-12)


def test_typical_values_are_medians_and_the_most_frequent_categories(rows: pd.DataFrame) -> None:
    typical = _refit(rows).typical
    assert list(typical) == list(FEATURES)
    assert typical["amount"] == rows["amount"].median()
    assert typical["noise"] == rows["noise"].median()
    assert typical["channel"] == rows["channel"].value_counts().index[0]


def test_of_equally_frequent_categories_the_first_by_name_and_of_none_none_is_typical() -> None:
    few = pd.DataFrame(
        {"a": ["y", "x", None, "x", "y"], "b": [None] * 5, "c": [np.nan] * 5, "d": pd.array([1, 4, 2, None, 3])}
    )
    recipe = Recipe("random_forest", {}, ("a", "b", "c", "d"), ("a", "b"))
    assert typical_values(few, recipe) == {"a": "x", "b": None, "c": None, "d": 2.5}


def test_equal_refits_are_equal_to_the_byte(rows: pd.DataFrame) -> None:
    """What a recipe was read from, a candidate or JSON, makes no difference: its parts may be shared or not."""
    members = tuple(Recipe(family, {}, FEATURES, ("channel",)) for family in ("logistic_regression", "random_forest"))
    weights = {member.family: 0.5 for member in members}
    ensemble = Recipe("ensemble", weights, FEATURES, ("channel",), members)
    here = TunedRecipe(ensemble, 0.3, Calibrator(0.5, -1.0), "2024-03-01")
    stored = TunedRecipe.from_json(here.as_json())
    volatile = frozenset({"fit_seconds", "champion_version"})
    first, second = (dumped(without(_refit(rows, tuned), volatile)[0]) for tuned in (here, stored))
    assert first == second


def test_rows_of_one_class_are_refused(rows: pd.DataFrame) -> None:
    with pytest.raises(LearningError, match="is a fraud"):
        _refit(rows[rows["label"] == 0])
