"""Which runs make anew what a corrected file has left out of date: upstream first, then the models in date order.

Pure: from what the ledger says is outdated to the runs to launch. What was not made from the corrected day, or from
something that has changed with it, is left as it is.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Protocol

import dagster as dg

from fraud_assets.automation.job import IN_DATE_ORDER, RANGE_END, RANGE_START

CORRECTION = "fraud_assets/correction"
"""The tag of runs that follow a corrected file; its value says of which round."""


class OutdatedVersion(Protocol):
    """A current version that was made from something that has been replaced since."""

    @property
    def version_id(self) -> int: ...
    @property
    def asset_key(self) -> str: ...
    @property
    def partition_key(self) -> str: ...
    @property
    def is_direct(self) -> bool: ...
    @property
    def must_wait(self) -> bool: ...


@dataclass(frozen=True)
class Rerun:
    """A run to launch: some assets of a day, or of a range of days."""

    assets: tuple[str, ...]
    first: str
    last: str
    replaces: tuple[int, ...]
    """The versions that it makes anew. By them it is known: what has failed once is not launched again by itself."""

    @property
    def run_key(self) -> str:
        versions = hashlib.sha256(repr(self.replaces).encode()).hexdigest()[:16]
        return f"{self.first} to {self.last} {versions}"

    def request(self) -> dg.RunRequest:
        selection = [dg.AssetKey.from_user_string(asset) for asset in self.assets]
        tags = {**IN_DATE_ORDER, CORRECTION: f"{self.first} to {self.last}"}
        if self.first == self.last:
            return dg.RunRequest(run_key=self.run_key, partition_key=self.first, asset_selection=selection, tags=tags)
        ranged = {RANGE_START: self.first, RANGE_END: self.last}
        return dg.RunRequest(run_key=self.run_key, asset_selection=selection, tags=tags | ranged)


def reruns(outdated: Sequence[OutdatedVersion], ranged: Collection[str]) -> list[Rerun]:
    """The runs that can be launched now, in the order in which they must go. `ranged` are made of many days at once.

    Those come first, and only what waits for nothing else that is outdated. Once none of them is left, the other assets
    follow a day at a time, each day's with all that is reached there, which one run makes in its order. A day that is
    reached only by what comes before it ends the list: that may turn out the same, and leave the day as it is.
    """
    of_ranges = [version for version in outdated if version.asset_key in ranged]
    if of_ranges:
        return list(_by_range(version for version in of_ranges if version.is_direct and not version.must_wait))
    return list(_by_day(outdated))


def _by_range(ready: Iterable[OutdatedVersion]) -> Iterator[Rerun]:
    by_asset = sorted(ready, key=lambda version: (version.asset_key, version.partition_key))
    for asset, versions in groupby(by_asset, key=lambda version: version.asset_key):
        for run in _contiguous(list(versions)):
            replaced = tuple(version.version_id for version in run)
            yield Rerun((asset,), run[0].partition_key, run[-1].partition_key, replaced)


def _contiguous(versions: Sequence[OutdatedVersion]) -> Iterator[list[OutdatedVersion]]:
    run: list[OutdatedVersion] = []
    for version in versions:
        if run and date.fromisoformat(run[-1].partition_key) + timedelta(days=1) != date.fromisoformat(
            version.partition_key
        ):
            yield run
            run = []
        run.append(version)
    if run:
        yield run


def _by_day(outdated: Iterable[OutdatedVersion]) -> Iterator[Rerun]:
    ordered = sorted(outdated, key=lambda version: (version.partition_key, version.asset_key))
    for day, versions in groupby(ordered, key=lambda version: version.partition_key):
        of_day = list(versions)
        if not any(version.is_direct for version in of_day):
            return
        assets = tuple(version.asset_key for version in of_day)
        yield Rerun(assets, day, day, tuple(version.version_id for version in of_day))
