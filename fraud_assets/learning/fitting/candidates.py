"""The day's candidates: each family searched, fitted on the whole training window, and scored on later rows only.

What lives here: the order of things, and the guard between training and validation. What does not: the choice of
parameters (search.py), metrics and the winner (evaluation.py), and which days a window has (partitions).
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from fraud_assets.learning.errors import LearningError
from fraud_assets.learning.features.compute import FeatureSpec
from fraud_assets.learning.fitting.canonical import canonical
from fraud_assets.learning.fitting.families import Layout, Parameters, Recipe, known_family, make_classifier
from fraud_assets.learning.fitting.models import ColumnEncoder, FloatArray, FraudModel, score
from fraud_assets.learning.fitting.search import Found, SearchBudget, failure_text, search
from fraud_assets.learning.fitting.splits import inner_folds

FEW_FRAUDS = 10


@dataclass(frozen=True)
class Candidate:
    """A family tuned and fitted on one training window, or the reason why it could not be.

    `threshold` is the probability from which on F1 was best on inner out-of-fold scores: an alert is score >=
    threshold. `trained_from` and `trained_until` are the first and last transaction_time that any fit saw.
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


@dataclass(frozen=True)
class Fitted:
    """What a worker hands back: a classifier, or the reason why there is none, and the seconds spent."""

    classifier: Any
    failure: str | None
    seconds: float


def fit_candidates(
    rows: pd.DataFrame,
    families: Sequence[str],
    spec: FeatureSpec,
    budget: SearchBudget,
    on_progress: Callable[[str], None] | None = None,
) -> dict[str, Candidate]:
    """Search and fit each family on the labelled rows of one training window; the keys are the families.

    `rows` as `learnable_rows` gives them: the columns of `spec.names`, transaction_id, transaction_time and label. A
    family that fails is a candidate with `failure` and no model. Raises `LearningError` when the rows have no fraud or
    nothing but fraud, a family does not exist, or all fail.
    """
    report = on_progress or _silent
    for family in families:
        known_family(family)
    check_both_classes(rows)
    rows = rows.sort_values(["transaction_time", "transaction_id"], ignore_index=True)
    encoder = ColumnEncoder.from_rows(rows, spec.names, spec.categorical)
    X, y = encoder.matrix(rows), rows["label"].to_numpy(dtype=np.int8)
    inner = inner_folds(rows["transaction_time"], y, spec.label_delay)
    report(f"searching the parameters of {len(families)} families on {len(rows):,} transactions")
    found = search(X, y, families, encoder.layout, inner, budget)
    report(f"fitting {len(families)} families on {len(rows):,} transactions")
    fitted = _fit_all(X, y, found, encoder.layout, budget)
    candidates = {}
    for family in families:
        recipe = Recipe(family, found[family].parameters, spec.names, spec.categorical)
        candidates[family] = _candidate(found[family], fitted[family], recipe, encoder, rows, inner.note)
    _require_one(candidates)
    return candidates


def fit_recipe(recipe: Recipe, rows: pd.DataFrame, budget: SearchBudget) -> FraudModel:
    """A recipe fitted on labelled rows: a winner on newer days, or a champion on the candidates' window.

    Raises `LearningError` when the rows have only one class, or lack a feature of the recipe.
    """
    check_both_classes(rows)
    rows = rows.sort_values(["transaction_time", "transaction_id"], ignore_index=True)
    encoder = ColumnEncoder.from_rows(rows, recipe.features, recipe.categorical)
    classifier = make_classifier(
        recipe.family,
        recipe.parameters,
        encoder.layout,
        max_rows=budget.rows_of_fit(recipe.family),
        seed=budget.seed,
    )
    with threadpool_limits(1):
        classifier.fit(encoder.matrix(rows), rows["label"].to_numpy(dtype=np.int8))
    return canonical(_model(recipe, encoder, classifier))


def score_candidates(
    candidates: Mapping[str, Candidate], rows: pd.DataFrame, *, jobs: int = 1
) -> dict[str, FloatArray]:
    """The probability of fraud of each validation row, by each candidate that has a model.

    Raises `LearningError` when a row is not later than every row that a candidate was fitted on: its score would
    promise more than the model can keep.
    """
    scores = {}
    for name, candidate in candidates.items():
        if candidate.model is not None:
            check_unseen(name, candidate, rows)
            scores[name] = score(candidate.model, rows, jobs=jobs)
    return scores


def check_unseen(name: str, candidate: Candidate, rows: pd.DataFrame) -> None:
    """Raise `LearningError` unless all rows are later than the last one that the candidate was fitted on."""
    if len(rows) and rows["transaction_time"].min() <= candidate.trained_until:
        raise LearningError(
            f"{name} was fitted on transactions until {candidate.trained_until}, but is to be measured on some from "
            f"{rows['transaction_time'].min()}; measure it on later transactions only."
        )


def check_both_classes(rows: pd.DataFrame) -> None:
    """Raise `LearningError` unless the rows have at least one fraud and one genuine transaction."""
    if rows.empty:
        raise LearningError(
            "The training window has no labelled transactions; load earlier days, or wait until labels are known."
        )
    frauds = int(rows["label"].sum())
    if frauds and frauds < len(rows):
        return
    first, last = rows["transaction_time"].min(), rows["transaction_time"].max()
    lacking = "is a fraud" if frauds == 0 else "is genuine"
    raise LearningError(
        f"None of the {len(rows):,} labelled transactions from {first} to {last} {lacking}, so there is nothing to "
        "tell apart; take a longer training window (training_days), or check that the labels arrive."
    )


def fit_classifier(
    X: FloatArray, y: NDArray[Any], family: str, parameters: Parameters, layout: Layout, max_rows: int | None, seed: int
) -> Fitted:
    """Fit one family with one inner thread. What goes wrong is told, not raised, so that the others go on."""
    started = time.perf_counter()
    try:
        with threadpool_limits(1):
            classifier = make_classifier(family, parameters, layout, max_rows=max_rows, seed=seed).fit(X, y)
    except Exception as error:  # a family may fail in any way; the day goes on without it
        return Fitted(None, failure_text(error), time.perf_counter() - started)
    return Fitted(classifier, None, time.perf_counter() - started)


def _fit_all(
    X: FloatArray, y: NDArray[Any], found: Mapping[str, Found], layout: Layout, budget: SearchBudget
) -> dict[str, Fitted]:
    searched = {family: choice for family, choice in found.items() if choice.failure is None}
    results = Parallel(n_jobs=budget.jobs)(
        delayed(fit_classifier)(X, y, family, dict(choice.parameters), layout, budget.rows_of_fit(family), budget.seed)
        for family, choice in searched.items()
    )
    unfit = {family: Fitted(None, choice.failure, 0.0) for family, choice in found.items()}
    return unfit | dict(zip(searched, results, strict=True))


def _candidate(
    found: Found, fitted: Fitted, recipe: Recipe, encoder: ColumnEncoder, rows: pd.DataFrame, note: str | None
) -> Candidate:
    frauds = int(rows["label"].sum())
    few = f"Only {frauds} frauds in {len(rows):,} transactions: what is learned from so few is not reliable."
    warnings = ([few] if frauds < FEW_FRAUDS else []) + ([note] if note else [])
    candidate = Candidate(
        recipe=recipe,
        model=None if fitted.failure else _model(recipe, encoder, fitted.classifier),
        threshold=found.threshold,
        search=found.tried,
        trained_from=rows["transaction_time"].iloc[0],
        trained_until=rows["transaction_time"].iloc[-1],
        rows=len(rows),
        frauds=frauds,
        warnings=tuple(warnings),
        failure=fitted.failure,
        fit_seconds=fitted.seconds,
    )
    return canonical(candidate)


def _model(recipe: Recipe, encoder: ColumnEncoder, classifier: Any) -> FraudModel:
    return FraudModel(clone(classifier), recipe.features, recipe.categorical).adopt(encoder, classifier)


def _require_one(candidates: Mapping[str, Candidate]) -> None:
    if all(candidate.model is None for candidate in candidates.values()):
        reasons = "; ".join(f"{name}: {candidate.failure}" for name, candidate in candidates.items())
        raise LearningError(f"None of the {len(candidates)} families could be fitted ({reasons}).")


def _silent(message: str) -> None:
    """Progress that nobody asked for."""
