"""The day's candidates: each family searched, fitted on the whole training window, and scored on later rows only.

What lives here: the order of things, and the guard between training and validation. What does not: the choice of
parameters (search.py), metrics and the winner (measuring, choosing), and which days a window has (partitions).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from joblib import Parallel
from threadpoolctl import threadpool_limits

from fraud_assets.learning.errors import LearningError
from fraud_assets.learning.features.spec import FeatureSpec
from fraud_assets.learning.fitting.calibration import Calibrator, FloatArray
from fraud_assets.learning.fitting.canonical import canonical, digest
from fraud_assets.learning.fitting.ensemble import WEIGHT_DIGITS, choose_weights
from fraud_assets.learning.fitting.families import ENSEMBLE, FAMILIES, Parameters, Recipe, known_family
from fraud_assets.learning.fitting.fits import fit_all, fit_recipe, model_of
from fraud_assets.learning.fitting.models import FraudModel, uncalibrated
from fraud_assets.learning.fitting.pool import worker_pool
from fraud_assets.learning.fitting.results import SearchResult
from fraud_assets.learning.fitting.search import SearchBudget, Searched, scored_parts, search
from fraud_assets.learning.fitting.splits import InnerFolds, prequential_folds
from fraud_assets.learning.fitting.trials import Fitted
from fraud_assets.learning.fitting.window import Window, check_both_classes

__all__ = [
    "Candidate",
    "check_both_classes",
    "check_unseen",
    "fit_candidates",
    "fit_recipe",
    "is_made_of",
    "needed_for",
    "score_candidates",
]

FEW_FRAUDS = 10


@dataclass(frozen=True)
class Candidate:
    """A family tuned and fitted on one training window, or the reason why it could not be.

    `threshold` is the calibrated probability from which on F1 was best on inner out-of-fold scores: an alert is score
    >= threshold. `search` has a dict for each configuration tried: parameters, average_precision (mean over the folds
    reached), fold_1 and so on from the oldest to the newest (None: not reached), failure; for the ensemble, one for
    each step of its selection. It is empty where `result`, what an earlier search of the day `searched_on` had found,
    was used again. `folds` says what each fold was fitted and scored on. `fits` counts the fits made for this
    candidate; an ensemble makes none, its members are the families' own. `dropped` are the features with one value
    throughout. `trained_from` and `trained_until` are the first and last transaction_time that any fit saw.
    `fit_seconds` (wall time of the fit on the whole window) is the only field that differs between equal runs.
    """

    recipe: Recipe
    model: FraudModel | None
    threshold: float
    search: list[dict[str, Any]]
    trained_from: pd.Timestamp
    trained_until: pd.Timestamp
    rows: int
    frauds: int
    warnings: tuple[str, ...]
    failure: str | None
    fit_seconds: float
    searched_on: str = ""
    calibrator: Calibrator = Calibrator()
    fits: int = 1
    dropped: tuple[str, ...] = ()
    folds: tuple[str, ...] = ()
    result: SearchResult = SearchResult({})


def fit_candidates(
    rows: pd.DataFrame,
    families: Sequence[str],
    spec: FeatureSpec,
    budget: SearchBudget,
    on_progress: Callable[[str], None] | None = None,
    *,
    found: Mapping[str, SearchResult] | None = None,
    incumbents: Mapping[str, Parameters] | None = None,
    searched_on: str = "",
) -> dict[str, Candidate]:
    """Search and fit each family on the labelled rows of one training window; the keys are the families.

    `rows` as `learnable_rows` gives them: the columns of `spec.names`, transaction_id, transaction_time and label.
    "ensemble" among the families is the ensemble of all of them, whichever others are named. With `found`, what an
    earlier search has found for `needed_for(families)`, nothing is searched; else `incumbents` are parameters to try
    among others, and `searched_on` is the day to note. A family that fails is a candidate with `failure` and no model.
    Raises `LearningError` when the rows have no fraud or nothing but fraud, no feature varies, a family does not
    exist, or all fail.
    """
    report = on_progress or (lambda message: None)
    needed = needed_for(families)
    single = [name for name in needed if name != ENSEMBLE]
    window = Window.whole(rows, spec.names, spec.categorical).without_constants()
    inner = InnerFolds((), None)
    with threadpool_limits(1), worker_pool(budget.jobs) as pool:
        if found is None:
            inner = _folds(window, spec, budget)
            report(f"searching the parameters of {len(single)} families on {len(rows):,} transactions")
            searches = _search(pool, window, needed, inner, budget, incumbents or {}, searched_on)
        else:
            searches = {name: Searched(found[name], []) for name in needed}
        report(f"fitting {len(single)} families on {len(rows):,} transactions")
        fitted = {name: Fitted(None, searches[name].result.failure, 0.0) for name in single}
        sound = {name: window.recipe(name, searches[name].result) for name in single if fitted[name].failure is None}
        fitted |= fit_all(pool, window, sound, budget)
    candidates = {name: _candidate(name, searches, fitted, window, inner) for name in families}
    _require_one(candidates)
    return candidates


def needed_for(families: Sequence[str]) -> list[str]:
    """What has to be searched for these candidates: the ensemble needs all families. Raises `LearningError`."""
    for name in families:
        if name != ENSEMBLE:
            known_family(name)
    return [*FAMILIES, ENSEMBLE] if ENSEMBLE in families else [name for name in FAMILIES if name in families]


def score_candidates(
    candidates: Mapping[str, Candidate], rows: pd.DataFrame, *, jobs: int = 1
) -> dict[str, FloatArray]:
    """The calibrated probability of fraud of each validation row, by each candidate that has a model.

    Raises `LearningError` when a row is not later than every row that a candidate was fitted on: its score would
    promise more than the model can keep.
    """
    models = {name: candidate.model for name, candidate in candidates.items() if candidate.model is not None}
    for name in models:
        check_unseen(name, candidates[name], rows)
    single = {
        name: uncalibrated(model, rows, jobs=jobs)
        for name, model in models.items()
        if not is_made_of(candidates[name], candidates)
    }
    return {
        name: model.calibrator(
            single[name]
            if name in single
            else model.classifier_.average([single[member.family] for member in candidates[name].recipe.members])
        )
        for name, model in models.items()
    }


def is_made_of(ensemble: Candidate, candidates: Mapping[str, Candidate]) -> bool:
    """Whether its members are the very models of the candidates, by value: their scores are then its members'.

    Equal recipes are not enough: rows, seed and limits of rows decide what is fitted, too.
    """
    members = ensemble.recipe.members
    if ensemble.model is None or not members:
        return False
    fitted = zip(members, ensemble.model.classifier_.classifiers_, strict=True)
    return all(
        (candidate := candidates.get(member.family)) is not None
        and candidate.model is not None
        and candidate.recipe == member
        and _digest(candidate.model, candidate.model.classifier_) == _digest(ensemble.model, classifier)
        for member, classifier in fitted
    )


def _digest(model: FraudModel, classifier: Any) -> str:
    """Of all that decides what a classifier says of the model's rows."""
    return digest([model.encoder_, classifier])


def check_unseen(name: str, candidate: Candidate, rows: pd.DataFrame) -> None:
    """Raise `LearningError` unless all rows are later than the last one that the candidate was fitted on."""
    if len(rows) and rows["transaction_time"].min() <= candidate.trained_until:
        raise LearningError(
            f"{name} was fitted on transactions until {candidate.trained_until}, but is to be measured on some from "
            f"{rows['transaction_time'].min()}; measure it on later transactions only."
        )


def _folds(window: Window, spec: FeatureSpec, budget: SearchBudget) -> InnerFolds:
    """The window's folds, as many as the number of fits allows."""
    inner = prequential_folds(window.times, window.y, spec.label_delay)
    used = budget.rounds(len(inner.folds)).folds
    if used == len(inner.folds):
        return inner
    note = f"With {budget.max_fits} fits a day (max_fits) the search has {used} of {len(inner.folds)} folds."
    return InnerFolds(inner.newest(used), " ".join(filter(None, (inner.note, note))))


def _search(
    pool: Parallel,
    window: Window,
    needed: Sequence[str],
    inner: InnerFolds,
    budget: SearchBudget,
    incumbents: Mapping[str, Parameters],
    searched_on: str,
) -> dict[str, Searched]:
    """What is found for each of the needed, with the day of the search."""
    parts = scored_parts(inner.folds, window.y, budget)
    families = [name for name in needed if name != ENSEMBLE]
    searches = search(pool, window.X, window.y, families, window.encoder.layout, inner.folds, parts, budget, incumbents)
    if ENSEMBLE in needed:
        searches[ENSEMBLE] = choose_weights(searches, parts)
    return {
        name: replace(search, result=replace(search.result, searched_on=searched_on))
        for name, search in searches.items()
    }


def _candidate(
    name: str, searches: Mapping[str, Searched], fitted: Mapping[str, Fitted], window: Window, inner: InnerFolds
) -> Candidate:
    result = searches[name].result
    lost: list[str] = []
    if name == ENSEMBLE:
        recipe, lost = _ensemble(window, searches, fitted)
        failure = None if recipe.members else result.failure or "none of its members could be fitted"
        seconds = sum(fitted[member.family].seconds for member in recipe.members)
    else:
        recipe, failure, seconds = window.recipe(name, result), fitted[name].failure, fitted[name].seconds
    candidate = Candidate(
        recipe=recipe,
        model=None if failure else model_of(recipe, window, fitted, result.calibrator),
        threshold=result.threshold,
        search=searches[name].table,
        trained_from=window.times.iloc[0],
        trained_until=window.times.iloc[-1],
        rows=len(window.y),
        frauds=int(window.y.sum()),
        warnings=_warnings(window, inner, result, lost),
        failure=failure,
        fit_seconds=seconds,
        searched_on=result.searched_on,
        calibrator=result.calibrator,
        fits=0 if name == ENSEMBLE else searches[name].fits + (result.failure is None),
        dropped=window.dropped,
        folds=inner.described(window.times),
        result=result,
    )
    return canonical(candidate)


def _ensemble(
    window: Window, searches: Mapping[str, Searched], fitted: Mapping[str, Fitted]
) -> tuple[Recipe, list[str]]:
    """The recipe of those members that could be fitted, and the names of the others."""
    weights = {name: float(weight or 0) for name, weight in searches[ENSEMBLE].result.parameters.items()}
    kept = {name: weight for name, weight in weights.items() if fitted[name].failure is None}
    lost = [name for name in weights if name not in kept]
    if lost and kept:
        total = sum(kept.values())
        kept = {name: round(weight / total, WEIGHT_DIGITS) for name, weight in kept.items()}
    members = tuple(window.recipe(name, searches[name].result) for name in kept)
    recipe = window.recipe(ENSEMBLE, searches[ENSEMBLE].result)
    return replace(recipe, parameters=kept, members=members), lost


def _warnings(window: Window, inner: InnerFolds, result: SearchResult, lost: Sequence[str]) -> tuple[str, ...]:
    frauds, rows = int(window.y.sum()), len(window.y)
    told = {
        f"Only {frauds} frauds in {rows:,} transactions: what is learned from so few is not reliable.": (
            frauds < FEW_FRAUDS
        ),
        inner.note or "": inner.note is not None,
        f"Left out, with one value or none throughout: {', '.join(window.dropped)}.": bool(window.dropped),
        "Too few frauds out of fold to calibrate: probabilities are as the model gives them.": (
            bool(inner.folds) and result.calibrator.is_identity and result.failure is None
        ),
        f"Left out of the ensemble, as they could not be fitted: {', '.join(lost)}.": bool(lost),
    }
    return tuple(warning for warning, applies in told.items() if applies)


def _require_one(candidates: Mapping[str, Candidate]) -> None:
    if all(candidate.model is None for candidate in candidates.values()):
        reasons = "; ".join(f"{name}: {candidate.failure}" for name, candidate in candidates.items())
        raise LearningError(f"None of the {len(candidates)} families could be fitted ({reasons}).")
