"""What has become of the file that a day was read from, told by its content and not by its name or its time."""

import hashlib
from enum import StrEnum
from pathlib import Path

from fraud_assets.sources.content import open_bytes, read_block
from fraud_assets.sources.errors import SourceError


class Delivered(StrEnum):
    """What is where the day was read from."""

    SAME = "same"
    """The file, with the content that was read."""
    CHANGED = "changed"
    """A file of that day, with another content, or one that cannot be read any more."""
    GONE = "gone"
    NO_FILE = "no_file"
    """The source keeps no files: a query, or a simulation."""


def content_digest(path: Path) -> str:
    """SHA-256 of the decompressed content: the fingerprint of a file. Raises `SourceError` for an unreadable one."""
    digest = hashlib.sha256()
    with open_bytes(path) as stream:
        for block in iter(lambda: read_block(stream, path), b""):
            digest.update(block)
    return digest.hexdigest()


def compared(path: Path, fingerprint: str) -> Delivered:
    """Whether a file has the content whose fingerprint this is."""
    try:
        return Delivered.SAME if content_digest(path) == fingerprint else Delivered.CHANGED
    except SourceError:
        return Delivered.CHANGED if path.exists() else Delivered.GONE
