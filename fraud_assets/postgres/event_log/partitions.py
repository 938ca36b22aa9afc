"""Partitions that are stored no more: their materializations leave Dagster's record, which then shows them as missing.

`DagsterInstance.wipe_asset_partitions` is the public way to that, and Dagster's storages on SQL do not implement it.
"""

import json
from collections.abc import Sequence
from typing import Any, LiteralString

from psycopg import Connection

_EVENTS: LiteralString = (
    "asset_key = %(asset)s AND partition = ANY(%(partitions)s) AND dagster_event_type IN"
    " ('ASSET_MATERIALIZATION', 'ASSET_MATERIALIZATION_PLANNED', 'ASSET_OBSERVATION', 'ASSET_FAILED_TO_MATERIALIZE')"
)

# Dagster writes the whole record of the last materialization beside the asset, in this form.
_LAST: LiteralString = """
UPDATE asset_keys
   SET cached_status_data = NULL,
       last_materialization = CASE
           WHEN last_materialization IS NULL
             OR (last_materialization::json ->> 'storage_id')::bigint <> ALL (%(events)s) THEN last_materialization
           ELSE (SELECT '{"__class__": "EventLogRecord", "event_log_entry": ' || event
                     || ', "storage_id": ' || id || '}'
                   FROM event_logs
                  WHERE asset_key = %(asset)s AND dagster_event_type = 'ASSET_MATERIALIZATION'
                  ORDER BY id DESC LIMIT 1)
       END
 WHERE asset_key = %(asset)s
"""


def has_event_log(connection: Connection[Any]) -> bool:
    """Whether this database is one that Dagster keeps its events in."""
    row = connection.execute(
        "SELECT to_regclass('event_logs') IS NOT NULL AND to_regclass('asset_keys') IS NOT NULL"
    ).fetchone()
    return row == (True,)


def recorded_partitions(connection: Connection[Any], asset_key: str, partitions: Sequence[str]) -> list[str]:
    """Those of the partitions that Dagster has a materialization of, or the intention to make one."""
    rows = connection.execute(
        f"SELECT DISTINCT partition FROM event_logs WHERE {_EVENTS} ORDER BY partition",  # noqa: S608  our own text
        {"asset": _stored_name(asset_key), "partitions": list(partitions)},
    ).fetchall()
    return [partition for (partition,) in rows]


def forget_partitions(connection: Connection[Any], asset_key: str, partitions: Sequence[str]) -> int:
    """Remove what Dagster recorded of an asset's partitions, in one transaction; returns the number of events.

    Runs, and what checks have found, stay. What Dagster derives from the events is derived anew when it is asked for.
    """
    name = _stored_name(asset_key)
    with connection.transaction():
        rows = connection.execute(
            f"DELETE FROM event_logs WHERE {_EVENTS} RETURNING id",  # noqa: S608  our own text
            {"asset": name, "partitions": list(partitions)},
        ).fetchall()
        events = [event for (event,) in rows]
        connection.execute("DELETE FROM asset_event_tags WHERE event_id = ANY(%s)", [events])
        connection.execute(_LAST, {"asset": name, "events": events})
    return len(events)


def _stored_name(asset_key: str) -> str:
    """An asset key as Dagster's tables have it."""
    return json.dumps(asset_key.split("/"))
