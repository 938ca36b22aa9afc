"""Seals of stored models: checksum, signature and library versions, made and checked without a database.

A pickle runs code when it is loaded, so nothing is unpickled before its seal has been checked. The signature covers
asset, partition and version as well: a genuine model put in another's place is refused too.
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as library_version
from typing import Any

from fraud_assets.postgres.errors import ModelRefused, PostgresStorageError


@dataclass(frozen=True)
class Place:
    """What a model is stored as."""

    asset_key: str
    partition_key: str
    version: int

    def __str__(self) -> str:
        of = f" of {self.partition_key}" if self.partition_key else ""
        return f"The model {self.asset_key}{of} (version {self.version})"


@dataclass(frozen=True)
class Contents:
    """What is signed. Beside the pickle the very texts that are stored: a number read back may be written otherwise."""

    payload: bytes
    libraries: str
    """JSON of library name to the version that the model was made with."""
    volatile: str
    """JSON of the attributes that measure the run, by name."""

    @classmethod
    def of(cls, payload: bytes, libraries: Sequence[str], volatile: dict[str, Any]) -> "Contents":
        """Raises `PostgresStorageError` for a library that is not installed, and for attributes that are no JSON."""
        try:
            return cls(payload, json.dumps(_installed(libraries), sort_keys=True), json.dumps(volatile, sort_keys=True))
        except TypeError as error:
            raise PostgresStorageError(
                f"Volatile attributes must be plain numbers and texts ({error}); convert them."
            ) from error

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.payload).hexdigest()


@dataclass(frozen=True)
class Seal:
    """What is stored beside the contents to know them by."""

    sha256: str
    signature: bytes


def sealed(contents: Contents, place: Place, key: bytes) -> Seal:
    """The seal of contents in a place. Raises `ModelRefused` without a key."""
    check_key(key, place.asset_key, place.partition_key)
    return Seal(contents.sha256, _signature(key, place, contents.sha256, contents))


def check_seal(seal: Seal, contents: Contents, place: Place, key: bytes) -> None:
    """Raises `ModelRefused` unless the contents are those that were sealed in this place with this key."""
    check_key(key, place.asset_key, place.partition_key)
    if contents.sha256 != seal.sha256:
        raise ModelRefused(f"{place} is damaged: its bytes do not have their checksum. Restore or refit it.")
    if not hmac.compare_digest(_signature(key, place, seal.sha256, contents), seal.signature):
        raise ModelRefused(
            f"{place} was not signed with this signing key, or has been changed since; set the key that it was "
            "stored under, or refit it."
        )


def check_libraries(contents: Contents, place: Place, libraries: Sequence[str] | None) -> None:
    """Raises `ModelRefused` where the model was made with another version of one of `libraries`; None means all."""
    made_with: dict[str, str] = json.loads(contents.libraries)
    for library in made_with if libraries is None else libraries:
        installed = _installed([library])[library]
        if made_with.get(library, installed) != installed:
            raise ModelRefused(
                f"{place} was made with {library} {made_with[library]}, and {installed} is installed; "
                f"install {library}=={made_with[library]}, or refit it."
            )


def check_key(key: bytes, asset_key: str, partition_key: str) -> None:
    """Raises `ModelRefused` for an empty key."""
    if not key:
        of = f" of {partition_key}" if partition_key else ""
        raise ModelRefused(
            f"The model {asset_key}{of} can neither be signed nor checked without a signing key; set one."
        )


def _signature(key: bytes, place: Place, sha256: str, contents: Contents) -> bytes:
    parts = [place.asset_key, place.partition_key, place.version, sha256, contents.libraries, contents.volatile]
    return hmac.new(key, json.dumps(parts).encode(), hashlib.sha256).digest()


def _installed(libraries: Sequence[str]) -> dict[str, str]:
    found = {}
    for name in libraries:
        try:
            found[name] = library_version(name)
        except PackageNotFoundError as error:
            raise PostgresStorageError(
                f"The library {name!r}, whose version goes with a model, is not installed; install it, or take it out "
                "of pinned_libraries."
            ) from error
    return found
