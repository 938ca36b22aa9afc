"""Permutation importance finds what a model leans on, on a weighted sample, and never on rows of its fit."""

import numpy as np
import pandas as pd
import pytest
from sklearn.inspection import permutation_importance as of_scikit_learn
from sklearn.metrics import average_precision_score, make_scorer

from fraud_assets.learning import (
    ENSEMBLE,
    FAMILIES,
    FraudModel,
    LearningError,
    Recipe,
    SearchBudget,
    fit_candidates,
    score,
)
from fraud_assets.learning.explaining.importance import (
    FULL_SAMPLE,
    SLOW_SAMPLE,
    SampleSize,
    permutation_importance,
    sample_size,
)
from fraud_assets_tests.learning.explaining.rules import known_model
from fraud_assets_tests.learning.frames import NUMERIC_SPEC, at, labelled_rows

SPLIT = at("2024-03-05")
EVERYTHING = SampleSize(10_000, 10_000)


@pytest.fixture(scope="module")
def model() -> FraudModel:
    rows = labelled_rows()
    budget = SearchBudget(configurations=1, max_search_rows=1_000, max_slow_rows=600)
    fitted = fit_candidates(rows[rows["transaction_time"] < SPLIT], ["gradient_boosting"], NUMERIC_SPEC, budget)
    made = fitted["gradient_boosting"].model
    assert made is not None
    return made


@pytest.fixture(scope="module")
def later() -> pd.DataFrame:
    rows = labelled_rows()
    return rows[rows["transaction_time"] > SPLIT].reset_index(drop=True)


def measured(
    model: FraudModel,
    rows: pd.DataFrame,
    size: SampleSize = EVERYTHING,
    *,
    seed: int = 0,
    repeats: int = 2,
    jobs: int = 1,
) -> pd.DataFrame:
    return permutation_importance(model, rows, size, fitted_until=SPLIT, seed=seed, repeats=repeats, jobs=jobs)


def test_what_tells_frauds_is_important_and_noise_is_not(model: FraudModel, later: pd.DataFrame) -> None:
    table = measured(model, later, repeats=5)
    assert list(table.columns) == ["feature", "importance", "standard_deviation"]
    assert set(table["feature"]) == set(model.features)
    assert table["feature"].iloc[0] == "strength"
    by_feature = table.set_index("feature")["importance"]
    assert by_feature["strength"] > 0.3
    assert by_feature["channel"] > 0.02
    assert abs(by_feature["noise"]) < 0.05
    assert (table["standard_deviation"] >= 0).all()


def test_all_rows_give_what_scikit_learn_gives(model: FraudModel, later: pd.DataFrame) -> None:
    """Ours draws with replacement, theirs without: over many repeats the means agree."""
    X = later[list(model.features)]
    theirs = of_scikit_learn(
        model,
        X,
        later["label"].to_numpy(),
        scoring=make_scorer(average_precision_score, response_method="predict_proba"),
        n_repeats=8,
        random_state=0,
    )
    expected = dict(zip(X.columns, theirs.importances_mean, strict=True))
    ours = measured(model, later, repeats=8).set_index("feature")["importance"]
    for feature in ("strength", "channel", "noise"):
        assert ours[feature] == pytest.approx(expected[feature], abs=0.05)


def test_a_sample_of_genuine_rows_stands_for_all_of_them() -> None:
    """Half of the frauds are told by each of two marks, which no genuine row has.

    With the first mark shuffled, 0.5 % of the 10,000 genuine rows have it and so share the top with the 50 frauds of
    the second: precision .5 at recall .5, next to nothing for the rest. Were values drawn from the sample as it is, 2 %
    would have the mark; were genuine rows not weighted, a quarter of those at the top would count.
    """
    frauds, genuine = 100, 10_000
    places = np.arange(frauds + genuine)
    rows = pd.DataFrame(
        {
            "transaction_time": SPLIT + pd.to_timedelta(1 + places, unit="s"),
            "first": (places < frauds / 2).astype(np.float64),
            "second": ((places >= frauds / 2) & (places < frauds)).astype(np.float64),
            "label": (places < frauds).astype(np.int8),
        }
    )
    model = known_model(lambda X: X.max(axis=1), ("first", "second"))
    table = measured(model, rows, SampleSize(frauds, 2_500), repeats=30).set_index("feature")
    assert table["importance"]["first"] == pytest.approx(0.75, abs=0.05)
    assert table["importance"]["second"] == pytest.approx(0.75, abs=0.05)


def test_the_same_for_any_number_of_jobs_and_another_for_another_seed(model: FraudModel, later: pd.DataFrame) -> None:
    size = SampleSize(20, 300)
    first = measured(model, later, size)
    pd.testing.assert_frame_equal(first, measured(model, later, size, jobs=2), check_exact=True)
    assert not first.equals(measured(model, later, size, seed=1))


def test_rows_of_the_fit_are_refused(model: FraudModel) -> None:
    rows = labelled_rows()
    with pytest.raises(LearningError, match="judge them on later transactions only"):
        measured(model, rows)


@pytest.mark.parametrize("label", [0, 1])
def test_rows_of_one_class_have_no_importance(label: int, model: FraudModel, later: pd.DataFrame) -> None:
    table = measured(model, later[later["label"] == label])
    assert len(table) == len(model.features)
    assert table[["importance", "standard_deviation"]].isna().all().all()


def test_a_feature_that_the_model_ignores_has_exactly_none(model: FraudModel, later: pd.DataFrame) -> None:
    same = later.assign(is_night=np.int8(0))
    table = measured(model, same).set_index("feature")
    assert table["importance"]["is_night"] == 0


def test_the_rows_themselves_are_left_as_they_are(model: FraudModel, later: pd.DataFrame) -> None:
    before = later.copy()
    scores = score(model, later)
    measured(model, later)
    pd.testing.assert_frame_equal(later, before)
    assert np.array_equal(score(model, later), scores)


def test_slow_families_and_ensembles_of_them_are_judged_on_fewer_rows() -> None:
    slow = Recipe("k_nearest_neighbors", {}, ("amount",))
    fast = Recipe("gradient_boosting", {}, ("amount",))
    assert sample_size(fast) == FULL_SAMPLE
    assert sample_size(slow) == SLOW_SAMPLE
    assert sample_size(Recipe(ENSEMBLE, {}, ("amount",), (), (fast,))) == FULL_SAMPLE
    assert sample_size(Recipe(ENSEMBLE, {}, ("amount",), (), (fast, slow))) == SLOW_SAMPLE
    assert {name for name, family in FAMILIES.items() if family.is_slow} == {
        "k_nearest_neighbors",
        "support_vector_machine",
    }
