"""Dropping old versions: the rows of archived versions beyond those that are kept. Their records stay.

It happens after a replacement, never within it: an archived version that somebody is still reading is left for the
next time, and holds nobody up. The first version of an asset that says `keep_first` is never dropped.
"""

from typing import Any

import psycopg
from psycopg import Connection, sql

from fraud_assets.postgres.locks import lock_name
from fraud_assets.postgres.storage.ledger import FIRST_VERSION, Status, Version, set_status, versions
from fraud_assets.postgres.storage.tables import registered_spec


def prune_archived(connection: Connection[Any], asset_key: str, partition_key: str, keep: int) -> int:
    """Drop the rows of all but the newest `keep` archived versions, and the first. Returns how many were dropped."""
    with connection.transaction():
        lock_name(connection, "prune", asset_key, partition_key)
        spec = registered_spec(connection, asset_key)
        kept_for_good = FIRST_VERSION if spec is not None and spec.keep_first else None
        archived = [v for v in versions(connection, asset_key, partition_key) if v.status == Status.ARCHIVED]
        beyond = (version for version in archived[keep:] if version.version != kept_for_good)
        return sum(drop_archived(connection, version) for version in beyond)


def drop_archived(connection: Connection[Any], version: Version) -> bool:
    """Drop an archived version's rows, in the caller's transaction; False for one that somebody is reading."""
    try:
        with connection.transaction():
            if version.relation_name is not None:
                table = version.relation.identifier
                connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE NOWAIT").format(table))
                connection.execute(sql.SQL("DROP TABLE {}").format(table))
    except psycopg.errors.LockNotAvailable:
        return False
    except psycopg.errors.UndefinedTable:
        pass  # Somebody has dropped it by hand: what is left to do is to say so.
    connection.execute("DELETE FROM dagster_io.archived_rows WHERE version_id = %s", [version.version_id])
    connection.execute("DELETE FROM dagster_io.models WHERE version_id = %s", [version.version_id])
    set_status(connection, version.version_id, Status.PRUNED)
    return True
