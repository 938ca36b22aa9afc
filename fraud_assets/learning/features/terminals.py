"""What is known of a terminal once its labels have come in.

What lives here: the features of spec.terminal_names(), all of them about transactions at least a label delay ago. What
does not: what counts as a known fraud (frauds.py).
"""

from collections.abc import Mapping

import numpy as np

from fraud_assets.learning.features.frauds import KNOWN_FRAUD_READS, KnownFrauds
from fraud_assets.learning.features.habits import Transactions
from fraud_assets.learning.features.reads import Reads
from fraud_assets.learning.features.spec import FRAUD_DAYS, LONGEST, WINDOW_DAYS, terminal_names
from fraud_assets.learning.features.windows import DAY, FloatArray, GroupedEvents

_COUNT_READS = Reads.of("terminal_id", "transaction_time", "amount")
TERMINAL_READS: Mapping[str, Reads] = {
    name: _COUNT_READS | KNOWN_FRAUD_READS if "fraud" in name else _COUNT_READS for name in terminal_names()
}
"""Of each feature of `terminal_features`: the plain counts know no labels."""


def terminal_features(
    everything: Transactions, wanted: Transactions, frauds: KnownFrauds, delay: np.int64
) -> dict[str, FloatArray]:
    """The terminals of `wanted`, from `everything` and the known frauds; NaN where the terminal is missing.

    Transactions and the share of frauds are the handbook's, over (t-d-w, t-d]. Recency is of the frauds in
    (t-d-30d, t-d): days since the earliest and since the latest, and the number of transactions at the terminal
    between the latest and t-d; NaN where there is no known fraud.
    """
    counted = everything.counted
    events = GroupedEvents(counted.groups, counted.times)
    until_delay = events.until(wanted.groups, wanted.times - delay)
    features: dict[str, FloatArray] = {}
    for days in WINDOW_DAYS:
        count = until_delay.since(events.until(wanted.groups, wanted.times - delay - days * DAY)).count
        known = frauds.count(wanted.groups, wanted.times, delay=delay, window=days * DAY)
        features[f"terminal_transactions_{days}d"] = count.astype(np.float64)
        features[f"terminal_fraud_share_{days}d"] = np.divide(known, count, out=np.zeros(len(count)), where=count > 0)
    features |= fraud_counts("terminal", wanted, frauds, delay)
    recency = frauds.recency(wanted.groups, wanted.times, delay=delay, window=LONGEST * DAY)
    is_there = recency.last >= 0
    features["terminal_days_since_first_fraud"] = np.where(is_there, (wanted.times - recency.first) / DAY, np.nan)
    features["terminal_days_since_last_fraud"] = np.where(is_there, (wanted.times - recency.last) / DAY, np.nan)
    since = until_delay.since(events.until(wanted.groups, np.where(is_there, recency.last, wanted.times))).count
    features["terminal_transactions_since_last_fraud"] = np.where(is_there, since, np.nan)
    return {name: np.where(wanted.groups >= 0, values, np.nan) for name, values in features.items()}


def fraud_counts(whose: str, wanted: Transactions, frauds: KnownFrauds, delay: np.int64) -> dict[str, FloatArray]:
    """How many frauds of (t-d-w, t-d) are known of each row's customer or terminal, for each window w."""
    return {
        f"{whose}_frauds_{days}d": np.where(
            wanted.groups >= 0,
            frauds.count(wanted.groups, wanted.times, delay=delay, window=days * DAY),
            np.nan,
        )
        for days in FRAUD_DAYS
    }
