"""Exact sums and counts over moving time windows of many groups at once.

What lives here: integer arithmetic on sorted arrays. What does not: which windows a feature has (spec.py).
Everything is a difference of two prefix totals of integers, so a result does not depend on where the history starts.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Int64Array = NDArray[np.int64]
FloatArray = NDArray[np.float64]

DAY = np.int64(86_400_000_000)
"""24 hours in microseconds."""

_NO_AMOUNTS: Int64Array = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Prefix:
    """Totals over everything sorted before some point in time of each row's group; only differences mean anything."""

    count: Int64Array
    total: Int64Array

    def since(self, earlier: "Prefix") -> "Prefix":
        return Prefix(self.count - earlier.count, self.total - earlier.total)


class GroupedEvents:
    """Events, each with a group, a time and an amount, sorted once and then asked for prefix totals."""

    def __init__(self, groups: Int64Array, times: Int64Array, amounts: Int64Array = _NO_AMOUNTS) -> None:
        """`groups` are codes >= 0, `times` any integers, `amounts` (optional) integers: one of each per event."""
        self._distinct_times = np.unique(times)
        # Ranks instead of times keep group and time in one int64 for any number of groups and any span.
        self._stride = len(self._distinct_times) + 1
        keys = groups * self._stride + np.searchsorted(self._distinct_times, times)
        order = np.argsort(keys, kind="stable")
        self._keys = keys[order]
        self._totals = np.zeros(len(amounts) + 1, dtype=np.int64)
        if len(amounts):
            # A wrap-around of the running total is harmless: differences of int64 are exact modulo 2**64.
            np.cumsum(amounts[order], out=self._totals[1:])

    def until(self, groups: Int64Array, times: Int64Array) -> Prefix:
        """Totals over the events of each row's group with a time at or before the row's (the time included)."""
        ranks = np.searchsorted(self._distinct_times, times, side="right")
        position = np.searchsorted(self._keys, groups * self._stride + ranks)
        total = self._totals[position] if len(self._totals) > 1 else np.zeros(len(position), dtype=np.int64)
        return Prefix(position.astype(np.int64), total)

    def last_before(self, groups: Int64Array, times: Int64Array) -> Int64Array:
        """The time of the last event of each row's group before the row's time (not at it); -1 where there is none."""
        last = np.full(len(groups), np.int64(-1))
        position = self.until(groups, times - 1).count - 1
        exists = np.flatnonzero(position >= 0)
        keys = self._keys[position[exists]]
        same = keys // self._stride == groups[exists]
        # Ranks of keys begin at 0, so a key's remainder is the place of its time among the distinct ones.
        last[exists[same]] = self._distinct_times[keys[same] % self._stride]
        return last


def active_at(
    starts: Int64Array, ends: Int64Array, groups: Int64Array, *, at_groups: Int64Array, at_times: Int64Array
) -> Int64Array:
    """How many half-open intervals [start, end) of each row's group contain the row's time."""
    real = starts < ends
    begun = GroupedEvents(groups[real], starts[real]).until(at_groups, at_times)
    over = GroupedEvents(groups[real], ends[real]).until(at_groups, at_times)
    return begun.count - over.count
