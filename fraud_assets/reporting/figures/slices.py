"""How one candidate does on parts of the validation rows: days, amount bands, segments.

What does not live here: which parts there are, and measuring on them.
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fraud_assets.reporting.figures.frames import names, numbers, require_columns, rows_of
from fraud_assets.reporting.figures.panels import BarRow, Panel, bar_panels
from fraud_assets.reporting.style import MUTED_INK, count, model_style, nothing_to_draw, plain

MOST_SLICES = 30
METRICS = ("average_precision", "recall", "saving_per_day")
COLUMNS = ("candidate", "slice_kind", "slice", "rows", "frauds")
_KINDS = {"day": "day", "amount_band": "amount"}


def by_slice(slices: pd.DataFrame, slice_kind: str, candidate: str, metrics: tuple[str, ...] = METRICS) -> go.Figure:
    """A row for each slice of a kind and a panel for each metric, with how many transactions and frauds it has.

    `slices`: one day's rows of `evaluation_slices`. `slice_kind`: "day", "amount_band", or a segment's column. Slices
    come in the order of the frame, the first at the top; at most `MOST_SLICES`, those with most transactions.
    """
    kind = plain(_KINDS.get(slice_kind, slice_kind.replace("_", " ")), 40)
    style = model_style(candidate)
    title = f"{style.name} by {kind}"
    require_columns(slices, COLUMNS, "slices")
    rows = rows_of(slices, candidate)
    rows = rows[[name == slice_kind for name in names(rows, "slice_kind")]]
    known = [metric for metric in metrics if np.isfinite(numbers(rows, metric)).any()]
    if rows.empty:
        return nothing_to_draw(title, f"No labelled transaction has been measured by {kind}.")
    kept = np.sort(np.argsort(-numbers(rows, "rows"), kind="stable")[:MOST_SLICES])
    left_out = len(rows) - len(kept)
    rows = rows.iloc[kept[::-1]]
    sizes = [
        f"{plain(name, 28) or '(no name)'}  <span style='color:{MUTED_INK}'>{_of(frauds, size)}</span>"
        for name, frauds, size in zip(names(rows, "slice"), numbers(rows, "frauds"), numbers(rows, "rows"), strict=True)
    ]
    subtitle = "In grey: frauds of transactions" + (
        f"; {count(left_out, 'smaller part')} not shown" if left_out else ""
    )
    if not known:
        return nothing_to_draw(title, "None of the parts has a known fraud, so nothing can be measured on them.")
    figure = bar_panels(
        title,
        subtitle,
        [BarRow(label, style.color) for label in sizes],
        [Panel(metric, numbers(rows, metric)) for metric in known],
        marks_best=False,
    )
    return figure.update_layout(height=max(360, 170 + 26 * len(rows)))


def _of(frauds: float, rows: float) -> str:
    return f"{np.nan_to_num(frauds):,.0f} of {np.nan_to_num(rows):,.0f}"
