"""One model's scores: how they spread over the two classes, and what a threshold makes of them.

What does not live here: choosing the threshold.
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fraud_assets.reporting.scores import LabelledScores, of_model, summary
from fraud_assets.reporting.style import (
    FRAUD,
    GENUINE,
    INK,
    PAPER,
    model_style,
    nothing_to_draw,
    number,
    share,
    styled_figure,
)

BINS = 50

RIGHT = (0, 114, 178)
WRONG = (193, 39, 45)


def score_distribution(scores: pd.DataFrame, model: str, threshold: float | None = None) -> go.Figure:
    """How many genuine and fraudulent transactions got which score, `BINS` bins, counts on a logarithmic axis.

    `scores`: columns `model`, `label` (0/1, nullable), `score`, of which the rows of `model` are drawn. Scores
    between 0 and 1 are binned over that whole range, others over their own. From `threshold` on the model alerts.
    """
    title = f"Scores of genuine and fraudulent transactions: {model_style(model).name}"
    one = of_model(scores, model)
    if not one.score.size:
        return nothing_to_draw(title, _no_scores(model))
    edges = _edges(one, threshold)
    figure = styled_figure(title, summary([one]))
    highest = 1
    for name, color, opacity, values in (
        ("Genuine", GENUINE, 0.55, one.score[~one.is_fraud]),
        ("Fraud", FRAUD, 0.8, one.score[one.is_fraud]),
    ):
        counts = np.histogram(values, edges)[0]
        highest = max(highest, int(counts.max()))
        figure.add_trace(_bars(f"{name}  {values.size:,}", color, opacity, counts, edges))
    figure.update_layout(barmode="overlay", bargap=0, legend_title_text="Transactions")
    figure.update_xaxes(title_text="Score", range=[edges[0], edges[-1]], showgrid=False)
    figure.update_yaxes(
        # From half a transaction, so that a single one is a bar and not a line on the axis.
        title_text="Transactions (logarithmic)", type="log", range=[np.log10(0.5), np.log10(highest * 1.6)],
        tickvals=[10.0**d for d in range(10)], ticktext=[f"{10**d:,}" for d in range(10)],
    )  # fmt: skip
    if threshold is not None and np.isfinite(threshold):
        _draw_threshold(figure, threshold, is_left=threshold < (edges[0] + edges[-1]) / 2)
    return figure


def confusion(scores: pd.DataFrame, model: str, threshold: float) -> go.Figure:
    """The four counts at `threshold`, a score from which on the model alerts, with each one's share of its class.

    `scores` as in `score_distribution`. Blue is right and red is wrong; the stronger, the larger the share of the row.
    """
    title = f"Decisions at the threshold: {model_style(model).name}"
    one = of_model(scores, model)
    if not one.score.size:
        return nothing_to_draw(title, _no_scores(model))
    if not np.isfinite(threshold):
        return nothing_to_draw(title, "No threshold has been chosen.")
    alerts = one.score >= threshold
    caught, false_alarms = int((alerts & one.is_fraud).sum()), int((alerts & ~one.is_fraud).sum())
    precision = caught / (caught + false_alarms) if caught + false_alarms else np.nan
    recall = caught / one.frauds if one.frauds else np.nan
    subtitle = (
        f"Alert from score {number(threshold)}: {caught + false_alarms:,} alerts in {one.score.size:,} transactions, "
        f"precision {share(precision)}, recall {share(recall)}"
    )
    figure = styled_figure(title, subtitle)
    cells = [
        (0, 1, "caught", caught, one.frauds, "of the fraud", RIGHT),
        (1, 1, "missed", one.frauds - caught, one.frauds, "of the fraud", WRONG),
        (0, 0, "false alarms", false_alarms, one.genuine, "of the genuine", WRONG),
        (1, 0, "let through", one.genuine - false_alarms, one.genuine, "of the genuine", RIGHT),
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


def _edges(one: LabelledScores, threshold: float | None) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    low, high = float(one.score.min()), float(one.score.max())
    if low >= 0 and high <= 1:
        return np.linspace(0, 1, BINS + 1)
    if threshold is not None and np.isfinite(threshold):
        low, high = min(low, threshold), max(high, threshold)
    return np.linspace(low, high if high > low else low + 1, BINS + 1)


def _bars(name: str, color: str, opacity: float, counts: object, edges: object) -> go.Bar:
    edges = np.asarray(edges)
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
        font={"color": INK, "size": 14}, bgcolor="rgba(255,255,255,0.85)", xshift=4 if is_left else -4,
    )  # fmt: skip


def _draw_cell(
    figure: go.Figure, x: int, y: int, name: str, counted: int, total: int, of_what: str, color: tuple[int, int, int]
) -> None:
    part = counted / total if total else 0.0
    strength = 0.1 + 0.9 * part
    shade = ",".join(str(round(255 + (channel - 255) * strength)) for channel in color)
    edge = 0.485
    figure.add_shape(
        type="rect", x0=x - edge, x1=x + edge, y0=y - edge, y1=y + edge,
        fillcolor=f"rgb({shade})", line={"width": 0}, layer="below",
    )  # fmt: skip
    # White is the more legible of the two only on nearly full colour (WCAG 2 contrast 4.5).
    ink = PAPER if strength > 0.88 else INK
    shares = f"{share(part)} {of_what}" if total else f"there is none {of_what}"
    size = "<span style='font-size:{}px'>"
    text = f"{size.format(34)}<b>{counted:,}</b></span><br>{name}<br>{size.format(14)}{shares}</span>"
    figure.add_annotation(x=x, y=y, text=text, showarrow=False, font={"size": 17, "color": ink}, align="center")


def _no_scores(model: str) -> str:
    return f"{model_style(model).name} has no transaction with both a score and a known label."
