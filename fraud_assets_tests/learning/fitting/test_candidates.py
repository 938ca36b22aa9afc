"""Candidates are searched and fitted on the past alone, reproducibly, and fail without taking others along."""

import dataclasses
import hashlib
import io
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from fraud_assets.learning import (
    ENSEMBLE,
    FAMILIES,
    Candidate,
    LearningError,
    Recipe,
    SearchBudget,
    SearchResult,
    fit_candidates,
    fit_recipe,
    score,
    score_candidates,
)
from fraud_assets.learning.fitting.calibration import FloatArray, log_odds
from fraud_assets.learning.fitting.candidates import is_made_of
from fraud_assets.learning.fitting.ensemble import least_probability
from fraud_assets.learning.fitting.families import Family
from fraud_assets_tests.learning.frames import NUMERIC_SPEC, at, labelled_rows

BUDGET = SearchBudget(configurations=1, max_search_rows=1_000, max_slow_rows=600)
QUICK = ("logistic_regression", "gradient_boosting")
ALL = (*FAMILIES, ENSEMBLE)


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
    return fit_candidates(parts()[0], ALL, NUMERIC_SPEC, BUDGET)


def digests_of(backend: str) -> list[str]:
    """What two workers fit, and score; even the smallest array is shared as a memory map."""
    with joblib.parallel_config(backend, max_nbytes=100):
        fitted = fit_candidates(parts()[0], ALL, NUMERIC_SPEC, dataclasses.replace(BUDGET, jobs=2))
        return [*timeless(fitted), digest(many_scores(fitted, jobs=2))]


def many_scores(candidates: Mapping[str, Candidate], jobs: int) -> FloatArray:
    """So many that they are scored in several pieces."""
    model = candidates["k_nearest_neighbors"].model
    assert model is not None
    return score(model, pd.concat([parts()[1]] * 50, ignore_index=True), jobs=jobs)


def print_digests() -> None:
    """For a fresh process in the test below."""
    print(json.dumps([digests_of("loky"), digests_of("threading")]))


def test_the_five_families_and_their_ensemble_are_fitted_and_tell_fraud_from_genuine(
    candidates: dict[str, Candidate],
) -> None:
    _, later = parts()
    assert list(candidates) == [
        "logistic_regression",
        "support_vector_machine",
        "k_nearest_neighbors",
        "random_forest",
        "gradient_boosting",
        "ensemble",
    ]
    for name, scores in score_candidates(candidates, later).items():
        candidate = candidates[name]
        assert candidate.failure is None
        assert len(candidate.search) == (15 if name == ENSEMBLE else 1)
        assert not candidate.calibrator.is_identity
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


def test_processes_and_threads_give_the_same_bytes_as_one_core(
    candidates: dict[str, Candidate], tmp_path: Path
) -> None:
    command = [sys.executable, "-c", f"from {__name__} import print_digests; print_digests()"]
    here = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "JOBLIB_TEMP_FOLDER": str(tmp_path)}
    out = subprocess.run(command, capture_output=True, text=True, check=True, env=here)
    one_core = [*timeless(candidates), digest(many_scores(candidates, jobs=1))]
    assert json.loads(out.stdout) == [one_core, one_core]
    assert list(tmp_path.iterdir()) == [], "memory maps are gone with the process"


def test_a_refit_has_the_bytes_of_the_first_fit(candidates: dict[str, Candidate]) -> None:
    shuffled = parts()[0].sample(frac=1, random_state=4)
    for name, candidate in candidates.items():
        assert digest(fit_recipe(candidate.recipe, shuffled, BUDGET, candidate.calibrator)) == digest(
            candidate.model
        ), name


def test_scores_are_what_the_calibrator_makes_of_the_models(candidates: dict[str, Candidate]) -> None:
    _, later = parts()
    for name, candidate in candidates.items():
        plain = fit_recipe(candidate.recipe, parts()[0], BUDGET)
        assert candidate.model is not None
        assert score(candidate.model, later).tobytes() == candidate.calibrator(score(plain, later)).tobytes(), name
        assert candidate.model.predict_proba(later)[:, 1].tobytes() == score(candidate.model, later).tobytes()


def test_the_ensemble_is_the_average_of_the_candidates_themselves(candidates: dict[str, Candidate]) -> None:
    _, later = parts()
    recipe = candidates[ENSEMBLE].recipe
    assert recipe.members == tuple(candidates[member.family].recipe for member in recipe.members)
    odds = np.zeros(len(later))
    for member in recipe.members:
        odds += float(recipe.parameters[member.family] or 0) * log_odds(
            score(fit_recipe(member, parts()[0], BUDGET), later),
            least_probability(parts()[0]["label"].to_numpy()),
        )
    model = candidates[ENSEMBLE].model
    assert model is not None
    assert score(model, later) == pytest.approx(candidates[ENSEMBLE].calibrator(expit(odds)))


def test_only_members_that_are_the_same_models_are_scored_once(candidates: dict[str, Candidate]) -> None:
    """Stored and loaded one by one they still are; fitted with another seed, or on fewer rows, they are not."""
    _, later = parts()
    weights = dict.fromkeys(FAMILIES, 0.2)
    found = {name: candidate.result for name, candidate in candidates.items()}
    found[ENSEMBLE] = dataclasses.replace(found[ENSEMBLE], parameters=weights)
    made = fit_candidates(parts()[0], ALL, NUMERIC_SPEC, BUDGET, found=found)
    ensemble = made[ENSEMBLE]
    loaded = {name: pickle.loads(pickle.dumps(candidate)) for name, candidate in made.items()}
    assert is_made_of(loaded[ENSEMBLE], loaded)
    assert not is_made_of(ensemble, {ENSEMBLE: ensemble})
    assert not is_made_of(made["random_forest"], made)
    own = score_candidates({ENSEMBLE: ensemble}, later)[ENSEMBLE]
    assert score_candidates(made, later)[ENSEMBLE].tobytes() == own.tobytes()
    for changes in ({"seed": 1}, {"max_slow_rows": 300}):
        others = fit_candidates(parts()[0], ALL, NUMERIC_SPEC, dataclasses.replace(BUDGET, **changes), found=found)
        assert all(others[name].recipe == made[name].recipe for name in ALL)
        assert score_candidates({**others, ENSEMBLE: ensemble}, later)[ENSEMBLE].tobytes() == own.tobytes(), changes


def test_a_subset_gives_what_all_together_give(candidates: dict[str, Candidate]) -> None:
    names = (ENSEMBLE, "k_nearest_neighbors")
    alone = fit_candidates(parts()[0], names, NUMERIC_SPEC, BUDGET)
    assert list(alone) == list(names)
    assert timeless(alone) == timeless({name: candidates[name] for name in names})


def test_what_a_search_has_found_is_used_again_without_one(candidates: dict[str, Candidate]) -> None:
    heard: list[str] = []
    found = {name: SearchResult.from_text(candidate.result.as_text()) for name, candidate in candidates.items()}
    again = fit_candidates(parts()[0], ALL, NUMERIC_SPEC, BUDGET, heard.append, found=found, searched_on="2024-05-06")
    assert [message.split()[0] for message in heard] == ["fitting"]
    for name, candidate in again.items():
        assert candidate.search == []
        assert candidate.fits == (name != ENSEMBLE)
        assert candidate.searched_on == candidates[name].searched_on
        assert digest(candidate.model) == digest(candidates[name].model), name
        assert candidate.threshold == candidates[name].threshold
        assert candidate.result == candidates[name].result


def test_the_fits_of_a_day_are_within_the_budget(candidates: dict[str, Candidate]) -> None:
    assert sum(candidate.fits for candidate in candidates.values()) == 5 * (3 + 1) <= BUDGET.max_fits


def test_training_and_validation_never_share_a_row(candidates: dict[str, Candidate]) -> None:
    earlier, later = parts()
    assert not set(earlier["transaction_id"]) & set(later["transaction_id"])
    score_candidates(candidates, later)
    with pytest.raises(LearningError, match="was fitted on transactions until"):
        score_candidates(candidates, pd.concat([earlier.tail(1), later]))


def test_unknown_missing_and_infinite_values_are_scored(candidates: dict[str, Candidate]) -> None:
    _, later = parts()
    odd = later.head(3).assign(
        channel=pd.Series(["never seen", np.nan, "web"], dtype="str"), noise=[np.inf, np.nan, -np.inf]
    )
    for scores in score_candidates(candidates, odd).values():
        assert np.isfinite(scores).all()


def test_a_missing_feature_is_named(candidates: dict[str, Candidate]) -> None:
    with pytest.raises(LearningError, match="lack the feature 'strength'"):
        score_candidates(candidates, parts()[1].drop(columns="strength"))


@pytest.mark.parametrize("name", ["strength", "channel"])
def test_a_recipe_whose_column_the_source_has_no_more_cannot_be_fitted(
    name: str, candidates: dict[str, Candidate]
) -> None:
    """A number or a category: it is a recipe's failure, which the day survives, and no crash."""
    with pytest.raises(LearningError, match=f"lack the feature '{name}'"):
        fit_recipe(candidates["random_forest"].recipe, parts()[0].drop(columns=name), BUDGET)


def test_a_recipe_with_a_parameter_that_its_library_does_not_know_cannot_be_fitted(
    candidates: dict[str, Candidate],
) -> None:
    recipe = candidates["logistic_regression"].recipe
    old = dataclasses.replace(recipe, parameters={**recipe.parameters, "of_another_release": 1})
    with pytest.raises(LearningError, match=r"The logistic_regression could not be fitted .*of_another_release"):
        fit_recipe(old, parts()[0], BUDGET)


@pytest.fixture
def broken_regression(monkeypatch: pytest.MonkeyPatch) -> None:
    """A family whose only parameters scikit-learn itself refuses."""
    broken = Family(FAMILIES["logistic_regression"].build, ({"C": -1.0, "knots": None},))
    monkeypatch.setitem(FAMILIES, "logistic_regression", broken)


@pytest.mark.usefixtures("broken_regression")
def test_a_family_that_fails_is_told_and_the_others_go_on() -> None:
    fitted = fit_candidates(parts()[0], (*QUICK, ENSEMBLE), NUMERIC_SPEC, BUDGET)
    failure = fitted["logistic_regression"].failure
    assert failure is not None
    assert "'C' parameter" in failure
    assert fitted["logistic_regression"].model is None
    assert fitted["logistic_regression"].fits == 1, "the search's; there was nothing to fit on the whole window"
    assert list(score_candidates(fitted, parts()[1])) == ["gradient_boosting", ENSEMBLE]
    assert "logistic_regression" not in fitted[ENSEMBLE].recipe.parameters


def test_a_member_that_fails_in_the_end_leaves_the_ensemble(
    candidates: dict[str, Candidate], monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = {"logistic_regression": 0.25, "k_nearest_neighbors": 0.25, "random_forest": 0.5}
    found = {name: candidate.result for name, candidate in candidates.items()}
    found[ENSEMBLE] = dataclasses.replace(found[ENSEMBLE], parameters=weights)
    monkeypatch.setitem(FAMILIES, "random_forest", Family(lambda *_: None, FAMILIES["random_forest"].configurations))
    fitted = fit_candidates(parts()[0], ALL, NUMERIC_SPEC, BUDGET, found=found)
    assert fitted["random_forest"].failure is not None
    assert fitted["random_forest"].result.failure is None, "tomorrow it is fitted again"
    assert dict(fitted[ENSEMBLE].recipe.parameters) == {"logistic_regression": 0.5, "k_nearest_neighbors": 0.5}
    assert fitted[ENSEMBLE].warnings[-1] == "Left out of the ensemble, as they could not be fitted: random_forest."
    assert fitted[ENSEMBLE].result.parameters == weights
    assert fitted[ENSEMBLE].failure is None
    with pytest.raises(LearningError, match="The random_forest could not be fitted on 1,125 rows: "):
        fit_recipe(candidates["random_forest"].recipe, parts()[0], BUDGET)


@pytest.mark.usefixtures("broken_regression")
def test_all_families_failing_is_an_error() -> None:
    with pytest.raises(LearningError, match=r"None of the 1 families could be fitted .*'C' parameter"):
        fit_candidates(parts()[0], ["logistic_regression"], NUMERIC_SPEC, BUDGET)


def test_progress_is_told() -> None:
    heard: list[str] = []
    fit_candidates(parts()[0], QUICK, NUMERIC_SPEC, BUDGET, on_progress=heard.append)
    assert [message.split()[0] for message in heard] == ["searching", "fitting"]


def test_a_window_with_a_gap_has_no_warning() -> None:
    rows = labelled_rows(days=28).assign(is_weekend=lambda rows: rows["transaction_id"] % 2)
    spec = dataclasses.replace(NUMERIC_SPEC, label_delay=timedelta(days=7))
    assert fit_candidates(rows, ["logistic_regression"], spec, BUDGET)["logistic_regression"].warnings == ()


def test_a_recipe_survives_json() -> None:
    recipe = Recipe("gradient_boosting", {"max_iter": 100, "max_features": None}, ("amount", "channel"), ("channel",))
    assert Recipe.from_json(json.loads(json.dumps(recipe.as_json()))) == recipe
    ensemble = Recipe(ENSEMBLE, {"gradient_boosting": 1.0}, ("amount", "channel"), ("channel",), (recipe,))
    assert Recipe.from_json(json.loads(json.dumps(ensemble.as_json()))) == ensemble
