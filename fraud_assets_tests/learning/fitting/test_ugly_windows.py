"""Small and ugly windows, each with what comes of it."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from fraud_assets.learning import (
    ENSEMBLE,
    FAMILIES,
    Candidate,
    LearningError,
    Recipe,
    SearchBudget,
    fit_candidates,
    fit_recipe,
    score_candidates,
)
from fraud_assets_tests.learning.frames import NUMERIC_SPEC, at, labelled_rows

ALL = (*FAMILIES, ENSEMBLE)
BUDGET = SearchBudget(configurations=1, max_search_rows=1_000, max_slow_rows=600)
CUT = at("2024-03-07")


def fitted_on(rows: pd.DataFrame, names: tuple[str, ...] = ALL) -> tuple[dict[str, Candidate], pd.DataFrame]:
    """The candidates of all but the last two days, and those days, which every model scores finitely."""
    later = rows[rows["transaction_time"] >= CUT]
    fitted = fit_candidates(rows[rows["transaction_time"] < CUT], names, NUMERIC_SPEC, BUDGET)
    for name, scores in score_candidates(fitted, later).items():
        assert np.isfinite(scores).all(), name
    assert {candidate.failure for candidate in fitted.values()} == {None}
    return fitted, later


def precision(fitted: dict[str, Candidate], later: pd.DataFrame) -> dict[str, float]:
    return {
        name: float(average_precision_score(later["label"], scores))
        for name, scores in score_candidates(fitted, later).items()
    }


def test_one_fraud_trains_every_candidate_and_warns() -> None:
    fitted = fit_candidates(labelled_rows(600, frauds=1), ALL, NUMERIC_SPEC, BUDGET)
    for candidate in fitted.values():
        assert candidate.failure is None
        assert candidate.model is not None
        assert candidate.threshold == 0.5
        assert candidate.calibrator.is_identity
        assert candidate.search == []
        assert candidate.warnings[0].startswith("Only 1 frauds in 600")
        assert candidate.warnings[1].startswith("Too few frauds to compare")
    assert dict(fitted[ENSEMBLE].recipe.parameters) == dict.fromkeys(FAMILIES, 0.2)


def test_few_frauds_out_of_fold_leave_the_probabilities_alone_and_warn() -> None:
    candidate = fit_candidates(labelled_rows(600, frauds=8), ["random_forest"], NUMERIC_SPEC, BUDGET)["random_forest"]
    assert candidate.calibrator.is_identity
    assert "Too few frauds out of fold to calibrate: probabilities are as the model gives them." in candidate.warnings


@pytest.mark.parametrize(("label", "lacking"), [(0, "is a fraud"), (1, "is genuine")])
def test_one_class_is_one_clear_sentence(label: int, lacking: str) -> None:
    rows = labelled_rows(200).assign(label=np.int8(label))
    message = f"None of the 200 labelled transactions from 2024-03-01 .* to 2024-03-08 .* {lacking}"
    with pytest.raises(LearningError, match=message):
        fit_candidates(rows, ALL, NUMERIC_SPEC, BUDGET)
    with pytest.raises(LearningError, match=message):
        fit_recipe(Recipe("logistic_regression", {"C": 1.0}, ("amount",)), rows, BUDGET)


def test_no_rows_are_one_clear_sentence() -> None:
    with pytest.raises(LearningError, match="no labelled transactions"):
        fit_candidates(labelled_rows(200).iloc[:0], ALL, NUMERIC_SPEC, BUDGET)


@pytest.mark.parametrize(
    "columns",
    [
        {"noise": 3.5},
        {"noise": np.nan},
        {"noise": np.inf},
        {"channel": "web"},
        {"channel": None},
        {"noise": np.nan, "channel": None},
    ],
)
def test_columns_of_one_value_or_none_are_dropped_and_named(columns: dict[str, Any]) -> None:
    names = ("logistic_regression", "gradient_boosting")
    fitted, later = fitted_on(labelled_rows().assign(**columns), names)
    for candidate in fitted.values():
        dropped = ("is_weekend", *columns)
        assert candidate.dropped == dropped
        assert candidate.recipe.features == tuple(name for name in NUMERIC_SPEC.names if name not in dropped)
        assert f"Left out, with one value or none throughout: {', '.join(dropped)}." in candidate.warnings
    assert min(precision(fitted, later).values()) > 0.4


def test_no_column_that_varies_is_one_clear_sentence() -> None:
    nothing = dict.fromkeys(NUMERIC_SPEC.names, 1.0) | {"channel": "web"}
    with pytest.raises(LearningError, match="Each of the 7 features has one value throughout the 1,500 labelled"):
        fit_candidates(labelled_rows().assign(**nothing), ALL, NUMERIC_SPEC, BUDGET)


def test_a_dropped_column_may_vary_later() -> None:
    rows = labelled_rows()
    rows["noise"] = rows["noise"].where(rows["transaction_time"] >= CUT, 0.0)
    fitted, _ = fitted_on(rows, ("random_forest",))
    assert "noise" in fitted["random_forest"].dropped


def test_a_champion_keeps_a_column_that_is_constant_for_a_while() -> None:
    fitted, later = fitted_on(labelled_rows(), ("logistic_regression", "gradient_boosting"))
    flat = labelled_rows(seed=2).assign(noise=0.0)
    for candidate in fitted.values():
        assert np.isfinite(fit_recipe(candidate.recipe, flat, BUDGET).predict_proba(later)).all()


def test_a_feature_that_appears_halfway_is_learned_from() -> None:
    rows = labelled_rows(frauds=200)
    middle = rows["transaction_time"].iloc[len(rows) * 3 // 8]
    late = rows.assign(strength=rows["strength"].where(rows["transaction_time"] >= middle))
    without, later = fitted_on(rows.assign(strength=0.0), ("gradient_boosting",))
    fitted, _ = fitted_on(late, ("gradient_boosting",))
    assert fitted["gradient_boosting"].dropped == ("is_weekend",)
    helped, plain = (
        average_precision_score(later["label"], score_candidates(models, later)["gradient_boosting"])
        for models, later in ((fitted, rows[rows["transaction_time"] >= CUT]), (without, later))
    )
    assert helped > plain + 0.1


def test_duplicate_rows_are_rows() -> None:
    once = labelled_rows(800)
    fitted, later = fitted_on(pd.concat([once, once, once], ignore_index=True), ("random_forest",))
    assert fitted["random_forest"].rows == 3 * (once["transaction_time"] < CUT).sum()
    assert precision(fitted, later)["random_forest"] > 0.4


def test_one_customer_is_enough() -> None:
    """All transactions are of one card: what would tell customers apart is constant."""
    rows = labelled_rows().assign(noise=1.0, channel="web")
    fitted, later = fitted_on(rows, ("random_forest", "logistic_regression"))
    assert min(precision(fitted, later).values()) > 0.4


def test_numbers_beyond_single_precision_do_no_harm() -> None:
    rows = labelled_rows()
    rows.loc[rows.index % 9 == 0, "noise"] = 1e300
    rows["amount"] *= 1e9
    fitted_on(rows)


def test_rows_of_one_instant_allow_no_search() -> None:
    rows = labelled_rows().assign(transaction_time=at("2024-03-01"))
    candidate = fit_candidates(rows, ["random_forest"], NUMERIC_SPEC, BUDGET)["random_forest"]
    assert candidate.search == []
    assert candidate.model is not None


def test_a_later_value_beyond_all_bounds_is_scored_and_spoils_no_other_row() -> None:
    """A placeholder such as 1e20, never seen before: distances from it overflow single precision."""
    fitted, later = fitted_on(labelled_rows())
    ugly = later.reset_index(drop=True)
    ugly.loc[0, "strength"], ugly.loc[1, "noise"] = 1e20, -1e20
    usual = score_candidates(fitted, later)
    for name, scores in score_candidates(fitted, ugly).items():
        assert np.isfinite(scores).all(), name
        np.testing.assert_allclose(scores[2:], usual[name][2:], rtol=1e-6, err_msg=name)
