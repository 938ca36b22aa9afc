"""A metric over the days: one line for each candidate, the recipe in use with its interval, its changes marked.

What does not live here: reading the history from the database, and deciding which recipe is in use.
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fraud_assets.reporting.figures.days import (
    MANY_DAYS,
    band,
    change_lines,
    each_day,
    set_day_axis,
    span,
    texts,
    with_days,
    written_day,
)
from fraud_assets.reporting.figures.frames import Floats, flags, names, numbers, require_columns
from fraud_assets.reporting.style import (
    INK,
    metric_style,
    model_style,
    nothing_to_draw,
    plain,
    styled_figure,
    written,
)

IN_USE = "In use"
INTERVAL = "In use, 95 % interval"
CHANGE = "New champion"
ALONE = "One day alone"
CHAMPION = "champion"


def metric_history(
    evaluation: pd.DataFrame,
    summary: pd.DataFrame | None = None,
    metric: str = "average_precision",
    days: int | None = None,
) -> go.Figure:
    """One line for each candidate over the last `days` days of the history (all by default), broken at missing days.

    `evaluation`: rows of `evaluation_table`: day, candidate, the metric and perhaps its bounds `<metric>_low` and
    `_high`. `summary`: rows of `daily_summary`: day, scored_as (the row of the evaluation that the recipe in use was
    scored as), for a champion that was no candidate score, score_low and score_high (average precision), is_promotion
    and decision (what is said of a change). Of two rows for one day and candidate the later counts. The axis starts at
    zero, and shares never show more than 1. The legend has the values of the newest day, best first. Raises
    `ValueError` when a column is missing or a day is no date.
    """
    kind = metric_style(metric)
    title = f"{kind.name} over time"
    require_columns(evaluation, ("day", "candidate", metric), "the evaluation")
    rows = with_days(evaluation, "day", "evaluation", days)
    if not np.isfinite(numbers(rows, metric)).any():
        return nothing_to_draw(title, f"No day has a value of {kind.name.lower()} yet.")
    all_days = each_day(rows["day"].iloc[0], rows["day"].iloc[-1])
    values = {name: _placed(rows, name, metric, all_days) for name in sorted(set(names(rows, "candidate")) - {""})}
    used = _used(rows, with_days(_or_empty(summary), "day", "summary"), metric, all_days, values)
    known = int(np.isfinite(np.vstack(list(values.values()))).any(axis=0).sum())
    figure = styled_figure(title, span(all_days, known))
    highest = float(np.nanmax(np.vstack([*values.values(), used.high, used.value])))
    top = (min(1.02, highest * 1.15) if kind.is_share else highest * 1.15) or 1.0
    figure.add_traces(used.traces(all_days))
    for name in _latest_best_first(values, kind.is_better_higher):
        figure.add_trace(_line(name, values[name], all_days, metric))
    figure.add_traces(_alone(values, all_days))
    if used.changes:
        on, said = zip(*used.changes, strict=True)
        figure.add_trace(change_lines(list(on), CHANGE, list(said), top, is_long=len(all_days) > MANY_DAYS))
    figure.update_layout(legend_title_text=f"On {written_day(all_days[-1])}")
    set_day_axis(figure, all_days)
    lowest = min(0.0, float(np.nanmin(np.vstack([*values.values(), used.low]))))
    figure.update_yaxes(title_text=kind.name, range=[lowest * 1.15, max(top, 0.0) or 1.0])
    if kind.is_amount:
        figure.update_yaxes(title_text=f"{kind.name}, unit of the amounts", tickformat=",.0f")
    return figure


class _Used:
    """What was in use on each day: value, bounds, and when that changed."""

    def __init__(self, value: Floats, low: Floats, high: Floats, changes: list[tuple[str, str]]) -> None:
        self.value, self.low, self.high, self.changes = value, low, high, changes

    def traces(self, days: list[str]) -> list[go.Scatter]:
        """The interval as a band, and a broad line under the candidates' own."""
        if not np.isfinite(self.value).any():
            return []
        wide = go.Scatter(
            name=IN_USE,
            x=texts(days),
            y=self.value.round(6),
            mode="lines" if len(days) > MANY_DAYS else "lines+markers",
            line={"color": INK, "width": 9},
            marker={"color": INK, "size": 15},
            opacity=0.22,
            hoverinfo="skip",
        )
        return [*band(days, self.low, self.high, INTERVAL), wide]


def _used(rows: pd.DataFrame, summary: pd.DataFrame, metric: str, days: list[str], values: dict[str, Floats]) -> _Used:
    place = {day: i for i, day in enumerate(days)}
    value, low, high = (np.full(len(days), np.nan) for _ in range(3))
    bounds = {name: tuple(_placed(rows, name, f"{metric}_{side}", days) for side in ("low", "high")) for name in values}
    own = [numbers(summary, column) for column in ("score", "score_low", "score_high")]
    changes: dict[str, str] = {}
    told = zip(names(summary, "day"), names(summary, "scored_as"), flags(summary, "is_promotion"), strict=True)
    said = names(summary, "decision")
    for row, (day, scored_as, is_change) in enumerate(told):
        i = place.get(day)
        if i is None:
            continue
        if scored_as in values:
            value[i], low[i], high[i] = values[scored_as][i], bounds[scored_as][0][i], bounds[scored_as][1][i]
        elif scored_as == CHAMPION and metric == "average_precision":
            value[i], low[i], high[i] = (column[row] for column in own)
        if is_change:
            changes[day] = plain(said[row] or model_style(scored_as).name, 160)
    return _Used(value, low, high, sorted(changes.items()))


def _or_empty(frame: pd.DataFrame | None) -> pd.DataFrame:
    return pd.DataFrame() if frame is None else frame


def _placed(rows: pd.DataFrame, candidate: str, column: str, days: list[str]) -> Floats:
    """The candidate's values by day, NaN where there is none."""
    place = {day: i for i, day in enumerate(days)}
    is_its = (rows["candidate"] == candidate).to_numpy()
    values = np.full(len(days), np.nan)
    values[[place[day] for day in rows["day"].to_numpy()[is_its]]] = numbers(rows, column)[is_its]
    return values


def _latest_best_first(values: dict[str, Floats], is_better_higher: bool) -> list[str]:
    sign = -1 if is_better_higher else 1
    last = {name: value[-1] for name, value in values.items()}
    return sorted(values, key=lambda name: (np.isnan(last[name]), sign * np.nan_to_num(last[name]), name))


def _line(candidate: str, values: Floats, days: list[str], metric: str) -> go.Scatter:
    style = model_style(candidate)
    form = ",.0f" if metric_style(metric).is_amount else ".3f"
    return go.Scatter(
        name=f"{style.name}  {written(metric, float(values[-1]))}",
        x=texts(days),
        y=values.round(6),
        mode="lines",
        line={"color": style.color, "dash": style.dash, "width": 2.5 if len(days) <= MANY_DAYS else 1.5},
        connectgaps=False,
        hovertemplate=f"%{{x|%-d %b %Y}}: %{{y:{form}}}<extra>%{{fullData.name}}</extra>",
    )


def _alone(values: dict[str, Floats], days: list[str]) -> list[go.Scatter]:
    """Values with a gap on both sides: a line needs two neighbours, so it would not show them."""
    found: list[tuple[str, float, str]] = []
    for name, value in values.items():
        known = np.pad(np.isfinite(value), 1)
        alone = np.flatnonzero(known[1:-1] & ~known[:-2] & ~known[2:])
        found += [(days[i], float(value[i]), name) for i in alone]
    if not found:
        return []
    marks = go.Scatter(
        name=ALONE,
        x=texts(day for day, _, _ in found),
        y=np.array([value for _, value, _ in found]).round(6),
        mode="markers",
        marker={"color": [model_style(name).color for _, _, name in found], "size": 8},
        text=texts(model_style(name).name for _, _, name in found),
        hovertemplate="%{x|%-d %b %Y}: %{text}, %{y:.3~f}<extra></extra>",
        cliponaxis=False,
        showlegend=False,
    )
    return [marks]
