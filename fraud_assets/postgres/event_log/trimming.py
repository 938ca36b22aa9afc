"""Old events that nobody looks at again leave the log: what is left of a finished run is what it did and how it ended.

Kept of every run: the run itself, the events of its states and failures, its asset checks, and the newest
materialization of each partition. Removed once it is old: log lines, inputs and outputs of steps, the engine's own
notes, the start and success of steps, and materializations, or plans of one, that a later one of the same partition
has superseded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from psycopg import Connection

RUNS_AT_A_TIME = 50

_SEEN_NO_MORE = [
    "ASSET_CHECK_EVALUATION_PLANNED",
    "ASSET_STORE_OPERATION",
    "ENGINE_EVENT",
    "HANDLED_OUTPUT",
    "HOOK_COMPLETED",
    "HOOK_SKIPPED",
    "LOADED_INPUT",
    "LOGS_CAPTURED",
    "OBJECT_STORE_OPERATION",
    "RESOURCE_INIT_STARTED",
    "RESOURCE_INIT_SUCCESS",
    "STEP_EXPECTATION_RESULT",
    "STEP_INPUT",
    "STEP_OUTPUT",
    "STEP_RESTARTED",
    "STEP_START",
    "STEP_SUCCESS",
    "STEP_UP_FOR_RETRY",
    "STEP_WORKER_STARTED",
    "STEP_WORKER_STARTING",
]

_FINISHED: LiteralString = """
SELECT run_id FROM runs
 WHERE status IN ('SUCCESS', 'FAILURE', 'CANCELED')
   AND coalesce(end_time, extract(epoch FROM update_timestamp)) < %s
 ORDER BY id
"""

_OLD: LiteralString = """
e.run_id = ANY(%(runs)s) AND (
       e.dagster_event_type IS NULL
    OR e.dagster_event_type = ANY(%(unseen)s)
    OR e.dagster_event_type = 'ASSET_MATERIALIZATION' AND EXISTS (
           SELECT FROM event_logs l
            WHERE l.asset_key = e.asset_key AND l.dagster_event_type = 'ASSET_MATERIALIZATION'
              AND l.partition IS NOT DISTINCT FROM e.partition AND l.id > e.id)
    OR e.dagster_event_type = 'ASSET_MATERIALIZATION_PLANNED' AND EXISTS (
           SELECT FROM event_logs l
            WHERE l.asset_key = e.asset_key AND l.partition IS NOT DISTINCT FROM e.partition AND l.id > e.id
              AND l.dagster_event_type IN ('ASSET_MATERIALIZATION', 'ASSET_MATERIALIZATION_PLANNED')))
"""


@dataclass(frozen=True)
class Trimmed:
    """What has left the log, or would: events, and the bytes of what they say."""

    runs: tuple[str, ...] = ()
    """All finished runs that are old enough, whether or not anything of them was left to remove."""
    events: int = 0
    byte_count: int = 0


def old_events(connection: Connection[Any], before: datetime) -> Trimmed:
    """What `trim_events` would remove."""
    runs = _finished_runs(connection, before)
    row = connection.execute(
        f"SELECT count(*), coalesce(sum(pg_column_size(e.*)), 0) FROM event_logs e WHERE {_OLD}",  # noqa: S608
        {"runs": runs, "unseen": _SEEN_NO_MORE},
    ).fetchone()
    assert row is not None
    return Trimmed(tuple(runs), int(row[0]), int(row[1]))


def trim_events(connection: Connection[Any], before: datetime) -> Trimmed:
    """Remove the events of runs that ended before an instant, some runs at a time. The connection is in autocommit."""
    runs = _finished_runs(connection, before)
    events = byte_count = 0
    for first in range(0, len(runs), RUNS_AT_A_TIME):
        removed, size = _trim(connection, runs[first : first + RUNS_AT_A_TIME])
        events, byte_count = events + removed, byte_count + size
    return Trimmed(tuple(runs), events, byte_count)


def _trim(connection: Connection[Any], runs: Sequence[str]) -> tuple[int, int]:
    with connection.transaction():
        rows = connection.execute(
            f"DELETE FROM event_logs e WHERE {_OLD} RETURNING id, pg_column_size(e.*)",  # noqa: S608  our own text
            {"runs": list(runs), "unseen": _SEEN_NO_MORE},
        ).fetchall()
        connection.execute("DELETE FROM asset_event_tags WHERE event_id = ANY(%s)", [[event for event, _ in rows]])
    return len(rows), sum(size for _, size in rows)


def _finished_runs(connection: Connection[Any], before: datetime) -> list[str]:
    return [run for (run,) in connection.execute(_FINISHED, [before.timestamp()]).fetchall()]
