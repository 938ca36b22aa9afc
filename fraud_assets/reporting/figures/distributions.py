"""One candidate's scores: how they spread over the two classes, and what its threshold makes of them.

What does not live here: choosing the threshold.
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fraud_assets.reporting.figures.frames import Floats
from fraud_assets.reporting.figures.points import Points, no_points, of_candidate, summary
from fraud_assets.reporting.style import (
    FRAUD,
    GENUINE,
    INK,
    LABEL_PAPER,
    PAPER,
    RIGHT,
    WRONG,
    model_style,
    nothing_to_draw,
    number,
    share,
    styled_figure,
)

BINS = 40
"""As many as the operating points have edges for: more would be guesses."""


def score_distribution(points: pd.DataFrame, candidate: str) -> go.Figure:
    """How many genuine and fraudulent transactions got which score, `BINS` bins, counts on a logarithmic axis.

    `points`: one day's rows of `operating_points`, of which those of `candidate` are drawn: a bin has what is caught
    from its lower edge on and not from its upper one. Scores between 0 and 1 are binned over that whole range, others
    over their own. The candidate alerts from its own threshold on, which is marked.
    """
    title = f"Scores of genuine and fraudulent transactions: {model_style(candidate).name}"
    one = of_candidate(points, candidate)
    if one is None:
        return nothing_to_draw(title, no_points(candidate))
    edges = _edges(one)
    figure = styled_figure(title, summary([one]))
    highest = 1.0
    for name, color, opacity, counts, total in (
        ("Genuine", GENUINE, 0.55, _counts(one, one.alarms, edges), one.genuine),
        ("Fraud", FRAUD, 0.8, _counts(one, one.caught, edges), one.frauds),
    ):
        highest = max(highest, counts.max())
        figure.add_trace(_bars(f"{name}  {total:,}", color, opacity, counts, edges))
    figure.update_layout(barmode="overlay", bargap=0, legend_title_text="Transactions")
    figure.update_xaxes(title_text="Score", range=[edges[0], edges[-1]], showgrid=False)
    figure.update_yaxes(
        # From half a transaction, so that a single one is a bar and not a line on the axis.
        title_text="Transactions (logarithmic)", type="log", range=[np.log10(0.5), np.log10(highest * 1.6)],
        tickvals=[10.0**d for d in range(10)], ticktext=[f"{10**d:,}" for d in range(10)],
    )  # fmt: skip
    if one.own is not None:
        threshold = float(one.threshold[one.own])
        _draw_threshold(figure, threshold, is_left=threshold < (edges[0] + edges[-1]) / 2)
    return figure


def confusion(points: pd.DataFrame, candidate: str) -> go.Figure:
    """The four counts at the candidate's own threshold, with each one's share of its class.

    `points` as in `score_distribution`. Blue is right and red is wrong; the stronger, the larger the share of the row.
    """
    title = f"Decisions at the threshold: {model_style(candidate).name}"
    one = of_candidate(points, candidate)
    if one is None:
        return nothing_to_draw(title, no_points(candidate))
    if one.own is None:
        return nothing_to_draw(title, "No threshold has been chosen.")
    caught, alarms = int(one.caught[one.own]), int(one.alarms[one.own])
    subtitle = (
        f"Alert from score {number(one.threshold[one.own])}: {caught + alarms:,} alerts in {one.rows:,} transactions, "
        f"precision {share(one.precision[one.own])}, recall {share(one.recall[one.own])}"
    )
    figure = styled_figure(title, subtitle)
    cells = [
        (0, 1, "caught", caught, one.frauds, "of fraud", RIGHT),
        (1, 1, "missed", one.frauds - caught, one.frauds, "of fraud", WRONG),
        (0, 0, "false alarms", alarms, one.genuine, "of genuine", WRONG),
        (1, 0, "let through", one.genuine - alarms, one.genuine, "of genuine", RIGHT),
    ]
    for x, y, name, counted, total, of_what, color in cells:
        _draw_cell(figure, x, y, name, counted, total, of_what, color)
    bare = {"range": [-0.5, 1.5], "showgrid": False, "showline": False, "ticks": "", "tickfont": {"size": 15}}
    figure.update_xaxes(tickvals=[0, 1], ticktext=["<b>Alert</b>", "<b>No alert</b>"], side="top", **bare)
    figure.update_yaxes(
        tickvals=[0, 1],
        ticktext=[f"<b>Genuine</b><br>{one.genuine:,}", f"<b>Fraud</b><br>{one.frauds:,}"],
        **bare,
    )
    return figure.update_layout(margin={"t": 116, "b": 24, "l": 96})


def _edges(one: Points) -> Floats:
    low, high = float(one.threshold[-1]), float(one.threshold[0])
    if low >= 0 and high <= 1:
        return np.linspace(0, 1, BINS + 1)
    return np.linspace(low, high if high > low else low + 1, BINS + 1)


def _counts(one: Points, cumulative: Floats, edges: Floats) -> Floats:
    """What lies in each bin: cumulative counts are from the highest score down, and all lie above the first edge."""
    position = np.searchsorted(-one.threshold, -edges, side="right")
    above = np.append(0.0, cumulative)[position]
    above[0], above[-1] = cumulative[-1], 0.0
    return -np.diff(above)


def _bars(name: str, color: str, opacity: float, counts: Floats, edges: Floats) -> go.Bar:
    return go.Bar(
        name=name,
        x=(edges[:-1] + edges[1:]) / 2,
        y=counts,
        width=np.diff(edges),
        marker={"color": color, "opacity": opacity, "line": {"color": PAPER, "width": 1}},
        customdata=np.column_stack([edges[:-1], edges[1:]]),
        hovertemplate="%{y:,} with a score of %{customdata[0]:.3g} to %{customdata[1]:.3g}<extra></extra>",
    )


def _draw_threshold(figure: go.Figure, threshold: float, *, is_left: bool) -> None:
    figure.add_vline(x=threshold, line={"color": INK, "width": 2, "dash": "dash"})
    figure.add_annotation(
        x=threshold, y=1, yref="paper", yanchor="top", xanchor="left" if is_left else "right", showarrow=False,
        text=f"Alert from {number(threshold)} →" if is_left else f"← No alert below {number(threshold)}",
        font={"color": INK, "size": 14}, bgcolor=LABEL_PAPER, xshift=4 if is_left else -4,
    )  # fmt: skip


def _draw_cell(
    figure: go.Figure, x: int, y: int, name: str, counted: int, total: int, of_what: str, color: str
) -> None:
    part = counted / total if total else 0.0
    edge = 0.485
    # At most so strong that ink on it stays legible (WCAG 2 contrast 4.5), on light and on dark paper.
    figure.add_shape(
        type="rect", x0=x - edge, x1=x + edge, y0=y - edge, y1=y + edge,
        fillcolor=color, opacity=0.08 + 0.47 * part, line={"width": 0}, layer="below",
    )  # fmt: skip
    shares = f"{share(part)} {of_what}" if total else "there is none"
    size = "<span style='font-size:{}px'>"
    text = f"{size.format(28)}<b>{counted:,}</b></span><br>{name}<br>{size.format(14)}{shares}</span>"
    figure.add_annotation(x=x, y=y, text=text, showarrow=False, font={"size": 17, "color": INK}, align="center")
