"""Precision-recall and ROC curves of all candidates, from their operating points.

What does not live here: which points a curve has, and which model is better.
"""

from collections.abc import Mapping
from enum import StrEnum

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fraud_assets.reporting.figures.frames import Floats, known_values
from fraud_assets.reporting.figures.points import Points, by_candidate, own_thresholds, summary, why_nothing
from fraud_assets.reporting.style import AXIS, model_style, nothing_to_draw, number, styled_figure

_RATES = 160


class FalsePositiveAxis(StrEnum):
    """How the false positive rate is laid out."""

    LOGARITHMIC = "logarithmic"
    LINEAR = "linear"


def precision_recall(points: pd.DataFrame, evaluation: pd.DataFrame | None = None) -> go.Figure:
    """Precision against recall, a line for each candidate, average precision in the legend, prevalence dashed.

    `points`: one day's rows of `operating_points`; a candidate's own threshold is marked. Between two points the line
    is the step whose area is the average precision, sum of (R_n - R_{n-1}) P_n (scikit-learn's
    `average_precision_score`). The legend has the average precision of `evaluation` (that day's `evaluation_table`)
    where there is one, else the area of the steps, which differs in the third decimal where points were left out.
    """
    title = "Precision and recall"
    candidates = by_candidate(points)
    drawable = [one for one in candidates if one.frauds]
    if not drawable:
        return nothing_to_draw(title, why_nothing(candidates))
    steps = {one.candidate: _steps(one) for one in drawable}
    areas = {name: float((np.diff(x) * y[1:]).sum()) for name, (x, y, _) in steps.items()}
    values = areas | known_values(evaluation, "average_precision")
    figure = styled_figure(title, summary(drawable))
    figure.add_traces(
        [
            *(_precision_recall_line(one, steps[one.candidate], values) for one in _best_first(drawable, values)),
            _chance_line(drawable[0].frauds / drawable[0].rows),
            *own_thresholds([(one, one.recall[i], one.precision[i]) for one, i in _with_own(drawable)]),
        ]
    )
    figure.update_layout(legend_title_text="Average precision")
    figure.update_xaxes(title_text="Recall: share of the fraud that is caught", tickformat=".0%", range=[0, 1.005])
    figure.update_yaxes(title_text="Precision: share of the alerts that are fraud", tickformat=".0%", range=[0, 1.02])
    return figure


def roc(
    points: pd.DataFrame,
    evaluation: pd.DataFrame | None = None,
    axis: FalsePositiveAxis = FalsePositiveAxis.LOGARITHMIC,
) -> go.Figure:
    """True against false positive rate, a line for each candidate, ROC AUC in the legend, chance dashed.

    `points` and `evaluation` as in `precision_recall`. The false positive rate is logarithmic unless asked otherwise:
    fraud is so rare that a team which can look at one transaction in a hundred lives left of 1 %, a sliver of a linear
    axis. The left edge is one false alarm, or 1 in 100,000 genuine transactions; what is caught with none is drawn
    there. On this axis chance, the diagonal of a linear plot, is a bow. Curves are linear between operating
    points (Fawcett 2006, "An introduction to ROC analysis"), read off at the same rates for all candidates.
    """
    title = "ROC: fraud caught against false alarms"
    candidates = by_candidate(points)
    drawable = [one for one in candidates if one.has_both_classes]
    if not drawable:
        return nothing_to_draw(title, why_nothing(candidates))
    curves = {one.candidate: (np.append(0, one.false_positive_rate), np.append(0, one.recall)) for one in drawable}
    values = {name: float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum()) for name, (x, y) in curves.items()}
    values |= known_values(evaluation, "roc_auc")
    lowest = _lowest_rate(drawable)
    rates = _rates(lowest)
    figure = styled_figure(title, summary(drawable))
    for one in _best_first(drawable, values):
        caught = np.interp(rates, *curves[one.candidate])
        hover = "Recall %{y:.1%} at %{x:.3%} false alarms"
        figure.add_trace(_line(one, values[one.candidate], x=rates, y=caught.round(5), hovertemplate=hover))
    figure.add_trace(_dashed(f"Chance  {number(0.5)}", rates, rates))
    marks = [(one, max(one.false_positive_rate[i], rates[0]), one.recall[i]) for one, i in _with_own(drawable)]
    figure.add_traces(own_thresholds(marks))
    figure.update_layout(legend_title_text="ROC AUC")
    figure.update_yaxes(title_text="Recall: share of the fraud that is caught", tickformat=".0%", range=[0, 1.02])
    figure.update_xaxes(title_text="False positive rate: share of the genuine that is flagged")
    if axis is FalsePositiveAxis.LINEAR:
        return figure.update_xaxes(tickformat=".0%", range=[0, 1.005])
    decades = range(round(np.log10(lowest)), 1)
    ticks = {"tickvals": [10.0**d for d in decades], "ticktext": [f"{10.0 ** (d + 2):g}%" for d in decades]}
    return figure.update_xaxes(type="log", range=[np.log10(lowest), 0.005], minor={"showgrid": False}, **ticks)


def _steps(one: Points) -> tuple[Floats, Floats, Floats]:
    """Recall, precision, and which point each is: of the points with one recall the first, which has most precision."""
    first = np.flatnonzero(np.diff(one.caught, prepend=0.0) > 0)
    first = np.append(first[0], first)
    return np.append(0.0, one.recall[first[1:]]), one.precision[first], first.astype(np.float64)


def _precision_recall_line(
    one: Points, steps: tuple[Floats, Floats, Floats], values: Mapping[str, float]
) -> go.Scatter:
    recall, precision, first = steps
    at = first.astype(np.int64)
    return _line(
        one,
        values[one.candidate],
        x=recall.round(5),
        y=precision.round(5),
        customdata=np.column_stack([one.threshold[at], one.alerts_per_day[at]]),
        line_shape="vh",
        hovertemplate="Recall %{x:.1%}, precision %{y:.1%}<br>%{customdata[1]:,.1f} alerts a day"
        " from a score of %{customdata[0]:.4g}",
    )


def _line(one: Points, value: float, hovertemplate: str, **trace: object) -> go.Scatter:
    style = model_style(one.candidate)
    return go.Scatter(
        name=f"{style.name}  {number(value)}",
        mode="lines",
        line={"color": style.color, "dash": style.dash, "width": 2.5},
        # A name in the template itself would be read for %{variables}.
        hovertemplate=hovertemplate + "<extra>%{fullData.name}</extra>",
        **trace,
    )


def _chance_line(prevalence: float) -> go.Scatter:
    return _dashed(f"Chance  {number(prevalence)}", [0, 1], [prevalence, prevalence])


def _dashed(name: str, x: object, y: object) -> go.Scatter:
    line = {"color": AXIS, "dash": "4px,4px", "width": 1.5}
    return go.Scatter(name=name, x=x, y=y, mode="lines", line=line, hoverinfo="skip")


def _with_own(candidates: list[Points]) -> list[tuple[Points, int]]:
    return [(one, one.own) for one in candidates if one.own is not None]


def _best_first(candidates: list[Points], values: Mapping[str, float]) -> list[Points]:
    return sorted(candidates, key=lambda one: (-values[one.candidate], one.candidate))


def _lowest_rate(candidates: list[Points]) -> float:
    """The decade in which one false alarm lies, at least 1 in 100,000 and at most 1 in 100."""
    most_genuine = max(one.genuine for one in candidates)
    return float(10.0 ** np.clip(np.floor(-np.log10(most_genuine)), -5, -2))


def _rates(lowest: float) -> Floats:
    """False positive rates at which all curves are read: dense on a logarithmic and on a linear axis alike."""
    linear = np.linspace(0, 1, _RATES // 4 + 1)[1:-1]
    return np.union1d(linear, np.geomspace(lowest, 1, _RATES - len(linear)))
