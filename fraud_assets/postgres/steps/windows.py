"""Partitions in their order, and windows of them: which keys lie how far from those that an input asks for.

Only arithmetic on partition definitions lives here; what exists of the partitions is storage's business.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from fraud_assets.postgres.errors import PostgresStorageError

Partitions = dg.PartitionsDefinition[Any]


@dataclass(frozen=True)
class Window:
    """First and last partition, relative to the one behind the edge: (-3, 0) is that one and the three before it."""

    first: int
    last: int

    @property
    def has_own(self) -> bool:
        return self.first <= 0 <= self.last


def in_order(partitions: Partitions, keys: Iterable[str], instance: dg.DagsterInstance | None) -> tuple[str, ...]:
    """The keys in the order of their definition, since Dagster hands over those of many kinds as sets.

    Those that the definition does not have come last. `instance` knows the dynamic ones.
    """
    wanted = {str(key) for key in keys}
    known = known_in_order(partitions, wanted, instance)
    return (*known, *sorted(wanted.difference(known)))


def known_in_order(partitions: Partitions, keys: Iterable[str], instance: dg.DagsterInstance | None) -> tuple[str, ...]:
    """Those of the keys that the definition has, in its order."""
    wanted = set(keys)
    if isinstance(partitions, dg.TimeWindowPartitionsDefinition):
        existing = (key for key in wanted if partitions.has_partition_key(key))
        return tuple(sorted(existing, key=lambda key: partitions.start_time_for_partition_key(key).timestamp()))
    if isinstance(partitions, dg.MultiPartitionsDefinition):
        return _in_order_of_dimensions(partitions, wanted, instance)
    return tuple(key for key in partitions.get_partition_keys(dynamic_partitions_store=instance) if key in wanted)


def _in_order_of_dimensions(
    partitions: dg.MultiPartitionsDefinition, keys: Collection[str], instance: dg.DagsterInstance | None
) -> tuple[str, ...]:
    """As Dagster lists them: by the key of the dimension whose name comes first, then by the other."""
    parts = {key: dimension_keys(partitions, key) for key in keys if partitions.is_valid_key_format(key)}
    ranks: list[Mapping[str, int]] = []
    for dimension in partitions.partitions_defs:
        found = known_in_order(dimension.partitions_def, {part[dimension.name] for part in parts.values()}, instance)
        ranks.append({key: rank for rank, key in enumerate(found)})
    places = {
        key: tuple(rank.get(part, -1) for rank, part in zip(ranks, by_name.values(), strict=True))
        for key, by_name in parts.items()
    }
    return tuple(sorted((key for key, place in places.items() if min(place) >= 0), key=places.__getitem__))


def dimension_keys(partitions: dg.MultiPartitionsDefinition, key: str) -> dict[str, str]:
    """The keys by dimension, in the order of the dimensions' names, as in the key itself."""
    by_name = partitions.get_partition_key_from_str(key).keys_by_dimension
    return {dimension.name: by_name[dimension.name] for dimension in partitions.partitions_defs}


def window_around(
    partitions: Partitions, keys: Sequence[str], window: Window, instance: dg.DagsterInstance | None
) -> dict[str, frozenset[str]]:
    """The keys inside of the windows of those asked for, in order; and for each, those whose window it lies in.

    In partitions of two dimensions the window runs along time, beside the same key of the other dimension. Raises
    `PostgresStorageError` where there is no such dimension, or two.
    """
    if not keys:
        return {}
    if isinstance(partitions, dg.MultiPartitionsDefinition):
        return _around_in_time(partitions, keys, window, instance)
    if isinstance(partitions, dg.TimeWindowPartitionsDefinition):
        ordered = _surroundings(partitions, keys, window)
    else:
        ordered = list(partitions.get_partition_keys(dynamic_partitions_store=instance))
    wanted = set(keys)
    asked = {place: key for place, key in enumerate(ordered) if key in wanted}
    found = {}
    for place, key in enumerate(ordered):
        reached = range(place - window.last, place - window.first + 1)
        if askers := frozenset(asked[asker] for asker in reached if asker in asked):
            found[key] = askers
    return found


def _surroundings(partitions: dg.TimeWindowPartitionsDefinition, keys: Sequence[str], window: Window) -> list[str]:
    """The keys from the first asked for to the last and as far around as the window reaches: walked, not listed."""
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


def _around_in_time(
    partitions: dg.MultiPartitionsDefinition, keys: Sequence[str], window: Window, instance: dg.DagsterInstance | None
) -> dict[str, frozenset[str]]:
    times = [d for d in partitions.partitions_defs if isinstance(d.partitions_def, dg.TimeWindowPartitionsDefinition)]
    if len(times) != 1:
        raise PostgresStorageError(
            "A window needs partitions of which exactly one dimension is time, to run along; ask for the partitions "
            "with a partition mapping instead."
        )
    time, (other,) = times[0], [d for d in partitions.partitions_defs if d != times[0]]
    beside: dict[str, list[str]] = {}
    for key in keys:
        by_name = dimension_keys(partitions, key)
        beside.setdefault(by_name[other.name], []).append(by_name[time.name])
    found = {}
    for own, time_keys in beside.items():
        for key, askers in window_around(time.partitions_def, time_keys, window, instance).items():
            found[_joined({time.name: key, other.name: own})] = frozenset(
                _joined({time.name: asker, other.name: own}) for asker in askers
            )
    return {key: found[key] for key in in_order(partitions, found, instance)}


def _joined(by_name: Mapping[str, str]) -> str:
    return str(dg.MultiPartitionKey(dict(by_name)))
