"""A Parquet file as chunks, a part of a row group at a time."""

from collections.abc import Generator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fraud_assets.sources.content import decompressed, file_digest
from fraud_assets.sources.errors import SourceError
from fraud_assets.sources.rows import RawChunk
from fraud_assets.sources.table_shape import check_names


class ParquetFile:
    """One Parquet file, perhaps compressed once more as a whole; the copy that this takes goes into `folder`.

    Raises `SourceError` for a truncated or corrupt file, a missing or repeated column.
    """

    def __init__(self, path: Path, needed: list[str], folder: Path) -> None:
        self._path = path
        self._needed = needed
        self._bare = decompressed(path, folder)
        try:
            with pq.ParquetFile(self._bare) as file:
                self.schema: pa.Schema = file.schema_arrow
        except (pa.ArrowException, OSError) as error:
            raise self._unreadable(error) from error
        check_names(self.schema.names, needed, f"The file {path}")

    def fingerprint(self) -> str:
        return file_digest(self._bare)

    def chunks(self, chunk_rows: int) -> Generator[RawChunk, None, None]:
        start = 1
        try:
            with pq.ParquetFile(self._bare, pre_buffer=False) as file:
                for batch in file.iter_batches(chunk_rows, columns=self._needed):
                    rows = np.arange(start, start + batch.num_rows, dtype=np.int64)
                    yield RawChunk(pa.Table.from_batches([batch]), rows)
                    start += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> SourceError:
        return SourceError(f"The file {self._path} is truncated or corrupt Parquet ({error}); deliver it again.")
