"""The job of a day, and the runs of it that Dagster knows."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

DailyJob: TypeAlias = UnresolvedAssetJobDefinition
"""What `define_asset_job` returns, which Dagster has no public name for."""

JOB = "daily_fraud_model"
LAST_ASSET = "daily_summary"
"""The asset that is made last: a day that has it is whole."""
IN_DATE_ORDER = {"fraud_assets/in_date_order": "yes"}
"""The tag of runs that go one at a time, as they were launched: by it, `dagster.yaml` keeps days in their order."""
PARTITION = "dagster/partition"
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def daily_job() -> DailyJob:
    """Every asset of one day."""
    return dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.all(),
        description="Every asset of one day, from its raw batch to its scores.",
    )


@dataclass(frozen=True)
class UnderWay:
    """The runs that have not ended: each makes some assets of some days."""

    runs: tuple[dg.DagsterRun, ...]

    @classmethod
    def of(cls, instance: dg.DagsterInstance) -> "UnderWay":
        return cls(tuple(instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY))))

    def makes(self, asset: str, day: date) -> bool:
        """Whether one of them makes this asset of this day."""
        return any(run_of_day(run, day) and makes_asset(run, asset) for run in self.runs)

    def tagged(self, name: str) -> Iterator[dg.DagsterRun]:
        """Those that have a tag of that name."""
        return (run for run in self.runs if name in run.tags)


def run_of_day(run: dg.DagsterRun, day: date) -> bool:
    """Whether a run is one of this day, alone or in a range."""
    key = day.isoformat()
    if PARTITION in run.tags:
        return run.tags[PARTITION] == key
    first, last = run.tags.get(RANGE_START), run.tags.get(RANGE_END)
    return first is not None and last is not None and first <= key <= last


def makes_asset(run: dg.DagsterRun, asset: str) -> bool:
    """Whether a run makes an asset; one without a selection makes all."""
    return run.asset_selection is None or dg.AssetKey.from_user_string(asset) in run.asset_selection
