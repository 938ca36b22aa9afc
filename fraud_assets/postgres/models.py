"""Stored models: bytes, a checksum, a signature, and the library versions that they were made with.

A pickle runs code when it is loaded, so nothing is unpickled before its signature has been checked. The signature
covers asset, partition and version as well: a genuine old model put in another's place is refused too.
"""

import copy
import hashlib
import hmac
import io
import json
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as library_version
from typing import Any

import joblib
import numpy as np
from joblib.numpy_pickle import NumpyPickler
from psycopg import Connection

from fraud_assets.postgres.errors import ModelRefused, PostgresStorageError
from fraud_assets.postgres.ledger import (
    Content,
    Origin,
    Status,
    Version,
    current_versions,
    find_version,
    next_version_id,
    record_current,
    set_status,
)
from fraud_assets.postgres.locks import lock_name
from fraud_assets.postgres.retention import prune_archived

__all__ = ["find_version", "load_model", "store_model", "verified_payload"]


def dumped(model: object) -> bytes:
    """joblib's bytes of an object, the same for equal objects however they came about.

    A pickle notes which of its strings and arrays are one and the same object in memory, and that depends on whether
    the model was fitted here or came back from a worker. One round trip settles it.
    """
    return _dump(joblib.load(io.BytesIO(_dump(model))))


def _dump(model: object) -> bytes:
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=pickle.DEFAULT_PROTOCOL).dump(model)
    return buffer.getvalue()


class _Pickler(NumpyPickler):  # type: ignore[misc]
    """joblib's own, but for what lies between the fields of records: the padding of a tree's nodes is stale memory."""

    def save(self, obj: object) -> None:
        if type(obj) is np.ndarray and obj.dtype.names is not None:
            clean = np.zeros(obj.shape, obj.dtype)
            for name in obj.dtype.names:
                clean[name] = obj[name]
            obj = clean
        super().save(obj)


def _without(model: object, volatile: frozenset[str]) -> tuple[object, dict[str, Any]]:
    if not volatile:
        return model, {}
    if not hasattr(model, "__dict__"):
        raise PostgresStorageError(
            f"The metadata names volatile attributes, and {type(model).__name__} has no attributes to leave out; "
            "return an object that has, or name none."
        )
    bare = copy.copy(model)
    return bare, {name: vars(bare).pop(name) for name in sorted(volatile) if name in vars(bare)}


@dataclass(frozen=True)
class _Beside:
    """What is signed with a payload, as the very text that is stored: a number read back may be written otherwise."""

    libraries: str
    volatile: str

    @classmethod
    def of(cls, libraries: dict[str, str], volatile: dict[str, Any]) -> "_Beside":
        try:
            return cls(json.dumps(libraries, sort_keys=True), json.dumps(volatile, sort_keys=True))
        except TypeError as error:
            raise PostgresStorageError(
                f"Volatile attributes must be plain numbers and texts ({error}); convert them."
            ) from error


def _signature(key: bytes, asset_key: str, partition_key: str, version: int, sha256: str, beside: _Beside) -> bytes:
    message = json.dumps([asset_key, partition_key, version, sha256, beside.libraries, beside.volatile])
    return hmac.new(key, message.encode(), hashlib.sha256).digest()


def _installed(libraries: Sequence[str]) -> dict[str, str]:
    found = {}
    for name in libraries:
        try:
            found[name] = library_version(name)
        except PackageNotFoundError as error:
            raise PostgresStorageError(f"pinned_libraries names {name!r}, which is not installed.") from error
    return found


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
    keep: int = 3,
) -> Version:
    """Make a model the current version of a partition, in one transaction. Raises `ModelRefused` without a key."""
    bare, measured = _without(model, volatile)
    return _store(
        connection,
        asset_key,
        partition_key,
        dumped(bare),
        _Beside.of(_installed(libraries), measured),
        _checked_key(signing_key, asset_key, partition_key),
        origin,
        keep,
    )


def _store(
    connection: Connection[Any],
    asset_key: str,
    partition_key: str,
    payload: bytes,
    beside: _Beside,
    signing_key: bytes,
    origin: Origin,
    keep: int,
) -> Version:
    sha256 = hashlib.sha256(payload).hexdigest()
    with connection.transaction():
        lock_name(connection, "model", asset_key, partition_key)
        for current in current_versions(connection, asset_key, [partition_key]):
            set_status(connection, current.version_id, Status.ARCHIVED)
        version = record_current(
            connection,
            next_version_id(connection),
            asset_key,
            partition_key,
            Content(row_count=1, byte_count=len(payload), content_hash=sha256),
            origin,
        )
        signature = _signature(signing_key, asset_key, partition_key, version.version, sha256, beside)
        connection.execute(
            "INSERT INTO dagster_io.models (version_id, payload, sha256, signature, libraries, volatile)"
            " VALUES (%b, %b, %s, %b, %s, %s)",
            [version.version_id, payload, sha256, signature, beside.libraries, beside.volatile],
        )
    prune_archived(connection, asset_key, partition_key, keep)
    return version


def _checked_key(signing_key: bytes, asset_key: str, partition_key: str) -> bytes:
    if not signing_key:
        raise ModelRefused(
            f"The model {asset_key} of {partition_key} can neither be signed nor checked without a signing key; "
            "set one."
        )
    return signing_key


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
    name = f"The model {version.asset_key} of {version.partition_key} (version {version.version})"
    row = connection.execute(
        "SELECT payload, sha256, signature, libraries, volatile FROM dagster_io.models WHERE version_id = %s",
        [version.version_id],
    ).fetchone()
    if row is None:
        raise ModelRefused(f"{name} has been pruned: its record is there, its bytes are not.")
    payload, sha256, signature, made_with, measured = row
    key = _checked_key(signing_key, version.asset_key, version.partition_key)
    if hashlib.sha256(payload).hexdigest() != sha256:
        raise ModelRefused(f"{name} is damaged: its bytes do not have their checksum. Restore or refit it.")
    beside = _Beside(made_with, measured)
    expected = _signature(key, version.asset_key, version.partition_key, version.version, sha256, beside)
    if not hmac.compare_digest(expected, signature):
        raise ModelRefused(
            f"{name} was not signed with this signing key, or has been changed since; set the key that it was "
            "stored under, or refit it."
        )
    stored_under = json.loads(made_with)
    for library, installed in _installed(libraries).items():
        if stored_under.get(library, installed) != installed:
            raise ModelRefused(
                f"{name} was made with {library} {stored_under[library]}, and {installed} is installed; "
                f"install {library}=={stored_under[library]}, or refit it."
            )
    return bytes(payload), dict(json.loads(measured))
