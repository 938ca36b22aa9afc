"""All candidates beside each other: a bar for each candidate, a panel for each metric.

What does not live here: computing a metric, or deciding by it.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fraud_assets.reporting.figures.frames import names, numbers, require_columns
from fraud_assets.reporting.figures.panels import BarRow, Panel, bar_panels
from fraud_assets.reporting.style import metric_style, model_style, nothing_to_draw, say

MOST_PANELS = 5

SHOWN_FIRST = (
    "average_precision",
    "roc_auc",
    "precision_at_k",
    "recall_at_k",
    "saving_per_day",
    "card_precision_at_100",
    "precision",
    "recall",
    "f1",
    "brier_score",
    "fit_seconds",
)
"""Accuracy is not among them: with under one fraud in a hundred, flagging nothing is 99 % accurate."""


def model_comparison(evaluation: pd.DataFrame, metrics: Sequence[str] | None = None) -> go.Figure:
    """One bar for each candidate and metric, the best of each metric in bold, best first by the first metric.

    `evaluation`: one day's rows of `evaluation_table`: column `candidate` (str, one row each) and float columns named
    like the metrics. `metrics` defaults to the first `MOST_PANELS` of `SHOWN_FIRST` that have a value. Bars start at
    zero; shares have 1 at their full width, other metrics their largest value. Raises `ValueError` when `candidate` or
    a metric asked for is missing.
    """
    title = "Candidates compared"
    require_columns(evaluation, ("candidate", *(metrics or ())), "the evaluation")
    shown = list(metrics or _with_values(evaluation))
    if evaluation.empty or not shown:
        return nothing_to_draw(title, "No candidate has been evaluated yet.")
    candidates = names(evaluation, "candidate")
    order = _worst_first(candidates, numbers(evaluation, shown[0]), shown[0])
    styles = [model_style(candidates[i]) for i in order]
    values = {metric: numbers(evaluation, metric)[order] for metric in shown}
    figure = bar_panels(
        title,
        f"Best first by {metric_style(shown[0]).name.lower()}; the best of each column in bold",
        [BarRow(style.name, style.color) for style in styles],
        [Panel(metric, values[metric]) for metric in shown],
        marks_best=True,
    )
    if not np.isfinite(np.vstack(list(values.values()))).any():
        say(figure, "None of the metrics could be computed.")
    return figure


def _with_values(evaluation: pd.DataFrame) -> list[str]:
    known = [metric for metric in SHOWN_FIRST if metric in evaluation.columns]
    valued = [metric for metric in known if np.isfinite(numbers(evaluation, metric)).any()]
    return (valued or known)[:MOST_PANELS]


def _worst_first(
    candidates: list[str], values: "np.ndarray[tuple[int], np.dtype[np.float64]]", metric: str
) -> list[int]:
    """Plotly draws the first row at the bottom."""
    sign = -1 if metric_style(metric).is_better_higher else 1
    best_first = sorted(range(len(candidates)), key=lambda i: (np.isnan(values[i]), sign * values[i], candidates[i]))
    return best_first[::-1]
