"""Frames of scores as the figures take them: which rows can be drawn, and what to say of the others.

A frame of scores has the columns `model` (str), `label` (0/1, nullable) and `score` (float, higher is more suspect),
one row for each transaction and model. What does not live here: anything that draws.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fraud_assets.reporting.style import count, share

COLUMNS = ("model", "label", "score")


@dataclass(frozen=True)
class LabelledScores:
    """One model's scores where both score and label are known, in the frame's order."""

    model: str
    is_fraud: npt.NDArray[np.bool_]
    score: npt.NDArray[np.float64]
    left_out: int
    """Rows without a label, or without a finite score."""

    @property
    def frauds(self) -> int:
        return int(self.is_fraud.sum())

    @property
    def genuine(self) -> int:
        return len(self.is_fraud) - self.frauds

    @property
    def has_both_classes(self) -> bool:
        return self.frauds > 0 and self.genuine > 0


def by_model(scores: pd.DataFrame) -> Iterator[LabelledScores]:
    """Each model's labelled scores, in order of name.

    Raises `ValueError` when a column is missing or a label is not 0, 1 or null.
    """
    require_columns(scores, COLUMNS, "scores")
    for model, rows in scores.groupby("model", observed=True, sort=True):
        yield _labelled(str(model), rows)


def of_model(scores: pd.DataFrame, model: str) -> LabelledScores:
    """One model's labelled scores, none if the frame does not know it. Raises `ValueError` as `by_model` does."""
    require_columns(scores, COLUMNS, "scores")
    return _labelled(model, scores.loc[scores["model"].astype("string") == model])


def require_columns(frame: pd.DataFrame, columns: tuple[str, ...], what: str) -> None:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise ValueError(f"the frame of {what} has no column {missing[0]!r}; it needs {', '.join(columns)}.")


def _labelled(model: str, rows: pd.DataFrame) -> LabelledScores:
    label = pd.to_numeric(rows["label"]).to_numpy(dtype=np.float64, na_value=np.nan)
    score = pd.to_numeric(rows["score"]).to_numpy(dtype=np.float64, na_value=np.nan)
    strange = label[~np.isnan(label) & (label != 0) & (label != 1)]
    if strange.size:
        raise ValueError(f"the labels of {model!r} hold {strange[0]:g}; a label is 0, 1 or null.")
    known = ~np.isnan(label) & np.isfinite(score)
    return LabelledScores(model, label[known] == 1, score[known], int((~known).sum()))


def summary(models: list[LabelledScores]) -> str:
    """What the figure shows, in one line: how many transactions, how much of it fraud, how many rows were left out."""
    largest = max(models, key=lambda one: one.score.size)
    text = f"{count(largest.score.size, 'labelled transaction')}, {share(largest.frauds / largest.score.size)} fraud"
    left_out = max(one.left_out for one in models)
    return f"{text} ({left_out:,} without label or score left out)" if left_out else text
