"""No fold's scaler, encoder, sample or classifier sees what it is scored on, nor anything later."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from fraud_assets.learning import FAMILIES, SearchBudget, fit_candidates
from fraud_assets.learning.fitting.pool import worker_pool
from fraud_assets.learning.fitting.search import Searched, scored_parts, search
from fraud_assets.learning.fitting.splits import Fold, prequential_folds
from fraud_assets.learning.fitting.window import Window
from fraud_assets_tests.learning.frames import NUMERIC_SPEC, labelled_rows

BUDGET = SearchBudget(configurations=1, max_search_rows=600, max_slow_rows=400)
ROWS = labelled_rows(1_000, frauds=80)


def folds() -> tuple[Fold, ...]:
    return prequential_folds(ROWS["transaction_time"], ROWS["label"].to_numpy(), NUMERIC_SPEC.label_delay).folds


def searched(rows: pd.DataFrame) -> dict[str, Searched]:
    window = Window.whole(rows, NUMERIC_SPEC.names, NUMERIC_SPEC.categorical)
    parts = scored_parts(folds(), window.y, BUDGET)
    with threadpool_limits(1), worker_pool(1) as pool:
        return search(pool, window.X, window.y, list(FAMILIES), window.encoder.layout, folds(), parts, BUDGET, {})


@pytest.fixture(scope="module")
def honest() -> dict[str, Searched]:
    return searched(ROWS)


def changed_from(position: int) -> pd.DataFrame:
    """Every value from a position on is another, of another size and with categories of its own."""
    rows = ROWS.copy()
    later = np.arange(len(rows)) >= position
    rng = np.random.default_rng(position)
    for name in ("amount", "strength", "noise", "hour_of_day"):
        rows[name] = rows[name].where(~later, rng.normal(-50, 1_000, len(rows)))
    rows["channel"] = rows["channel"].where(~later, pd.Series(rng.choice(["app", "zoo"], len(rows)), dtype="str"))
    rows["label"] = rows["label"].where(~later, rng.permutation(rows["label"].to_numpy())).astype("int8")
    return rows


@pytest.mark.parametrize("number", [0, 1])
def test_nothing_after_a_fold_reaches_it(honest: dict[str, Searched], number: int) -> None:
    fooled = searched(changed_from(folds()[number].score_end))
    for family in FAMILIES:
        before, after = honest[family].out_of_fold, fooled[family].out_of_fold
        assert before is not None
        assert after is not None
        for earlier in range(number + 1):
            assert before[earlier].tobytes() == after[earlier].tobytes(), family
        assert before[2].tobytes() != after[2].tobytes(), family


def test_the_gap_before_a_fold_does_not_reach_it(honest: dict[str, Searched]) -> None:
    """Rows between what a fold is fitted on and what it is scored on have no labels yet in real life."""
    fold = folds()[0]
    assert fold.score_start - fold.train_end > 50
    gap = np.arange(len(ROWS))
    rows = ROWS.where(pd.Series((gap < fold.train_end) | (gap >= fold.score_start)), changed_from(fold.train_end))
    fooled = searched(rows.astype(ROWS.dtypes))
    for family in FAMILIES:
        before, after = honest[family].out_of_fold, fooled[family].out_of_fold
        assert before is not None
        assert after is not None
        assert before[0].tobytes() == after[0].tobytes(), family


def test_what_is_fitted_on_does_reach_it(honest: dict[str, Searched]) -> None:
    """The counter-check: the same comparison sees a change where there must be one."""
    changed = ROWS.assign(strength=ROWS["strength"].where(ROWS.index >= 100, 0.0))
    fooled = searched(changed)
    for family in FAMILIES:
        before, after = honest[family].out_of_fold, fooled[family].out_of_fold
        assert before is not None
        assert after is not None
        assert before[0].tobytes() != after[0].tobytes(), family


def test_a_scaler_that_saw_the_scored_rows_would_cope_with_them(honest: dict[str, Searched]) -> None:
    """In the newest fold the telling feature is another constant for everyone, which only who saw it could know."""
    start = folds()[2].score_start
    shifted = ROWS.assign(strength=ROWS["strength"].where(ROWS.index < start, -1e6), channel="new")
    fooled = searched(shifted)
    for family in ("logistic_regression", "gradient_boosting"):
        assert honest[family].table[0]["fold_3"] > 0.5
        assert fooled[family].table[0]["fold_3"] < 0.3


def test_a_perfect_feature_that_is_only_known_later_fools_no_search() -> None:
    """Chargebacks that are written back into old rows: perfect where labels are known, missing where they matter."""
    rows = labelled_rows(1_000, frauds=80).drop(columns="strength")
    known_until = folds()[2].train_end
    planted = rows["label"].astype("float64").where(rows.index < known_until)
    names = ["logistic_regression", "gradient_boosting"]
    tempted, plain = (
        fit_candidates(rows.assign(strength=values), names, NUMERIC_SPEC, BUDGET) for values in (planted, 0.0)
    )
    for name in names:
        newest: list[Any] = [fitted[name].search[0]["fold_3"] for fitted in (tempted, plain)]
        assert newest[0] < newest[1] + 0.1 < 0.6
