"""Reasons are the features without whose value the score would be lower, for models of every family."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fraud_assets.learning import (
    ENSEMBLE,
    FAMILIES,
    Candidate,
    LearningError,
    SearchBudget,
    fit_candidates,
    score,
)
from fraud_assets.learning.explaining.reasons import REASONS, strongest_reasons, worded_reasons
from fraud_assets_tests.learning.explaining.rules import known_model
from fraud_assets_tests.learning.frames import NUMERIC_SPEC, at, labelled_rows

Typical = Mapping[str, float | str | None]
NAMES = ("first", "second", "third", "fourth")
USUAL: Typical = dict.fromkeys(NAMES, 0.0)


def row(**values: float | None) -> pd.DataFrame:
    return pd.DataFrame([{**dict.fromkeys(NAMES, 0.0), **values}], dtype="float64")


def linear(X: Any) -> Any:
    return 1 / (1 + np.exp(2 - X @ np.array([1.0, 2.0, 0.5, -1.0])))


def test_reasons_come_in_the_order_of_their_effect() -> None:
    model = known_model(linear, NAMES)
    assert strongest_reasons(model, row(first=3, second=1, third=2), USUAL) == [("first", "second", "third")]
    assert strongest_reasons(model, row(first=1, second=1, third=1, fourth=-3), USUAL) == [
        ("fourth", "second", "first")
    ]


def test_what_lowers_the_score_itself_is_no_reason() -> None:
    model = known_model(linear, NAMES)
    assert strongest_reasons(model, row(first=1, fourth=5), USUAL) == [("first",)]


def test_equal_effects_are_ordered_as_the_features_are() -> None:
    model = known_model(lambda X: X.sum(axis=1) / 10, NAMES)
    assert strongest_reasons(model, row(first=1, second=1, third=1, fourth=1), USUAL, most=2) == [("first", "second")]


def test_a_typical_row_has_no_reason() -> None:
    assert strongest_reasons(known_model(linear, NAMES), row(), USUAL) == [()]


def test_where_each_of_two_is_enough_both_are_named() -> None:
    """Neither lowers the score alone; each raises that of a typical transaction."""
    model = known_model(lambda X: np.where((X[:, 0] > 2) | (X[:, 2] > 2), 0.9, 0.1), NAMES)
    assert strongest_reasons(model, row(first=5, second=7, third=5), USUAL) == [("first", "third")]
    assert strongest_reasons(model, row(third=5), USUAL) == [("third",)]


def test_what_scores_lower_than_a_typical_transaction_is_not_explained_by_what_would_raise_that_one() -> None:
    """Each of the two is suspicious alone, together they are harmless: nothing has made the score high."""
    model = known_model(lambda X: np.array([0.5, 0.8, 0.3])[((X[:, :2] > 2).sum(axis=1)).astype(int)], NAMES)
    assert strongest_reasons(model, row(first=5, second=5), USUAL) == [()]
    assert strongest_reasons(model, row(first=5), USUAL) == [("first",)]


def test_a_score_near_one_still_has_its_reason() -> None:
    """The fall is a billionth of the score, and real."""
    model = known_model(lambda X: 1 - 1e-9 * np.where(X[:, 1] > 2, 1e-2, 1), NAMES)
    assert strongest_reasons(model, row(first=5, second=5), USUAL) == [("second",)]


def test_that_no_fraud_is_known_at_a_terminal_is_no_reason() -> None:
    names = ("terminal_days_since_last_fraud", "customer_seconds_since_last")
    model = known_model(lambda X: np.isnan(X).sum(axis=1) * 0.4, names)
    unknown = pd.DataFrame([[np.nan, np.nan]], columns=list(names))
    assert strongest_reasons(model, unknown, dict.fromkeys(names, 9.0)) == [("customer_seconds_since_last",)]


def test_many_rows_have_the_reasons_that_each_has_alone() -> None:
    rng = np.random.default_rng(3)
    rows = pd.DataFrame(rng.normal(size=(1_203, 4)), columns=list(NAMES))
    model = known_model(linear, NAMES)
    together = strongest_reasons(model, rows, USUAL)
    places = range(0, 1_203, 300)
    assert [together[place] for place in places] == [
        strongest_reasons(model, rows.iloc[[place]], USUAL)[0] for place in places
    ]


def test_no_rows_have_no_reasons() -> None:
    empty = worded_reasons(known_model(linear, NAMES), row().iloc[:0], USUAL)
    assert (list(empty.columns), len(empty), set(empty.dtypes)) == (list(REASONS), 0, {pd.StringDtype(na_value=np.nan)})


def test_a_feature_without_a_typical_value_is_named() -> None:
    with pytest.raises(LearningError, match="'fourth' has no typical value"):
        strongest_reasons(known_model(linear, NAMES), row(), dict.fromkeys(NAMES[:3], 0.0))


def test_rows_without_a_feature_of_the_model_are_refused() -> None:
    with pytest.raises(LearningError, match="lack the feature 'second'"):
        strongest_reasons(known_model(linear, NAMES), row().drop(columns="second"), USUAL)


def test_words_stand_on_the_rows_own_index_and_missing_where_there_are_fewer() -> None:
    rows = row(first=3, third=2).set_axis([41])
    worded = worded_reasons(known_model(linear, NAMES), rows, USUAL)
    assert worded["reason_1"].to_dict() == {41: "first = 3 (usually 0)"}
    assert worded["reason_2"].to_dict() == {41: "third = 2 (usually 0)"}
    assert worded["reason_3"].isna().all()


@pytest.fixture(scope="module")
def fitted() -> dict[str, Candidate]:
    rows = labelled_rows()
    budget = SearchBudget(configurations=1, max_search_rows=1_000, max_slow_rows=600)
    return fit_candidates(
        rows[rows["transaction_time"] < at("2024-03-07")], (*FAMILIES, ENSEMBLE), NUMERIC_SPEC, budget
    )


def typical_of(rows: pd.DataFrame) -> Typical:
    numbers = {name: float(rows[name].median()) for name in NUMERIC_SPEC.names if name != "channel"}
    return {**numbers, "channel": "shop"}


@pytest.mark.parametrize("name", [*FAMILIES, ENSEMBLE])
def test_without_its_reason_the_score_of_nearly_every_alert_is_lower(name: str, fitted: dict[str, Candidate]) -> None:
    model = fitted[name].model
    assert model is not None
    rows = labelled_rows()
    typical = typical_of(rows)
    later = rows[rows["transaction_time"] >= at("2024-03-07")].reset_index(drop=True)
    scores = score(model, later)
    alerts = later.iloc[np.argsort(-scores, kind="stable")[:40]]
    reasons = strongest_reasons(model, alerts, typical)
    firsts = [
        alerts.iloc[[place]].assign(**{name: typical[name] for name in named[:1]})
        for place, named in enumerate(reasons)
    ]
    lower = np.array([score(model, changed)[0] for changed in firsts]) < score(model, alerts)
    assert lower.mean() >= 0.95
    assert reasons == strongest_reasons(model, alerts, typical)
    assert {"strength", "channel"} <= {feature for named in reasons for feature in named}
