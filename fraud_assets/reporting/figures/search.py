"""What the searches for parameters have tried, and how each configuration did.

What does not live here: searching.
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fraud_assets.reporting.figures.frames import Floats, names, numbers, require_columns
from fraud_assets.reporting.style import INK, PAPER, count, model_style, nothing_to_draw, number, plain, styled_figure

COLUMNS = ("candidate", "average_precision")
_LONGEST = 120
_SPREAD = 0.5


def search_results(search: pd.DataFrame) -> go.Figure:
    """A mark for each configuration tried, in its candidate's row: mean average precision, and a line over its folds.

    `search`: one row a configuration: candidate, configuration (text), average_precision (the mean over the folds that
    were reached, NaN where it failed) and fold_1, fold_2, ... The best of each candidate is ringed.
    """
    title = "What the searches have found"
    require_columns(search, COLUMNS, "search results")
    values = numbers(search, "average_precision")
    if not np.isfinite(values).any():
        return nothing_to_draw(title, "No configuration has been tried, or none could be fitted.")
    of = np.array(names(search, "candidate"), dtype=object)
    best = {name: float(np.nanmax(values[of == name])) for name in set(of[np.isfinite(values)])}
    order = sorted(best, key=lambda name: (best[name], name))
    failed = int((~np.isfinite(values)).sum())
    tried = f"{count(len(search), 'configuration')} tried" + (f", {failed:,} of them failed" if failed else "")
    figure = styled_figure(title, f"{tried}; lines reach from the worst to the best fold, the best is ringed")
    low, high = _folds(search, values)
    texts = np.array([plain(text, _LONGEST) for text in names(search, "configuration")], dtype=object)
    for row, name in enumerate(order):
        at = np.flatnonzero((of == name) & np.isfinite(values))
        figure.add_trace(_marks(name, row, values[at], low[at], high[at], texts[at]))
    labels = [f"{model_style(name).name}  {number(best[name])}" for name in order]
    figure.update_yaxes(tickvals=list(range(len(order))), ticktext=labels, range=[-0.6, len(order) - 0.4], ticks="")
    figure.update_yaxes(showgrid=False, tickfont={"size": 14})
    lowest, highest = float(np.nanmin(low)), float(np.nanmax(high))
    room = 0.06 * (highest - lowest) or 0.05
    figure.update_xaxes(title_text="Average precision, out of fold", range=[lowest - room, min(highest + room, 1.02)])
    return figure.update_layout(showlegend=False)


def _folds(search: pd.DataFrame, values: Floats) -> tuple[Floats, Floats]:
    """The worst and the best fold of each configuration; its mean where no fold is told."""
    folds = [numbers(search, column) for column in search.columns if str(column).startswith("fold_")]
    all_values = np.vstack([values, *folds])
    return np.fmin.reduce(all_values), np.fmax.reduce(all_values)


def _marks(name: str, row: int, values: Floats, low: Floats, high: Floats, texts: "np.ndarray") -> go.Scatter:
    style = model_style(name)
    order = np.argsort(values, kind="stable")
    height = np.zeros(len(values))
    height[order] = np.linspace(-_SPREAD / 2, _SPREAD / 2, len(values)) if len(values) > 1 else 0.0
    is_best = values == values.max()
    return go.Scatter(
        name=style.name,
        x=values,
        y=row + height,
        mode="markers",
        marker={
            "color": style.color,
            "opacity": 1,
            "size": np.where(is_best, 12, 8),
            "line": {"color": [INK if best else PAPER for best in is_best], "width": np.where(is_best, 2, 1)},
        },
        error_x={
            "type": "data",
            "symmetric": False,
            "array": high - values,
            "arrayminus": values - low,
            "color": style.color,
            "thickness": 1,
            "width": 0,
        },
        customdata=texts,
        hovertemplate="%{x:.4f}<br>%{customdata}<extra>%{fullData.name}</extra>",
        cliponaxis=False,
    )
