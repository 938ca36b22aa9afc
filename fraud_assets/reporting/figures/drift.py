"""Drift of each feature, of the score and of the fraud rate over the days.

What does not live here: measuring drift, and from where on it counts as such.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from fraud_assets.reporting.figures.days import MANY_DAYS, each_day, set_day_axis, span, texts, with_days
from fraud_assets.reporting.figures.frames import Floats, numbers, require_columns
from fraud_assets.reporting.style import (
    AXIS,
    FRAUD,
    INK,
    PAPER,
    QUIET,
    WATCH,
    count,
    nothing_to_draw,
    plain,
    styled_figure,
)

MOST_SUBJECTS = 30
COLUMNS = ("day", "subject", "psi", "level")
LEVELS = ("ok", "watch", "drift")
_COLORS = (QUIET, WATCH, FRAUD)
_SYMBOLS = ("", "triangle-up", "x")
_ON_CELL = ("", INK, PAPER)
_ROW_HEIGHT = 17


def drift_heat_map(drift: pd.DataFrame, days: int | None = None) -> go.Figure:
    """A cell for each day and subject: as in training, to watch, or drifted; no cell where it is not known.

    `drift`: rows of `feature_drift`. Subjects with drift come first, then those to watch, then by their highest
    population stability index; at most `MOST_SUBJECTS`, and it is said how many more there are. Levels differ in
    lightness, and what is to watch has a triangle, what has drifted a cross: each of a few days, of many the first of a
    run. The last `days` days (all by default).
    """
    title = "Drift from the training days"
    require_columns(drift, COLUMNS, "feature drift")
    rows = with_days(drift, "day", "drift", days)
    if rows.empty:
        return nothing_to_draw(title, "No day has been compared with its training days yet.")
    all_days = each_day(rows["day"].iloc[0], rows["day"].iloc[-1])
    level, subject, day = (_codes(rows, column) for column in ("level", "subject", "day"))
    levels = pd.Index(LEVELS).get_indexer(pd.Index(level.names))[level.places]
    index = numbers(rows, "psi")
    order = _worst_first(subject, levels, index)
    level_cells, index_cells = (np.full((len(order), len(all_days)), np.nan) for _ in range(2))
    row_of = np.full(len(subject.names), -1)
    row_of[order] = np.arange(len(order))
    y, x = row_of[subject.places], pd.Index(all_days).get_indexer(pd.Index(day.names))[day.places]
    kept = (y >= 0) & (levels >= 0)
    level_cells[y[kept], x[kept]] = levels[kept]
    index_cells[y[kept], x[kept]] = index[kept]
    shown = [subject.names[i] for i in order]
    left_out = len(subject.names) - len(shown)
    known = len(day.names)
    subtitle = span(all_days, known) + (f"; {count(left_out, 'calmer subject')} not shown" if left_out else "")
    figure = styled_figure(title, subtitle)
    labels = _labels(shown)
    figure.add_trace(_heat_map(level_cells, index_cells, all_days, labels))
    for number, name in ((0, "As in training"), (1, "To watch"), (2, "Drift")):
        figure.add_traces(_marks(level_cells, all_days, labels, number, name))
    if np.isnan(level_cells).any():
        figure.add_trace(_key(f"Not known  {int(np.isnan(level_cells).sum()):,}", PAPER, "square", AXIS))
    # From the top down, worst first.
    figure.update_yaxes(type="category", autorange=False, range=[len(shown) - 0.5, -0.5], showgrid=False, ticks="")
    figure.update_yaxes(showline=False, tickfont={"size": 12 if len(shown) <= 20 else 10})
    set_day_axis(figure, all_days)
    height = 190 + _ROW_HEIGHT * len(shown)
    return figure.update_layout(legend_title_text="Level", height=max(height, 300))


class _Codes(NamedTuple):
    """A column's texts, each once, and for each row which of them it has."""

    names: list[str]
    places: npt.NDArray[np.intp]


def _codes(rows: pd.DataFrame, column: str) -> _Codes:
    places, found = pd.factorize(rows[column], use_na_sentinel=False)
    return _Codes([str(name) if pd.notna(name) else "" for name in found], places)


def _worst_first(subject: _Codes, level: npt.NDArray[np.intp], index: Floats) -> list[int]:
    """Which subjects are shown, by their place among the names."""
    worst, highest = np.full(len(subject.names), -1), np.full(len(subject.names), -1.0)
    np.maximum.at(worst, subject.places, level)
    np.maximum.at(highest, subject.places, np.nan_to_num(index, nan=-1.0))
    order = sorted(range(len(subject.names)), key=lambda i: (-worst[i], -highest[i], subject.names[i]))
    return order[:MOST_SUBJECTS]


def _labels(subjects: list[str]) -> list[str]:
    """The subjects as they are written, each once: two that are cut to the same text stay two."""
    labels: list[str] = []
    for subject in subjects:
        label = plain(subject.replace("_", " "), 40)
        while label in labels:
            label += "\u200b"
        labels.append(label)
    return labels


def _heat_map(levels: Floats, index: Floats, days: list[str], labels: list[str]) -> go.Heatmap:
    steps = [(edge, color) for i, color in enumerate(_COLORS) for edge in (i / 3, (i + 1) / 3)]
    return go.Heatmap(
        x=texts(days),
        y=texts(labels),
        z=levels.astype(np.float32),
        zmin=-0.5,
        zmax=2.5,
        colorscale=steps,
        showscale=False,
        xgap=1 if len(days) <= MANY_DAYS else 0,
        ygap=1,
        customdata=index.round(4).astype(np.float32),
        hovertemplate="%{x|%-d %b %Y}: %{y}, stability index %{customdata:.3f}<extra></extra>",
    )


def _marks(levels: Floats, days: list[str], labels: list[str], level: int, name: str) -> list[go.Scatter]:
    """The level's symbols in the cells, and the legend's entry in its colour with the same symbol."""
    is_level = levels == level
    key = _key(f"{name}  {int(is_level.sum()):,}", _COLORS[level], _SYMBOLS[level] or "square", None)
    if not _SYMBOLS[level]:
        return [key]
    if len(days) > MANY_DAYS:
        is_level = is_level & ~np.pad(is_level, ((0, 0), (1, 0)))[:, :-1]
    y, x = np.nonzero(is_level)
    if not len(x):
        return [key]
    marks = go.Scatter(
        name=name,
        x=texts(days[i] for i in x),
        y=texts(labels[i] for i in y),
        mode="markers",
        marker={"symbol": _SYMBOLS[level], "size": 8 if len(days) <= MANY_DAYS else 6, "color": _ON_CELL[level]},
        hoverinfo="skip",
        showlegend=False,
    )
    return [key, marks]


def _key(name: str, color: str, symbol: str, outline: str | None) -> go.Scatter:
    line = {"width": 1 if outline else 0, "color": outline or color}
    marker = {"color": color, "symbol": symbol, "size": 11, "line": line}
    return go.Scatter(name=name, x=[None], y=[None], mode="markers", marker=marker)
