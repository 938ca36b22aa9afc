"""The bytes of one file: opened, decompressed, decoded, and hashed on the way. Knows nothing of rows."""

import codecs
import hashlib
import io
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from fraud_assets.sources.errors import SourceError, SourceNotReady

_MAGIC = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}
_SUFFIXES = {".gz": "gzip", ".zst": "zstd"}
_PARQUET_SUFFIXES = {".parquet", ".pq"}
_PARQUET_MAGIC = b"PAR1"
_BLOCK = 1 << 20


def compression_of(path: Path) -> str | None:
    """gzip, zstd or None, from the file's first bytes.

    Raises `SourceNotReady` for no file, `SourceError` for an empty or unreadable one, or one that is not what its name
    says.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except FileNotFoundError as error:
        raise SourceNotReady(f"The file {path} does not exist.") from error
    except OSError as error:
        raise SourceError(f"The file {path} cannot be read ({error.strerror}).") from error
    if not start:
        raise SourceError(f"The file {path} is empty (0 bytes); deliver it again.")
    found = next((name for name, magic in _MAGIC.items() if start.startswith(magic)), None)
    named = _SUFFIXES.get(path.suffix.lower())
    if named is not None and found != named:
        raise SourceError(f"The file {path} is named {path.suffix} but is not {named}-compressed; deliver it again.")
    return found


def is_parquet(path: Path) -> bool:
    """From the name where it says so, else from the first bytes."""
    bare = path.with_suffix("") if path.suffix.lower() in _SUFFIXES else path
    if bare.suffix.lower() in _PARQUET_SUFFIXES:
        return True
    with open_bytes(path) as stream:
        return read_block(stream, path).startswith(_PARQUET_MAGIC)


def open_bytes(path: Path) -> Any:
    """A `pyarrow.NativeFile` over the file's decompressed bytes."""
    compression = compression_of(path)
    return pa.input_stream(str(path), compression=compression)


def decompressed(path: Path, folder: Path) -> Path:
    """The file itself when it is not compressed, else a decompressed copy in `folder`: Parquet is read from its end."""
    if compression_of(path) is None:
        return path
    copy = folder / "decompressed"
    with open_bytes(path) as stream, copy.open("wb") as target:
        for block in iter(lambda: read_block(stream, path), b""):
            target.write(block)
    return copy


def read_block(stream: Any, path: Path) -> bytes:
    """The next megabyte, b"" at the end. Raises `SourceError` when the compressed bytes are truncated or corrupt."""
    try:
        return bytes(stream.read(_BLOCK))
    except OSError as error:
        raise SourceError(f"The file {path} is truncated or corrupt ({error}); deliver it again.") from error


def file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_digest(path: Path) -> str:
    """SHA-256 of a file's decompressed bytes: the fingerprint of a batch that is read from it.

    Raises `SourceNotReady` for no file, `SourceError` for an empty, truncated or corrupt one.
    """
    digest = hashlib.sha256()
    with open_bytes(path) as stream:
        for block in iter(lambda: read_block(stream, path), b""):
            digest.update(block)
    return digest.hexdigest()


class Utf8Stream(io.RawIOBase):
    """A text file's bytes as UTF-8 without a byte order mark, followed by `trailer`; counts the digest of what it read.

    Raises `SourceError` on reading when a byte does not fit the encoding.
    """

    def __init__(self, path: Path, encoding: str) -> None:
        super().__init__()
        self._path = path
        self._encoding = encoding
        self._decoder = _decoder(encoding)
        self._passes_through = codecs.lookup(encoding).name == "utf-8"
        self._stream = open_bytes(path)
        self._digest = hashlib.sha256()
        self._consumed = 0
        self._lines = 0
        self._pending = b""
        self._at_start = True
        self._ended = False
        self.trailer = b""

    def fingerprint(self) -> str:
        """SHA-256 of the decompressed content as delivered, in the file's own encoding."""
        return self._digest.hexdigest()

    def readable(self) -> bool:
        return True

    def peek(self) -> str:
        """The first megabyte of text, which stays to be read."""
        if not self._pending and not self._ended:
            self._pending = self._next_block()
        return self._pending.decode("utf-8", errors="ignore")

    def read(self, size: int = -1) -> bytes:
        """Exactly `size` bytes until the end: a short read would make the parser's blocks small."""
        parts, length = [self._pending], len(self._pending)
        while not self._ended and (size < 0 or length < size):
            parts.append(self._next_block())
            length += len(parts[-1])
        block = b"".join(parts)
        end = len(block) if size < 0 else size
        self._pending = block[end:]
        return block[:end]

    def close(self) -> None:
        self._stream.close()
        super().close()

    def _next_block(self) -> bytes:
        raw = read_block(self._stream, self._path)
        self._digest.update(raw)
        text = self._decode(raw)
        self._consumed += len(raw)
        self._lines += raw.count(b"\n")
        block = raw if self._passes_through else text.encode()
        if self._at_start and block:
            block = block.removeprefix(codecs.BOM_UTF8)
            self._at_start = False
        if not raw:
            self._ended = True
            return block + self.trailer
        return block

    def _decode(self, raw: bytes) -> str:
        held = len(self._decoder.getstate()[0])
        try:
            return self._decoder.decode(raw, final=not raw)
        except UnicodeDecodeError as error:
            position = self._consumed - held + error.start
            line = self._lines + 1 + raw[: max(error.start - held, 0)].count(b"\n")
            raise SourceError(
                f"The file {self._path} is not {self._encoding}: byte {position}, in line {line}, does not fit; "
                "set `encoding` to the file's own, for example cp1252."
            ) from None


def _decoder(encoding: str) -> codecs.IncrementalDecoder:
    try:
        return codecs.getincrementaldecoder(encoding)()
    except LookupError:
        raise SourceError(f"There is no text encoding {encoding!r}; set `encoding` to one that Python knows.") from None


def as_binary(stream: Utf8Stream) -> BinaryIO:
    """For pyarrow, which reads any Python file object."""
    return stream  # type: ignore[return-value]
