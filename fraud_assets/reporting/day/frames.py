"""What a day's report is made of: frames as they are in the database, any of which may be empty.

What does not live here: reading them, and what is said about them.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fraud_assets.reporting.sections import Section
from fraud_assets.reporting.style import model_style

CHAMPION = "champion"
"""The scorer of a recipe in charge that is none of the day's candidates; it has no operating points."""
VOLATILE = ("fit_seconds", "later_versions", "model_version")
"""Columns that measure the run. A report of the same inputs is the same bytes, so it does not show them."""


class Group(StrEnum):
    """The questions of a report, in their order."""

    QUALITY = "Is today's model good?"
    COST = "What does it cost, and what does it save?"
    CHANGES = "What has changed?"
    OUTCOME = "How did it turn out?"
    SLICES = "Where is it strong, and where weak?"
    ALERTS = "Today's alerts"


@dataclass(frozen=True)
class Missing:
    """A part of the report that cannot be there, and what to do about it."""

    what: str
    advice: str

    @classmethod
    def of(cls, what: str, asset: str) -> "Missing":
        return cls(what, f"Nothing of this day is stored: materialize {asset} for it.")


Piece = Section | Missing


def _nothing() -> pd.DataFrame:
    return pd.DataFrame()


@dataclass(frozen=True)
class DayFrames:
    """The tables of the database, as rows of the day; those of `history` also have earlier days.

    `evaluation`, `slices`, `points`, `bins`, `importance` and `maturity` are the rows of evaluation_table,
    evaluation_slices, operating_points, calibration_bins, feature_importance and label_maturity; `drift`, `live` and
    `summary` those of feature_drift, live_performance and daily_summary; `alerts` those of scored_batch that are
    alerts; `search` has candidate, configuration (text), average_precision and fold_1 and so on. `evaluation`, `drift`,
    `live` and `summary` may hold earlier days too. A frame without rows needs no columns. `alerts_total` is how many
    alerts there are where `alerts` need not be all of them; None where that is not known, or nothing is scored.
    """

    day: str
    evaluation: pd.DataFrame = field(default_factory=_nothing)
    slices: pd.DataFrame = field(default_factory=_nothing)
    points: pd.DataFrame = field(default_factory=_nothing)
    bins: pd.DataFrame = field(default_factory=_nothing)
    importance: pd.DataFrame = field(default_factory=_nothing)
    drift: pd.DataFrame = field(default_factory=_nothing)
    live: pd.DataFrame = field(default_factory=_nothing)
    maturity: pd.DataFrame = field(default_factory=_nothing)
    summary: pd.DataFrame = field(default_factory=_nothing)
    alerts: pd.DataFrame = field(default_factory=_nothing)
    search: pd.DataFrame = field(default_factory=_nothing)
    alerts_total: int | None = None
    alerts_per_day: int | None = None
    label_delay_days: int | None = None

    def until_today(self, name: str) -> pd.DataFrame:
        """A frame's rows up to the day, the oldest first, without what measures the run."""
        frame: pd.DataFrame = getattr(self, name)
        if frame.empty:
            return frame
        kept = frame[frame["day"].astype("str") <= self.day].drop(columns=list(VOLATILE), errors="ignore")
        return kept.sort_values("day", kind="stable", ignore_index=True)

    def today(self, name: str) -> pd.DataFrame:
        """A frame's rows of the day."""
        frame = self.until_today(name)
        return frame if frame.empty else frame[frame["day"].astype("str") == self.day].reset_index(drop=True)

    @property
    def is_empty(self) -> bool:
        """Whether nothing of the day is there, whatever there is of earlier ones."""
        dated = (self.today(name) for name in ("evaluation", "drift", "live", "summary"))
        own = (self.slices, self.points, self.bins, self.importance, self.maturity, self.alerts)
        return self.alerts_total is None and all(frame.empty for frame in (*dated, *own))

    @cached_property
    def told(self) -> dict[str, Any]:
        """The day's row of daily_summary, with None for what is not known; empty where there is no row."""
        return first_record(self.today("summary"))

    @cached_property
    def candidate(self) -> str | None:
        """The scorer that the day's figures are about: the model in use, or else the best candidate; None without one.

        The recipe in use may be none of the candidates', and a half-finished day has none in use yet.
        """
        points, evaluation = self.today_points, self.today("evaluation")
        known = set(points["candidate"]) if not points.empty else set()
        in_use = self.told.get("scored_as")
        if in_use in known:
            return str(in_use)
        if evaluation.empty:
            return None
        ranked = evaluation[evaluation["candidate"].isin(known) & evaluation["threshold"].notna()]
        best = ranked.dropna(subset=["average_precision"]).nlargest(1, "average_precision")
        return None if best.empty else str(best["candidate"].iloc[0])

    @property
    def today_points(self) -> pd.DataFrame:
        """The operating points of the day."""
        return self.today("points")

    @property
    def whose(self) -> str:
        """Whose scores the figures of one scorer show."""
        name = model_name(self.candidate)
        if self.told.get("scored_as") == self.candidate:
            return f"{name} (the recipe in use)"
        if self.told.get("scored_as") == CHAMPION:
            return f"{name} (the best of today's candidates; the recipe in use is none of them)"
        return f"{name} (the best of today's candidates)"


def first_record(frame: pd.DataFrame) -> dict[str, Any]:
    """The first row as a dict with None where a value is missing; empty for a frame without rows."""
    if frame.empty:
        return {}
    return {str(name): None if pd.isna(value) else value for name, value in frame.iloc[0].items()}


def model_name(model: object) -> str:
    """A model's name in plain text and whole: a page escapes what it writes, and has room for it."""
    name = html.unescape(model_style(model).name)
    return " ".join(str(model).replace("_", " ").split()) if name.endswith("…") else name


def named(frame: pd.DataFrame, **columns: str) -> pd.DataFrame:
    """Those of the columns that the frame has, in this order, under the names that readers see."""
    there = {name: heading for name, heading in columns.items() if name in frame.columns}
    table = frame[list(there)].rename(columns=there)
    if "candidate" in there:
        table[there["candidate"]] = [model_name(name) for name in table[there["candidate"]]]
    return table.reset_index(drop=True)


def thinned(points: pd.DataFrame, most: int) -> pd.DataFrame:
    """At most `most` of each scorer's operating points, evenly from the first to the last, and its own threshold."""
    by_scorer = points.groupby("candidate", sort=False)
    place, last = by_scorer.cumcount().to_numpy(), by_scorer["threshold"].transform("size").to_numpy() - 1
    # A point is kept where one of `most` equal steps from the first to the last begins.
    step = np.floor(place * (most - 1) / np.maximum(last, most - 1))
    is_kept = (place == 0) | (place == last) | (np.diff(step, prepend=-1) > 0)
    kept: pd.DataFrame = points[is_kept | points["is_chosen"].to_numpy(dtype=bool)]
    return kept


def section(
    group: Group, title: str, sentence: str, figure: go.Figure | None, table: pd.DataFrame | None, anchor: str
) -> Section:
    return Section(title, sentence, figure, table, anchor, str(group))


def sections_of(pieces: Sequence[Piece]) -> list[Section]:
    """The sections that are there; where something is missing, one more says what, before all others."""
    there = [piece for piece in pieces if isinstance(piece, Section)]
    missing = [piece for piece in pieces if isinstance(piece, Missing)]
    if not missing:
        return there
    table = pd.DataFrame({"Missing": [m.what for m in missing], "What to do": [m.advice for m in missing]})
    sentence = "The day is half-finished: the report has what there is, and these parts are missing."
    return [Section("What is missing", sentence, None, table, "missing", "This day is not complete"), *there]
