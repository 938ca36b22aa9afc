"""How much there is, and how much of it is fraud: transactions, fraud rate and amount at stake, day by day.

What does not live here: counting.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fraud_assets.reporting.figures.days import MANY_DAYS, each_day, set_day_axis, span, texts, with_days
from fraud_assets.reporting.figures.frames import Floats, numbers, require_columns
from fraud_assets.reporting.style import FRAUD, MUTED_INK, NEUTRAL, TEMPLATE, heading, nothing_to_draw, say

# Three panels one below the other, said at once: Plotly's own way there takes longer than all the rest of the figure.
_PANELS = ("Transactions", "Fraud rate, by the day of the transactions", "Amount at stake")

_DOMAINS = ((11 / 15, 1.0), (11 / 30, 19 / 30), (0.0, 4 / 15))
_LAYOUT: Mapping[str, Any] = {
    "annotations": [
        {"text": name, "font": {"size": 13, "color": MUTED_INK}, "x": 0, "xanchor": "left", "xref": "paper",
         "y": top, "yanchor": "bottom", "yref": "paper", "yshift": 2, "showarrow": False}
        for name, (_, top) in zip(_PANELS, _DOMAINS, strict=True)
    ],
    "xaxis": {"anchor": "y", "domain": [0, 1], "matches": "x3", "showticklabels": False},
    "xaxis2": {"anchor": "y2", "domain": [0, 1], "matches": "x3", "showticklabels": False},
    "xaxis3": {"anchor": "y3", "domain": [0, 1]},
    "yaxis": {"anchor": "x", "domain": _DOMAINS[0], "rangemode": "tozero", "nticks": 5},
    "yaxis2": {"anchor": "x2", "domain": _DOMAINS[1], "rangemode": "tozero", "nticks": 5, "tickformat": ".2~%"},
    "yaxis3": {"anchor": "x3", "domain": _DOMAINS[2], "rangemode": "tozero", "nticks": 5, "tickformat": ",~s"},
    "margin": {"t": 112, "b": 48},
    "barmode": "group",
    "bargap": 0.25,
    "height": 620,
    "legend": {"y": 0.02, "yanchor": "bottom"},
}  # fmt: skip


def volume(summary: pd.DataFrame, days: int | None = None) -> go.Figure:
    """Transactions, fraud rate and amount at stake a day, in three panels that share the days.

    `summary`: rows of `daily_summary`, the last `days` of them (all by default). Labels come late, so the fraud rate
    and the amount of known fraud end `label_delay_days` before the newest day. The amount that was alerted stands
    beside the amount of known fraud, both in the unit of the amounts.
    """
    title = "Volume, fraud rate and amount at stake"
    require_columns(summary, ("day", "transactions"), "the daily summary")
    rows = with_days(summary, "day", "summary", days)
    if rows.empty:
        return nothing_to_draw(title, "No day has been summarised yet.")
    labelled = _labelled(rows)
    days_seen = sorted({*rows["day"], *labelled["labelled_day"]})
    all_days = each_day(days_seen[0], days_seen[-1])
    told = {"template": TEMPLATE, "title": {"text": heading(title, _subtitle(rows))}}
    figure = go.Figure(layout={**_LAYOUT, **told})
    known, counted = _values(rows, "day", "transactions", all_days)
    _draw(figure, 1, "Transactions", known, counted, all_days, NEUTRAL, "%{y:,} transactions", showlegend=False)
    known, rate = _values(labelled, "labelled_day", "fraud_rate", all_days)
    _draw(figure, 2, "Fraud rate", known, rate, all_days, FRAUD, "%{y:.3%} fraud", showlegend=False)
    known, stolen = _values(labelled, "labelled_day", "fraud_amount", all_days)
    _draw(figure, 3, "Known fraud", known, stolen, all_days, FRAUD, "%{y:,.0f} of known fraud")
    known, alerted = _values(rows, "day", "alerted_amount", all_days)
    _draw(figure, 3, "Alerted", known, alerted, all_days, NEUTRAL, "%{y:,.0f} alerted")
    if not np.isfinite(rate).any():
        say(figure, "No label is known yet.")
    set_day_axis(figure, all_days)
    return figure


def _subtitle(rows: pd.DataFrame) -> str:
    return span(each_day(rows["day"].iloc[0], rows["day"].iloc[-1]), rows["day"].nunique())


def _labelled(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows whose labelled day is known; a label of a day is told by one row only, the last."""
    if "labelled_day" not in rows.columns:
        return pd.DataFrame({"labelled_day": []})
    known = rows[np.isfinite(numbers(rows, "fraud_rate")) & rows["labelled_day"].notna().to_numpy()]
    return with_days(known, "labelled_day", "summary").drop_duplicates("labelled_day", keep="last")


def _values(rows: pd.DataFrame, day: str, column: str, days: list[str]) -> tuple[bool, Floats]:
    place = {one: i for i, one in enumerate(days)}
    values = np.full(len(days), np.nan)
    values[[place[one] for one in rows[day]]] = numbers(rows, column)
    return bool(np.isfinite(values).any()), values


def _draw(
    figure: go.Figure, row: int, name: str, is_known: bool, values: Floats, days: list[str], color: str, hover: str,
    **trace: Any,
) -> None:  # fmt: skip
    """Bars of a few days, lines of many: bars start at zero and lines do not pretend to more than they have."""
    if not is_known:
        return
    hover = f"%{{x|%-d %b %Y}}: {hover}<extra></extra>"
    trace |= {"xaxis": f"x{row}", "yaxis": f"y{row}"}
    shape: go.Bar | go.Scatter
    if len(days) <= MANY_DAYS and row != 2:
        shape = go.Bar(name=name, x=texts(days), y=values, marker={"color": color}, hovertemplate=hover, **trace)
    else:
        mode = "lines" if len(days) > MANY_DAYS else "lines+markers"
        line = {"color": color, "width": 1.5 if len(days) > MANY_DAYS else 2}
        shape = go.Scatter(name=name, x=texts(days), y=values, mode=mode, line=line, hovertemplate=hover, **trace)
    figure.add_trace(shape)
