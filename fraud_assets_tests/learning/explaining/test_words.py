"""Each feature has words of its own, right in units and grammar; the source's columns are said as they are."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud_assets.learning import FeatureSpec
from fraud_assets.learning.explaining.words import PHRASES, in_words, phrase_of

OWN = tuple(
    dict.fromkeys(
        name
        for has_customer in (True, False)
        for has_terminal in (True, False)
        for name in FeatureSpec(has_customer=has_customer, has_terminal=has_terminal).names
    )
)
TIMES = "\N{MULTIPLICATION SIGN}"


@pytest.mark.parametrize(
    ("feature", "value", "typical", "words"),
    [
        ("amount", 312.4, 60.1, "amount 312.40 (usually 60.10)"),
        ("amount", 1312.0, 60.1, "amount 1,312.00 (usually 60.10)"),
        ("amount", -20.0, 60.1, "amount -20.00 (usually 60.10)"),
        ("amount_over_customer_mean_30d", 5.17, 0.9, f"amount 5.2 {TIMES} the customer's 30-day mean"),
        ("amount_over_customer_mean_7d", math.nan, 0.9, "the customer has no amount in 7 days before to compare with"),
        (
            "amount_over_customer_typical_30d",
            4.0,
            0.9,
            f"amount 4.0 {TIMES} what is typical of the customer over 30 days",
        ),
        ("customer_transactions_1d", 9.0, 2.0, "9 transactions of the customer in 1 day (usually 2)"),
        ("customer_transactions_7d", 1.0, 2.0, "1 transaction of the customer in 7 days (usually 2)"),
        ("customer_mean_amount_7d", 80.0, 50.5, "the customer's 7-day mean amount is 80.00 (usually 50.50)"),
        (
            "customer_large_amounts_3d",
            2.0,
            0.0,
            f"2 earlier amounts of at least 3 {TIMES} the customer's habit in 3 days",
        ),
        (
            "customer_seconds_since_last",
            40.0,
            50_000.0,
            "40 seconds since the customer's last transaction (usually 14 hours)",
        ),
        ("customer_seconds_since_last", math.nan, 50_000.0, "no earlier transaction of the customer is known"),
        ("customer_frauds_14d", 1.0, 0.0, "1 fraud known of this customer in 14 days"),
        ("terminal_frauds_7d", 3.0, 0.0, "3 frauds known at this terminal in 7 days"),
        ("terminal_frauds_7d", 0.0, 1.0, "no fraud known at this terminal in 7 days"),
        ("terminal_frauds_1d", math.nan, 0.0, "the terminal is not known"),
        ("terminal_fraud_share_7d", 0.345, 0.0, "34 % of this terminal's transactions in 7 days are known frauds"),
        ("terminal_fraud_share_30d", 0.004, 0.0, "0.4 % of this terminal's transactions in 30 days are known frauds"),
        ("terminal_days_since_last_fraud", 8.2, 20.0, "8 days since the last known fraud at this terminal"),
        (
            "terminal_transactions_since_last_fraud",
            1.0,
            9.0,
            "1 transaction at this terminal since its last known fraud",
        ),
        ("is_new_terminal", 1.0, 0.0, "the customer's first transaction at this terminal in 30 days"),
        ("is_new_terminal", 0.0, 1.0, "the customer was at this terminal within 30 days"),
        ("is_night", np.int8(1), 0.0, "at night"),
        ("is_weekend", np.int8(0), 1.0, "not on a weekend"),
        ("hour_of_day", 3.25, 12.0, "at 03:15 (usually 12:00)"),
        ("V14", -9.87654, 0.05, "V14 = -9.877 (usually 0.05)"),
        ("V14", math.nan, 0.05, "V14 is missing (usually 0.05)"),
        ("distance", 123456.7, None, "distance = 123,457 (usually missing)"),
        ("channel", "web", "shop", "channel = web (usually shop)"),
        ("channel", None, "shop", "channel is missing (usually shop)"),
        ("note", "two\nlines " + "x" * 60, "shop", "note = two lines xxxxxxxxxxxxxxxxxxxxxxxxxxxxx… (usually shop)"),
    ],
)
def test_a_value_in_words(feature: str, value: object, typical: object, words: str) -> None:
    assert in_words(feature, value, typical) == words


@pytest.mark.parametrize("feature", OWN)
def test_every_feature_of_ours_has_a_phrase_of_its_own(feature: str) -> None:
    """And only one, so that the order of the table means nothing; what is said never has the column's name in it."""
    assert phrase_of(feature) is not None
    told = [in_words(feature, value, 0.5) for value in (2.0, 0.0, math.nan)]
    assert all(feature == "amount" or feature not in words for words in told)
    assert not [words for words in told if "{" in words or "None" in words or "nan" in words]
    assert len({phrase.pattern for phrase in PHRASES}) == len(PHRASES)


def test_two_features_are_never_said_alike() -> None:
    said = [in_words(feature, 3.0, 1.0) for feature in OWN]
    assert len(set(said)) == len(said)


@given(st.sampled_from(["V1 = ", "amount "]), st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_value_is_told_apart_from_the_typical_one(start: str, value: float, usual: float) -> None:
    words = in_words(start.split()[0], value, usual)
    shown, typical = words.removeprefix(start).removesuffix(")").split(" (usually ")
    assert shown != typical or abs(value - usual) < 1e-6
    assert float(shown.replace(",", "")) == pytest.approx(value, rel=1e-3, abs=0.01)
