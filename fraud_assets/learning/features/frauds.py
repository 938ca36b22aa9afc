"""The known frauds of customers or terminals, looked at from later transactions.

What lives here: counts and recency of frauds inside a delayed window, each only from the instant on at which its label
was known and until a later label took it back. What does not: names of features (spec.py).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fraud_assets.learning.features.reads import Reads
from fraud_assets.learning.features.windows import GroupedEvents, Int64Array, active_at
from fraud_assets.learning.labels import label_periods, same_kind_of_ids

_NONE = np.int64(-1)


KNOWN_FRAUD_READS = Reads(
    frozenset({"transaction_id", "transaction_time", "amount"}), frozenset({"transaction_id", "label", "known_at"})
)
"""Of everything that is asked of known frauds, beside the group: which are refunds, and which is whose label."""


@dataclass(frozen=True)
class Recency:
    """Of the frauds that a row may know: the earliest and the latest, in microseconds; -1 where there is none."""

    first: Int64Array
    last: Int64Array


class KnownFrauds:
    """Frauds by group, asked about the windows (t - delay - w, t - delay) of rows at times t.

    All times are microseconds since 1970. A fraud counts for a row when its transaction lies in that window, open at
    both ends, and its label is the last word on it at t.
    """

    def __init__(self, groups: Int64Array, happened: Int64Array, known: Int64Array, superseded: Int64Array) -> None:
        """One of each per fraud label; `groups` are codes >= 0."""
        order = np.lexsort((superseded, known, happened, groups))
        self._groups, self._happened = groups[order], happened[order]
        self._known, self._superseded = known[order], superseded[order]

    @classmethod
    def of(cls, transactions: pd.DataFrame, groups: Int64Array, labels: pd.DataFrame) -> "KnownFrauds":
        """The fraud labels of these transactions; rows whose group is below 0 have none.

        `transactions` has transaction_id and transaction_time, `groups` a code for each of its rows. Raises
        `LearningError` when the two frames' ids cannot be compared.
        """
        periods = label_periods(labels)
        frauds = periods[periods["label"] == 1]
        same_kind_of_ids(transactions, frauds)
        own = transactions[["transaction_id", "transaction_time"]].assign(group=groups)[groups >= 0]
        merged = frauds.merge(own, on="transaction_id")
        return cls(
            merged["group"].to_numpy(dtype=np.int64),
            microseconds(merged["transaction_time"]),
            microseconds(merged["known_at"]),
            microseconds(merged["superseded_at"]),
        )

    def count(self, groups: Int64Array, times: Int64Array, *, delay: np.int64, window: np.int64) -> Int64Array:
        """How many each row may know."""
        return active_at(
            np.maximum(self._happened + delay + 1, self._known),
            np.minimum(self._happened + delay + window, self._superseded),
            self._groups,
            at_groups=groups,
            at_times=times,
        )

    def recency(self, groups: Int64Array, times: Int64Array, *, delay: np.int64, window: np.int64) -> Recency:
        """The earliest and the latest that each row may know."""
        events = GroupedEvents(self._groups, self._happened)
        start = events.until(groups, times - delay - window).count
        end = events.until(groups, times - delay - 1).count
        return Recency(self._walk(start, end - 1, times, np.int64(1)), self._walk(end - 1, start, times, np.int64(-1)))

    def _walk(self, position: Int64Array, until: Int64Array, times: Int64Array, step: np.int64) -> Int64Array:
        """When the first fraud happened, going from `position` to `until`, whose label stands at the row's time."""
        found = np.full(len(position), _NONE)
        # Nearly all labels of a window are known: the walk is a step for most rows, and a few for the rest.
        rows = np.flatnonzero((until - position) * step >= 0)
        at = position[rows]
        while len(rows):
            now = times[rows]
            stands = (self._known[at] <= now) & (self._superseded[at] > now)
            found[rows[stands]] = self._happened[at[stands]]
            rows, at = rows[~stands], at[~stands] + step
            inside = (until[rows] - at) * step >= 0
            rows, at = rows[inside], at[inside]
        return found


def microseconds(times: pd.Series) -> Int64Array:
    """Microseconds since 1970 of timestamps with a time zone."""
    whole: Int64Array = times.dt.as_unit("us").to_numpy(dtype="datetime64[us]").astype(np.int64)
    return whole
