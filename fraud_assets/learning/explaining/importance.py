"""Which features a model leans on, over all transactions: permutation importance.

What lives here: the measurement on a bounded sample. What does not: why one transaction was flagged (reasons.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from joblib import delayed, effective_n_jobs
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from fraud_assets.learning.errors import LearningError
from fraud_assets.learning.fitting.calibration import FloatArray
from fraud_assets.learning.fitting.families import FAMILIES, Recipe
from fraud_assets.learning.fitting.models import FraudModel, score
from fraud_assets.learning.fitting.pool import worker_pool

REPEATS = 2


@dataclass(frozen=True)
class SampleSize:
    """At most so many rows of each class are scored, once for each feature and repeat."""

    frauds: int
    genuine: int


FULL_SAMPLE = SampleSize(frauds=1_500, genuine=6_000)
SLOW_SAMPLE = SampleSize(frauds=500, genuine=1_500)
"""Of families whose scoring goes through thousands of training rows for each row."""


def sample_size(recipe: Recipe) -> SampleSize:
    """How many rows a recipe can be explained on within seconds: fewer when it, or a member of it, scores slowly."""
    families = [member.family for member in recipe.members] or [recipe.family]
    return SLOW_SAMPLE if any(FAMILIES[family].is_slow for family in families) else FULL_SAMPLE


def permutation_importance(
    model: FraudModel,
    rows: pd.DataFrame,
    size: SampleSize,
    *,
    fitted_until: pd.Timestamp,
    seed: int,
    repeats: int = REPEATS,
    jobs: int = 1,
) -> pd.DataFrame:
    """How much average precision falls when one feature's values are drawn from other rows (Breiman 2001, section 10).

    `rows` are labelled rows, all of them later than `fitted_until`, the last row that the model was fitted on. Columns
    feature, importance (the mean fall over the repeats) and standard_deviation (over the repeats; it does not contain
    that of the sample of rows), the most important first; both NaN where the rows have not both classes. The same for
    any number of jobs. Raises `LearningError` for a row that is not later.

    Classes are sampled at rates of their own, and weighted by them again: in average precision, and where values are
    drawn, so that a feature's values stay distributed as they are in all rows. This is what scikit-learn's
    `permutation_importance` cannot do: it would give a sixth of the genuine rows the values of a fraud.
    """
    if len(rows) and rows["transaction_time"].min() <= fitted_until:
        raise LearningError(
            f"The model was fitted on transactions until {fitted_until}, but its features are to be judged on some "
            f"from {rows['transaction_time'].min()}; judge them on later transactions only."
        )
    sample, weights = _sample(rows, size, seed)
    y = sample["label"].to_numpy(dtype=np.int8)
    names = list(model.features)
    falls = np.full((len(names), repeats), np.nan)
    if y.any() and not y.all():
        shares = np.array_split(np.arange(len(names)), min(len(names), effective_n_jobs(jobs)))
        measured = worker_pool(jobs)(
            delayed(_falls)(model, sample, y, weights, [(names[place], seed + place) for place in share], repeats)
            for share in shares
        )
        falls = np.concatenate(measured)
    table = pd.DataFrame(
        {"feature": names, "importance": falls.mean(axis=1), "standard_deviation": falls.std(axis=1)}
    ).astype({"feature": "str"})
    return table.sort_values(["importance", "feature"], ascending=[False, True], ignore_index=True)


def _sample(rows: pd.DataFrame, size: SampleSize, seed: int) -> tuple[pd.DataFrame, FloatArray]:
    """A sample of the rows, and how many of all rows each stands for."""
    rng = np.random.default_rng(seed)
    y = rows["label"].to_numpy(dtype=np.int8)
    places, weights = [], []
    for label, most in ((1, size.frauds), (0, size.genuine)):
        of_class = np.flatnonzero(y == label)
        kept = np.sort(rng.choice(of_class, min(most, len(of_class)), replace=False))
        places.append(kept)
        weights.append(np.full(len(kept), len(of_class) / max(1, len(kept))))
    return rows.iloc[np.concatenate(places)].reset_index(drop=True), np.concatenate(weights)


def _falls(
    model: FraudModel,
    sample: pd.DataFrame,
    y: NDArray[np.int8],
    weights: FloatArray,
    features: Sequence[tuple[str, int]],
    repeats: int,
) -> FloatArray:
    """(features, repeats): the fall of average precision for each feature, drawn with the seed beside its name."""
    scores = score(model, sample)
    whole = average_precision_score(y, scores, sample_weight=weights)
    falls = np.empty((len(features), repeats))
    for place, (name, seed) in enumerate(features):
        rng = np.random.default_rng(seed)
        for repeat in range(repeats):
            drawn = rng.choice(len(sample), len(sample), p=weights / weights.sum())
            scattered = _scattered(model, sample, scores, name, drawn)
            falls[place, repeat] = whole - average_precision_score(y, scattered, sample_weight=weights)
    return falls


def _scattered(
    model: FraudModel, sample: pd.DataFrame, scores: FloatArray, name: str, drawn: NDArray[np.int64]
) -> FloatArray:
    """The scores with one feature's values drawn from other rows; only where that is another value is scored anew."""
    codes = pd.factorize(sample[name])[0]
    other = codes[drawn] != codes
    changed = sample[other].assign(**{name: sample[name].iloc[drawn[other]].to_numpy()})
    scattered = scores.copy()
    scattered[other] = score(model, changed)
    return scattered
