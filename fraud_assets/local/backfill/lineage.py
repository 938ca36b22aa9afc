"""What a backfill must know of the assets: which are made in ranges, which come together, and what needs what."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from fraud_assets.postgres.steps.inputs import requires_own_partition


@dataclass(frozen=True)
class Lineage:
    """The assets in the order in which a day makes them, each called as its key is written."""

    order: tuple[str, ...]
    step: Mapping[str, str]
    """The step that makes each asset."""
    in_ranges: frozenset[str]
    """Assets that a single run makes for many days."""
    together: Mapping[str, frozenset[str]]
    """For each asset the ones that are always made with it, itself included."""
    needs: Mapping[str, frozenset[str]]
    """For each asset those that it cannot be made without on the same day."""

    @classmethod
    def of(cls, defs: dg.Definitions) -> "Lineage":
        graph = defs.resolve_asset_graph()
        # The source is in the graph as well, and nothing that a run makes.
        made = [key for key in graph.toposorted_asset_keys if key in graph.materializable_asset_keys]
        order = [key.to_user_string() for key in made]
        step: dict[str, str] = {}
        together: dict[str, frozenset[str]] = {}
        needs: dict[str, frozenset[str]] = {}
        in_ranges = set[str]()
        made_by = [graph.get(key).assets_def for key in made]
        for assets in {id(assets): assets for assets in made_by}.values():
            names = frozenset(key.to_user_string() for key in assets.keys)
            needed = frozenset(_needed(assets))
            policy = assets.backfill_policy
            for name in names:
                step[name] = assets.node_def.name
                together[name] = frozenset({name}) if assets.can_subset else names
                needs[name] = needed - names
            if policy is not None and policy.max_partitions_per_run is None:
                in_ranges |= names
        return cls(tuple(order), step, frozenset(in_ranges), together, needs)

    def without(self, lost: Collection[str]) -> frozenset[str]:
        """The assets that a day cannot make when it lacks these."""
        gone = set(lost)
        for name in self.order:
            if self.needs[name] & gone:
                gone |= self.together[name]
        return frozenset(gone)

    def sorted(self, assets: Collection[str]) -> list[str]:
        return [name for name in self.order if name in assets]


def _needed(assets: dg.AssetsDefinition) -> Iterator[str]:
    """The assets whose partition of the same day a step loads and must find."""
    for name, key in assets.keys_by_input_name.items():
        definition: Any = assets.op.input_dict[name]
        if not definition.dagster_type.is_nothing and requires_own_partition(definition.metadata):
            yield key.to_user_string()
