"""Whether scores mean what they say: the reliability diagram.

What does not live here: the bins and their intervals, which are measured with the evaluation.
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fraud_assets.reporting.figures.frames import names, numbers, require_columns, rows_of
from fraud_assets.reporting.style import AXIS, model_style, nothing_to_draw, styled_figure

COLUMNS = ("candidate", "mean_score", "fraud_share", "fraud_share_low", "fraud_share_high", "rows")
_LOWEST = 1e-4


def reliability(bins: pd.DataFrame, candidate: str | None = None) -> go.Figure:
    """The share of fraud that came, against the share that scores promised, bin by bin, with 95 % intervals.

    `bins`: one day's rows of `calibration_bins`. A line for each candidate; below the diagonal scores promise too
    much, above it too little. With a `candidate`, only it has intervals, and the others stand back. Both axes are
    logarithmic, as most scores are next to 0; what is below the left edge is drawn at it.
    """
    title = "Calibration: what scores promise, and what came"
    require_columns(bins, COLUMNS, "calibration bins")
    drawable = sorted(
        {name for name in names(bins, "candidate") if (numbers(rows_of(bins, name), "mean_score") > 0).any()}
    )
    if not drawable:
        return nothing_to_draw(title, "No candidate gives probabilities to labelled transactions yet.")
    lowest = _lowest(bins)
    figure = styled_figure(title, "Each mark is a bin of scores, with the 95 % interval of its share of fraud")
    figure.add_trace(_diagonal(lowest))
    for name in sorted(drawable, key=lambda name: (name == candidate, name)):
        figure.add_trace(_line(bins, name, lowest, has_intervals=candidate in (None, name)))
    decades = range(round(np.log10(lowest)), 1)
    axis = {
        "type": "log",
        "range": [np.log10(lowest) - 0.04, 0.04],
        "minor": {"showgrid": False},
        "tickvals": [10.0**d for d in decades],
        "ticktext": [f"{10.0 ** (d + 2):g}%" for d in decades],
    }
    figure.update_xaxes(title_text="Mean score: share of fraud that is promised", **axis)
    figure.update_yaxes(title_text="Share of fraud that came", **axis)
    return figure


def _lowest(bins: pd.DataFrame) -> float:
    shares = np.concatenate([numbers(bins, "mean_score"), numbers(bins, "fraud_share")])
    smallest = float(np.min(shares[shares > 0]))
    return float(10.0 ** np.clip(np.floor(np.log10(smallest)), np.log10(_LOWEST), -1))


def _diagonal(lowest: float) -> go.Scatter:
    line = {"color": AXIS, "dash": "4px,4px", "width": 1.5}
    return go.Scatter(name="As promised", x=[lowest, 1], y=[lowest, 1], mode="lines", line=line, hoverinfo="skip")


def _line(bins: pd.DataFrame, candidate: str, lowest: float, *, has_intervals: bool) -> go.Scatter:
    rows = rows_of(bins, candidate)
    rows = rows[np.isfinite(numbers(rows, "mean_score")) & np.isfinite(numbers(rows, "fraud_share"))]
    rows = rows.iloc[np.argsort(numbers(rows, "mean_score"), kind="stable")]
    x, came, low, high = (np.maximum(numbers(rows, column), lowest) for column in COLUMNS[1:5])
    style = model_style(candidate)
    upper, lower = np.nan_to_num(np.maximum(high - came, 0)), np.nan_to_num(np.maximum(came - low, 0))
    return go.Scatter(
        name=style.name,
        x=x,
        y=came,
        mode="lines+markers",
        opacity=1.0 if has_intervals else 0.45,
        line={"color": style.color, "dash": style.dash, "width": 2},
        marker={"color": style.color, "size": 8},
        error_y={
            "visible": has_intervals,
            "type": "data",
            "symmetric": False,
            "array": upper,
            "arrayminus": lower,
            "color": style.color,
            "thickness": 1.2,
            "width": 3,
        },
        customdata=np.column_stack([numbers(rows, name) for name in COLUMNS[1:]]),
        hovertemplate="Promised %{customdata[0]:.3%}, came %{customdata[1]:.3%} (%{customdata[2]:.3%} to "
        "%{customdata[3]:.3%})<br>of %{customdata[4]:,} transactions<extra>%{fullData.name}</extra>",
    )
