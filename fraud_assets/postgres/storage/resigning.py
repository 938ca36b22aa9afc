"""Stored models signed anew after the signing key has changed: all of them, or none.

Nothing is unpickled, and no model gets a signature that did not have a right one before.
"""

from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from fraud_assets.postgres.errors import ModelRefused
from fraud_assets.postgres.locks import lock_name
from fraud_assets.postgres.storage.seals import Contents, Place, Seal, check_seal, sealed

SHOWN = 5


@dataclass(frozen=True)
class Resigned:
    """How many models were signed anew, and how many had the new key's signature already."""

    changed: int
    unchanged: int


def resign_models(connection: Connection[Any], old_key: bytes, new_key: bytes) -> Resigned:
    """Check every stored model, archived ones too, with the old key, and sign it with the new one; one transaction.

    The connection must be in autocommit. Raises `ModelRefused` for models that were signed with neither key; then
    nothing is changed.
    """
    changed = unchanged = 0
    strangers: list[Place] = []
    with connection.transaction():
        lock_name(connection, "models", "resigning")
        stored = connection.execute(
            "SELECT m.version_id, v.asset_key, v.partition_key, v.version"
            " FROM dagster_io.models m JOIN dagster_io.versions v USING (version_id) ORDER BY m.version_id"
        ).fetchall()
        for version_id, *named in stored:
            place = Place(*named)
            read = _read(connection, version_id)
            if read is None:  # pruned meanwhile
                continue
            if _is_sealed(*read, place, new_key):
                unchanged += 1
            elif _is_sealed(*read, place, old_key):
                connection.execute(
                    "UPDATE dagster_io.models SET signature = %b WHERE version_id = %s",
                    [sealed(read[1], place, new_key).signature, version_id],
                )
                changed += 1
            else:
                strangers.append(place)
        if strangers:
            raise ModelRefused(_refusal(strangers))
    return Resigned(changed, unchanged)


def _read(connection: Connection[Any], version_id: int) -> tuple[Seal, Contents] | None:
    """One model at a time: all of them may be more than the memory holds."""
    row = connection.execute(
        "SELECT sha256, signature, payload, libraries, volatile FROM dagster_io.models WHERE version_id = %s",
        [version_id],
        binary=True,
    ).fetchone()
    return None if row is None else (Seal(row[0], bytes(row[1])), Contents(bytes(row[2]), row[3], row[4]))


def _is_sealed(seal: Seal, contents: Contents, place: Place, key: bytes) -> bool:
    try:
        check_seal(seal, contents, place, key)
    except ModelRefused:
        return False
    return True


def _refusal(strangers: list[Place]) -> str:
    more = f", and {len(strangers) - SHOWN} more" if len(strangers) > SHOWN else ""
    listed = ", ".join(
        f"{place.asset_key} of {place.partition_key} (version {place.version})" for place in strangers[:SHOWN]
    )
    return (
        f"{len(strangers)} of the stored models were signed with neither key, or have been changed since: {listed}"
        f"{more}. Nothing is changed; give the key that they were stored under, or refit them first."
    )
