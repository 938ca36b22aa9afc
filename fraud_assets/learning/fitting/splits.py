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
from fraud_assets.learning.ordering import taken, time_order

HELD_OUT_SHARE = 0.2
INNER_FOLDS = 3
LEAST_TRAIN_SHARE = 0.2
LAST_SHARE = 0.25


@dataclass(frozen=True)
class Fold:
    """Positions in rows sorted by time: fit on [0, train_end), score on [score_start, score_end)."""

    train_end: int
    score_start: int
    score_end: int


@dataclass(frozen=True)
class InnerFolds:
    """The folds of a search inside one training window, the oldest first, and what had to give way (None: nothing)."""

    folds: tuple[Fold, ...]
    note: str | None

    def newest(self, count: int) -> tuple[Fold, ...]:
        """The `count` newest folds, the oldest of them first."""
        return self.folds[len(self.folds) - count :]

    def described(self, times: pd.Series) -> tuple[str, ...]:
        """What each fold is fitted and scored on, in words. `times` are those that the folds were cut from."""
        return tuple(
            f"fold {number}: fitted until {_minute(times.iloc[fold.train_end - 1])}, scored from "
            f"{_minute(times.iloc[fold.score_start])} to {_minute(times.iloc[fold.score_end - 1])}"
            for number, fold in enumerate(self.folds, start=1)
        )


def split_last_fifth(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of one window in time order as (training, held out), about four fifths and one fifth of them.

    Rows with the same timestamp are never on both sides. Raises `LearningError` when all have the same one.
    """
    ordered = taken(rows, time_order(rows))
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


def prequential_folds(times: pd.Series, y: NDArray[Any], label_delay: timedelta) -> InnerFolds:
    """The folds for choosing parameters, calibrator and threshold: fitted on what is earlier, scored on the next part.

    `times` ascending, `y` 0/1. The end of the window is cut into three parts of equal size; each is scored by what was
    fitted on all rows before it but for a gap of `label_delay`, as in real life (prequential evaluation: Gama,
    Sebastião & Rodrigues 2013, "On evaluating stream learning algorithms"). Every fold has both classes to fit on, a
    fraud to score, and fits on a fifth of the rows at least. Where that cannot be: fewer folds, then no gap, then what
    follows the last fraud. No fold at all when fewer than two frauds lie apart in time.
    """
    for gap in dict.fromkeys((label_delay, timedelta(0))):
        for count in range(INNER_FOLDS, 0, -1):
            folds = _folds(times, gap, count)
            if folds and all(_is_usable(fold, y) and _is_long(fold, times) for fold in folds):
                return InnerFolds(folds, _note(count, gap, label_delay))
    return _fold_of_last_fraud(times, y, label_delay)


def _folds(times: pd.Series, gap: timedelta, count: int) -> tuple[Fold, ...]:
    """`count` scored parts, each of a size that leaves twice as much to the earliest fit; none beside a longer gap."""
    whole = times.iloc[-1] - times.iloc[0]
    if whole <= gap:
        return ()
    share = (1 - gap / whole) / (count + 2)
    starts = [times.iloc[int(len(times) * (1 - part * share))] for part in range(count, 0, -1)]
    ends = [*(int(times.searchsorted(start)) for start in starts[1:]), len(times)]
    return tuple(_fold(times, start, gap, end) for start, end in zip(starts, ends, strict=True))


def _is_long(fold: Fold, times: pd.Series) -> bool:
    return fold.train_end >= LEAST_TRAIN_SHARE * len(times)


def _fold(times: pd.Series, start: pd.Timestamp, gap: timedelta, end: int) -> Fold:
    return Fold(int(times.searchsorted(start - gap)), int(times.searchsorted(start)), end)


def _is_usable(fold: Fold, y: NDArray[Any]) -> bool:
    return len(np.unique(y[: fold.train_end])) == 2 and bool(y[fold.score_start : fold.score_end].any())


def _fold_of_last_fraud(times: pd.Series, y: NDArray[Any], label_delay: timedelta) -> InnerFolds:
    last_fraud = times[y == 1].iloc[-1]
    start = min(times.iloc[int(len(times) * (1 - LAST_SHARE))], last_fraud)
    for gap in dict.fromkeys((label_delay, timedelta(0))):
        fold = _fold(times, start, gap, len(times))
        if _is_usable(fold, y):
            return InnerFolds((fold,), f"Few frauds: searched on the rows from {_minute(start)} on.")
    return InnerFolds(
        (), "Too few frauds to compare parameters: each family uses the first it lists, and threshold .5."
    )


def _note(count: int, gap: timedelta, label_delay: timedelta) -> str | None:
    notes = []
    if count < INNER_FOLDS:
        notes.append(f"The training window is too short, or has too few frauds, for {INNER_FOLDS} folds: {count} used.")
    if gap != label_delay:
        notes.append(f"The training window is too short for a gap of {label_delay.days} days: searched without a gap.")
    return " ".join(notes) or None


def _minute(time: pd.Timestamp) -> str:
    return f"{time:%Y-%m-%d %H:%M}"
