"""Splits of a window in time order: what is learned from lies before what is measured on, always.

What lives here: where to cut. What does not: which days make up a window (partitions), and any fitting.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fraud_assets.learning.errors import LearningError

HELD_OUT_SHARE = 0.2
INNER_SCORE_SHARE = 0.25
INNER_TRAIN_SHARE = 0.25


@dataclass(frozen=True)
class Fold:
    """Positions in rows sorted by time: fit on [0, train_end), score on [score_start, score_end)."""

    train_end: int
    score_start: int
    score_end: int


@dataclass(frozen=True)
class InnerFolds:
    """The folds of a search inside one training window, and what had to give way (None: nothing)."""

    folds: tuple[Fold, ...]
    note: str | None


def split_last_fifth(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of one window in time order as (training, held out), about four fifths and one fifth of them.

    Rows with the same timestamp are never on both sides. Raises `LearningError` when all have the same one.
    """
    ordered = rows.sort_values(["transaction_time", "transaction_id"], ignore_index=True)
    times = ordered["transaction_time"]
    if times.nunique() < 2:
        raise LearningError(
            f"The {len(rows)} labelled transactions of this day share one timestamp, so none can be held out in time "
            "order; set validation_days and training_days to at least 1, or load exact timestamps."
        )
    cut = times.iloc[int(len(times) * (1 - HELD_OUT_SHARE))]
    # When the first fifths all share a timestamp, the next distinct one keeps both sides filled.
    cut = cut if cut > times.iloc[0] else times[times > times.iloc[0]].iloc[0]
    start = int(times.searchsorted(cut))
    return ordered.iloc[:start], ordered.iloc[start:].reset_index(drop=True)


def inner_folds(times: pd.Series, y: NDArray[Any], label_delay: timedelta) -> InnerFolds:
    """The folds for choosing parameters and threshold: train on the earlier part, score on the later.

    `times` ascending, `y` 0/1. The last quarter of the rows is scored, after a gap of `label_delay` as in real life
    when a quarter of the rows remains before it, else without. When the last quarter has no fraud, the rows from the
    last fraud on are scored. No fold at all when fewer than two frauds lie apart in time.
    """
    quarter = times.iloc[int(len(times) * (1 - INNER_SCORE_SHARE))]
    last_fraud = times[y == 1].iloc[-1]
    for cut in (quarter, min(quarter, last_fraud)):
        for gap in dict.fromkeys((label_delay, timedelta(0))):
            fold = _fold(times, cut, gap)
            enough = gap == timedelta(0) or fold.train_end >= INNER_TRAIN_SHARE * len(times)
            if enough and _is_usable(fold, y):
                return InnerFolds((fold,), _note(cut, gap, quarter, label_delay))
    return InnerFolds(
        (), "Too few frauds to compare parameters: each family uses the first it lists, and threshold .5."
    )


def _fold(times: pd.Series, cut: pd.Timestamp, gap: timedelta) -> Fold:
    start = int(times.searchsorted(cut))
    return Fold(int(times.searchsorted(cut - gap)), start, len(times))


def _is_usable(fold: Fold, y: NDArray[Any]) -> bool:
    return len(np.unique(y[: fold.train_end])) == 2 and bool(y[fold.score_start : fold.score_end].any())


def _note(cut: pd.Timestamp, gap: timedelta, quarter: pd.Timestamp, label_delay: timedelta) -> str | None:
    notes = []
    if gap != label_delay:
        notes.append(f"The training window is too short for a gap of {label_delay.days} days: searched without a gap.")
    if cut != quarter:
        notes.append(f"The last quarter of the training window has no fraud: searched on the rows from {cut} on.")
    return " ".join(notes) or None
