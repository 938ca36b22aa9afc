"""Axes of days: reading days from frames, and writing them.

What does not live here: what is drawn over the days.
"""

from collections.abc import Iterable
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from fraud_assets.reporting.figures.frames import TEXT, Floats, require_columns
from fraud_assets.reporting.style import BAND, INK, MUTED_INK, count

MANY_DAYS = 62
"""From here on bars would be hairs and marks a band: lines are drawn instead."""


def with_days(frame: pd.DataFrame, column: str, what: str, days: int | None = None) -> pd.DataFrame:
    """The rows that have a day in `column`, which becomes YYYY-MM-DD text, in its order; the last `days` of them.

    A day may be text, a date or a timestamp. Raises `ValueError` when the column is missing or a day is no date.
    """
    require_columns(frame, (column,), what)
    if frame.empty:
        return frame
    rows = frame[frame[column].notna()]
    # A day has many rows: each is read once.
    place, found = pd.factorize(rows[column])
    text = pd.Index(found).astype("string").str.slice(0, 10)
    is_wrong = pd.to_datetime(text, format="%Y-%m-%d", errors="coerce").isna()
    if is_wrong.any():
        raise ValueError(f"the {what}'s day {found[is_wrong][0]!r} is no date; write it YYYY-MM-DD.")
    day = text.to_numpy(dtype=np.object_)[place]
    rank = pd.Index(sorted(set(text))).get_indexer(text)[place]
    rows = rows.assign(**{column: pd.array(day, dtype=TEXT)}).iloc[np.argsort(rank, kind="stable")]
    if days is None or rows.empty:
        return rows
    first = (date.fromisoformat(rows[column].iloc[-1]) - timedelta(days=days - 1)).isoformat()
    recent: pd.DataFrame = rows[(rows[column] >= first).to_numpy()]
    return recent


def each_day(first: str, last: str) -> list[str]:
    """All days from the first to the last, so that a missing one leaves a gap."""
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    return [(start + timedelta(days=number)).isoformat() for number in range((end - start).days + 1)]


def texts(values: Iterable[str | None]) -> npt.NDArray[np.object_]:
    """Days or names as a trace takes them fastest: of a list Plotly looks at each element by itself."""
    return np.array([*values], dtype=np.object_)


def set_day_axis(figure: go.Figure, days: list[str], **where: int) -> None:
    """The axis of consecutive days: room at both ends, and a tick for each of a few."""
    around = timedelta(hours=15) * max(1.0, len(days) / 36)
    first, last = (pd.Timestamp(day).to_pydatetime() for day in (days[0], days[-1]))
    edges = [f"{first - around:%Y-%m-%d %H:%M}", f"{last + around:%Y-%m-%d %H:%M}"]
    figure.update_xaxes(type="date", range=edges, showgrid=False, tickformat="%-d %b\n%Y", **where)
    if len(days) < 10:
        # Left alone, Plotly counts hours on so short an axis.
        figure.update_xaxes(tickvals=list(days), **where)


def span(days: list[str], known: int) -> str:
    """Which days the figure is about, and how many of them are missing."""
    if len(days) == 1:
        return f"One day so far, {written_day(days[0])}"
    text = f"{written_day(days[0])} to {written_day(days[-1])}, {count(known, 'day')}"
    return text if known == len(days) else f"{text}, {len(days) - known:,} missing"


def written_day(day: str) -> str:
    """`1 Jul 2018`."""
    when = date.fromisoformat(day)
    return f"{when.day} {when:%b %Y}"


def change_lines(days: list[str], name: str, said: list[str], top: float, *, is_long: bool) -> go.Scatter:
    """A dotted line from 0 to `top` on each of the days, as one trace: a figure has room for few shapes."""
    x: list[str | None] = [value for day in days for value in (day, day, None)]
    y = [value for _ in days for value in (0.0, top, np.nan)]
    return go.Scatter(
        name=name,
        x=texts(x),
        y=np.array(y, dtype=np.float64),
        mode="lines",
        line={"color": MUTED_INK if is_long else INK, "width": 1 if is_long else 1.5, "dash": "2px,3px"},
        text=texts(text for one in said for text in (one, one, "")),
        hovertemplate="%{x|%-d %b %Y}: %{text}<extra></extra>",
    )


def band(days: list[str], low: Floats, high: Floats, name: str) -> list[go.Scatter]:
    """An interval by day as one trace, nothing where none is known.

    A few days have a step each, of a day's width, so that a day alone is seen as well. Each unbroken run of days has an
    outline of its own: a fill between two lines would cross the gaps.
    """
    known = np.isfinite(low) & np.isfinite(high)
    if not known.any():
        return []
    x: list[str | None] = []
    y: list[float] = []
    for run in np.split(np.arange(len(days)), np.flatnonzero(np.diff(known)) + 1):
        if not known[run[0]]:
            continue
        if len(days) <= MANY_DAYS:
            there = [time for i in run for time in _edges_of(days[i])]
            upper, lower = high[run].round(6).repeat(2), low[run].round(6).repeat(2)
        else:
            there, upper, lower = [days[i] for i in run], high[run].round(6), low[run].round(6)
        x += [*there, *there[::-1], None]
        y += [*upper.tolist(), *lower[::-1].tolist(), np.nan]
    line = {"width": 0 if len(days) <= MANY_DAYS else 1, "color": BAND}
    return [
        go.Scatter(
            name=name, x=texts(x), y=np.array(y, dtype=np.float64), mode="lines", line=line, fill="toself",
            fillcolor=BAND, hoverinfo="skip", connectgaps=False,
        )
    ]  # fmt: skip


def _edges_of(day: str) -> tuple[str, str]:
    noon = timedelta(hours=12)
    at = pd.Timestamp(day).to_pydatetime()
    return f"{at - noon:%Y-%m-%d %H:%M}", f"{at + noon:%Y-%m-%d %H:%M}"
