"""All candidates beside each other: a bar for each model, a panel for each metric.

What does not live here: computing a metric, or deciding by it.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fraud_assets.reporting.scores import require_columns
from fraud_assets.reporting.style import (
    INK,
    TEMPLATE,
    heading,
    metric_style,
    model_style,
    nothing_to_draw,
    number,
    say,
)

MOST_PANELS = 5

SHOWN_FIRST = (
    "average_precision",
    "roc_auc",
    "precision_at_k",
    "recall_at_k",
    "card_precision_at_k",
    "card_precision_at_100",
    "precision",
    "recall",
    "f1",
    "brier_score",
    "fit_seconds",
)
"""Accuracy is not among them: with under one fraud in a hundred, flagging nothing is 99 % accurate."""


def model_comparison(evaluation: pd.DataFrame, metrics: Sequence[str] | None = None) -> go.Figure:
    """One bar for each model and metric, the best of each metric in bold, models in order of the first metric.

    `evaluation`: column `model` (str, one row each) and float columns named like the metrics. `metrics` defaults to
    the first `MOST_PANELS` of `SHOWN_FIRST` that have a value. Bars start at zero; shares have 1 at their full
    width, other metrics their largest value. Raises `ValueError` when `model` or a metric asked for is missing.
    """
    title = "Candidates compared"
    require_columns(evaluation, ("model", *(metrics or ())), "the evaluation")
    shown = list(metrics or _with_values(evaluation))
    if evaluation.empty or not shown:
        return nothing_to_draw(title, "No candidate has been evaluated yet.")
    rows = _worst_first(evaluation, shown[0])
    figure = _panels(title, rows, shown)
    for column, metric in enumerate(shown, start=1):
        _draw_panel(figure, rows, metric, column)
    if not np.isfinite(rows[shown].to_numpy(dtype=float, na_value=np.nan)).any():
        say(figure, "None of the metrics could be computed.")
    return figure


def _with_values(evaluation: pd.DataFrame) -> list[str]:
    known = [metric for metric in SHOWN_FIRST if metric in evaluation.columns]
    valued = [metric for metric in known if evaluation[metric].notna().any()]
    return (valued or known)[:MOST_PANELS]


def _worst_first(evaluation: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Plotly draws the first row at the bottom."""
    ascending = metric_style(metric).is_better_higher
    return evaluation.sort_values([metric, "model"], ascending=[ascending, False], na_position="first")


def _panels(title: str, rows: pd.DataFrame, metrics: Sequence[str]) -> go.Figure:
    names = [f"<b>{_in_two_lines(metric_style(metric).name)}</b>" for metric in metrics]
    figure = make_subplots(rows=1, cols=len(metrics), shared_yaxes=True, horizontal_spacing=0.025, subplot_titles=names)
    subtitle = f"Best first by {metric_style(metrics[0]).name}; the best of each column in bold"
    figure.update_layout(template=TEMPLATE, title_text=heading(title, subtitle))
    figure.update_layout(showlegend=False, margin={"t": 128, "b": 24})
    figure.update_annotations(font={"size": 14, "color": INK}, xanchor="left", align="left", yshift=4)
    for panel, annotation in enumerate(figure.layout.annotations, start=1):
        annotation.x = figure.layout["xaxis" if panel == 1 else f"xaxis{panel}"].domain[0]
    # Positions, not names: two long names that are cut to the same text stay two rows.
    labels = [model_style(model).name for model in rows["model"]]
    figure.update_yaxes(showgrid=False, ticks="", range=[-0.6, len(rows) - 0.4])
    return figure.update_yaxes(tickvals=list(range(len(rows))), ticktext=labels, tickfont={"size": 14}, col=1)


def _in_two_lines(name: str) -> str:
    """A name too long for its panel, broken at the space nearest to its middle."""
    spaces = [i for i, letter in enumerate(name) if letter == " "]
    if len(name) <= 14 or not spaces:
        return name
    middle = min(spaces, key=lambda i: abs(i - len(name) / 2))
    return f"{name[:middle]}<br>{name[middle + 1 :]}"


def _draw_panel(figure: go.Figure, rows: pd.DataFrame, metric: str, column: int) -> None:
    values = rows[metric].to_numpy(dtype=float, na_value=np.nan)
    finite = values[np.isfinite(values)]
    kind = metric_style(metric)
    best = np.nan if not finite.size else finite.max() if kind.is_better_higher else finite.min()
    full = 1.0 if kind.is_share else float(np.abs(finite).max(initial=0.0)) or 1.0
    texts = [f"<b>{number(v)}</b>" if v == best else number(v) for v in values]
    figure.add_trace(
        go.Bar(
            x=np.where(np.isfinite(values), values, 0.0),
            y=np.arange(len(values)),
            orientation="h",
            # Few candidates must not become walls.
            width=0.65 * min(1.0, len(values) / 6),
            marker={"color": [model_style(model).color for model in rows["model"]]},
            text=texts,
            textposition="outside",
            textfont={"size": 13},
            cliponaxis=False,
            customdata=[model_style(model).name for model in rows["model"]],
            hovertemplate="%{customdata}: %{text}<extra></extra>",
            name=kind.name,
        ),
        row=1,
        col=column,
    )
    # The number stands right of its bar, so the longest bar leaves room for it.
    low = min(0.0, float(finite.min(initial=0.0)))
    figure.update_xaxes(
        range=[low * 1.5, full * 1.45], showgrid=False, showticklabels=False, ticks="", showline=False, col=column
    )
