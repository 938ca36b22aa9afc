"""Rows of bars beside each other: a row for each thing compared, a panel for each metric.

What does not live here: which things and metrics these are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fraud_assets.reporting.figures.frames import Floats
from fraud_assets.reporting.style import INK, TEMPLATE, heading, metric_style, written


@dataclass(frozen=True)
class BarRow:
    """One row of bars: its label, safe to draw, and its colour."""

    label: str
    color: str


@dataclass(frozen=True)
class Panel:
    """One metric of all rows; `texts`, where given, stand beside the bars instead of the values."""

    metric: str
    values: Floats
    texts: Sequence[str] | None = None


def bar_panels(
    title: str, subtitle: str, rows: Sequence[BarRow], panels: Sequence[Panel], *, marks_best: bool
) -> go.Figure:
    """The panels from left to right, the rows from the bottom up.

    Bars start at zero; shares have 1 at their full width, other metrics their largest value. `marks_best`: the best of
    each panel is written in bold.
    """
    headings = [f"<b>{_in_two_lines(metric_style(panel.metric).name)}</b>" for panel in panels]
    figure = make_subplots(
        rows=1, cols=len(panels), shared_yaxes=True, horizontal_spacing=0.025, subplot_titles=headings
    )
    figure.update_layout(template=TEMPLATE, title_text=heading(title, subtitle))
    figure.update_layout(showlegend=False, margin={"t": 128, "b": 24})
    figure.update_annotations(font={"size": 14, "color": INK}, xanchor="left", align="left", yshift=4)
    for number, annotation in enumerate(figure.layout.annotations, start=1):
        annotation.x = figure.layout["xaxis" if number == 1 else f"xaxis{number}"].domain[0]
    # Positions, not names: two long names that are cut to the same text stay two rows.
    figure.update_yaxes(showgrid=False, ticks="", range=[-0.6, len(rows) - 0.4])
    labels = [row.label for row in rows]
    size = 14 if len(rows) <= 12 else 11
    figure.update_yaxes(tickvals=list(range(len(rows))), ticktext=labels, tickfont={"size": size}, col=1)
    for column, panel in enumerate(panels, start=1):
        _draw(figure, rows, panel, column, marks_best=marks_best)
    return figure


def _in_two_lines(name: str) -> str:
    """A name too long for its panel, broken at the space nearest to its middle."""
    spaces = [i for i, letter in enumerate(name) if letter == " "]
    if len(name) <= 14 or not spaces:
        return name
    middle = min(spaces, key=lambda i: abs(i - len(name) / 2))
    return f"{name[:middle]}<br>{name[middle + 1 :]}"


def _draw(figure: go.Figure, rows: Sequence[BarRow], panel: Panel, column: int, *, marks_best: bool) -> None:
    values, kind = panel.values, metric_style(panel.metric)
    finite = values[np.isfinite(values)]
    texts = list(panel.texts or [written(panel.metric, float(value)) for value in values])
    if marks_best and finite.size:
        best = finite.max() if kind.is_better_higher else finite.min()
        texts = [f"<b>{text}</b>" if value == best else text for value, text in zip(values, texts, strict=True)]
    low, high = min(0.0, float(finite.min(initial=0.0))), float(finite.max(initial=0.0))
    full = 1.0 if kind.is_share else max(high, -low) or 1.0
    figure.add_trace(
        go.Bar(
            x=np.where(np.isfinite(values), values, 0.0),
            y=np.arange(len(values)),
            orientation="h",
            # Few rows must not become walls.
            width=0.65 * min(1.0, len(values) / 6),
            marker={"color": [row.color for row in rows]},
            text=texts,
            textposition="outside",
            textfont={"size": 13 if len(rows) <= 12 else 11},
            cliponaxis=False,
            customdata=[row.label for row in rows],
            hovertemplate="%{customdata}: %{text}<extra></extra>",
            name=kind.name,
        ),
        row=1,
        col=column,
    )
    # The number stands beyond its bar's end, so the longest bars leave room for it.
    figure.update_xaxes(
        range=[low - (0.45 * full if low < 0 else 0.0), (full if kind.is_share or high else 0.2 * full) + 0.45 * full],
        showgrid=False, showticklabels=False, ticks="", showline=False, col=column,
    )  # fmt: skip
