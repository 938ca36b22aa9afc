"""Which features the day's recipe leans on.

What does not live here: measuring it.
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fraud_assets.reporting.figures.frames import names, numbers, require_columns
from fraud_assets.reporting.style import MUTED_INK, count, model_style, nothing_to_draw, number, plain, styled_figure

MOST_FEATURES = 15
COLUMNS = ("feature", "importance", "standard_deviation")


def feature_importance(importance: pd.DataFrame, most: int = MOST_FEATURES) -> go.Figure:
    """The `most` features whose shuffling costs most average precision, with the standard deviation over shuffles.

    `importance`: one day's rows of `feature_importance`; the bars have the colour of its recipe's family.
    """
    title = "What the model leans on"
    require_columns(importance, COLUMNS, "feature importance")
    value = numbers(importance, "importance")
    known = np.flatnonzero(np.isfinite(value))
    if not len(known):
        return nothing_to_draw(title, "No importance has been measured: there is no known fraud to lose, or no model.")
    shown = known[np.argsort(-value[known], kind="stable")][:most][::-1]
    labels = [plain(names(importance, "feature")[i].replace("_", " "), 40) for i in shown]
    spread = np.nan_to_num(numbers(importance, "standard_deviation")[shown])
    families = [name for name in names(importance, "recipe") if name]
    style = model_style(families[0]) if families else None
    whose = f"{style.name}: fall" if style is not None else "Fall"
    subtitle = f"{whose} of average precision when a feature's values are shuffled, ± standard deviation"
    left_out = len(known) - len(shown)
    figure = styled_figure(title, subtitle + (f"; {count(left_out, 'lesser feature')} not shown" if left_out else ""))
    figure.add_trace(
        go.Bar(
            x=value[shown],
            y=np.arange(len(shown)),
            orientation="h",
            width=0.7 * min(1.0, len(shown) / 6),
            marker={"color": MUTED_INK if style is None else style.color, "opacity": 0.85},
            error_x={"type": "data", "array": spread, "color": MUTED_INK, "thickness": 1.5, "width": 4},
            customdata=np.column_stack([np.array(labels, dtype=object), [number(s) for s in spread]]),
            hovertemplate="%{customdata[0]}: %{x:.4f} ± %{customdata[1]}<extra></extra>",
        )
    )
    low, high = float(min((value[shown] - spread).min(), 0.0)), float(max((value[shown] + spread).max(), 0.0))
    figure.update_xaxes(title_text="Average precision lost", range=[low * 1.05, high * 1.05 or 1.0], nticks=8)
    figure.update_yaxes(tickvals=list(range(len(shown))), ticktext=labels, tickfont={"size": 12}, showgrid=False)
    figure.update_yaxes(range=[-0.7, len(shown) - 0.3], ticks="")
    return figure
