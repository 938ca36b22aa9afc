"""The features that made a model flag a transaction, the strongest first.

What lives here: which features, and the frame of what is said of them. What does not: the words (words.py), and what a
model leans on over all transactions (importance.py).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fraud_assets.learning.errors import LearningError
from fraud_assets.learning.explaining.words import in_words, is_innocent_when_missing
from fraud_assets.learning.fitting.calibration import FloatArray
from fraud_assets.learning.fitting.models import FraudModel, score

MOST_REASONS = 3
REASONS = tuple(f"reason_{place}" for place in range(1, MOST_REASONS + 1))

# Smaller changes (of the log-odds, and of the score itself) are the rounding of sums, which depends on how rows are
# grouped. Near 1 a score's own changes are tiny, and still real.
LEAST_CHANGE_OF_ODDS = 1e-6
LEAST_CHANGE = 1e-12

# Explaining scores a row for each feature: so many transactions at a time keep that within some ten megabytes.
EXPLAINED_AT_ONCE = 500


def strongest_reasons(
    model: FraudModel,
    rows: pd.DataFrame,
    typical: Mapping[str, float | str | None],
    *,
    most: int = MOST_REASONS,
    jobs: int = 1,
) -> list[tuple[str, ...]]:
    """For each row the names of at most `most` features whose typical value lowers its score most, strongest first.

    `typical` has a value for each feature of the model: the training median of a number, the most frequent category.
    A feature is named when the score falls once this feature alone is set to its typical value (Robnik-Sikonja and
    Kononenko 2008, "Explaining classifications for individual instances", with one value instead of the mean over
    all). Where several features would each be enough by themselves, none of them lowers the score alone; then those
    are named that raise the score of a wholly typical transaction most, if the row scores higher than that one. Equal
    changes are ordered as the model's features are. That no fraud is known where one could be is not named.

    Raises `LearningError` when a feature has no typical value.
    """
    lacking = [name for name in model.features if name not in typical]
    if lacking:
        raise LearningError(f"The feature {lacking[0]!r} has no typical value to compare with; fit the model anew.")
    pieces = [rows.iloc[start : start + EXPLAINED_AT_ONCE] for start in range(0, len(rows), EXPLAINED_AT_ONCE)]
    return [reasons for piece in pieces for reasons in _explained(model, piece, typical, most, jobs)]


def worded_reasons(
    model: FraudModel, rows: pd.DataFrame, typical: Mapping[str, float | str | None], *, jobs: int = 1
) -> pd.DataFrame:
    """The columns of `REASONS` (text, missing where there are fewer) for each row, on the index of the rows.

    Raises `LearningError` when a feature has no typical value.
    """
    named = strongest_reasons(model, rows, typical, most=MOST_REASONS, jobs=jobs)
    texts = [
        [in_words(name, rows[name].iloc[row], typical[name]) for name in reasons]
        + [None] * (MOST_REASONS - len(reasons))
        for row, reasons in enumerate(named)
    ]
    return pd.DataFrame(texts, index=rows.index, columns=list(REASONS), dtype="str")


def _explained(
    model: FraudModel, rows: pd.DataFrame, typical: Mapping[str, float | str | None], most: int, jobs: int
) -> list[tuple[str, ...]]:
    own = _values(model, rows)
    usual = {name: _filled(values, typical[name]) for name, values in own.items()}
    nameable = np.column_stack([_is_nameable(name, own[name], usual[name]) for name in own])
    scores, without = _swapped_scores(model, own, usual, jobs)
    falls = _excess(scores[:, None], without) * nameable
    silent = np.flatnonzero((falls <= 0).all(axis=1))
    if len(silent):
        own = {name: values[silent] for name, values in own.items()}
        usual = {name: values[silent] for name, values in usual.items()}
        wholly_usual, alone = _swapped_scores(model, usual, own, jobs)
        is_higher = _excess(scores[silent], wholly_usual) > 0
        falls[silent] = _excess(alone, wholly_usual[:, None]) * nameable[silent] * is_higher[:, None]
    return [_strongest(model.features, of_row, most) for of_row in falls]


def _values(model: FraudModel, rows: pd.DataFrame) -> dict[str, NDArray[np.generic]]:
    """The model's columns as arrays of float64 or, for categories, of objects."""
    missing = [name for name in model.features if name not in rows]
    if missing:
        raise LearningError(f"The rows lack the feature {missing[0]!r} that the model was fitted on.")
    return {
        name: rows[name].astype("object").to_numpy()
        if name in model.categorical
        else rows[name].to_numpy(dtype="float64", na_value=np.nan)
        for name in model.features
    }


def _is_nameable(name: str, own: NDArray[np.generic], usual: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Where a value is not the typical one, and does not say that nothing bad is known."""
    missing: NDArray[np.bool_] = pd.isna(own)
    same = (own == usual) | (missing & pd.isna(usual))
    nameable: NDArray[np.bool_] = ~same & ~missing if is_innocent_when_missing(name) else ~same
    return nameable


def _filled(values: NDArray[np.generic], value: float | str | None) -> NDArray[np.generic]:
    """As many times the value: None is NaN among numbers."""
    return np.full(len(values), np.nan if value is None else value, dtype=values.dtype)


def _swapped_scores(
    model: FraudModel, base: Mapping[str, NDArray[np.generic]], other: Mapping[str, NDArray[np.generic]], jobs: int
) -> tuple[FloatArray, FloatArray]:
    """The scores of the base rows (n,), and (n, features) those with one feature at a time taken from the others.

    All are scored in one go: the same row has the same score in it.
    """
    rows = len(next(iter(base.values())))
    columns = {}
    for place, name in enumerate(base, start=1):
        columns[name] = np.tile(base[name], len(base) + 1)
        columns[name][place * rows : (place + 1) * rows] = other[name]
    scores = score(model, pd.DataFrame(columns), jobs=jobs).reshape(len(base) + 1, rows)
    return scores[0], scores[1:].T


def _excess(higher: FloatArray, lower: FloatArray) -> FloatArray:
    """By how much scores are above others, where that is more than rounding; else zero."""
    rounding = LEAST_CHANGE_OF_ODDS * higher * (1 - higher) + LEAST_CHANGE
    excess: FloatArray = np.where(higher - lower > rounding, higher - lower, 0.0)
    return excess


def _strongest(features: Sequence[str], changes: FloatArray, most: int) -> tuple[str, ...]:
    order = np.argsort(-changes, kind="stable")[:most]
    return tuple(features[place] for place in order if changes[place] > 0)
