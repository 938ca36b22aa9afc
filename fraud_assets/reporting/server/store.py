"""What pages ask of the database, whatever it is.

What does not live here: SQL (`postgres_store`), and what a request may ask for (`asked`).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import pandas as pd

from fraud_assets.reporting.document import DayFrames

TURN_SECONDS = 30.0
"""How long a request waits for its turn before it is told that the server is busy."""
BUSY = "Too many pages are being made at once; this one follows when they are done."


class StoreUnavailable(Exception):
    """The database does not answer now; the sentence may be shown to anybody."""


@dataclass(frozen=True)
class DayRange:
    """From one day to another, both included; None is open."""

    first: str | None = None
    last: str | None = None


@dataclass(frozen=True)
class History:
    """What the history page draws, of a range of days. Frames as the tables of the same names, oldest day first."""

    summary: pd.DataFrame
    evaluation: pd.DataFrame
    live: pd.DataFrame
    drift: pd.DataFrame


@dataclass(frozen=True)
class Leaderboard:
    """Every day's measured models and who was in charge: frames as `evaluation_table` and `daily_summary`."""

    summary: pd.DataFrame
    evaluation: pd.DataFrame


class AlertOrder(StrEnum):
    """What a day's alerts are sorted by: the column of that name."""

    RANK = "rank"
    SCORE = "score"
    AMOUNT = "amount"
    TIME = "transaction_time"
    TRANSACTION = "transaction_id"
    CUSTOMER = "customer_id"
    TERMINAL = "terminal_id"


class Shown(StrEnum):
    """Which transactions of a day are listed."""

    ALERTS = "alerts"
    REVIEW = "review"
    """The review sample: drawn at random from those that are no alerts."""
    BOTH = "both"


@dataclass(frozen=True)
class AlertQuery:
    """Which of a day's transactions, and in which order."""

    order: AlertOrder = AlertOrder.RANK
    is_descending: bool = False
    minimum_amount: float | None = None
    text: str = ""
    """In one of the reasons, whatever the case of its letters."""
    shown: Shown = Shown.ALERTS


@dataclass(frozen=True)
class Alerts:
    """`rows` are those of one page, `total` counts all that the query finds and `of_day` all alerts of the day."""

    rows: pd.DataFrame
    total: int
    of_day: int


class Store(Protocol):
    """Reads only. Every method raises `StoreUnavailable`; what has not been stored yet is an empty frame or None."""

    def state(self, day: str | None = None) -> str:
        """A text that is another one as soon as anything that a page shows has changed. Made to be asked often.

        What only a day's own page shows counts where that day is named.
        """

    def days(self) -> list[str]:
        """The days of which anything is stored, oldest first."""

    def models(self) -> list[str]:
        """All scorers that were ever measured, by name."""

    def history(self, days: DayRange, metric: str) -> History:
        """The frames of a range; of the evaluation only `metric` and its interval, where it has one."""

    def document(self, day: str) -> str | None:
        """The day's stored report."""

    def day(self, day: str) -> DayFrames:
        """All that is stored of a day, for one that has no report yet."""

    def summary(self, day: str) -> pd.DataFrame:
        """The day's row of `daily_summary`, or none."""

    def leaderboard(self) -> Leaderboard:
        """All days."""

    def alerts(self, day: str, query: AlertQuery, limit: int | None = None, offset: int = 0) -> Alerts | None:
        """One page of a day's alerts, or all of them; None where no scores of the day are stored."""

    def close(self) -> None:
        """Give back what is held."""
