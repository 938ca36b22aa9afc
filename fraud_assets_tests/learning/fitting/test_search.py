"""Halving tries what it should, spends what it may, and says what each configuration scored where."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score
from threadpoolctl import threadpool_limits

from fraud_assets.learning import FAMILIES, Candidate, LearningError, SearchBudget, fit_candidates
from fraud_assets.learning.fitting.families import Family, Layout, make_classifier
from fraud_assets.learning.fitting.search import best_threshold, drawn, scored_parts
from fraud_assets.learning.fitting.splits import prequential_folds
from fraud_assets_tests.learning.frames import NUMERIC_SPEC, labelled_rows

BUDGET = SearchBudget(configurations=4, max_search_rows=1_000, max_slow_rows=600)


@pytest.fixture(scope="module")
def candidate() -> Candidate:
    return fit_candidates(labelled_rows(), ["logistic_regression"], NUMERIC_SPEC, BUDGET)["logistic_regression"]


def test_each_family_has_at_least_twelve_configurations_and_none_twice() -> None:
    for name, family in FAMILIES.items():
        distinct = {tuple(sorted(dict(parameters).items(), key=repr)) for parameters in family.configurations}
        assert len(distinct) == len(family.configurations) >= 12, name


@pytest.mark.parametrize("family", FAMILIES)
def test_every_configuration_fits_and_scores(family: str) -> None:
    rng = np.random.default_rng(0)
    y = (rng.random(400) < 0.1).astype(np.int8)
    X = (rng.normal(size=(400, 3)) + y[:, None]).astype(np.float32)
    X[::7, 1], X[:, 2] = np.nan, rng.integers(0, 3, 400)
    for parameters in FAMILIES[family].configurations:
        quick = dict(parameters) | ({"max_iter": 5} if "max_iter" in parameters else {})
        with threadpool_limits(1):
            classifier = make_classifier(family, quick, Layout((0, 1), (2,)), max_rows=300, seed=0).fit(X, y)
            scores = classifier.predict_proba(X)[:, 1]
        assert average_precision_score(y, scores) > 0.15, parameters


def test_the_best_go_on_to_the_other_folds(candidate: Candidate) -> None:
    newest = [tried["fold_3"] for tried in candidate.search]
    went_on = [tried for tried in candidate.search if tried["fold_1"] is not None]
    assert len(newest) == 4
    assert None not in newest
    assert sorted(tried["fold_3"] for tried in went_on) == sorted(newest)[-2:]
    for tried in candidate.search:
        reached = [tried[fold] for fold in ("fold_1", "fold_2", "fold_3") if tried[fold] is not None]
        assert tried["average_precision"] == pytest.approx(np.mean(reached))
    best = max(went_on, key=lambda tried: tried["average_precision"])
    assert dict(candidate.recipe.parameters) == best["parameters"]
    assert candidate.fits == 4 + 2 * 2 + 1
    assert len(candidate.folds) == 3


def test_a_fold_scores_what_a_fit_on_its_earlier_rows_would(candidate: Candidate) -> None:
    """The whole search again, by hand, for one configuration and one fold."""
    rows = labelled_rows()
    y = rows["label"].to_numpy()
    inner = prequential_folds(rows["transaction_time"], y, NUMERIC_SPEC.label_delay)
    fold, part = inner.folds[2], scored_parts(inner.folds, y, BUDGET)[2]
    model = candidate.model
    assert model is not None
    X = model.encoder_.matrix(rows)
    parameters = candidate.search[0]["parameters"]
    layout = model.encoder_.layout
    classifier = make_classifier("logistic_regression", parameters, layout, max_rows=1_000, seed=0)
    scores = classifier.fit(X[: fold.train_end], y[: fold.train_end]).predict_proba(X[part.positions])[:, 1]
    assert candidate.search[0]["fold_3"] == part.average_precision(scores)


@given(st.integers(5, 200), st.integers(1, 30), st.integers(0, 3))
@settings(deadline=None)
def test_a_day_never_fits_more_than_it_may(max_fits: int, configurations: int, folds: int) -> None:
    rounds = SearchBudget(configurations=configurations, max_fits=max_fits).rounds(folds)
    assert len(FAMILIES) * (rounds.fits + 1) <= max_fits
    assert rounds.first >= rounds.second
    assert rounds.folds <= folds
    if folds and max_fits >= 2 * len(FAMILIES):
        assert rounds.first >= 1


def test_the_default_is_six_on_the_newest_fold_and_two_on_all() -> None:
    rounds = SearchBudget().rounds(3)
    assert (rounds.first, rounds.second, rounds.folds) == (6, 2, 3)
    assert 5 * (rounds.fits + 1) == 55


def test_less_than_a_fit_for_each_family_is_refused() -> None:
    with pytest.raises(LearningError, match="4 fits a day are too few"):
        SearchBudget(max_fits=4)


@pytest.mark.parametrize("configurations", [0, -1])
def test_a_search_of_nothing_is_refused(configurations: int) -> None:
    """It would say nothing, and store a configuration that was never tried as what was found."""
    with pytest.raises(LearningError, match="tries none; take at least 1"):
        SearchBudget(configurations=configurations)


@pytest.mark.parametrize(("max_fits", "fits"), [(5, 1), (10, 2), (20, 4), (30, 6), (60, 11)])
def test_a_small_number_of_fits_is_kept_and_told(max_fits: int, fits: int) -> None:
    budget = SearchBudget(max_search_rows=1_000, max_fits=max_fits)
    fitted = fit_candidates(labelled_rows(), ["logistic_regression"], NUMERIC_SPEC, budget)["logistic_regression"]
    assert fitted.fits == fits
    assert sum(value is not None for tried in fitted.search for name, value in tried.items() if "fold" in name) == (
        fits - 1
    )
    assert any("max_fits" in warning for warning in fitted.warnings) == (max_fits < 20)


def test_the_first_and_the_incumbent_are_always_tried_and_the_rest_is_drawn() -> None:
    space = FAMILIES["random_forest"].configurations
    incumbent = {"min_samples_leaf": 7}
    seen = set()
    for seed in range(20):
        tried = drawn("random_forest", 5, SearchBudget(search_seed=seed), {"random_forest": incumbent})
        assert tried[:2] == [space[0], incumbent]
        assert tried == drawn("random_forest", 5, SearchBudget(search_seed=seed), {"random_forest": incumbent})
        assert all(parameters in space[1:] for parameters in tried[2:])
        assert len({repr(parameters) for parameters in tried}) == 5
        seen |= {repr(parameters) for parameters in tried[2:]}
    assert len(seen) == len(space) - 1
    again = drawn("random_forest", 5, SearchBudget(), {"random_forest": space[3]})
    assert again.count(space[3]) == 1
    assert drawn("random_forest", 1, SearchBudget(), {"random_forest": incumbent}) == [space[0]]


def test_other_days_draw_others_with_the_same_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """`search_seed` draws configurations, and nothing else: a space of one is the same on every day."""
    one = Family(FAMILIES["random_forest"].build, FAMILIES["random_forest"].configurations[:1])
    monkeypatch.setitem(FAMILIES, "random_forest", one)
    rows = labelled_rows()
    first, second = (
        fit_candidates(rows, ["random_forest"], NUMERIC_SPEC, SearchBudget(max_search_rows=1_000, search_seed=seed))
        for seed in (1, 2)
    )
    assert first["random_forest"].search == second["random_forest"].search


def test_the_scored_part_keeps_all_frauds_and_says_what_a_row_stands_for() -> None:
    times = pd.Series(pd.date_range("2024-01-01", periods=20_000, freq="min", tz="UTC"))
    y = np.zeros(20_000, dtype=np.int8)
    y[::100] = 1
    folds = prequential_folds(times, y, pd.Timedelta(hours=10).to_pytimedelta()).folds
    for fold, part in zip(folds, scored_parts(folds, y, SearchBudget(max_search_rows=3_000)), strict=True):
        assert part.y.sum() == y[fold.score_start : fold.score_end].sum()
        assert len(part.y) == 1_000
        assert part.weights.sum() == pytest.approx(fold.score_end - fold.score_start)
        assert (np.diff(part.positions) > 0).all()


def test_the_threshold_has_the_best_f1() -> None:
    rng = np.random.default_rng(5)
    y = (rng.random(300) < 0.2).astype(np.int8)
    scores = (rng.normal(size=300) + 1.5 * y).round(1)
    chosen = f1_score(y, scores >= best_threshold(y, scores, np.ones(300)))
    others: Any = [f1_score(y, scores >= threshold) for threshold in np.unique(scores)]
    assert chosen == pytest.approx(max(others))
