"""Housekeeping: what is beyond the settings under `retention` goes, from the data, and from Dagster's event log.

`housekeeping` does it all without a word, for the command `prune` and for whoever runs it on a schedule. What lives
here: in which order. What does not: what is kept (assets/retention.py), removing (postgres), and printing (prune.py).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import psycopg
from psycopg import Connection

from fraud_assets.assets.plan import Plan
from fraud_assets.assets.retention import kept, mistakes
from fraud_assets.local.errors import Refusal
from fraud_assets.postgres import PostgresResource
from fraud_assets.postgres.event_log.partitions import forget_partitions, has_event_log, recorded_partitions
from fraud_assets.postgres.event_log.trimming import Trimmed, old_events, trim_events
from fraud_assets.postgres.names import Relation
from fraud_assets.postgres.storage.ledger import Layout, Status
from fraud_assets.postgres.storage.reclaiming import reclaim
from fraud_assets.postgres.storage.removal import Excess, Limits, excess, remove, without_current
from fraud_assets.postgres.storage.tables import registered_spec

MODELS = Relation("dagster_io", "models")
ARCHIVED_ROWS = Relation("dagster_io", "archived_rows")
EVENT_LOGS, EVENT_TAGS = Relation("public", "event_logs"), Relation("public", "asset_event_tags")


@dataclass(frozen=True)
class Gone:
    """What has gone of one asset, or would go."""

    asset: str
    first_day: str | None
    """The first day that is kept; None where all are."""
    versions: tuple[Excess, ...]
    left: int = 0
    """How many versions should have gone, and are being read or were replaced meanwhile."""

    @property
    def partitions(self) -> list[str]:
        return sorted({version.partition_key for version in self.versions if version.is_old})

    @property
    def byte_count(self) -> int:
        return sum(version.byte_count for version in self.versions)


@dataclass(frozen=True)
class Housekept:
    """What housekeeping has done, or would do."""

    is_dry: bool
    assets: tuple[Gone, ...]
    events: Trimmed = Trimmed()
    forgotten_events: int = 0
    """Events of partitions that are gone."""
    reclaimed: dict[str, int] = field(default_factory=dict)
    """By table, the bytes that its files have shrunk by. Partitions that are gone are not in it."""

    def summary(self) -> str:
        """What went, in a line each."""
        lines = [
            f"{one.asset}: {len(one.partitions)} partitions, {len(one.versions)} versions, {one.byte_count:,} bytes"
            for one in self.assets
            if one.versions
        ]
        lines += [f"Dagster's event log: {self.events.events:,} events of {len(self.events.runs):,} finished runs"]
        return "\n".join(lines)


@dataclass(frozen=True)
class House:
    """Where the data is, and where Dagster's own tables are."""

    postgres: PostgresResource
    dagster_url: str
    plan: Plan
    assets: Sequence[dg.AssetsDefinition]


def housekeeping(
    house: House, instance: dg.DagsterInstance, *, dry_run: bool = False, now: datetime | None = None
) -> Housekept:
    """Remove what is beyond the settings under `retention`; with `dry_run`, only say what would go.

    Nothing that is being read is waited for, and running assets are not disturbed: what cannot go now goes the next
    time. Interrupted anywhere, the next one finishes. Raises `Refusal` with a sentence for each setting that cannot be
    meant.
    """
    wrong = mistakes(house.plan, house.assets)
    if wrong:
        raise Refusal("\n".join(wrong))
    with house.postgres.connect() as connection:
        gone = tuple(_of_asset(connection, house, name, dry_run) for name in _names(house))
        reclaimed = {} if dry_run else _reclaim_data(connection, gone)
    events, forgotten = Trimmed(), 0
    before = _cutoff(house, now or datetime.now(UTC))
    with _event_log(house) as log:
        if log is not None:
            forgotten = sum(_forget(log, house, one, dry_run) for one in gone)
            if before is not None:
                events = old_events(log, before) if dry_run else trim_events(log, before)
            if not dry_run:
                reclaimed |= _reclaim_log(log, events, forgotten)
    if not dry_run:
        for run in events.runs:
            instance.compute_log_manager.delete_logs(prefix=[run])
    return Housekept(dry_run, gone, events, forgotten, {name: size for name, size in reclaimed.items() if size})


def _names(house: House) -> list[str]:
    return sorted(key.to_user_string() for asset in house.assets for key in asset.keys)


def _of_asset(connection: Connection[Any], house: House, name: str, dry_run: bool) -> Gone:
    settings = house.plan.settings
    limits = kept(settings.retention, name)
    newest = max(house.postgres.stored_row_counts(name), default=None)
    first_day = None if newest is None else limits.first_day(newest)
    archived = limits.archived_versions
    found = excess(
        connection, name, Limits(first_day, settings.storage.archived_versions if archived is None else archived)
    )
    removed = found if dry_run else remove(connection, name, found)
    return Gone(name, first_day, tuple(removed), len(found) - len(removed))


def _cutoff(house: House, now: datetime) -> datetime | None:
    days = house.plan.settings.retention.event_days
    return None if days is None else now - timedelta(days=days)


@contextmanager
def _event_log(house: House) -> Iterator[Connection[Any] | None]:
    """Dagster's own database; None where it has made no tables yet."""
    with psycopg.connect(house.dagster_url, autocommit=True, application_name="fraud_assets") as connection:
        yield connection if has_event_log(connection) else None


def _forget(log: Connection[Any], house: House, gone: Gone, dry_run: bool) -> int:
    """Take partitions out of Dagster's record; those, too, that an interrupted run has removed from the data alone."""
    if gone.first_day is None:
        return 0
    with house.postgres.connect() as connection:
        missing = {*without_current(connection, gone.asset, gone.first_day), *(gone.partitions if dry_run else [])}
    recorded = recorded_partitions(log, gone.asset, sorted(missing))
    return len(recorded) if dry_run or not recorded else forget_partitions(log, gone.asset, recorded)


def _reclaim_data(connection: Connection[Any], gone: Sequence[Gone]) -> dict[str, int]:
    """Partitions are files of their own, and gone; models and the rows of small tables leave room behind."""
    freed: dict[Relation, int] = {}
    for one in gone:
        spec = registered_spec(connection, one.asset)
        for version in one.versions:
            if spec is None:
                relation = MODELS
            elif spec.layout is Layout.ROWS:
                relation = ARCHIVED_ROWS if version.status == Status.ARCHIVED else spec.relation
            else:
                continue
            freed[relation] = freed.get(relation, 0) + version.byte_count
    return {str(relation): reclaim(connection, relation, size) for relation, size in freed.items()}


def _reclaim_log(log: Connection[Any], events: Trimmed, forgotten: int) -> dict[str, int]:
    if not events.events and not forgotten:
        return {}
    average = 2_000
    freed = events.byte_count + forgotten * average
    return {str(table): reclaim(log, table, freed) for table in (EVENT_LOGS, EVENT_TAGS)}
