"""Whether the newest labelled day has an unusual share of frauds.

What lives here: counting known frauds by day, and the interval that a further day should fall into. What does not:
labels' ages (maturity.py).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import betabinom
from scipy.stats import t as student

from fraud_assets.learning.measuring.intervals import Interval
from fraud_assets.learning.watching.drift import Level
from fraud_assets.learning.watching.maturity import label_ages

WATCH_CONFIDENCE = 0.95
DRIFT_CONFIDENCE = 0.99
FEWEST_DAYS = 5


@dataclass(frozen=True)
class RateChange:
    """The share of frauds of a day, beside the mean of the days before it and where a further day should fall.

    `low` and `high` are the bounds beyond which the level is DRIFT. None where it is not defined.
    """

    rate: float | None
    reference_rate: float | None
    low: float | None
    high: float | None
    transactions: int
    reference_transactions: int
    level: Level


def daily_frauds(
    transactions: pd.DataFrame, labels: pd.DataFrame, *, before: pd.Timestamp, timezone: str, within_days: int
) -> pd.DataFrame:
    """For each day of `timezone`: day (YYYY-MM-DD), transactions, and of them labels and frauds, in the days' order.

    Only labels known before `before` and at most `within_days` days after their transaction count: an older day has had
    more time, and would have more frauds for it.
    """
    ages = label_ages(transactions, labels, before=before, timezone=timezone)
    early = ages[ages["age_days"] <= within_days].set_index("transaction_id")["label"]
    label = transactions["transaction_id"].map(early)
    counted = pd.DataFrame(
        {
            "day": transactions["transaction_time"].dt.tz_convert(timezone).dt.strftime("%Y-%m-%d"),
            "transactions": 1,
            "labels": label.notna().astype("int64"),
            "frauds": (label == 1).astype("int64"),
        }
    )
    return counted.groupby("day", as_index=False).sum()


def rate_change(days: pd.DataFrame, day: str) -> RateChange:
    """The share of frauds among the transactions of `day`, compared with the days of `days` before it.

    `days` is as `daily_frauds` gives it; days without any known label are left out. UNKNOWN with fewer than
    `FEWEST_DAYS` days before it, or without a known label of its own.
    """
    labelled = days[days["labels"] > 0]
    own, before = labelled[labelled["day"] == day], labelled[labelled["day"] < day]
    transactions, reference_transactions = int(own["transactions"].sum()), int(before["transactions"].sum())
    rate = float(own["frauds"].sum() / transactions) if transactions else None
    rates = (before["frauds"] / before["transactions"]).to_numpy(dtype=np.float64)
    mean = float(rates.mean()) if len(rates) else None
    if rate is None or mean is None or len(rates) < FEWEST_DAYS:
        return RateChange(rate, mean, None, None, transactions, reference_transactions, Level.UNKNOWN)
    watch, drift = (
        _further_day(before, rates, transactions, confidence) for confidence in (WATCH_CONFIDENCE, DRIFT_CONFIDENCE)
    )
    level = Level.OK if watch.low <= rate <= watch.high else Level.WATCH
    if not drift.low <= rate <= drift.high:
        level = Level.DRIFT
    return RateChange(rate, mean, drift.low, drift.high, transactions, reference_transactions, level)


def _further_day(before: pd.DataFrame, rates: NDArray[np.float64], transactions: int, confidence: float) -> Interval:
    """Where the rate of one more day of so many transactions falls: the wider of two prediction intervals, at each end.

    By the spread between days, mean ± t(m-1) · s · √(1 + 1/m) over m days, which knows that frauds come in bursts; and
    by counts, beta-binomial with Jeffreys' prior, which knows that a day is small or frauds are rare (Hahn and Meeker
    1991, "Statistical Intervals", sections 4.7 and 6.7).
    """
    tail = (1 - confidence) / 2
    reach = student.isf(tail, len(rates) - 1) * rates.std(ddof=1) * np.sqrt(1 + 1 / len(rates))
    frauds, others = before["frauds"].sum() + 0.5, (before["transactions"] - before["frauds"]).sum() + 0.5
    fewest, most = betabinom.ppf([tail, 1 - tail], transactions, frauds, others) / transactions
    low, high = min(float(rates.mean() - reach), float(fewest)), max(float(rates.mean() + reach), float(most))
    return Interval(max(low, 0.0), high)
