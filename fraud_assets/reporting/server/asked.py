"""What a request asks for, read from its path and its query: checked, with one clear sentence where it cannot be.

An empty field of a form asks for nothing. What does not live here: what the answer is.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TypeVar

from starlette.datastructures import QueryParams

from fraud_assets.reporting.server.store import AlertOrder, AlertQuery, DayRange, Shown

E = TypeVar("E", bound=StrEnum)

LONGEST_TEXT = 200
LAST_PAGE = 100_000

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_PAGE = re.compile(r"\d{1,6}", re.ASCII)
# A comma that groups no thousands may be somebody's decimal point.
_GROUPED = re.compile(r"-?\d{1,3}(,\d{3})+(\.\d*)?", re.ASCII)


class BadRequest(ValueError):
    """What was asked cannot be answered; the sentence says what to write instead."""


class Metric(StrEnum):
    """What the history page draws over time."""

    AVERAGE_PRECISION = "average_precision"
    ROC_AUC = "roc_auc"
    PRECISION_AT_K = "precision_at_k"
    SAVING_PER_DAY = "saving_per_day"


@dataclass(frozen=True)
class HistoryQuery:
    """A range of days, the models to draw (none named means all), and the metric."""

    days: DayRange
    models: tuple[str, ...]
    metric: Metric


@dataclass(frozen=True)
class AlertsQuery:
    """Which alerts, and which page of them, from 1 on."""

    query: AlertQuery
    page: int


def asked_day(text: str, what: str = "The day") -> str:
    """The day as YYYY-MM-DD. Raises `BadRequest`."""
    try:
        return date.fromisoformat(_DAY.fullmatch(text)[0]).isoformat()  # type: ignore[index]
    except (TypeError, ValueError) as error:
        raise BadRequest(f"{what} {text[:40]!r} is no date; write it as YYYY-MM-DD.") from error


def asked_history(query: QueryParams) -> HistoryQuery:
    """`from`, `to`, `model` (any number of times) and `metric`. Raises `BadRequest`."""
    first, last = (asked_day(query[name], what) if query.get(name) else None for name, what in _ENDS.items())
    if first is not None and last is not None and first > last:
        raise BadRequest(f"The first day {first} is after the last day {last}; exchange them.")
    models = tuple(dict.fromkeys(_text(name) for name in query.getlist("model") if name))
    return HistoryQuery(DayRange(first, last), models, _one_of(Metric, query, "metric", Metric.AVERAGE_PRECISION))


def asked_alerts(query: QueryParams) -> AlertsQuery:
    """`sort`, `order` (asc or desc), `amount`, `reason`, `show` and `page`. Raises `BadRequest`."""
    order = _one_of(AlertOrder, query, "sort", AlertOrder.RANK)
    direction = query.get("order") or "asc"
    if direction not in ("asc", "desc"):
        raise BadRequest(f"order={direction[:40]!r} is not known; write asc or desc.")
    found = AlertQuery(
        order=order,
        is_descending=direction == "desc",
        minimum_amount=_amount(query.get("amount") or ""),
        text=_text(query.get("reason") or "").strip(),
        shown=_one_of(Shown, query, "show", Shown.ALERTS),
    )
    return AlertsQuery(found, _page(query.get("page") or "1"))


def alerts_parameters(asked: AlertsQuery, **changes: object) -> Mapping[str, str]:
    """The query as the parameters of a link, without what goes without saying."""
    query = asked.query
    written = {
        "sort": query.order.value,
        "order": "desc" if query.is_descending else "asc",
        "amount": amount_text(query.minimum_amount),
        "reason": query.text,
        "show": query.shown.value,
        "page": str(asked.page),
    } | {name: str(value) for name, value in changes.items()}
    plain = {"sort": "rank", "order": "asc", "amount": "", "reason": "", "show": "alerts", "page": "1"}
    return {name: value for name, value in written.items() if value != plain[name]}


def amount_text(amount: float | None) -> str:
    """An amount as it was asked for, to the last digit; empty for None."""
    return "" if amount is None else repr(amount).removesuffix(".0")


_ENDS = {"from": "The first day", "to": "The last day"}


def _one_of(kind: type[E], query: QueryParams, name: str, default: E) -> E:
    text = query.get(name) or default.value
    try:
        return kind(text)
    except ValueError as error:
        allowed = ", ".join(member.value for member in kind)
        raise BadRequest(f"{name}={text[:40]!r} is not known; it may be one of {allowed}.") from error


def _amount(text: str) -> float | None:
    if not text:
        return None
    try:
        amount = float(text.replace(",", "") if _GROUPED.fullmatch(text) else text)
    except ValueError:
        amount = math.nan
    if not math.isfinite(amount):
        raise BadRequest(f"The least amount {text[:40]!r} is no number; write it like 100 or 99.50.")
    return amount


def _text(text: str) -> str:
    if len(text) > LONGEST_TEXT or "\0" in text:
        raise BadRequest(f"A text to look for has at most {LONGEST_TEXT} characters, and no NUL among them.")
    return text


def _page(text: str) -> int:
    if not _PAGE.fullmatch(text) or not 1 <= int(text) <= LAST_PAGE:
        raise BadRequest(f"The page {text[:40]!r} is no number from 1 on.")
    return int(text)
