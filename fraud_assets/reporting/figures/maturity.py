"""How long it takes until labels are known, beside the label delay that is set.

What does not live here: counting ages.
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fraud_assets.reporting.figures.frames import names, numbers, require_columns
from fraud_assets.reporting.style import (
    FRAUD,
    GENUINE,
    INK,
    LABEL_PAPER,
    count,
    nothing_to_draw,
    share,
    styled_figure,
)


def label_maturity(maturity: pd.DataFrame, label_delay_days: int | None = None) -> go.Figure:
    """The share of labels, and of known frauds, that were known by each age in days; the label delay is marked.

    `maturity`: rows of `label_maturity`; of several days (`partition_key`) the newest counts.
    """
    title = "How long labels take"
    require_columns(maturity, ("age_days", "labels_known", "frauds_known"), "label maturity")
    rows = maturity
    if "partition_key" in rows.columns and len(rows):
        newest = max(names(rows, "partition_key"))
        rows = rows[[key == newest for key in names(rows, "partition_key")]]
    age = numbers(rows, "age_days")
    rows = rows.iloc[np.argsort(age, kind="stable")]
    age = numbers(rows, "age_days")
    lines = [("Frauds", "frauds_known", FRAUD), ("All labels", "labels_known", GENUINE)]
    known = [line for line in lines if np.isfinite(numbers(rows, line[1])).any()]
    if not known:
        return nothing_to_draw(title, "No transaction is old enough for its labels to be counted yet.")
    figure = styled_figure(title, _subtitle(rows, label_delay_days))
    for name, column, color in known:
        figure.add_trace(
            go.Scatter(
                name=name,
                x=age,
                y=numbers(rows, column).round(5),
                mode="lines+markers" if len(age) == 1 else "lines",
                line={"color": color, "width": 2.5, "shape": "hv", "dash": "solid" if color == FRAUD else "6px,3px"},
                hovertemplate="%{y:.2%} known after %{x} days<extra>%{fullData.name}</extra>",
            )
        )
    figure.update_xaxes(title_text="Days since the transaction", range=[-0.3, max(float(np.nanmax(age)), 1.0) + 0.3])
    figure.update_yaxes(title_text="Share known by then", tickformat=".0%", range=[0, 1.02])
    if label_delay_days is not None:
        is_left = label_delay_days < np.nanmax(age) / 2
        figure.add_vline(x=label_delay_days, line={"color": INK, "width": 2, "dash": "dash"})
        figure.add_annotation(
            x=label_delay_days, y=0.06, yref="paper", xanchor="left" if is_left else "right", showarrow=False,
            text=f"Label delay: {count(label_delay_days, 'day')}", font={"color": INK, "size": 14},
            bgcolor=LABEL_PAPER, xshift=5 if is_left else -5,
        )  # fmt: skip
    return figure


def _subtitle(rows: pd.DataFrame, label_delay_days: int | None) -> str:
    counted, frauds = (np.nan_to_num(numbers(rows, name))[-1] for name in ("transactions", "frauds"))
    text = f"Of {count(int(counted), 'transaction')} and {count(int(frauds), 'fraud')}"
    reached = numbers(rows, "frauds_known")[numbers(rows, "age_days") == (label_delay_days or -1)]
    if not len(reached) or not np.isfinite(reached[0]):
        return text
    return f"{text}; after {count(label_delay_days or 0, 'day')}, {share(float(reached[0]))} of the frauds are known"
