"""What happens without anyone watching: the job of a day, its schedule, the sensors, and who hears of what failed.

What lives here: when something is launched or told. What does not: what is computed (assets), and what is asked of
storage, which definitions.py hands in. `automation` puts the parts together.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import dagster as dg

from fraud_assets.automation.failures import failure_sensor
from fraud_assets.automation.housekeeping import KeepHouse, housekeeping_job, housekeeping_schedule
from fraud_assets.automation.job import JOB, DailyJob, daily_job
from fraud_assets.automation.landing import Graph, landing_sensor
from fraud_assets.automation.lost_retries import lost_retries_sensor
from fraud_assets.automation.quiet_labels import label_sensor
from fraud_assets.automation.schedule import daily_schedule
from fraud_assets.settings import Settings
from fraud_assets.sources import LandingFolder, Source

__all__ = ["JOB", "Automation", "automation"]


@dataclass(frozen=True)
class Automation:
    """The jobs, the schedules and the sensors of a code location."""

    jobs: tuple[DailyJob | dg.JobDefinition, ...]
    schedules: tuple[dg.ScheduleDefinition, ...]
    sensors: tuple[dg.SensorDefinition, ...]


def automation(
    settings: Settings,
    partitions: dg.DailyPartitionsDefinition,
    source: Source,
    assets: Iterable[dg.AssetsDefinition],
    keep_house: KeepHouse,
) -> Automation:
    """The jobs with their schedules, and the sensors that these settings have: a landing folder has one of its own."""
    job, housekeeping = daily_job(), housekeeping_job(keep_house)
    sensors = [failure_sensor(settings.alerts), label_sensor(settings), lost_retries_sensor(job)]
    if isinstance(source, LandingFolder):
        sensors.append(landing_sensor(settings, partitions, job, source, graph_of(assets)))
    schedules = daily_schedule(settings, partitions, job), housekeeping_schedule(settings, housekeeping)
    return Automation((job, housekeeping), schedules, tuple(sensors))


def graph_of(assets: Iterable[dg.AssetsDefinition]) -> Graph:
    """What a corrected day needs to know: which assets are made of many days at once, and who reads first versions."""
    ranged: set[str] = set()
    excepted: set[tuple[str, str]] = set()
    for made in assets:
        outputs = [key.to_user_string() for key in made.keys]
        if made.backfill_policy is not None and made.backfill_policy.max_partitions_per_run is None:
            ranged.update(outputs)
        for name, read in made.keys_by_input_name.items():
            if made.node_def.input_def_named(name).metadata.get("version") == "first":
                excepted.update((output, read.to_user_string()) for output in outputs)
    return Graph(frozenset(ranged), frozenset(excepted))
