"""How full the house is, as `doctor` sees it: sizes, room for locks, and whether what is to be kept can be meant."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import psycopg
from psycopg import Connection
from rich.filesize import decimal

from fraud_assets.local.doctor.database import database_url
from fraud_assets.local.doctor.findings import Problem, Remark
from fraud_assets.local.embedded import running
from fraud_assets.partitions import daily_partitions
from fraud_assets.postgres.storage.sizes import asset_sizes, database_size, lock_room
from fraud_assets.settings import Settings

LARGEST = 8
LITTLE_ROOM_BYTES = 5_000_000_000
NOT_LOOKED = "not looked at: the database cannot be reached"


def sizes(settings: Settings) -> str:
    """Data by asset, the ledger, Dagster's own database, and the disk that the embedded server writes to."""
    with _connected(database_url(settings)) as connection:
        if connection is None:
            return NOT_LOOKED
        total = database_size(connection)
        has_ledger = connection.execute("SELECT to_regclass('dagster_io.versions') IS NOT NULL").fetchone() == (True,)
        assets = asset_sizes(connection) if has_ledger else []
    lines = [f"{decimal(total.total)} in the database, {decimal(total.ledger)} of it the ledger"]
    lines[0] += _dagster(settings)
    for one in assets[:LARGEST]:
        archived = f", and {decimal(one.archived_bytes)} in {one.archived_versions:,} archived versions"
        lines.append(
            f"{one.asset_key}: {decimal(one.current_bytes)} in {one.partitions:,} partitions"
            + (archived if one.archived_versions else "")
        )
    if len(assets) > LARGEST:
        rest = sum(one.current_bytes + one.archived_bytes for one in assets[LARGEST:])
        lines.append(f"{len(assets) - LARGEST} more assets: {decimal(rest)}")
    said = "\n             ".join(lines)
    free = _free(settings)
    if free is not None and free < max(LITTLE_ROOM_BYTES, total.total // 5):
        raise Remark(
            f"{said}\n             only {decimal(free)} are free on the disk; keep less (retention), or make room."
        )
    return said + (f"\n             {decimal(free)} are free on the disk" if free is not None else "")


def locks(settings: Settings) -> str:
    """Whether a dump, and a read through the largest table, find room for their locks."""
    with _connected(database_url(settings)) as connection:
        if connection is None:
            return NOT_LOOKED
        found = lock_room(connection)
    said = (
        f"room for {found.room:,} at a time (max_locks_per_transaction {found.locks_per_transaction} for "
        f"{found.sessions} sessions); a pg_dump takes about {found.dumped:,}"
    )
    if found.largest_table is not None:
        said += f", a read through {found.largest_table} {found.largest_partitions:,}"
    if 2 * found.dumped > found.room:
        wanted = found.setting_for(found.dumped)
        raise Remark(
            f"{said}, which is more than half: set max_locks_per_transaction = {wanted} and restart the server (ALTER "
            f"SYSTEM SET max_locks_per_transaction = {wanted}), or keep fewer days (retention.days)."
        )
    return said


def retention(settings: Settings) -> str:
    """Whether the settings under `retention` name assets, and keep what today's windows look back on."""
    from fraud_assets.assets import all_assets
    from fraud_assets.assets.plan import Plan
    from fraud_assets.assets.retention import mistakes

    kept = settings.retention
    if kept.days or kept.archived_versions:
        # Which day is the first makes no difference here, and finding it out may take a look at the source.
        plan = Plan(settings, daily_partitions(date.min, settings.timezone))
        wrong = mistakes(plan, all_assets(plan))
        if wrong:
            raise Problem(" ".join(wrong))
    said = ", ".join(f"{name} {days} days" for name, days in kept.days.items()) or "all partitions are kept"
    events = "all of Dagster's events" if kept.event_days is None else f"Dagster's events {kept.event_days} days"
    return f"{said}; {events}; fraud-assets prune removes the rest"


def _dagster(settings: Settings) -> str:
    """The size of Dagster's own database, where it has one."""
    if settings.dagster_database_url is not None:
        url = settings.dagster_database_url.get_secret_value()
    elif settings.database_url is None and (server := running(settings.home)) is not None:
        url = server.url("dagster")
    else:
        return ""
    with _connected(url) as connection:
        return "" if connection is None else f"; {decimal(database_size(connection).total)} in Dagster's own"


def _free(settings: Settings) -> int | None:
    """Bytes that are free where the embedded server writes; None where it is not ours to look."""
    if settings.database_url is not None:
        return None
    server = running(settings.home)
    return None if server is None else shutil.disk_usage(settings.home / "postgres").free


@contextmanager
def _connected(url: str | None) -> Iterator[Connection[Any] | None]:
    """A connection; None where nobody answers, which the check of the database says."""
    try:
        connection = None if url is None else psycopg.connect(url, connect_timeout=5, autocommit=True)
    except psycopg.Error:
        connection = None
    try:
        yield connection
    finally:
        if connection is not None:
            connection.close()
