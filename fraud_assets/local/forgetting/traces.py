"""What has been written down of a customer beside their rows: Dagster's events, runs and checks, facts, and logs.

The texts that our own assets write are tables of alerts; what an error or somebody's run config says is anybody's
guess, so every text is looked through.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection

from fraud_assets.local.database import Workplace
from fraud_assets.local.forgetting.identifiers import Identifiers
from fraud_assets.postgres.event_log.partitions import has_event_log
from fraud_assets.postgres.event_log.texts import changed_texts, write_anew
from fraud_assets.postgres.names import Relation
from fraud_assets.postgres.storage.forgetting import rewrite_patiently

VERSIONS = Relation("dagster_io", "versions")


def in_dagster(workplace: Workplace, known: Identifiers, *, dry_run: bool) -> dict[str, int]:
    """Take the ids out of Dagster's tables, and out of their files; returns the rows by table."""
    with psycopg.connect(workplace.dagster_database_url, autocommit=True) as connection:
        if not has_event_log(connection):
            return {}
        changed = changed_texts(connection, known.redacted, dry_run=dry_run)
        if not dry_run:
            # Also where nothing has changed: an interrupted call may have changed it, and come no further.
            write_anew(connection)
    return changed


def in_ledger(connection: Connection[Any], known: Identifiers, *, dry_run: bool) -> int:
    """Take the ids out of what assets have said about their versions; returns the number of these."""
    changed = 0
    for version, said in connection.execute("SELECT version_id, facts::text FROM dagster_io.versions").fetchall():
        facts = known.redacted(said)
        if facts != said:
            changed += 1
            if not dry_run:
                statement = "UPDATE dagster_io.versions SET facts = %s::jsonb WHERE version_id = %s"
                connection.execute(statement, [facts, version])
    if not dry_run:
        rewrite_patiently(connection, VERSIONS)
    return changed


def in_journals(connection: Connection[Any], known: Identifiers) -> list[int]:
    """The numbers of those entries of journals that mention an id. They are never changed."""
    rows = connection.execute("SELECT number, content::text FROM dagster_io.journals ORDER BY number").fetchall()
    return [number for number, said in rows if known.redacted(said) != said]


def in_logs(workplace: Workplace, known: Identifiers, *, dry_run: bool) -> list[Path]:
    """Mask the ids in logs, in place, as somebody may be writing to one; returns the files that have, or had, any."""
    found = []
    for file in _logs(workplace):
        text = file.read_bytes()
        masked = known.masked(text)
        if masked != text:
            found.append(file)
            if not dry_run:
                _overwrite(file, masked)
    return found


def _logs(workplace: Workplace) -> Iterator[Path]:
    for folder in (workplace.dagster_home / "storage", workplace.settings.home / "logs"):
        yield from (file for file in sorted(folder.rglob("*")) if file.is_file())


def _overwrite(file: Path, masked: bytes) -> None:
    with file.open("r+b") as stream:
        stream.write(masked)
