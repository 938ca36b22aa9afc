"""A feature and its value in words, for whoever works through the alerts.

What lives here: a phrase for each feature of our own, found by the pattern of its name, and one for the source's own
columns. What does not: which features are worth naming (reasons.py), and how they are computed (features).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd

from fraud_assets.learning.features.spec import LARGE_AMOUNT, LONGEST

LONGEST_TEXT = 40
_MOST_DIGITS = 8

# How numbers are written: from the number and how many digits of it are shown beyond the usual.
Written: TypeAlias = Callable[[float, int], str]


def _money(value: float, more: int) -> str:
    return f"{value:,.{2 + more}f}"


def _times(value: float, more: int) -> str:
    return f"{value:,.{1 + more}f} \N{MULTIPLICATION SIGN}"


def _percent(value: float, more: int) -> str:
    return f"{100 * value:.{more}f} %"


def _whole(value: float, more: int) -> str:
    return f"{value:,.{more}f}"


def _clock(value: float, more: int) -> str:
    seconds = round(value * 3600) % 86_400
    time = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}"
    return time if more == 0 else f"{time}:{seconds % 60:02d}"


def _duration(value: float, more: int) -> str:
    """Seconds in the largest unit of which there are at least two."""
    for unit, seconds in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if value >= 2 * seconds:
            return _plural(_whole(value / seconds, more), unit)
    return _plural(_whole(value, more), "second")


def _days_long(value: float, more: int) -> str:
    return _duration(value * 86_400, more)


def _plural(number: str, noun: str) -> str:
    return f"{number} {noun}" if number == "1" else f"{number} {noun}s"


def _counted(number: str, noun: str) -> str:
    return f"no {noun}" if number == "0" else _plural(number, noun)


def _number(value: float, more: int) -> str:
    """Four significant digits, and never fewer than stand before the point."""
    before = int(np.floor(np.log10(abs(value)))) + 1 if value else 1
    decimals = max(0, 4 - before) + more
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass(frozen=True)
class Phrase:
    """How the features whose names match a pattern are worded.

    `words` has `{value}`, a number or a number of a `noun`, and where the pattern names a number of `days`, `{window}`
    ("7 days") and `{days}` ("7"). `missing` is said of a missing value, which `is_innocent` where it means that there
    was nothing bad. With `usual`, the typical value is added, as it is for what says little without it. `no` is said
    of a flag that is 0, where `words` are said of 1.
    """

    pattern: str
    words: str
    missing: str
    write: Written = _number
    noun: str | None = None
    usual: bool = True
    no: str | None = None
    is_innocent: bool = False


_NO_CUSTOMER = "the customer is not known"
_NO_TERMINAL = "the terminal is not known"
_NO_EARLIER = "no earlier transaction of the customer is known"
_NOTHING_TO_COMPARE = "the customer has no amount in {window} before to compare with"
_NO_FRAUD_AT_TERMINAL = "no fraud is known at this terminal"
_DAYS = r"_(?P<days>\d+)d"

PHRASES = (
    Phrase("amount", "amount {value}", "the amount is missing", _money),
    Phrase("is_weekend", "on a weekend", "the day is not known", no="not on a weekend"),
    Phrase("is_night", "at night", "the hour is not known", no="not at night"),
    Phrase("hour_of_day", "at {value}", "the hour is not known", _clock),
    Phrase(
        "customer_transactions" + _DAYS,
        "{value} of the customer in {window}",
        _NO_CUSTOMER,
        _whole,
        noun="transaction",
    ),
    Phrase(
        "customer_mean_amount" + _DAYS,
        "the customer's {days}-day mean amount is {value}",
        "the customer has no amount to take a {days}-day mean of",
        _money,
    ),
    Phrase(
        "amount_over_customer_mean" + _DAYS,
        "amount {value} the customer's {days}-day mean",
        _NOTHING_TO_COMPARE,
        _times,
        usual=False,
    ),
    Phrase(
        "amount_over_customer_typical" + _DAYS,
        "amount {value} what is typical of the customer over {window}",
        _NOTHING_TO_COMPARE,
        _times,
        usual=False,
    ),
    Phrase(
        "customer_large_amounts" + _DAYS,
        f"{{value}} of at least {_times(LARGE_AMOUNT, -1)} the customer's habit in {{window}}",
        _NO_CUSTOMER,
        _whole,
        noun="earlier amount",
        usual=False,
    ),
    Phrase("customer_seconds_since_last", "{value} since the customer's last transaction", _NO_EARLIER, _duration),
    Phrase(
        "customer_frauds" + _DAYS,
        "{value} known of this customer in {window}",
        _NO_CUSTOMER,
        _whole,
        noun="fraud",
        usual=False,
    ),
    Phrase(
        "terminal_transactions" + _DAYS,
        "{value} at this terminal in {window}",
        _NO_TERMINAL,
        _whole,
        noun="transaction",
    ),
    Phrase(
        "terminal_fraud_share" + _DAYS,
        "{value} of this terminal's transactions in {window} are known frauds",
        _NO_TERMINAL,
        _percent,
        usual=False,
    ),
    Phrase(
        "terminal_frauds" + _DAYS,
        "{value} known at this terminal in {window}",
        _NO_TERMINAL,
        _whole,
        noun="fraud",
        usual=False,
    ),
    Phrase(
        "terminal_days_since_first_fraud",
        "{value} since the first known fraud at this terminal",
        _NO_FRAUD_AT_TERMINAL,
        _days_long,
        usual=False,
        is_innocent=True,
    ),
    Phrase(
        "terminal_days_since_last_fraud",
        "{value} since the last known fraud at this terminal",
        _NO_FRAUD_AT_TERMINAL,
        _days_long,
        usual=False,
        is_innocent=True,
    ),
    Phrase(
        "terminal_transactions_since_last_fraud",
        "{value} at this terminal since its last known fraud",
        _NO_FRAUD_AT_TERMINAL,
        _whole,
        noun="transaction",
        usual=False,
        is_innocent=True,
    ),
    Phrase(
        "is_new_terminal",
        f"the customer's first transaction at this terminal in {LONGEST} days",
        "the customer or the terminal is not known",
        no=f"the customer was at this terminal within {LONGEST} days",
    ),
)


def in_words(feature: str, value: object, typical: object) -> str:
    """What is said of a feature's value: "amount 312.40 (usually 60.10)", "3 frauds known at this terminal in 7 days".

    Numbers get as many digits as it takes to tell them from the typical value. A feature that has no phrase of its own
    is a column of the source: its name and value are said as they are.
    """
    own, usual = _plain(value), _plain(typical)
    known = phrase_of(feature)
    if known is None:
        return _as_it_is(feature, own, usual)
    phrase, days = known
    window = "" if days is None else _plural(days, "day")
    if not isinstance(own, float):
        return phrase.missing.format(days=days, window=window)
    if phrase.no is not None:
        return phrase.words if own else phrase.no
    shown, usual_shown = _told_apart(own, usual, phrase.write)
    amount = shown if phrase.noun is None else _counted(shown, phrase.noun)
    text = phrase.words.format(value=amount, days=days, window=window)
    return f"{text} (usually {usual_shown})" if phrase.usual and usual is not None else text


def is_innocent_when_missing(feature: str) -> bool:
    """Whether a missing value of the feature says that nothing bad is known, and so is no reason for an alert."""
    known = phrase_of(feature)
    return known is not None and known[0].is_innocent


def phrase_of(feature: str) -> tuple[Phrase, str | None] | None:
    """The phrase for a feature of our own, and the days of its window; None where it has none."""
    for phrase in PHRASES:
        match = re.fullmatch(phrase.pattern, feature)
        if match:
            return phrase, match.groupdict().get("days")
    return None


def _plain(value: object) -> float | str | None:
    """A value of any frame's column as a float or a text; None where it is missing."""
    if isinstance(value, str):
        return value
    if pd.isna(value):  # type: ignore[call-overload]
        return None
    return float(value)  # type: ignore[arg-type]


def _as_it_is(feature: str, own: float | str | None, usual: float | str | None) -> str:
    shown, usual_shown = _told_apart(own, usual, _number) if isinstance(own, float) else (_said(own), _said(usual))
    return (
        f"{feature} is {shown} (usually {usual_shown})"
        if own is None
        else f"{feature} = {shown} (usually {usual_shown})"
    )


def _told_apart(own: float, usual: float | str | None, write: Written) -> tuple[str, str]:
    """Both in as few digits as make them differ."""
    if not isinstance(usual, float):
        return write(own, 0), _said(usual)
    for more in range(_MOST_DIGITS):
        shown, usual_shown = write(own, more), write(usual, more)
        if shown != usual_shown:
            return shown, usual_shown
    return write(own, 0), write(usual, 0)


def _said(value: float | str | None) -> str:
    if value is None:
        return "missing"
    if isinstance(value, float):
        return _number(value, 0)
    text = " ".join(value.split())
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
