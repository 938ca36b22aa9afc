"""The points of `operating_points` by candidate, and what is to be said where there are none.

What does not live here: which points there are (that is measured with the evaluation), and drawing.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fraud_assets.reporting.figures.frames import Floats, flags, names, numbers, require_columns, rows_of
from fraud_assets.reporting.style import PAPER, count, model_style, neutral_key, share

COLUMNS = ("candidate", "threshold", "alerts", "frauds_caught", "alerts_per_day", "saving_per_day", "is_chosen")


@dataclass(frozen=True)
class Points:
    """One candidate's thresholds from the highest to the lowest, at which everything alerts.

    Counts are over all validation rows. `own` is the position of the candidate's own threshold, if it has one.
    """

    candidate: str
    threshold: Floats
    alerts: Floats
    caught: Floats
    alerts_per_day: Floats
    saving: Floats
    own: int | None

    @property
    def alarms(self) -> Floats:
        return self.alerts - self.caught

    @property
    def frauds(self) -> int:
        return int(self.caught[-1])

    @property
    def genuine(self) -> int:
        return int(self.alarms[-1])

    @property
    def rows(self) -> int:
        return self.frauds + self.genuine

    @property
    def days(self) -> float:
        return float(self.alerts[-1] / self.alerts_per_day[-1])

    @property
    def recall(self) -> Floats:
        return self.caught / self.frauds if self.frauds else np.full(len(self.caught), np.nan)

    @property
    def precision(self) -> Floats:
        return self.caught / np.where(self.alerts > 0, self.alerts, np.nan)

    @property
    def false_positive_rate(self) -> Floats:
        return self.alarms / self.genuine if self.genuine else np.full(len(self.alerts), np.nan)

    @property
    def has_both_classes(self) -> bool:
        return self.frauds > 0 and self.genuine > 0


def by_candidate(points: pd.DataFrame) -> list[Points]:
    """Each candidate's points, in order of name. Raises `ValueError` when a column is missing."""
    require_columns(points, COLUMNS, "operating points")
    found = [of_candidate(points, name) for name in sorted({name for name in names(points, "candidate") if name})]
    return [one for one in found if one is not None]


def of_candidate(points: pd.DataFrame, candidate: str) -> Points | None:
    """One candidate's points, None where it has none. Raises `ValueError` when a column is missing."""
    require_columns(points, COLUMNS, "operating points")
    rows = rows_of(points, candidate)
    rows = rows[np.isfinite(numbers(rows, "threshold")) & (numbers(rows, "alerts") >= 0)]
    if not len(rows) or not numbers(rows, "alerts").max() > 0:
        return None
    rows = rows.iloc[np.lexsort((numbers(rows, "alerts"), -numbers(rows, "threshold")))]
    own = np.flatnonzero(flags(rows, "is_chosen"))
    return Points(
        candidate,
        numbers(rows, "threshold"),
        numbers(rows, "alerts"),
        numbers(rows, "frauds_caught"),
        numbers(rows, "alerts_per_day"),
        numbers(rows, "saving_per_day"),
        int(own[0]) if len(own) else None,
    )


def summary(candidates: list[Points]) -> str:
    """How many transactions the figure is about, of how many days, and how much of it is fraud."""
    largest = max(candidates, key=lambda one: one.rows)
    about = f"{count(largest.rows, 'labelled transaction')} of {count(round(largest.days), 'day')}"
    return f"{about}, {share(largest.frauds / largest.rows)} fraud"


def why_nothing(candidates: list[Points]) -> str:
    """Why there is no curve to draw."""
    if not candidates:
        return "No transaction of the validation days has both a score and a known label yet."
    if not any(one.frauds for one in candidates):
        return "None of the labelled transactions is fraud, so there is nothing to catch."
    return "All of the labelled transactions are fraud, so there can be no false alarm."


def no_points(candidate: str) -> str:
    """Why one candidate has nothing to draw."""
    return f"{model_style(candidate).name} has no transaction with both a score and a known label."


def own_thresholds(marks: list[tuple[Points, float, float]]) -> list[go.Scatter]:
    """Marks where each candidate's own threshold lies, and the legend's entry for them; nothing without any."""
    marks = [mark for mark in marks if np.isfinite(mark[1]) and np.isfinite(mark[2])]
    if not marks:
        return []
    dots = go.Scatter(
        name="At its threshold",
        x=[x for _, x, _ in marks],
        y=[y for _, _, y in marks],
        mode="markers",
        marker={
            "color": [model_style(one.candidate).color for one, _, _ in marks],
            "size": 12,
            "line": {"color": PAPER, "width": 2},
        },
        text=[model_style(one.candidate).name for one, _, _ in marks],
        hovertemplate="%{text}: %{x:.3~g}, %{y:.1%}<extra>At its threshold</extra>",
        cliponaxis=False,
        showlegend=False,
    )
    return [dots, neutral_key("At its threshold")]
