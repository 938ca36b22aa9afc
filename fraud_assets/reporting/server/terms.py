"""Who was in charge when: the days of a recipe without a break, as records and as a figure.

What does not live here: why a recipe takes over.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta

import pandas as pd
import plotly.graph_objects as go

from fraud_assets.reporting.sections import NONE
from fraud_assets.reporting.style import model_style, nothing_to_draw, plain, styled_figure

_ROW_HEIGHT = 34


@dataclass(frozen=True)
class Term:
    """From `first` to `last` (both included) the recipe of this family was in use."""

    family: str
    first: str
    last: str
    days: int
    """Of these, days that were decided: a day that never ran is not counted, and does not end a term."""
    why: str
    """The decision of the first day."""


def terms_of(summary: pd.DataFrame) -> list[Term]:
    """The terms in `daily_summary`, oldest first. A promotion of the same family begins a new one."""
    terms: list[Term] = []
    decided = summary.dropna(subset=["family"]).sort_values("day")
    for day, family, decision, is_promotion in zip(
        decided["day"], decided["family"], decided["decision"], decided["is_promotion"], strict=True
    ):
        took_over = not pd.isna(is_promotion) and bool(is_promotion)
        if terms and terms[-1].family == family and not took_over:
            terms[-1] = replace(terms[-1], last=str(day), days=terms[-1].days + 1)
        else:
            why = NONE if pd.isna(decision) else str(decision)
            terms.append(Term(str(family), str(day), str(day), 1, why))
    return terms


def terms_figure(terms: list[Term]) -> go.Figure:
    """A bar for each term, a row for each family in the order in which they first came."""
    title = "Champions"
    if not terms:
        return nothing_to_draw(title, "No model has been decided on yet.")
    figure = styled_figure(title)
    families = list(dict.fromkeys(term.family for term in terms))
    for family in families:
        style = model_style(family)
        own = [term for term in terms if term.family == family]
        figure.add_trace(
            go.Bar(
                name=style.name,
                y=[style.name] * len(own),
                base=[term.first for term in own],
                # Milliseconds: a bar on an axis of dates is as long as these; the last day is a whole one.
                x=[_milliseconds(term) for term in own],
                orientation="h",
                marker={"color": style.color},
                customdata=[[plain(term.first), plain(term.last), plain(term.why, 160)] for term in own],
                hovertemplate="%{customdata[0]} to %{customdata[1]}: %{customdata[2]}<extra>%{fullData.name}</extra>",
                showlegend=False,
            )
        )
    figure.update_xaxes(type="date", tickformat="%-d %b\n%Y", showgrid=True)
    figure.update_yaxes(autorange="reversed", ticks="", showgrid=False)
    return figure.update_layout(barmode="overlay", bargap=0.35, height=170 + _ROW_HEIGHT * len(families))


def _milliseconds(term: Term) -> float:
    length = date.fromisoformat(term.last) - date.fromisoformat(term.first) + timedelta(days=1)
    return length / timedelta(milliseconds=1)
