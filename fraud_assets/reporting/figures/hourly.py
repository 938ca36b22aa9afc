"""A day by its hours: how many transactions there were, and over which amount."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fraud_assets.reporting.style import GENUINE, TEMPLATE, count, heading, nothing_to_draw

HOURS = 24


def volume_by_hour(hours: pd.DataFrame) -> go.Figure:
    """Two rows of bars: transactions, and the sum of their amounts, for each hour of the local day.

    `hours`: columns hour (0 to 23; one that is not there had no transaction), transactions and amount (in the unit of
    the amounts, refunds negative). With daylight saving an hour may be two, or none.
    """
    title = "Transactions and amounts by hour"
    by_hour = hours.set_index("hour").reindex(range(HOURS), fill_value=0) if len(hours) else hours
    if not len(hours) or not by_hour["transactions"].sum():
        return nothing_to_draw(title, "There was no transaction on this day.")
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.08)
    transactions, amounts = by_hour["transactions"].to_numpy(np.int64), by_hour["amount"].to_numpy(np.float64)
    clock = [f"{hour:02}:00" for hour in range(HOURS)]
    for row, (name, values) in enumerate({"Transactions": transactions, "Amount": amounts.round(2)}.items(), start=1):
        bar = go.Bar(
            x=clock, y=values, name=name, marker={"color": GENUINE}, hovertemplate="%{x}: %{y:,}<extra></extra>"
        )
        figure.add_trace(bar, row=row, col=1)
        figure.update_yaxes(title_text=name, row=row, col=1)
    subtitle = f"{count(int(transactions.sum()), 'transaction')}, {amounts.sum():,.2f} in all"
    figure.update_layout(template=TEMPLATE, title_text=heading(title, subtitle), showlegend=False, bargap=0.15)
    return figure.update_xaxes(type="category", tickvals=clock[::3])
