"""Candidates are searched and fitted on the past alone, reproducibly, and fail without taking others along."""

import dataclasses
import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from fraud_assets.learning import (
    FAMILIES,
    Candidate,
    LearningError,
    Recipe,
    SearchBudget,
    fit_candidates,
    fit_recipe,
    score,
    score_candidates,
)
from fraud_assets.learning.fitting.families import Family
from fraud_assets.learning.fitting.search import best_threshold
from fraud_assets_tests.learning.frames import NUMERIC_SPEC, at, labelled_rows

BUDGET = SearchBudget(configurations=2, max_search_rows=1_000, max_slow_rows=600)
QUICK = ("logistic_regression", "gradient_boosting")


def parts() -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = labelled_rows()
    later = rows["transaction_time"] >= at("2024-03-07")
    return rows[~later], rows[later].reset_index(drop=True)


def digest(fitted: object) -> str:
    buffer = io.BytesIO()
    joblib.dump(fitted, buffer)
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def timeless(candidates: Mapping[str, Candidate]) -> list[str]:
    return [digest(dataclasses.replace(candidate, fit_seconds=0.0)) for candidate in candidates.values()]


@pytest.fixture(scope="module")
def candidates() -> dict[str, Candidate]:
    return fit_candidates(parts()[0], tuple(FAMILIES), NUMERIC_SPEC, BUDGET)


def digests(jobs: str) -> None:
    """What a fresh process fits: printed for the test below."""
    fitted = fit_candidates(parts()[0], tuple(FAMILIES), NUMERIC_SPEC, dataclasses.replace(BUDGET, jobs=int(jobs)))
    print(json.dumps(timeless(fitted)))


def test_the_five_families_are_fitted_and_tell_fraud_from_genuine(candidates: dict[str, Candidate]) -> None:
    _, later = parts()
    assert list(candidates) == [
        "logistic_regression",
        "support_vector_machine",
        "k_nearest_neighbors",
        "random_forest",
        "gradient_boosting",
    ]
    for name, scores in score_candidates(candidates, later).items():
        candidate = candidates[name]
        assert candidate.failure is None
        assert len(candidate.search) == 2
        assert 0 < candidate.threshold < 1
        assert roc_auc_score(later["label"], scores) > 0.85, name
        assert abs(scores.mean() - later["label"].mean()) < 0.03, name


def test_a_candidate_says_what_it_was_trained_on(candidates: dict[str, Candidate]) -> None:
    earlier, _ = parts()
    candidate = candidates["random_forest"]
    assert (candidate.trained_from, candidate.trained_until) == (
        earlier["transaction_time"].min(),
        earlier["transaction_time"].max(),
    )
    assert (candidate.rows, candidate.frauds) == (len(earlier), earlier["label"].sum())
    assert candidate.fit_seconds > 0


def test_the_same_rows_give_the_same_bytes_in_any_process_and_on_any_number_of_cores(
    candidates: dict[str, Candidate],
) -> None:
    command = [sys.executable, "-c", f"from {__name__} import digests; digests('2')"]
    here = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    out = subprocess.run(command, capture_output=True, text=True, check=True, env=here)
    assert json.loads(out.stdout) == timeless(candidates)


def test_a_refit_has_the_bytes_of_the_first_fit(candidates: dict[str, Candidate]) -> None:
    shuffled = parts()[0].sample(frac=1, random_state=4)
    for candidate in candidates.values():
        assert digest(fit_recipe(candidate.recipe, shuffled, BUDGET)) == digest(candidate.model), (
            candidate.recipe.family
        )


def test_scores_do_not_depend_on_the_number_of_jobs(candidates: dict[str, Candidate]) -> None:
    many = pd.concat([parts()[1]] * 50, ignore_index=True)
    model = candidates["k_nearest_neighbors"].model
    assert model is not None
    assert score(model, many).tobytes() == score(model, many, jobs=2).tobytes()


def test_training_and_validation_never_share_a_row(candidates: dict[str, Candidate]) -> None:
    earlier, later = parts()
    assert not set(earlier["transaction_id"]) & set(later["transaction_id"])
    score_candidates(candidates, later)
    with pytest.raises(LearningError, match="was fitted on transactions until"):
        score_candidates(candidates, pd.concat([earlier.tail(1), later]))


def test_the_scored_part_of_a_search_does_not_reach_the_fits_of_that_search() -> None:
    earlier, _ = parts()
    ordered = earlier.sort_values("transaction_time", ignore_index=True)
    last_quarter = ordered.index >= int(len(ordered) * 0.75)
    poisoned = ordered.assign(
        strength=ordered["strength"].where(~last_quarter, -1e6), channel=ordered["channel"].where(~last_quarter, "new")
    )
    honest = fit_candidates(ordered, QUICK, NUMERIC_SPEC, BUDGET)
    fooled = fit_candidates(poisoned, QUICK, NUMERIC_SPEC, BUDGET)
    for family in QUICK:
        # A scaler or encoder that saw the scored quarter would cope with it; one that did not finds nothing there.
        assert honest[family].search[0]["average_precision"] > 0.5
        assert fooled[family].search[0]["average_precision"] < 0.3


def test_unknown_missing_and_infinite_values_are_scored(candidates: dict[str, Candidate]) -> None:
    _, later = parts()
    odd = later.head(3).assign(
        channel=pd.Series(["never seen", np.nan, "web"], dtype="str"), noise=[np.inf, np.nan, -np.inf]
    )
    for scores in score_candidates(candidates, odd).values():
        assert np.isfinite(scores).all()


def test_constant_and_empty_columns_do_no_harm() -> None:
    earlier, later = parts()
    fitted = fit_candidates(
        earlier.assign(noise=np.nan, strength=1.0, channel=None), tuple(FAMILIES), NUMERIC_SPEC, BUDGET
    )
    assert {candidate.failure for candidate in fitted.values()} == {None}
    for scores in score_candidates(fitted, later).values():
        assert np.isfinite(scores).all()


def test_a_missing_feature_is_named(candidates: dict[str, Candidate]) -> None:
    with pytest.raises(LearningError, match="lack the feature 'strength'"):
        score_candidates(candidates, parts()[1].drop(columns="strength"))


def test_one_fraud_trains_every_family_and_warns() -> None:
    fitted = fit_candidates(labelled_rows(600, frauds=1), tuple(FAMILIES), NUMERIC_SPEC, BUDGET)
    for candidate in fitted.values():
        assert candidate.failure is None
        assert candidate.model is not None
        assert candidate.threshold == 0.5
        assert candidate.search == []
        assert "Only 1 frauds in 600" in candidate.warnings[0]
        assert "Too few frauds" in candidate.warnings[1]


@pytest.mark.parametrize(("label", "lacking"), [(0, "is a fraud"), (1, "is genuine")])
def test_one_class_is_one_clear_sentence(label: int, lacking: str) -> None:
    rows = labelled_rows(200).assign(label=np.int8(label))
    message = f"None of the 200 labelled transactions from 2024-03-01 .* to 2024-03-08 .* {lacking}"
    with pytest.raises(LearningError, match=message):
        fit_candidates(rows, QUICK, NUMERIC_SPEC, BUDGET)
    with pytest.raises(LearningError, match=message):
        fit_recipe(Recipe("logistic_regression", {"C": 1.0}, ("amount",)), rows, BUDGET)


def test_no_rows_are_one_clear_sentence() -> None:
    with pytest.raises(LearningError, match="no labelled transactions"):
        fit_candidates(labelled_rows(200).iloc[:0], QUICK, NUMERIC_SPEC, BUDGET)


def test_an_unknown_family_is_named_with_those_there_are() -> None:
    with pytest.raises(LearningError, match="no family 'xgboost'; choose from logistic_regression, "):
        fit_candidates(parts()[0], ["xgboost"], NUMERIC_SPEC, BUDGET)


@pytest.fixture
def broken_regression(monkeypatch: pytest.MonkeyPatch) -> None:
    """A family whose only parameters scikit-learn itself refuses."""
    broken = Family(FAMILIES["logistic_regression"].build, ({"C": -1.0},))
    monkeypatch.setitem(FAMILIES, "logistic_regression", broken)


@pytest.mark.usefixtures("broken_regression")
def test_a_family_that_fails_is_told_and_the_others_go_on() -> None:
    fitted = fit_candidates(parts()[0], QUICK, NUMERIC_SPEC, BUDGET)
    failure = fitted["logistic_regression"].failure
    assert failure is not None
    assert "'C' parameter" in failure
    assert fitted["logistic_regression"].model is None
    assert list(score_candidates(fitted, parts()[1])) == ["gradient_boosting"]


@pytest.mark.usefixtures("broken_regression")
def test_all_families_failing_is_an_error() -> None:
    with pytest.raises(LearningError, match=r"None of the 1 families could be fitted .*'C' parameter"):
        fit_candidates(parts()[0], ["logistic_regression"], NUMERIC_SPEC, BUDGET)


def test_progress_is_told() -> None:
    heard: list[str] = []
    fit_candidates(parts()[0], QUICK, NUMERIC_SPEC, BUDGET, on_progress=heard.append)
    assert [message.split()[0] for message in heard] == ["searching", "fitting"]


def test_a_window_with_a_gap_has_no_warning() -> None:
    rows = labelled_rows(days=28)
    spec = dataclasses.replace(NUMERIC_SPEC, label_delay=timedelta(days=7))
    assert fit_candidates(rows, ["logistic_regression"], spec, BUDGET)["logistic_regression"].warnings == ()


def test_a_recipe_survives_json() -> None:
    recipe = Recipe("gradient_boosting", {"max_iter": 100, "max_features": None}, ("amount", "channel"), ("channel",))
    assert Recipe.from_json(json.loads(json.dumps(recipe.as_json()))) == recipe


def test_the_threshold_has_the_best_f1() -> None:
    rng = np.random.default_rng(5)
    y = (rng.random(300) < 0.2).astype(np.int8)
    scores = (rng.normal(size=300) + 1.5 * y).round(1)
    chosen = f1_score(y, scores >= best_threshold(y, scores, np.ones(300)))
    others: Any = [f1_score(y, scores >= threshold) for threshold in np.unique(scores)]
    assert chosen == pytest.approx(max(others))
