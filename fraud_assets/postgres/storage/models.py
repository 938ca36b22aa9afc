"""Stored models: signed bytes in the ledger's own table, one row for each version that is not pruned.

Writing, loading and restoring them lives here; how they become bytes in `pickles`, how they are signed and checked in
`seals`. Nothing is unpickled before its seal has been checked, and restoring unpickles nothing at all.
"""

import io
import json
from collections.abc import Sequence
from typing import Any

import joblib
from psycopg import Connection

from fraud_assets.postgres.errors import ModelRefused
from fraud_assets.postgres.locks import lock_name
from fraud_assets.postgres.storage.ledger import (
    Content,
    Origin,
    Status,
    Version,
    current_versions,
    find_version,
    next_version_id,
    record_current,
    refuse_tables,
    set_status,
)
from fraud_assets.postgres.storage.pickles import dumped, without
from fraud_assets.postgres.storage.retention import prune_archived
from fraud_assets.postgres.storage.seals import Contents, Place, Seal, check_key, check_libraries, check_seal, sealed

__all__ = ["find_version", "load_model", "restore_model", "store_model", "verified_payload"]


def store_model(
    connection: Connection[Any],
    asset_key: str,
    partition_key: str,
    model: object,
    *,
    signing_key: bytes,
    origin: Origin,
    volatile: frozenset[str] = frozenset(),
    libraries: Sequence[str] = (),
    keep: int | None = 3,
) -> Version:
    """Make a model the current version of a partition, in one transaction; the one before is archived.

    `keep` archived versions stay, or all. Raises `ModelRefused` without a key.
    """
    check_key(signing_key, asset_key, partition_key)
    bare, measured = without(model, volatile)
    contents = Contents.of(dumped(bare), libraries, measured)
    return _store(connection, asset_key, partition_key, contents, signing_key, origin, keep)


def restore_model(
    connection: Connection[Any], version: Version, *, signing_key: bytes, origin: Origin, keep: int | None
) -> Version:
    """Make an archived version's bytes current again, signed for their new number. Nothing is unpickled.

    Raises `ModelRefused` for what could not be loaded either: a wrong seal, or another version of any library that
    the model was made with.
    """
    contents = _verified(connection, version, signing_key, None)
    return _store(connection, version.asset_key, version.partition_key, contents, signing_key, origin, keep)


def _store(
    connection: Connection[Any],
    asset_key: str,
    partition_key: str,
    contents: Contents,
    signing_key: bytes,
    origin: Origin,
    keep: int | None,
) -> Version:
    with connection.transaction():
        lock_name(connection, "model", asset_key, partition_key)
        refuse_tables(connection, asset_key)
        for current in current_versions(connection, asset_key, [partition_key]):
            set_status(connection, current.version_id, Status.ARCHIVED)
        content = Content(row_count=1, byte_count=len(contents.payload), content_hash=contents.sha256)
        version = record_current(connection, next_version_id(connection), asset_key, partition_key, content, origin)
        seal = sealed(contents, _place(version), signing_key)
        connection.execute(
            "INSERT INTO dagster_io.models (version_id, payload, sha256, signature, libraries, volatile)"
            " VALUES (%b, %b, %s, %b, %s, %s)",
            [version.version_id, contents.payload, seal.sha256, seal.signature, contents.libraries, contents.volatile],
        )
    if keep is not None:
        prune_archived(connection, asset_key, partition_key, keep)
    return version


def load_model(
    connection: Connection[Any],
    asset_key: str,
    partition_key: str,
    *,
    signing_key: bytes,
    libraries: Sequence[str] = (),
    version: int | None = None,
) -> tuple[Version, Any]:
    """The current model of a partition, or one of its versions, after its signature has been checked.

    Raises `PartitionMissing` where there is none and `ModelRefused` for what must not be unpickled.
    """
    found = find_version(connection, asset_key, partition_key, version)
    payload, measured = verified_payload(connection, found, signing_key=signing_key, libraries=libraries)
    model = joblib.load(io.BytesIO(payload))
    if measured:
        vars(model).update(measured)
    return found, model


def verified_payload(
    connection: Connection[Any], version: Version, *, signing_key: bytes, libraries: Sequence[str] = ()
) -> tuple[bytes, dict[str, Any]]:
    """A stored model's bytes and its measured attributes, checked and not unpickled. Raises `ModelRefused`."""
    contents = _verified(connection, version, signing_key, libraries)
    return contents.payload, dict(json.loads(contents.volatile))


def _verified(
    connection: Connection[Any], version: Version, signing_key: bytes, libraries: Sequence[str] | None
) -> Contents:
    place = _place(version)
    row = connection.execute(
        "SELECT payload, libraries, volatile, sha256, signature FROM dagster_io.models WHERE version_id = %s",
        [version.version_id],
    ).fetchone()
    if row is None:
        raise ModelRefused(f"{place} has been pruned: its record is there, its bytes are not.")
    contents, seal = Contents(bytes(row[0]), row[1], row[2]), Seal(row[3], bytes(row[4]))
    check_seal(seal, contents, place, signing_key)
    check_libraries(contents, place, libraries)
    return contents


def _place(version: Version) -> Place:
    return Place(version.asset_key, version.partition_key, version.version)
