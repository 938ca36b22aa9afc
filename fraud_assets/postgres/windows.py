"""Windows of partitions behind an edge: which keys lie how far from those that an input asks for.

Only arithmetic on partition definitions lives here; what exists of the partitions is storage's business.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg


@dataclass(frozen=True)
class Window:
    """First and last partition, relative to the one behind the edge: (-3, 0) is that one and the three before it."""

    first: int
    last: int

    @property
    def has_own(self) -> bool:
        return self.first <= 0 <= self.last


@dataclass(frozen=True)
class Neighbourhood:
    """The partition keys in and around a window, in order, with the places of those that were asked for."""

    ordered: Sequence[str]
    asked: Mapping[int, str]

    def inside(self, window: Window) -> tuple[str, ...]:
        """The keys from the window's start before the first key asked for to its end after the last."""
        if not self.asked:
            return ()
        start, end = min(self.asked) + window.first, max(self.asked) + window.last + 1
        return tuple(self.ordered[max(0, start) : max(0, end)])

    def askers(self, window: Window) -> dict[str, frozenset[str]]:
        """For each key inside, those of the keys asked for whose own window it lies in."""
        found = {}
        for place, key in enumerate(self.ordered):
            reached = range(place - window.last, place - window.first + 1)
            found[key] = frozenset(self.asked[asked] for asked in reached if asked in self.asked)
        return found


def neighbourhood(
    partitions: dg.PartitionsDefinition[Any], keys: Sequence[str], window: Window, instance: dg.DagsterInstance | None
) -> Neighbourhood:
    """The surroundings of `keys`, wide enough for the window. Time partitions are walked, not listed from the first."""
    if not keys:
        return Neighbourhood((), {})
    if isinstance(partitions, dg.TimeWindowPartitionsDefinition):
        ordered = _around(partitions, keys, window)
    else:
        ordered = list(partitions.get_partition_keys(dynamic_partitions_store=instance))
    wanted = set(keys)
    return Neighbourhood(ordered, {place: key for place, key in enumerate(ordered) if key in wanted})


def _around(partitions: dg.TimeWindowPartitionsDefinition, keys: Sequence[str], window: Window) -> list[str]:
    times = sorted((partitions.time_window_for_partition_key(key) for key in keys), key=lambda time: time.start)
    start, end = times[0].start, times[-1].end
    for _ in range(-window.first):
        before = partitions.get_prev_partition_window(start)
        if before is None:
            break
        start = before.start
    for _ in range(window.last):
        after = partitions.get_next_partition_window(end)
        if after is None:
            break
        end = after.end
    return list(partitions.get_partition_keys_in_time_window(dg.TimeWindow(start, end)))
