"""What is kept how long, in the terms of assets: whose partitions, how many days, how many superseded versions.

What lives here: which asset a setting means, and the days that today's settings still look back on. What does not:
removing anything (postgres, local).
"""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

import dagster as dg

from fraud_assets.assets.candidate_models import CANDIDATES, PREFIX
from fraud_assets.assets.feature_drift import SHOWN_DAYS
from fraud_assets.assets.plan import Plan
from fraud_assets.learning.watching.live import DAYS_OF_WEEK, LONGEST_HISTORY_WEEKS
from fraud_assets.partitions import shifted
from fraud_assets.settings import RetentionSettings

ARCHIVED_VERSIONS = "archived_versions"
"""The metadata of an asset that says how many superseded versions of a partition storage keeps."""


@dataclass(frozen=True)
class Kept:
    """What is kept of one asset: None where there is no limit of its own."""

    days: int | None = None
    archived_versions: int | None = None

    def first_day(self, newest: str) -> str | None:
        """The first partition that stays, counted from the newest that is stored; None where all do."""
        return None if self.days is None else shifted(newest, 1 - self.days).isoformat()


def kept(settings: RetentionSettings, asset_key: str) -> Kept:
    """What the settings say of an asset: by its own name, else by that of the family that it belongs to."""
    days, versions = (meant(values, asset_key) for values in (settings.days, settings.archived_versions))
    return Kept(
        days=None if days is None else settings.days[days],
        archived_versions=None if versions is None else settings.archived_versions[versions],
    )


def meant(values: Container[str], asset_key: str) -> str | None:
    """The name by which an asset is set: its own, else that of the family that it belongs to."""
    name = asset_key
    while name not in values and "/" in name:
        name = name.rpartition("/")[0]
    return name if name in values else None


def with_archived_versions(assets: Iterable[dg.AssetsDefinition], plan: Plan) -> list[dg.AssetsDefinition]:
    """The assets, each of whose metadata says how many superseded versions storage keeps, where the settings do."""
    settings = plan.settings.retention

    def marked(spec: dg.AssetSpec) -> dg.AssetSpec:
        number = kept(settings, spec.key.to_user_string()).archived_versions
        return spec if number is None else spec.merge_attributes(metadata={ARCHIVED_VERSIONS: number})

    return [asset.map_asset_specs(marked) for asset in assets] if settings.archived_versions else list(assets)


def mistakes(plan: Plan, assets: Sequence[dg.AssetsDefinition]) -> list[str]:
    """A sentence for each setting of `retention` that names no asset, or keeps less than is still looked at."""
    settings = plan.settings.retention
    names = {key.to_user_string() for asset in assets for key in asset.keys}
    families = {name.rpartition("/")[0] for name in names} - {""}
    known = ", ".join(sorted(names | families))
    found = [
        f"retention.{section} names {name!r}, and there is no such asset; the assets and families are {known}."
        for section, values in (("days", settings.days), (ARCHIVED_VERSIONS, settings.archived_versions))
        for name in values
        if name not in names | families
    ]
    needed = needed_days(plan, assets)
    for name, days in settings.days.items():
        longest = max((needed.get(asset, 1) for asset in names if meant(settings.days, asset) == name), default=1)
        if days < longest:
            found.append(
                f"retention.days keeps {days} days of {name}, and today's settings look back on {longest}; keep "
                f"{longest} or more."
            )
    return found


def needed_days(plan: Plan, assets: Sequence[dg.AssetsDefinition]) -> dict[str, int]:
    """By asset, how many of its days are read for a day, the day itself included.

    By the windows of all inputs, by what assets ask the ledger about earlier days, and by the history that a run
    brings where it is missing: what is pruned within it, the next run would make anew.
    """
    offsets = [(key, first) for asset in assets for key, first in _windows(asset)]
    offsets += _asked_of_the_ledger(plan)
    history, features = plan.windows.history[0], plan.feature_history[0]
    offsets += [(name, history + features) for name in ("raw_batch", "rejected_rows", "labels")]
    # The source is read as well, and is not ours to prune.
    ours = {key.to_user_string() for asset in assets for key in asset.keys}
    needed: dict[str, int] = {}
    for name, first in offsets:
        if name in ours:
            needed[name] = max(needed.get(name, 1), 1 - first)
    return needed


def _windows(asset: dg.AssetsDefinition) -> Iterable[tuple[str, int]]:
    metadata = {one.name: one.metadata for one in asset.node_def.input_defs}
    for name, key in asset.keys_by_input_name.items():
        yield key.to_user_string(), int(min(metadata[name].get("window", [0])))


def _asked_of_the_ledger(plan: Plan) -> Iterable[tuple[str, int]]:
    settings = plan.settings
    learning, history = settings.learning, 1 - settings.reports.history_days
    yield "best_model", min(-learning.champion_days, history)
    yield "daily_summary", history
    # The differences of half a year, and what was said before the week whose worth is known by now.
    weeks = -DAYS_OF_WEEK * (LONGEST_HISTORY_WEEKS + 1)
    yield "live_performance", min(history, weeks - settings.label_delay_days)
    yield "feature_drift", 1 - SHOWN_DAYS
    for name in CANDIDATES:
        yield f"{PREFIX}/{name}", -learning.search_every_days
