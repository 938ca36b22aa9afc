"""The sensor of a landing folder: a day's whole file starts its run, a corrected one what it has left out of date.

What lives here: what is launched, and how much at once. What a file is worth is in `files`, what follows from a
corrected one in `reruns`.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

import dagster as dg

from fraud_assets.automation.files import Look, News, WholeFile, as_cursor, from_cursor, look
from fraud_assets.automation.job import IN_DATE_ORDER, DailyJob, UnderWay
from fraud_assets.automation.reruns import CORRECTION, OutdatedVersion, reruns
from fraud_assets.partitions import shifted
from fraud_assets.settings import Settings
from fraud_assets.sources import LandingFolder, SourceError, content_digest

SENSOR = "landing_folder"
RAW_BATCH = ("raw_batch", "rejected_rows")
FINGERPRINT = "source_fingerprint"
RUN_KEY = "dagster/run_key"
LOOK_SECONDS = 30
SHOWN_DAYS = 5


class Ledger(Protocol):
    """What the sensor asks storage."""

    def stored_facts(self, asset_key: str, fact: str) -> Mapping[str, str]:
        """A fact of the current version of each partition, by partition key."""
        ...

    def outdated_by(
        self, asset_key: str, fact: str, excepted: Collection[tuple[str, str]]
    ) -> Sequence[OutdatedVersion]:
        """What is out of date since partitions of an asset were stored anew with another content and another fact."""
        ...


@dataclass(frozen=True)
class Graph:
    """What the sensor knows of the assets: which are made of many days in one run, and who reads first versions."""

    ranged: frozenset[str]
    excepted: frozenset[tuple[str, str]]


def landing_sensor(
    settings: Settings,
    partitions: dg.DailyPartitionsDefinition,
    job: DailyJob,
    folder: LandingFolder,
    graph: Graph,
    *,
    clock: Callable[[], float] = time.time,
) -> dg.SensorDefinition:
    """Looks at the folder every half a minute once it is switched on. `clock` tells the time in seconds."""
    said = settings.sensors

    @dg.sensor(
        name=SENSOR,
        job=job,
        minimum_interval_seconds=LOOK_SECONDS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description=(
            "Runs a day when its file is there and whole. When the file of a stored day was corrected, makes its "
            "raw_batch anew, and what was made from it."
        ),
    )
    def landing_folder(context: dg.SensorEvaluationContext, storage: dg.ResourceParam[Ledger]) -> dg.SensorResult:
        now = clock()
        stored = storage.stored_facts(RAW_BATCH[0], FINGERPRINT)
        try:
            arrivals = folder.arrivals()
        except SourceError as error:
            return dg.SensorResult(skip_reason=str(error), cursor=context.cursor)
        today = datetime.fromtimestamp(now, settings.tzinfo).date()
        ended = [arrival for arrival in arrivals if partitions.start.date() <= arrival.day < today]
        found = look(ended, from_cursor(context.cursor), stored, now, said.settle_seconds, content_digest)
        under_way = UnderWay.of(context.instance)
        # Where nothing is stored yet, the days before the newest are a backfill's.
        oldest = shifted(max((a.day for a in ended), default=today), -said.look_back_days if stored else 0)
        requests = list(_of_files(found, oldest, under_way))
        requests += _of_corrections(storage, graph, under_way)
        wanted = [request for request in requests if not _was_launched(context.instance, request)]
        chosen = wanted[: said.runs_per_tick]
        return dg.SensorResult(
            run_requests=chosen,
            skip_reason=None if chosen else _nothing(found, stored),
            cursor=as_cursor(found.memory),
        )

    return landing_folder


def _of_files(found: Look, oldest: date, under_way: UnderWay) -> Iterator[dg.RunRequest]:
    """A run of everything for a new day from `oldest` on, of the batch alone for a corrected one; in date order."""
    for file in found.whole:
        if under_way.makes(RAW_BATCH[0], file.day):
            continue
        if file.news is News.CORRECTED:
            yield _request(file, RAW_BATCH)
        elif file.day >= oldest:
            yield _request(file)


def _request(file: WholeFile, assets: Sequence[str] = ()) -> dg.RunRequest:
    tags = {**IN_DATE_ORDER, **({CORRECTION: str(file.day)} if assets else {})}
    selection = [dg.AssetKey(asset) for asset in assets] or None
    return dg.RunRequest(run_key=file.run_key, partition_key=file.day.isoformat(), asset_selection=selection, tags=tags)


def _of_corrections(storage: Ledger, graph: Graph, under_way: UnderWay) -> list[dg.RunRequest]:
    """What corrected batches have left out of date, once the runs of the last round have ended."""
    if any(under_way.tagged(CORRECTION)):
        return []
    outdated = storage.outdated_by(RAW_BATCH[0], FINGERPRINT, graph.excepted)
    return [rerun.request() for rerun in reruns(outdated, graph.ranged)]


def _was_launched(instance: dg.DagsterInstance, request: dg.RunRequest) -> bool:
    """Dagster launches a key once, and says nothing of those that it leaves out: they would use up the bound."""
    filters = dg.RunsFilter(tags={RUN_KEY: str(request.run_key)})
    return bool(instance.get_runs(filters, limit=1))


def _nothing(found: Look, stored: Collection[str]) -> str:
    if found.waiting:
        days = ", ".join(map(str, found.waiting[-SHOWN_DAYS:]))
        return f"Waits until the files of {len(found.waiting)} days have settled (the newest: {days})."
    return f"No news: {len(found.memory)} files, {len(stored)} days stored."
