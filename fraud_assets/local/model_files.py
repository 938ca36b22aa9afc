"""Best models as the report server hands them out: the stored bytes, and a signature to check them by.

Nothing is unpickled, and nothing here knows the signing key: whoever takes a model away checks it with theirs. What is
read is one view of the storage's, so that a server without the rest of storage stays small.
"""

import hashlib
import json
import threading
from typing import Any

import psycopg
from psycopg.rows import dict_row

from fraud_assets.reporting.server.connections import NETWORK, taking_turns
from fraud_assets.reporting.server.downloads import ModelFile
from fraud_assets.reporting.server.store import StoreUnavailable

BEST_MODEL = "best_model"
MOST_AT_ONCE = 2
_CURRENT = "SELECT * FROM dagster_io.current_models WHERE asset_key = %s AND partition_key = %s"


class StoredModels:
    """The current best models of a database, for a role that may read `dagster_io.current_models`."""

    def __init__(self, url: str) -> None:
        self._url = url
        # A model may be large: a few of them are in memory at a time.
        self._turns = threading.BoundedSemaphore(MOST_AT_ONCE)

    def file_of(self, day: str) -> ModelFile | None:
        """The best model of a day, YYYY-MM-DD, as joblib wrote it; None where there is none.

        Raises `psycopg.OperationalError` where the database does not answer, `StoreUnavailable` where the role may not
        read it or others are read for too long, `ValueError` for damaged bytes.
        """
        with taking_turns(self._turns):
            row = self._row(day)
        return None if row is None else _file(row)

    def _row(self, day: str) -> dict[str, Any] | None:
        with psycopg.connect(self._url, autocommit=True, row_factory=dict_row, **NETWORK) as connection:
            try:
                return connection.execute(_CURRENT, [BEST_MODEL, day], binary=True).fetchone()
            except psycopg.errors.UndefinedTable:
                return None
            except psycopg.errors.InsufficientPrivilege as error:
                raise StoreUnavailable("The report server's role may not read models.") from error


def _file(row: dict[str, Any]) -> ModelFile:
    payload = bytes(row["payload"])
    name = f"{row['asset_key']}-{row['partition_key']}-version-{row['version']}"
    if hashlib.sha256(payload).hexdigest() != row["sha256"]:
        raise ValueError(f"The bytes of {name} do not have their checksum any more; restore or refit the model.")
    return ModelFile(name, payload, json.dumps(_signature(row), indent=2) + "\n")


def _signature(row: dict[str, Any]) -> dict[str, Any]:
    """What is known of a model's bytes. `hmac` is the HMAC-SHA256 of the text `signed` under the signing key."""
    place = [row["asset_key"], row["partition_key"], row["version"]]
    return {
        **dict(zip(("asset", "partition", "version"), place, strict=True)),
        "stored_at": row["created_at"].isoformat(),
        "sha256": row["sha256"],
        "hmac": bytes(row["signature"]).hex(),
        "signed": json.dumps([*place, row["sha256"], row["libraries"], row["volatile"]]),
        "libraries": json.loads(row["libraries"]),
    }
