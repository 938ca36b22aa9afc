"""One day's alerts: what was scored how high, and what is at stake.

What does not live here: which transactions are alerts.
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fraud_assets.reporting.figures.frames import flags, names, numbers, require_columns
from fraud_assets.reporting.style import NEUTRAL, PAPER, count, money, nothing_to_draw, number, plain, styled_figure

MOST_ALERTS = 2_000
COLUMNS = ("score", "amount")
_REASONS = ("reason_1", "reason_2", "reason_3")


def alerts_of_day(scored: pd.DataFrame) -> go.Figure:
    """A mark for each alert, its amount across and its score up; a look at it shows its reasons.

    `scored`: one day's rows of `scored_batch`, of which the alerts are drawn, at most `MOST_ALERTS`, the highest
    scores. Without a column is_alert all rows are taken for alerts. Amounts are logarithmic where all are above 0.
    """
    title = "The day's alerts"
    require_columns(scored, COLUMNS, "scored transactions")
    rows = scored[flags(scored, "is_alert")] if "is_alert" in scored.columns else scored
    rows = rows[np.isfinite(numbers(rows, "score")) & np.isfinite(numbers(rows, "amount"))]
    if rows.empty:
        return nothing_to_draw(title, "No transaction of the day is an alert.")
    rows = rows.iloc[np.argsort(-numbers(rows, "score"), kind="stable")]
    amount, score = numbers(rows, "amount"), numbers(rows, "score")
    subtitle = f"{count(len(rows), 'alert')} from score {number(float(score[-1]))}, {money(float(amount.sum()))} in all"
    left_out = max(len(rows) - MOST_ALERTS, 0)
    figure = styled_figure(title, subtitle + (f"; {left_out:,} with lower scores not shown" if left_out else ""))
    rows, amount, score = rows.iloc[:MOST_ALERTS], amount[:MOST_ALERTS], score[:MOST_ALERTS]
    figure.add_trace(
        go.Scatter(
            x=amount,
            y=score,
            mode="markers",
            marker={
                "color": NEUTRAL,
                "size": 9 if len(rows) <= 300 else 6,
                "opacity": 0.75,
                "line": {"color": PAPER, "width": 1},
            },
            customdata=_told(rows),
            hovertemplate="%{customdata}<extra></extra>",
            cliponaxis=False,
        )
    )
    figure.update_xaxes(title_text="Amount", tickformat=",~g")
    if amount.min() > 0:
        low, high = np.log10(amount.min()), np.log10(amount.max())
        room = max(0.05 * (high - low), 0.05)
        figure.update_xaxes(title_text="Amount (logarithmic)", type="log", minor={"showgrid": False})
        figure.update_xaxes(range=[low - room, high + room], dtick=1 if high - low > 1.2 else None)
    figure.update_yaxes(title_text="Score")
    if score.min() >= 0 and score.max() <= 1:
        figure.update_yaxes(range=[0, 1.02])
    return figure


def _told(rows: pd.DataFrame) -> list[str]:
    """What is said of each alert: its transaction, score and amount, and its reasons."""
    reasons = [names(rows, column) for column in _REASONS]
    told = []
    for i, (transaction, score, amount) in enumerate(
        zip(names(rows, "transaction_id"), numbers(rows, "score"), numbers(rows, "amount"), strict=True)
    ):
        lines = [
            f"Transaction {plain(transaction, 40)}",
            f"score {number(float(score))}, amount {money(float(amount))}",
        ]
        lines += [plain(column[i], 80) for column in reasons if column[i]]
        told.append("<br>".join(lines))
    return told
