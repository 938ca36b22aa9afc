"""What more alerts, or fewer, would bring: precision and recall by alerts per day, and savings by threshold.

What does not live here: which transactions are alerts, and what one costs.
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fraud_assets.reporting.figures.points import Points, by_candidate, no_points, of_candidate, summary, why_nothing
from fraud_assets.reporting.style import (
    FRAUD,
    INK,
    MUTED_INK,
    PAPER,
    TEMPLATE,
    heading,
    model_style,
    money,
    nothing_to_draw,
    number,
    share,
    styled_figure,
)

_PANELS = ("Precision: fraud among the alerts", "Recall: fraud that is caught")
_STEPS = 60
_LOWEST_SCORE = 1e-5
_SHOWN_LOSS = 0.35


def by_alerts_per_day(points: pd.DataFrame, alerts_per_day: int | None = None) -> go.Figure:
    """Precision and recall against alerts per day, a line for each candidate, the team's capacity marked.

    `points`: one day's rows of `operating_points`. Alerts per day are the mean over the validation days of alerting
    from one score on, on a logarithmic axis. `alerts_per_day` is how many the team can look at. The legend has the
    recall there, or at each candidate's own threshold where no capacity is given.
    """
    title = "Precision and recall by alerts per day"
    candidates = by_candidate(points)
    drawable = [one for one in candidates if one.frauds]
    if not drawable:
        return nothing_to_draw(title, why_nothing(candidates))
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.12, subplot_titles=_PANELS)
    figure.update_layout(template=TEMPLATE, title_text=heading(title, summary(drawable)), margin={"t": 112}, height=600)
    figure.update_annotations(font={"size": 13, "color": MUTED_INK}, x=0, xanchor="left", yshift=2)
    recalls = {one.candidate: _recall_at(one, alerts_per_day) for one in drawable}
    for one in sorted(drawable, key=lambda one: (-recalls[one.candidate], one.candidate)):
        _draw_both(figure, one, recalls[one.candidate])
    lowest = min(float(one.alerts_per_day[one.alerts_per_day > 0].min()) for one in drawable)
    highest = max(float(one.alerts_per_day[-1]) for one in drawable)
    edges = [np.log10(max(min(1.0, highest / 10), lowest)), np.log10(highest)]
    figure.update_xaxes(type="log", range=edges, minor={"showgrid": False}, dtick=1)
    figure.update_xaxes(title_text="Alerts a day", row=2, col=1)
    figure.update_yaxes(tickformat=".0%", range=[0, 1.02])
    if alerts_per_day is not None and alerts_per_day > 0:
        _mark_capacity(figure, alerts_per_day)
    at = "at its threshold" if alerts_per_day is None else f"at {alerts_per_day:,} a day"
    return figure.update_layout(legend_title_text=f"Recall {at}")


def saving_by_threshold(points: pd.DataFrame, candidate: str) -> go.Figure:
    """What alerting from a score on would have saved a day, the highest saving and the candidate's threshold marked.

    `points`: one day's rows of `operating_points`, of which those of `candidate` are drawn. The saving is in the unit
    of the amounts, per validation day. Where alerting on everything would lose a multiple of what can be saved, the
    axis ends at a loss of a third of it. Scores between 0 and 1 have a logarithmic axis: most are next to 0.
    """
    style = model_style(candidate)
    title = f"Saving by threshold: {style.name}"
    one = of_candidate(points, candidate)
    if one is None:
        return nothing_to_draw(title, no_points(candidate))
    if not np.isfinite(one.saving).any():
        return nothing_to_draw(title, "No saving is known, as no amount is.")
    best = int(np.nanargmax(one.saving))
    figure = styled_figure(title, _saving_subtitle(one, best))
    is_share = one.threshold[-1] >= 0 and one.threshold[0] <= 1
    x = np.maximum(one.threshold, _LOWEST_SCORE) if is_share else one.threshold
    figure.add_trace(
        go.Scatter(
            name="Saving a day",
            x=x,
            y=one.saving.round(2),
            mode="lines",
            line={"color": style.color, "width": 2.5},
            customdata=np.column_stack([one.alerts_per_day, one.recall, one.threshold]),
            hovertemplate="%{y:,.0f} a day from a score of %{customdata[2]:.4g}<br>"
            "%{customdata[0]:,.1f} alerts a day, recall %{customdata[1]:.1%}<extra></extra>",
            showlegend=False,
        )
    )
    figure.add_hline(y=0, line={"color": MUTED_INK, "width": 1})
    peak = max(float(one.saving[best]), 0.0)
    bottom = max(float(np.nanmin(one.saving)), -_SHOWN_LOSS * peak if peak else -np.inf)
    figure.update_yaxes(title_text="Saving a day, unit of the amounts", tickformat=",.0f")
    figure.update_yaxes(range=[min(0.0, bottom) * 1.05, peak * 1.2 or 1.0])
    figure.update_xaxes(title_text="Threshold: alert from this score on")
    if is_share:
        low = np.log10(max(float(x.min()), _LOWEST_SCORE))
        figure.update_xaxes(type="log", range=[low - 0.05, 0.02], minor={"showgrid": False}, dtick=1, tickformat="~g")
    _mark(figure, one, best, x, "Highest", "triangle-up", FRAUD)
    if one.own is not None:
        _mark(figure, one, one.own, x, "Its threshold", "circle", style.color)
    return figure.update_layout(legend={"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom"}, margin={"t": 112})


def _draw_both(figure: go.Figure, one: Points, recall: float) -> None:
    style = model_style(one.candidate)
    # Read at even ratios: between two points caught frauds grow evenly with alerts, which this axis draws as a bow.
    alerts = np.geomspace(one.alerts_per_day[one.alerts_per_day > 0].min(), one.alerts_per_day[-1], _STEPS)
    caught = np.interp(alerts, np.append(0, one.alerts_per_day), np.append(0, one.caught))
    alone = one.alerts_per_day[0] == one.alerts_per_day[-1]
    for row, values in enumerate((caught / (alerts * one.days), caught / one.frauds), start=1):
        figure.add_trace(
            go.Scatter(
                name=f"{style.name}  {share(recall)}",
                legendgroup=style.name,
                showlegend=row == 1,
                x=alerts.round(3),
                y=values.round(5),
                # One point alone is what a scorer has that gives everything one score.
                mode="markers" if alone else "lines",
                marker={"color": style.color, "size": 8},
                line={"color": style.color, "dash": style.dash, "width": 2.5},
                hovertemplate="%{y:.1%} with %{x:,.1f} alerts a day<extra>%{fullData.name}</extra>",
            ),
            row=row,
            col=1,
        )


def _recall_at(one: Points, alerts_per_day: int | None) -> float:
    """The recall within the capacity: that of the last point that has no more alerts, linear to the next."""
    if alerts_per_day is not None:
        return float(np.interp(alerts_per_day, np.append(0, one.alerts_per_day), np.append(0, one.recall)))
    return float(one.recall[one.own]) if one.own is not None else np.nan


def _mark_capacity(figure: go.Figure, alerts_per_day: int) -> None:
    """A line in both panels, and its name in the legend: in the plot it would hide a curve."""
    line = {"color": INK, "width": 2, "dash": "6px,4px"}
    for row in (1, 2):
        mark = go.Scatter(
            name=f"Capacity: {alerts_per_day:,} a day",
            x=[alerts_per_day, alerts_per_day],
            y=[0, 1.02],
            mode="lines",
            line=line,
            hoverinfo="skip",
            showlegend=row == 1,
        )
        figure.add_trace(mark, row=row, col=1)


def _saving_subtitle(one: Points, best: int) -> str:
    if best == len(one.saving) - 1:
        return (
            "Every further alert saves here: what an alert costs (cost_per_alert) is not set, or too little to matter"
        )
    text = f"Highest: {money(one.saving[best])} a day from score {number(one.threshold[best])}"
    text += f" ({money(one.alerts_per_day[best])} alerts a day)"
    if one.own is None:
        return text
    return f"{text}; at its threshold {money(one.saving[one.own])} ({money(one.alerts_per_day[one.own])} alerts a day)"


def _mark(figure: go.Figure, one: Points, at: int, x: np.ndarray, name: str, symbol: str, color: str) -> None:
    figure.add_trace(
        go.Scatter(
            name=f"{name}: {number(one.threshold[at])}",
            x=[x[at]],
            y=[round(float(one.saving[at]), 2)],
            mode="markers",
            marker={"color": color, "size": 14, "symbol": symbol, "line": {"color": PAPER, "width": 2}},
            hovertemplate="%{fullData.name}<br>%{y:,.0f} a day<extra></extra>",
            cliponaxis=False,
        )
    )
