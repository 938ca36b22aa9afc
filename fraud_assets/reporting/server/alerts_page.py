"""A day's alerts as a page: the figure over all that were found, and a table of one page of them.

What does not live here: filtering and sorting, which the database does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

import pandas as pd

from fraud_assets.reporting.figures.alerts import alerts_of_day
from fraud_assets.reporting.sections import Section, cell
from fraud_assets.reporting.server.asked import AlertsQuery, alerts_parameters
from fraud_assets.reporting.server.store import AlertOrder, Alerts, Shown

ROWS_A_PAGE = 100
MOST_DRAWN = 2_000
"""Marks of the figure: the highest scores first."""

HEADINGS = {
    "rank": "Rank",
    "transaction_id": "Transaction",
    "transaction_time": "Time (UTC)",
    "customer_id": "Customer",
    "terminal_id": "Terminal",
    "amount": "Amount",
    "score": "Score",
}
REASONS = ("reason_1", "reason_2", "reason_3")
_NUMBERS = {"rank", "amount", "score"}
# What is looked at from the top down first.
_DESCENDING_FIRST = {"amount", "score"}
_NOUNS = {
    Shown.ALERTS: ("alert", "alerts"),
    Shown.REVIEW: ("transaction of the review sample", "transactions of the review sample"),
    Shown.BOTH: ("alert or transaction of the review sample", "alerts and transactions of the review sample"),
}


@dataclass(frozen=True)
class Heading:
    """A column's heading: a link that sorts by it, and whether it is sorted by now (as aria-sort says it)."""

    name: str
    link: str
    sorted: str | None
    is_number: bool


@dataclass(frozen=True)
class Row:
    """A transaction: the texts below the headings, why it was raised, and whether it was only drawn for review."""

    cells: list[str]
    reasons: list[str]
    is_review: bool


@dataclass(frozen=True)
class AlertsPage:
    """What the template is told. `previous` and `following` are queries of the neighbouring pages, or None."""

    sentence: str
    section: Section | None
    headings: list[Heading]
    rows: list[Row]
    first: int
    last: int
    total: int
    previous: str | None
    following: str | None
    csv: str


def alerts_page(alerts: Alerts, drawn: pd.DataFrame, asked: AlertsQuery) -> AlertsPage:
    """`alerts` is one page of what is asked for, `drawn` the highest scores of all of it."""
    columns = [name for name in HEADINGS if name in alerts.rows.columns]
    # The review sample is no alert: a figure of alerts would say so of it.
    drawn = drawn[drawn["is_alert"].astype("bool")]
    first = (asked.page - 1) * ROWS_A_PAGE
    last = first + len(alerts.rows)
    return AlertsPage(
        sentence=_sentence(alerts, asked),
        section=None if drawn.empty else _section(drawn),
        headings=[_heading(name, asked) for name in columns],
        rows=list(_rows(alerts.rows, columns)),
        first=first + 1,
        last=last,
        total=alerts.total,
        previous=_query(asked, page=asked.page - 1) if asked.page > 1 else None,
        following=_query(asked, page=asked.page + 1) if last < alerts.total else None,
        csv=_query(asked, page=1),
    )


def _sentence(alerts: Alerts, asked: AlertsQuery) -> str:
    one, many = _NOUNS[asked.query.shown]
    found = f"{alerts.total:,} {one if alerts.total == 1 else many}"
    is_filtered = bool(asked.query.text) or asked.query.minimum_amount is not None
    if asked.query.shown is Shown.ALERTS:
        if is_filtered:
            return f"{found} of {alerts.of_day:,} on this day."
        return f"{found}." if alerts.of_day else "No transaction of this day raised an alert."
    return f"{found} on this day." if alerts.total else f"No {one} on this day{' matches' if is_filtered else ''}."


def _section(drawn: pd.DataFrame) -> Section:
    table = drawn[[name for name in HEADINGS if name in drawn.columns]].rename(columns=HEADINGS)
    for name in ("Transaction", "Customer", "Terminal"):
        if name in table:
            table[name] = table[name].astype("str")
    highest = f", the {MOST_DRAWN:,} highest scores" if len(drawn) == MOST_DRAWN else ""
    sentence = f"Score and amount of the alerts that are listed below{highest}."
    return Section("Scores and amounts", sentence, alerts_of_day(drawn), table, "scores")


def _heading(name: str, asked: AlertsQuery) -> Heading:
    query = asked.query
    is_sorted = query.order == name
    descending = not query.is_descending if is_sorted else name in _DESCENDING_FIRST
    link = _query(asked, sort=AlertOrder(name).value, order="desc" if descending else "asc", page=1)
    state = ("descending" if query.is_descending else "ascending") if is_sorted else None
    return Heading(HEADINGS[name], link, state, name in _NUMBERS)


def _query(asked: AlertsQuery, **changes: object) -> str:
    return urlencode(alerts_parameters(asked, **changes))


def _rows(rows: pd.DataFrame, columns: list[str]) -> Iterator[Row]:
    for record in rows.to_dict("records"):
        reasons = [str(record[name]) for name in REASONS if name in record and not pd.isna(record[name])]
        is_review = not bool(record["is_alert"]) and bool(record["review_sample"])
        yield Row([_written(name, record[name]) for name in columns], reasons, is_review)


def _written(name: str, value: object) -> str:
    if pd.isna(value):  # type: ignore[call-overload]
        return cell(None)
    if name == "amount":
        return f"{float(str(value)):,.2f}"
    if name == "score":
        return f"{float(str(value)):.4f}"
    # An identifier is a name, even where it is a number.
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, pd.Timestamp) else str(value)
