"""Precision-recall and ROC curves of all candidates, from their scores.

What lives here: the two curves, and thinning them without changing their shape. What does not: which model is better.
"""

from collections.abc import Mapping
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from fraud_assets.reporting.scores import LabelledScores, by_model, summary
from fraud_assets.reporting.style import AXIS, PAPER, model_style, neutral_key, nothing_to_draw, number, styled_figure

MOST_POINTS = 200
"""Points of one curve. More change no pixel of a picture, and each costs bytes in every report."""

Floats = npt.NDArray[np.float64]


class FalsePositiveAxis(StrEnum):
    """How the false positive rate is laid out."""

    LOGARITHMIC = "logarithmic"
    LINEAR = "linear"


def precision_recall(scores: pd.DataFrame, thresholds: Mapping[str, float] | None = None) -> go.Figure:
    """Precision against recall, a line for each model, average precision in the legend, prevalence dashed.

    `scores`: columns `model` (str), `label` (0/1, nullable), `score` (float). `thresholds`: for each model to be
    marked, the score from which it alerts. Between two points the line is the step whose area is the average
    precision, sum of (R_n - R_{n-1}) P_n (scikit-learn's `average_precision_score`); it has at most `MOST_POINTS`
    points, all of them true operating points. Raises `ValueError` when a column is missing or a label is not 0/1/null.
    """
    title = "Precision and recall"
    models = list(by_model(scores))
    drawable = [one for one in models if one.frauds]
    if not drawable:
        return nothing_to_draw(title, _why_nothing(models))
    averages = {one.model: float(average_precision_score(one.is_fraud, one.score)) for one in drawable}
    figure = styled_figure(title, summary(drawable))
    for one in _best_first(drawable, averages):
        figure.add_trace(_precision_recall_line(one, averages[one.model]))
    prevalence = drawable[0].frauds / drawable[0].score.size
    figure.add_trace(_chance_line(f"Chance  {number(prevalence)}", [0, 1], [prevalence, prevalence]))
    marks = [(one, *_precision_recall_at(one, t)) for one, t in _with_thresholds(drawable, thresholds)]
    _mark_thresholds(figure, marks)
    figure.update_layout(legend_title_text="Average precision")
    figure.update_xaxes(title_text="Recall: share of the fraud that is caught", tickformat=".0%", range=[0, 1.005])
    figure.update_yaxes(title_text="Precision: share of the alerts that are fraud", tickformat=".0%", range=[0, 1.02])
    return figure


def roc(
    scores: pd.DataFrame,
    thresholds: Mapping[str, float] | None = None,
    axis: FalsePositiveAxis = FalsePositiveAxis.LOGARITHMIC,
) -> go.Figure:
    """True against false positive rate, a line for each model, ROC AUC in the legend, chance dashed.

    `scores` and `thresholds` as in `precision_recall`. The false positive rate is logarithmic unless asked otherwise:
    fraud is so rare that a team which can look at one transaction in a hundred lives left of 1 %, a sliver of a linear
    axis. The left edge is one false alarm, or 1 in 100,000 genuine transactions; what is caught with none is drawn
    there. On this axis chance, the diagonal of a linear plot, is a bow. Curves are linear between operating
    points (Fawcett 2006, "An introduction to ROC analysis"), read off at the same `MOST_POINTS` rates for all models.
    """
    title = "ROC: fraud caught against false alarms"
    models = list(by_model(scores))
    drawable = [one for one in models if one.has_both_classes]
    if not drawable:
        return nothing_to_draw(title, _why_nothing(models))
    areas = {one.model: float(roc_auc_score(one.is_fraud, one.score)) for one in drawable}
    lowest = _lowest_rate(drawable)
    rates = _rates(lowest)
    figure = styled_figure(title, summary(drawable))
    for one in _best_first(drawable, areas):
        figure.add_trace(_roc_line(one, rates, areas[one.model]))
    figure.add_trace(_chance_line(f"Chance  {number(0.5)}", rates, rates))
    marks = [(one, *_roc_at(one, t)) for one, t in _with_thresholds(drawable, thresholds)]
    _mark_thresholds(figure, [(one, max(x, rates[0]), y) for one, x, y in marks])
    figure.update_layout(legend_title_text="ROC AUC")
    figure.update_yaxes(title_text="Recall: share of the fraud that is caught", tickformat=".0%", range=[0, 1.02])
    figure.update_xaxes(title_text="False positive rate: share of the genuine that is flagged")
    if axis is FalsePositiveAxis.LINEAR:
        return figure.update_xaxes(tickformat=".0%", range=[0, 1.005])
    decades = range(round(np.log10(lowest)), 1)
    ticks = {"tickvals": [10.0**d for d in decades], "ticktext": [f"{10.0 ** (d + 2):g}%" for d in decades]}
    return figure.update_xaxes(type="log", range=[np.log10(lowest), 0.005], minor={"showgrid": False}, **ticks)


def thin_steps(heights: Floats, most: int) -> npt.NDArray[np.intp]:
    """Which at most `most` of a step function's points to keep, so that its largest error is as small as can be.

    `heights[i]` is the height from point i-1 to point i, so a dropped step takes the height of the next kept one. For
    a tolerance, walking from the right and keeping each point that differs by more keeps the fewest; the tolerance is
    found by bisection. The first and the last point always stay. Returns indices, ascending.
    """
    if len(heights) <= most:
        return np.arange(len(heights))
    values: list[float] = heights.tolist()
    low, high = 0.0, float(np.ptp(heights))
    kept = _kept_within(values, high)
    while high - low > 1e-4:
        middle = (low + high) / 2
        attempt = _kept_within(values, middle)
        if len(attempt) <= most:
            kept, high = attempt, middle
        else:
            low = middle
    return np.array(kept[::-1])


def _kept_within(values: list[float], tolerance: float) -> list[int]:
    last = len(values) - 1
    kept, height = [last], values[last]
    for i in range(last - 1, 0, -1):
        if abs(values[i] - height) > tolerance:
            kept.append(i)
            height = values[i]
    return [*kept, 0]


def _precision_recall_line(one: LabelledScores, average: float) -> go.Scatter:
    precision, recall, thresholds = precision_recall_curve(one.is_fraud, one.score)
    # From the highest threshold down, without scikit-learn's closing point (0, 1), which is no operating point; of
    # those with one recall the first is the best, and the only one that the average precision counts.
    precision, recall, thresholds = precision[-2::-1], recall[-2::-1], thresholds[::-1]
    first = np.flatnonzero(np.diff(recall, prepend=0.0) > 0)
    first = first[thin_steps(precision[first], MOST_POINTS - 1)]
    alerts = np.rint(recall[first] * one.frauds / precision[first])
    return _line(
        one,
        average,
        x=np.concatenate([[0.0], recall[first]]),
        y=np.concatenate([precision[first[:1]], precision[first]]),
        customdata=np.column_stack([np.r_[thresholds[first[0]], thresholds[first]], np.r_[alerts[0], alerts]]),
        line_shape="vh",
        hovertemplate="Recall %{x:.1%}, precision %{y:.1%}<br>%{customdata[1]:,} alerts from %{customdata[0]:.4g}",
    )


def _roc_line(one: LabelledScores, rates: Floats, area: float) -> go.Scatter:
    false_positive, true_positive, _ = roc_curve(one.is_fraud, one.score)
    caught = np.interp(rates, false_positive, true_positive)
    hover = "Recall %{y:.1%} at %{x:.3%} false alarms"
    return _line(one, area, x=rates, y=caught, hovertemplate=hover)


def _line(one: LabelledScores, value: float, hovertemplate: str, **trace: object) -> go.Scatter:
    style = model_style(one.model)
    return go.Scatter(
        name=f"{style.name}  {number(value)}",
        mode="lines",
        line={"color": style.color, "dash": style.dash, "width": 2.5},
        # A name in the template itself would be read for %{variables}.
        hovertemplate=hovertemplate + "<extra>%{fullData.name}</extra>",
        **trace,
    )


def _chance_line(name: str, x: object, y: object) -> go.Scatter:
    line = {"color": AXIS, "dash": "4px,4px", "width": 1.5}
    return go.Scatter(name=name, x=x, y=y, mode="lines", line=line, hoverinfo="skip")


def _with_thresholds(
    models: list[LabelledScores], thresholds: Mapping[str, float] | None
) -> list[tuple[LabelledScores, float]]:
    known = thresholds or {}
    return [(one, float(known[one.model])) for one in models if np.isfinite(known.get(one.model, np.nan))]


def _precision_recall_at(one: LabelledScores, threshold: float) -> tuple[float, float]:
    alerts = one.score >= threshold
    caught = int((alerts & one.is_fraud).sum())
    return caught / one.frauds, caught / int(alerts.sum()) if alerts.any() else np.nan


def _roc_at(one: LabelledScores, threshold: float) -> tuple[float, float]:
    alerts = one.score >= threshold
    return float(alerts[~one.is_fraud].mean()), float(alerts[one.is_fraud].mean())


def _mark_thresholds(figure: go.Figure, marks: list[tuple[LabelledScores, float, float]]) -> None:
    marks = [mark for mark in marks if np.isfinite(mark[1]) and np.isfinite(mark[2])]
    if not marks:
        return
    figure.add_trace(
        go.Scatter(
            name="At the threshold",
            x=[x for _, x, _ in marks],
            y=[y for _, _, y in marks],
            mode="markers",
            marker={
                "color": [model_style(one.model).color for one, _, _ in marks],
                "size": 12,
                "line": {"color": PAPER, "width": 2},
            },
            text=[model_style(one.model).name for one, _, _ in marks],
            hovertemplate="%{text}: %{x:.2%}, %{y:.1%}<extra>At the threshold</extra>",
            cliponaxis=False,
            showlegend=False,
        )
    )
    figure.add_trace(neutral_key("At the threshold"))


def _best_first(models: list[LabelledScores], values: Mapping[str, float]) -> list[LabelledScores]:
    return sorted(models, key=lambda one: (-values[one.model], one.model))


def _lowest_rate(models: list[LabelledScores]) -> float:
    """The decade in which one false alarm lies, at least 1 in 100,000 and at most 1 in 100."""
    most_genuine = max(one.genuine for one in models)
    return float(10.0 ** np.clip(np.floor(-np.log10(most_genuine)), -5, -2))


def _rates(lowest: float) -> Floats:
    """False positive rates at which all curves are read: dense on a logarithmic and on a linear axis alike."""
    linear = np.linspace(0, 1, MOST_POINTS // 4 + 1)[1:-1]
    logarithmic = np.geomspace(lowest, 1, MOST_POINTS - len(linear))
    return np.union1d(linear, logarithmic)


def _why_nothing(models: list[LabelledScores]) -> str:
    if not any(one.score.size for one in models):
        return "No transaction has both a score and a known label yet."
    if not any(one.frauds for one in models):
        return "None of the labelled transactions is fraud, so there is nothing to catch."
    return "All of the labelled transactions are fraud, so there can be no false alarm."
