"""What validation has promised, and what the issued scores turned out to be worth once labels were known.

What does not live here: measuring either, and judging whether a day is as promised.
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fraud_assets.reporting.figures.days import MANY_DAYS, band, each_day, set_day_axis, span, texts, with_days
from fraud_assets.reporting.figures.frames import Floats, flags, numbers, require_columns
from fraud_assets.reporting.style import (
    FRAUD,
    MUTED_INK,
    NEUTRAL,
    PAPER,
    count,
    metric_style,
    nothing_to_draw,
    styled_figure,
)

LIVE = "Live, by the day scored"
WEEK = "Live, mean of a week"
PROMISE = "Promised by validation"
MISS = "Below the promise"


def promise_and_live(live: pd.DataFrame, metric: str = "average_precision", days: int | None = None) -> go.Figure:
    """Live values by the day that was scored, over the band of what validation had promised; misses are marked.

    `live`: rows of `live_performance`, by `scored_date`, the last `days` of them (all by default): the metric,
    promised_<metric> with its bounds _low and _high (95 % for the mean of validation days; single days spread wider),
    is_<metric>_as_promised, and for average precision the mean of a week. A day that is not as promised and lies
    below the band is a miss.
    """
    kind = metric_style(metric)
    title = f"Promise and live: {kind.name.lower()}" if kind.name != "ROC AUC" else "Promise and live: ROC AUC"
    require_columns(live, ("scored_date", metric, f"promised_{metric}"), "live performance")
    rows = with_days(live, "scored_date", "live performance", days)
    rows = rows if rows.empty else rows.drop_duplicates("scored_date", keep="last")
    known = np.isfinite(numbers(rows, metric)) | np.isfinite(numbers(rows, f"promised_{metric}"))
    # Before the first day with scores there was nothing to judge: those days are not missing.
    rows = rows[np.maximum.accumulate(known)]
    value, promised = numbers(rows, metric), numbers(rows, f"promised_{metric}")
    if rows.empty:
        return nothing_to_draw(title, "No scored day has labels yet: they come when the label delay is over.")
    all_days = each_day(rows["scored_date"].iloc[0], rows["scored_date"].iloc[-1])
    place = {day: i for i, day in enumerate(all_days)}
    at = np.array([place[day] for day in rows["scored_date"]])
    low, high = (_spread(numbers(rows, f"promised_{metric}_{side}"), at, all_days) for side in ("low", "high"))
    missed = _spread_flags(rows, metric, at, all_days) & (_spread(value, at, all_days) < low)
    judged = int(np.isfinite(value).sum())
    figure = styled_figure(title, f"{span(all_days, judged)}; {count(int(missed.sum()), 'day')} below the promise")
    figure.add_traces(_promise(all_days, _spread(promised, at, all_days), low, high))
    week = numbers(rows, "week_average_precision") if metric == "average_precision" else np.full(len(rows), np.nan)
    figure.add_traces(_live(all_days, _spread(value, at, all_days), _spread(week, at, all_days), missed))
    set_day_axis(figure, all_days)
    seen = np.concatenate([value, promised, low, high, week])
    highest, lowest = float(np.nanmax(seen)), min(0.0, float(np.nanmin(seen)))
    top = min(1.02, highest * 1.15) if kind.is_share else highest * 1.15
    figure.update_yaxes(title_text=kind.name, range=[lowest * 1.15, max(top, 0.0) or 1.0])
    if kind.is_amount:
        figure.update_yaxes(title_text=f"{kind.name}, unit of the amounts", tickformat=",.0f")
    return figure


def _spread(values: Floats, at: np.ndarray, days: list[str]) -> Floats:
    """One value for each day, NaN where the frame has none."""
    spread = np.full(len(days), np.nan)
    spread[at] = values
    return spread


def _spread_flags(rows: pd.DataFrame, metric: str, at: np.ndarray, days: list[str]) -> np.ndarray:
    """Where a day is known not to be as promised."""
    column = f"is_{metric}_as_promised"
    known = rows[column].notna().to_numpy() if column in rows.columns else np.zeros(len(rows), dtype=np.bool_)
    spread = np.zeros(len(days), dtype=np.bool_)
    spread[at] = known & ~flags(rows, column)
    return spread


def _promise(days: list[str], promised: Floats, low: Floats, high: Floats) -> list[go.Scatter]:
    """The band between the bounds, where both are known, and the promise itself."""
    line = go.Scatter(
        name=PROMISE,
        x=texts(days),
        y=promised.round(6),
        mode="lines" if len(days) > MANY_DAYS else "lines+markers",
        marker={"size": 7, "symbol": "line-ew-open", "color": MUTED_INK},
        line={"color": MUTED_INK, "width": 2, "dash": "6px,4px"},
        hovertemplate="%{x|%-d %b %Y}: %{y:.3~f} promised<extra></extra>",
    )
    interval = band(days, low, high, "Its 95 % interval")
    return [*interval, *([line] if np.isfinite(promised).any() else [])]


def _live(days: list[str], value: Floats, week: Floats, missed: np.ndarray) -> list[go.Scatter]:
    is_long = len(days) > MANY_DAYS
    daily = go.Scatter(
        name=LIVE,
        x=texts(days),
        y=value.round(6),
        mode="lines" if is_long else "lines+markers",
        opacity=0.5 if is_long else 1,
        line={"color": NEUTRAL, "width": 1 if is_long else 1.5},
        marker={"color": NEUTRAL, "size": 7},
        hovertemplate="%{x|%-d %b %Y}: %{y:.3~f} live<extra></extra>",
    )
    weekly = go.Scatter(
        name=WEEK,
        x=texts(days),
        y=week.round(6),
        mode="lines",
        line={"color": NEUTRAL, "width": 2.5 if is_long else 4},
        opacity=1 if is_long else 0.55,
        hovertemplate="Week to %{x|%-d %b %Y}: %{y:.3~f}<extra></extra>",
    )
    at = np.flatnonzero(missed)
    marks = go.Scatter(
        name=MISS,
        x=texts(days[i] for i in at),
        y=value[at].round(6),
        mode="markers",
        marker={
            "color": FRAUD,
            "symbol": "x",
            "size": 5 if is_long else 10,
            "line": {"color": PAPER, "width": 0 if is_long else 1},
        },
        hovertemplate="%{x|%-d %b %Y}: %{y:.3~f}, below the promise<extra></extra>",
        cliponaxis=False,
    )
    shown = ((daily, np.isfinite(value).any()), (weekly, np.isfinite(week).any()), (marks, bool(len(at))))
    return [trace for trace, is_shown in shown if is_shown]
