"""The history page: how good the models were, what they promised and kept, how much there was, and what drifted.

What does not live here: reading the database, and how a section is written as HTML.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fraud_assets.reporting.day.frames import DayFrames, model_name, named
from fraud_assets.reporting.day.headline import Headline, day_headline
from fraud_assets.reporting.figures.drift import drift_heat_map
from fraud_assets.reporting.figures.history import metric_history
from fraud_assets.reporting.figures.live import promise_and_live
from fraud_assets.reporting.figures.volume import volume
from fraud_assets.reporting.sections import NONE, Section
from fraud_assets.reporting.server.asked import HistoryQuery
from fraud_assets.reporting.server.store import History
from fraud_assets.reporting.style import metric_style

MOST_NAMED = 12
"""Subjects that a line of the table names."""


@dataclass(frozen=True)
class Month:
    """A month's days, the newest first, each a record for the list of days."""

    name: str
    days: list[dict[str, Any]]


@dataclass(frozen=True)
class HistoryPage:
    """What the template is told. `headline` is that of the newest finished day of the range; None without any day."""

    newest: str | None
    headline: Headline | None
    sections: list[Section]
    months: list[Month]


def history_page(history: History, asked: HistoryQuery) -> HistoryPage:
    """The page of a range of days; without any day it has no sections."""
    days = _days(history)
    if not days:
        return HistoryPage(None, None, [], [])
    newest = _newest_finished(history, days)
    headline = day_headline(DayFrames(newest, summary=history.summary, live=history.live))
    sections = [_metric(history, asked), _live(history.live), _volume(history.summary), _drift(history.drift)]
    return HistoryPage(newest, headline, sections, list(_months(history, days)))


def _days(history: History) -> list[str]:
    frames = (history.summary, history.evaluation, history.live, history.drift)
    return sorted({str(day) for frame in frames for day in frame["day"].dropna().unique()})


def _newest_finished(history: History, days: Sequence[str]) -> str:
    """The newest day that has been summarised, which happens last of all; where none has, the newest that began."""
    return max((str(day) for day in history.summary["day"].dropna()), default=days[-1])


def _metric(history: History, asked: HistoryQuery) -> Section:
    metric = str(asked.metric)
    name = metric_style(metric).name
    evaluation = history.evaluation
    if asked.models:
        evaluation = evaluation[evaluation["candidate"].isin(asked.models)]
    by_day = evaluation.pivot_table(index="day", columns="candidate", values=metric, aggfunc="last", observed=True)
    in_use = history.summary.set_index("day")["family"].reindex(by_day.index)
    table = by_day.rename(columns=model_name).rename_axis(None, axis="columns")
    table["In use"] = [NONE if pd.isna(family) else model_name(family) for family in in_use]
    return Section(
        f"{name} over time",
        "What each candidate reached on its validation days; the broad line is the recipe in use, dotted lines are "
        "changes of it.",
        metric_history(evaluation, history.summary, metric),
        _newest_first(table.reset_index(), "day"),
        "metric",
    )


def _live(live: pd.DataFrame) -> Section:
    judged = live.dropna(subset=["average_precision"])
    table = named(
        judged,
        scored_date="Scored day",
        average_precision="Live",
        promised_average_precision="Promised",
        promised_average_precision_low="From (95 %)",
        promised_average_precision_high="To (95 %)",
    )
    sentence = (
        "Average precision of each day's own scores, once its labels are known, beside what validation had promised."
        if len(judged)
        else "No scored day of this range has all its labels yet."
    )
    return Section(
        "Promise against live", sentence, promise_and_live(live), _newest_first(table, "Scored day"), "promise"
    )


def _volume(summary: pd.DataFrame) -> Section:
    table = named(
        summary,
        day="Day",
        transactions="Transactions",
        amount_total="Amount",
        alerts="Alerts",
        alerted_amount="Alerted amount",
        expected_saving="Expected saving",
        labelled_day="Labelled day",
        frauds="Frauds",
        fraud_rate="Fraud rate",
        fraud_amount="Fraudulent amount",
    )
    return Section(
        "Volume, fraud rate and amount at stake",
        "Transactions and alerts of each day; frauds of the days whose labels were known by then.",
        volume(summary),
        _newest_first(table, "Day"),
        "volume",
    )


def _drift(drift: pd.DataFrame) -> Section:
    return Section(
        "Drift of features, score and fraud rate",
        "How far each day was from the days that its model had learned from.",
        drift_heat_map(drift),
        _newest_first(_drifted(drift), "Day"),
        "drift",
    )


def _drifted(drift: pd.DataFrame) -> pd.DataFrame:
    """A line a day: how many subjects have which level, and which those are that are not as in training."""
    counts = drift.groupby(["day", "level"], observed=True, sort=False).size().unstack(fill_value=0).sort_index()
    counts = counts.reindex(columns=["drift", "watch", "ok"], fill_value=0).astype("int64")
    odd = drift[drift["level"].isin(["drift", "watch"])]
    which = odd.sort_values("level").groupby("day")["subject"].agg(_some)
    counts["Which"] = which.reindex(counts.index).fillna(NONE).astype("str")
    renamed = counts.rename(columns={"drift": "Drifted", "watch": "To watch", "ok": "As in training"})
    return renamed.rename_axis("Day").rename_axis(None, axis="columns").reset_index()


def _some(subjects: pd.Series) -> str:
    shown = ", ".join(subjects.head(MOST_NAMED))
    return shown if len(subjects) <= MOST_NAMED else f"{shown} and {len(subjects) - MOST_NAMED} more"


def _newest_first(table: pd.DataFrame, by: str) -> pd.DataFrame:
    ordered = table.sort_values(by, ascending=False, kind="stable", ignore_index=True)
    return ordered.rename(columns={"day": "Day"})


def _months(history: History, days: Sequence[str]) -> Iterator[Month]:
    told = {str(row["day"]): row for row in _records(history.summary)}
    for month in sorted({day[:7] for day in days}, reverse=True):
        of_month = [told.get(day) or {"day": day} for day in reversed(days) if day.startswith(month)]
        yield Month(pd.Timestamp(f"{month}-01").strftime("%B %Y"), of_month)


def _records(summary: pd.DataFrame) -> Iterator[dict[str, Any]]:
    listed = ("day", "transactions", "alerts", "family", "score", "expected_saving", "decision_kind", "is_promotion")
    columns = [summary[name] for name in (*listed, "drifted_features")]
    for values in zip(*columns, strict=True):
        record = dict(zip((*listed, "drifted_features"), values, strict=True))
        yield {name: None if pd.isna(value) else value for name, value in record.items()}
