"""The models page: who was best how often, who was in charge when, and the file of each day's model.

What does not live here: reading the database, and how a section is written as HTML.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fraud_assets.reporting.day.frames import model_name
from fraud_assets.reporting.figures.history import metric_history
from fraud_assets.reporting.sections import NONE, Section
from fraud_assets.reporting.server.store import Leaderboard
from fraud_assets.reporting.server.terms import Term, terms_figure, terms_of
from fraud_assets.reporting.style import count

METRIC = "average_precision"
MEAN_DAYS = 28


@dataclass(frozen=True)
class ModelsPage:
    """What the template is told. `days` are those that have a model, the newest first."""

    sections: list[Section]
    days: list[dict[str, Any]]


def models_page(board: Leaderboard) -> ModelsPage:
    """The page of all days; without any evaluation and decision it has no sections."""
    terms = terms_of(board.summary)
    sections = []
    if not board.evaluation.empty:
        sections += [_leaderboard(board), _means(board)]
    if terms:
        sections.append(_timeline(terms))
    return ModelsPage(sections, list(_with_model(board.summary)))


def _leaderboard(board: Leaderboard) -> Section:
    """Wins count ties for each: two that are best are both best."""
    rows = board.evaluation.dropna(subset=[METRIC])
    best = rows.groupby("day")[METRIC].transform("max")
    by_model = rows.assign(is_best=rows[METRIC] == best).groupby("candidate", sort=True)
    table = pd.DataFrame(
        {
            "Days best": by_model["is_best"].sum().astype("int64"),
            "Days measured": by_model["day"].nunique().astype("int64"),
            "Mean average precision": by_model[METRIC].mean(),
            "Newest": by_model[METRIC].last(),
        }
    )
    in_use = board.summary.groupby("family", observed=True)
    table["Days in use"] = in_use["day"].nunique().reindex(table.index, fill_value=0).astype("int64")
    searched = in_use["searched_on"].max().reindex(table.index)
    table["Last search that was used"] = [NONE if pd.isna(day) else str(day) for day in searched]
    table = table.sort_values(["Days best", "Mean average precision"], ascending=False)
    table.insert(0, "Model", [model_name(name) for name in table.index])
    leader = table.iloc[0] if len(table) else None
    sentence = (
        "No candidate could be measured on any day."
        if leader is None
        else f"{leader['Model']} was best on {leader['Days best']:,} of {rows['day'].nunique():,} days, by average "
        "precision on the validation days."
    )
    return Section("Leaderboard", sentence, None, table.reset_index(drop=True), "leaderboard")


def _means(board: Leaderboard) -> Section:
    days = board.evaluation.pivot_table(
        index="day", columns="candidate", values=METRIC, aggfunc="last", dropna=False, observed=True
    ).sort_index()
    means = days.rolling(MEAN_DAYS, min_periods=1).mean()
    rows = means.rename_axis(None, axis="columns").reset_index().melt("day", var_name="candidate", value_name=METRIC)
    changes = board.summary[["day", "is_promotion", "decision"]].assign(scored_as=None)
    table = means.rename(columns=model_name).rename_axis(None, axis="columns").sort_index(ascending=False)
    return Section(
        "Leaderboard over time",
        f"Each model's mean average precision over the last {MEAN_DAYS} measured days; dotted lines are changes of the "
        "recipe in use.",
        metric_history(rows, changes, METRIC),
        table.reset_index().rename(columns={"day": "Day"}),
        "means",
    )


def _timeline(terms: list[Term]) -> Section:
    table = pd.DataFrame(
        {
            "From": [term.first for term in terms],
            "To": [term.last for term in terms],
            "Days": [term.days for term in terms],
            "Model": [model_name(term.family) for term in terms],
            "Why": [term.why for term in terms],
        }
    )
    now = terms[-1]
    sentence = (
        f"{model_name(now.family)} has been in use since {now.first}; {count(len(terms) - 1, 'change')} before that."
    )
    if len(terms) == 1:
        sentence = f"{model_name(now.family)} has been in use since {now.first}, and nothing else before."
    return Section("Champions", sentence, terms_figure(terms), table.iloc[::-1].reset_index(drop=True), "champions")


def _with_model(summary: pd.DataFrame) -> Iterator[dict[str, Any]]:
    kept = summary.dropna(subset=["family"]).sort_values("day", ascending=False)
    columns = ("day", "family", "score", "decision_kind", "trained_from", "trained_until", "is_promotion")
    for values in zip(*(kept[name] for name in columns), strict=True):
        record = dict(zip(columns, values, strict=True))
        yield {name: None if pd.isna(value) else value for name, value in record.items()}
