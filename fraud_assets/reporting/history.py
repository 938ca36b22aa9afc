"""A metric over the days: one line for each model, the day's winner marked.

What does not live here: reading the history from the database.
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fraud_assets.reporting.scores import require_columns
from fraud_assets.reporting.style import (
    PAPER,
    metric_style,
    model_style,
    neutral_key,
    nothing_to_draw,
    number,
    styled_figure,
)

WINNER = "The day's winner"


def metric_history(history: pd.DataFrame, metric: str = "average_precision", days: int = 90) -> go.Figure:
    """One line for each model over the last `days` days of the history, broken where a day is missing.

    `history`: columns `day` (date, timestamp or ISO string), `model` (str), the metric (float, NaN is a gap) and
    optionally `is_winner` (bool); without it each day's best value is taken for the winner. The days end with the
    newest in the history. Of two rows for one day and model the later counts. The axis starts at zero, and shares
    never show more than 1. The legend gives the value of the newest day. Raises `ValueError` when a column is missing
    or a day is no date.
    """
    kind = metric_style(metric)
    title = f"{kind.name} over time"
    require_columns(history, ("day", "model", metric), "the history")
    rows = _window(history, metric, days)
    if not rows["value"].notna().any():
        return nothing_to_draw(title, f"No day has a value of {kind.name.lower()} yet.")
    table = rows.pivot_table(index="day", columns="model", values="value", aggfunc="last", dropna=False, observed=True)
    table = table.reindex(pd.date_range(table.index.min(), table.index.max(), freq="D"))
    figure = styled_figure(title, _subtitle(table))
    for model in _latest_best_first(table, kind.is_better_higher):
        figure.add_trace(_line(model, table[model]))
    alone = _alone(table)
    if len(alone):
        figure.add_trace(_marks(alone, "One day alone", 9))
    winners = _winners(rows, kind.is_better_higher)
    if len(winners):
        figure.add_trace(_marks(winners, WINNER, 13 if len(table) <= 31 else 7))
        figure.add_trace(neutral_key(WINNER))
    figure.update_layout(legend_title_text=f"On {_written(table.index[-1])}")
    _set_axes(figure, table, kind.name, is_share=kind.is_share)
    return figure


def _window(history: pd.DataFrame, metric: str, days: int) -> pd.DataFrame:
    day = pd.to_datetime(history["day"].astype("string"), format="ISO8601", errors="coerce", utc=True)
    if day.isna().any():
        raise ValueError(f"the history's day {history['day'][day.isna()].iloc[0]!r} is no date; write it YYYY-MM-DD.")
    value = pd.to_numeric(history[metric]).to_numpy(dtype=float, na_value=np.nan)
    rows = pd.DataFrame(
        {
            "day": day.dt.tz_localize(None).dt.normalize().to_numpy(),
            "model": history["model"].astype("string").to_numpy(),
            "value": np.where(np.isfinite(value), value, np.nan),
        }
    )
    if "is_winner" in history.columns:
        rows["is_winner"] = history["is_winner"].astype("boolean").fillna(False).to_numpy(dtype=bool)
    rows = rows.dropna(subset="model").drop_duplicates(["day", "model"], keep="last")
    is_recent = rows["day"] > rows["day"].max() - pd.Timedelta(days=days)
    recent: pd.DataFrame = rows.loc[is_recent.to_numpy()]
    return recent


def _winners(rows: pd.DataFrame, is_better_higher: bool) -> pd.DataFrame:
    known = rows.dropna(subset="value").sort_values(["day", "model"])
    if "is_winner" in known.columns:
        return known[known["is_winner"]]
    by_day = known.groupby("day")["value"]
    return known.loc[by_day.idxmax() if is_better_higher else by_day.idxmin()]


def _latest_best_first(table: pd.DataFrame, is_better_higher: bool) -> list[str]:
    latest = table.iloc[-1].sort_index()
    return list(latest.sort_values(ascending=not is_better_higher, na_position="last", kind="stable").index)


def _line(model: str, values: pd.Series) -> go.Scatter:
    style = model_style(model)
    value = values.to_numpy()
    return go.Scatter(
        name=f"{style.name}  {number(float(value[-1]))}",
        x=[f"{day:%Y-%m-%d}" for day in values.index],
        y=np.round(value, 6),
        mode="lines",
        line={"color": style.color, "dash": style.dash, "width": 2.5},
        connectgaps=False,
        hovertemplate="%{x|%-d %b %Y}: %{y:.3f}<extra>%{fullData.name}</extra>",
    )


def _alone(table: pd.DataFrame) -> pd.DataFrame:
    """Values with a gap on both sides: a line needs two neighbours, so it would not show them."""
    known = table.notna()
    alone = known & ~known.shift(1, fill_value=False) & ~known.shift(-1, fill_value=False)
    points = table.where(alone).rename_axis(index="day", columns="model").reset_index()
    return points.melt(id_vars="day", var_name="model", value_name="value").dropna(subset="value")


def _marks(points: pd.DataFrame, name: str, size: int) -> go.Scatter:
    return go.Scatter(
        name=name,
        x=[f"{day:%Y-%m-%d}" for day in points["day"]],
        y=np.round(points["value"].to_numpy(), 6),
        mode="markers",
        marker={
            "color": [model_style(model).color for model in points["model"]],
            "size": size,
            "line": {"color": PAPER, "width": 1.5},
        },
        text=[model_style(model).name for model in points["model"]],
        hovertemplate="%{x|%-d %b %Y}: %{text}, %{y:.3f}<extra>%{fullData.name}</extra>",
        cliponaxis=False,
        showlegend=False,
    )


def _set_axes(figure: go.Figure, table: pd.DataFrame, name: str, *, is_share: bool) -> None:
    first, last = table.index[0], table.index[-1]
    around = pd.Timedelta(hours=12) if len(table) < 15 else pd.Timedelta(hours=12) * (len(table) / 30)
    figure.update_xaxes(range=[f"{first - around:%Y-%m-%d %H:%M}", f"{last + around:%Y-%m-%d %H:%M}"], showgrid=False)
    figure.update_xaxes(tickformat="%-d %b\n%Y")
    if len(table) < 10:
        # Left alone, Plotly counts hours on so short an axis.
        figure.update_xaxes(tickvals=[f"{day:%Y-%m-%d}" for day in table.index])
    highest = float(np.nanmax(table.to_numpy()))
    lowest = min(0.0, float(np.nanmin(table.to_numpy())))
    top = min(1.02, highest * 1.15) if is_share else highest * 1.15
    figure.update_yaxes(title_text=name, range=[lowest * 1.15, top or 1.0])


def _subtitle(table: pd.DataFrame) -> str:
    known = int(table.notna().any(axis=1).sum())
    if len(table) == 1:
        return f"One day so far, {_written(table.index[0])}"
    text = f"{_written(table.index[0])} to {_written(table.index[-1])}, {known:,} days"
    return text if known == len(table) else f"{text}, {len(table) - known:,} missing"


def _written(day: pd.Timestamp) -> str:
    return f"{day.day} {day:%b %Y}"
