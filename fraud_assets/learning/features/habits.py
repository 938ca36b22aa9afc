"""What is usual for a customer, and how far a transaction is from it.

What lives here: the features of spec.customer_names() that need no labels. What does not: frauds (frauds.py).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fraud_assets.learning.features.reads import Reads
from fraud_assets.learning.features.spec import HABIT_DAYS, LARGE_AMOUNT, LARGE_AMOUNT_DAYS, LONGEST, WINDOW_DAYS
from fraud_assets.learning.features.windows import DAY, FloatArray, GroupedEvents, Int64Array, Prefix

# Amounts and their logarithms are summed as integers, so that a sum does not depend on the order of its terms.
AMOUNT_UNITS = 10_000
LOGARITHM_UNITS = 1_000_000
LARGEST_SUMMED_AMOUNT = 1e12

_SECOND = 1e6


@dataclass(frozen=True)
class Transactions:
    """Transactions as arrays, one element each: a code of the group (-1: missing), microseconds, amounts."""

    groups: Int64Array
    times: Int64Array
    amounts: FloatArray

    @property
    def counted(self) -> "Transactions":
        """Those that say something about a habit: refunds and those of nobody known do not."""
        kept = (self.groups >= 0) & (self.amounts >= 0)
        return Transactions(self.groups[kept], self.times[kept], self.amounts[kept])

    def since(self, start: np.int64) -> "Transactions":
        kept = self.times > start
        return Transactions(self.groups[kept], self.times[kept], self.amounts[kept])


CUSTOMER_READS = Reads.of("customer_id", "transaction_time", "amount")
"""Of every feature of `customer_features`: also of counts, in which refunds have no part."""
NEW_PAIR_READS = CUSTOMER_READS | Reads.of("terminal_id")


def customer_features(everything: Transactions, wanted: Transactions) -> dict[str, FloatArray]:
    """The habits of the customers of `wanted`, from `everything`; NaN where the customer is missing.

    `customer_transactions_<w>d` and `customer_mean_amount_<w>d` are the handbook's, over (t-w, t], this transaction
    included. A habit is over (t-w, t), so that a transaction is not compared with itself: the mean amount, and for
    `typical` the geometric mean of 1 + amount, less 1, which a few large amounts move little. A large amount is an
    earlier one of at least three times the mean of its own 30 days before.
    """
    habits = _Habits(everything.counted)
    is_known = wanted.groups >= 0
    features = habits.included(wanted)
    for days in HABIT_DAYS:
        features[f"amount_over_customer_mean_{days}d"] = _ratio(wanted.amounts, habits.mean_before(wanted, days))
    typical = habits.typical_before(wanted, LONGEST)
    features[f"amount_over_customer_typical_{LONGEST}d"] = _ratio(wanted.amounts, typical)
    features |= habits.large_amounts(wanted)
    features["customer_seconds_since_last"] = habits.seconds_since_last(wanted)
    return {name: np.where(is_known, values, np.nan) for name, values in features.items()}


def is_new_pair(pairs: GroupedEvents, groups: Int64Array, times: Int64Array) -> FloatArray:
    """1 where a pair of customer and terminal has not met in (t-30d, t), else 0; NaN where one is missing."""
    met = pairs.until(groups, times - 1).since(pairs.until(groups, times - LONGEST * DAY)).count
    return np.where(groups >= 0, (met == 0).astype(np.float64), np.nan)


class _Habits:
    def __init__(self, counted: Transactions) -> None:
        spent = counted.amounts.clip(max=LARGEST_SUMMED_AMOUNT)
        self._counted = counted
        self._amounts = GroupedEvents(counted.groups, counted.times, np.rint(spent * AMOUNT_UNITS).astype(np.int64))
        logarithms = np.rint(np.log1p(spent) * LOGARITHM_UNITS).astype(np.int64)
        self._logarithms = GroupedEvents(counted.groups, counted.times, logarithms)

    def included(self, rows: Transactions) -> dict[str, FloatArray]:
        features = {}
        until_now = self._amounts.until(rows.groups, rows.times)
        for days in WINDOW_DAYS:
            window = until_now.since(self._amounts.until(rows.groups, rows.times - days * DAY))
            features[f"customer_transactions_{days}d"] = window.count.astype(np.float64)
            features[f"customer_mean_amount_{days}d"] = _mean(window, AMOUNT_UNITS)
        return features

    def mean_before(self, rows: Transactions, days: int) -> FloatArray:
        return _mean(_before(self._amounts, rows, days), AMOUNT_UNITS)

    def typical_before(self, rows: Transactions, days: int) -> FloatArray:
        return np.expm1(_mean(_before(self._logarithms, rows, days), LOGARITHM_UNITS))

    def large_amounts(self, rows: Transactions) -> dict[str, FloatArray]:
        """Whether an amount was large needs its own habit: only those that some row looks back on are asked."""
        reach = max(LARGE_AMOUNT_DAYS) * DAY
        recent = self._counted.since(rows.times.min() - reach) if len(rows.times) else self._counted
        is_large = _ratio(recent.amounts, self.mean_before(recent, LONGEST)) >= LARGE_AMOUNT
        large = GroupedEvents(recent.groups[is_large], recent.times[is_large])
        before = large.until(rows.groups, rows.times - 1)
        return {
            f"customer_large_amounts_{days}d": before.since(
                large.until(rows.groups, rows.times - days * DAY)
            ).count.astype(np.float64)
            for days in LARGE_AMOUNT_DAYS
        }

    def seconds_since_last(self, rows: Transactions) -> FloatArray:
        """Seconds since the customer's last transaction within the longest window; NaN when there was none."""
        last = self._amounts.last_before(rows.groups, rows.times)
        seconds = (rows.times - last) / _SECOND
        return np.where((last >= 0) & (rows.times - last < LONGEST * DAY), seconds, np.nan)


def _before(events: GroupedEvents, rows: Transactions, days: int) -> Prefix:
    return events.until(rows.groups, rows.times - 1).since(events.until(rows.groups, rows.times - days * DAY))


def _mean(window: Prefix, units: int) -> FloatArray:
    mean = np.full(len(window.count), np.nan)
    np.divide(window.total, window.count * np.float64(units), out=mean, where=window.count > 0)
    return mean


def _ratio(amounts: FloatArray, habit: FloatArray) -> FloatArray:
    ratio = np.full(len(amounts), np.nan)
    np.divide(amounts, habit, out=ratio, where=habit > 0)
    return ratio


def as_transactions(rows: pd.DataFrame, groups: Int64Array, times: Int64Array) -> Transactions:
    """The arrays of a frame's rows."""
    return Transactions(groups, times, rows["amount"].to_numpy(dtype=np.float64))
