"""Labels and the day on which they became known: from a feed of files, or from batches that carry their label."""

from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fraud_assets.settings import LabelFiles
from fraud_assets.sources import convert
from fraud_assets.sources.batch import CHUNK_ROWS
from fraud_assets.sources.content import is_parquet
from fraud_assets.sources.csv_chunks import CsvFile
from fraud_assets.sources.days import TIMESTAMP, bounds, require_begun
from fraud_assets.sources.errors import SourceError
from fraud_assets.sources.landing import Landing
from fraud_assets.sources.parquet_chunks import ParquetFile
from fraud_assets.sources.pseudonyms import Pseudonymizer
from fraud_assets.sources.roles import Column, Kind
from fraud_assets.sources.rows import RawChunk
from fraud_assets.sources.table_shape import check_types, identifier_types


class LabelKind(StrEnum):
    """How a label came about."""

    CHARGEBACK = "chargeback"
    INVESTIGATION = "investigation"


class LabelFeed:
    """One CSV or Parquet file for each day on which labels became known.

    `sensitive_ids`: transaction ids are replaced by their pseudonyms, as in the batches.
    """

    def __init__(
        self,
        settings: LabelFiles,
        zone: ZoneInfo,
        *,
        pseudonym_key: bytes | None = None,
        sensitive_ids: bool = False,
        temporary_folder: Path | None = None,
    ) -> None:
        if sensitive_ids and not pseudonym_key:
            raise SourceError("source.columns.sensitive names the transaction id; set pseudonym_key.")
        self._settings = settings
        self._zone = zone
        self._pseudonymizer = Pseudonymizer(pseudonym_key) if sensitive_ids and pseudonym_key else None
        self._temporary_folder = temporary_folder
        self._landing = Landing(settings.folder, settings.pattern, settings.date_format)
        named = [
            Column("transaction_id", settings.transaction_id, Kind.IDENTIFIER),
            Column("label", settings.label, Kind.LABEL),
            Column("known_at", settings.known_at, Kind.TIMESTAMP),
        ]
        if settings.label_kind is not None:
            named.append(Column("kind", settings.label_kind, Kind.TEXT))
        self._columns = tuple(named)

    def first_day(self) -> date | None:
        return self._landing.first_day()

    def has_day(self, day: date) -> bool:
        return self._landing.has_day(day)

    def read_day(self, day: date, id_type: pa.DataType | None = None) -> pa.Table:
        """Labels that became known on `day`, in the file's order: transaction_id, label, known_at, kind.

        `id_type` (int64 or string) is that of the batches' transaction ids; unset means that of the file. A header
        without rows is a day without news. Raises `SourceNotReady` for no file, `SourceError` for a bad file or row.
        """
        require_begun(day, self._zone)
        path = self._landing.file_of(day)
        with TemporaryDirectory(prefix="fraud-assets-", dir=self._temporary_folder) as folder:
            cells, ids = self._cells(path, Path(folder))
        return self._typed(cells, path, day, id_type or ids)

    def _cells(self, path: Path, folder: Path) -> tuple[pa.Table, pa.DataType]:
        names = [column.source for column in self._columns]
        origin = f"The file {path}"
        if is_parquet(path):
            parquet = ParquetFile(path, names, folder)
            check_types(parquet.schema, self._columns, origin)
            schema = pa.schema([parquet.schema.field(name) for name in names])
            chunks = list(parquet.chunks(CHUNK_ROWS))
        else:
            text = CsvFile(path, self._settings.separator, self._settings.encoding, names, show_broken=False)
            schema = pa.schema([(name, pa.string()) for name in names])
            chunks = list(text.chunks(CHUNK_ROWS))
            self._no_broken_row(chunks, origin)
        cells = pa.concat_tables([schema.empty_table(), *(chunk.cells.select(names) for chunk in chunks)])
        return cells, identifier_types(schema, self._columns)["transaction_id"]

    def _no_broken_row(self, chunks: list[RawChunk], origin: str) -> None:
        for chunk in chunks:
            for row in chunk.broken:
                raise SourceError(f"{origin}, row {row.source_row}: it {row.reason}.")

    def _typed(self, cells: pa.Table, path: Path, day: date, id_type: pa.DataType) -> pa.Table:
        def check(column: str, wrong: convert.Mask, problem: str) -> None:
            if wrong.any():
                rows = int(wrong.sum())
                raise SourceError(
                    f"The file {path}, row {int(np.flatnonzero(wrong)[0]) + 1}: {column} {problem} ({rows} such rows)."
                )

        arrays = {column.name: cells.column(column.source).combine_chunks() for column in self._columns}
        settings = self._settings
        ids, unusable = self._ids(arrays["transaction_id"], id_type)
        check(settings.transaction_id, unusable | _missing(ids), "is missing or no usable identifier")
        labels, unusable = convert.to_label(arrays["label"])
        check(settings.label, unusable | _missing(labels), "is not 0 or 1")
        times, unusable = self._times(arrays["known_at"], path)
        check(settings.known_at, unusable | _missing(times), "is missing or not an ISO 8601 timestamp")
        start, end = (np.datetime64(bound.replace(tzinfo=None), "us") for bound in bounds(day, self._zone))
        instants = times.cast(pa.timestamp("us")).to_numpy(zero_copy_only=False)
        check(settings.known_at, (instants < start) | (instants >= end), f"is outside the day {day}")
        kinds = self._kinds(arrays.get("kind"), len(cells))
        known = pc.is_in(kinds, value_set=pa.array([kind.value for kind in LabelKind]))
        check(str(settings.label_kind), ~known.to_numpy(zero_copy_only=False), "is not chargeback or investigation")
        return pa.table({"transaction_id": ids, "label": labels, "known_at": times, "kind": kinds})

    def _ids(self, values: pa.Array, id_type: pa.DataType) -> tuple[pa.Array, convert.Mask]:
        if self._pseudonymizer is not None:
            text, unusable = convert.to_text(values)
            return self._pseudonymizer.replace(text), unusable
        return convert.to_whole_number(values) if pa.types.is_integer(id_type) else convert.to_text(values)

    def _times(self, values: pa.Array, path: Path) -> tuple[pa.Array, convert.Mask]:
        zone = self._settings.known_at_timezone
        try:
            return convert.to_timestamp(values, ZoneInfo(zone) if zone else None)
        except convert.NaiveTimestampError:
            raise SourceError(
                f"The file {path}: the timestamps in column {self._settings.known_at!r} have no time zone; set "
                "labels.known_at_timezone to the one that they are in."
            ) from None

    def _kinds(self, values: pa.Array | None, rows: int) -> pa.Array:
        if values is None:
            return pa.array([LabelKind.CHARGEBACK.value] * rows, pa.string())
        kinds, _ = convert.to_text(values)
        return pc.fill_null(pc.utf8_lower(pc.utf8_trim_whitespace(kinds)), LabelKind.CHARGEBACK.value)


def labels_of_batches(raw: pa.Table | pd.DataFrame, delay: timedelta, start: datetime, end: datetime) -> pa.Table:
    """Labels of raw batches that carry them, with known_at = transaction_time + delay in [start, end).

    `raw` has transaction_id, transaction_time and label, in any order of rows; `start` and `end` have a zone. Columns
    of the result as in `LabelFeed.read_day`; all of kind chargeback.
    """
    table = pa.Table.from_pandas(raw, preserve_index=False) if isinstance(raw, pd.DataFrame) else raw
    if "label" not in table.column_names:
        table = table.append_column("label", pa.nulls(table.num_rows, pa.int8()))
    times: Any = table.column("transaction_time").cast(TIMESTAMP, safe=False)
    known_at = pc.add(times, pa.scalar(delay, pa.duration("us")))
    inside = pc.and_(
        pc.greater_equal(known_at, pa.scalar(start, TIMESTAMP)), pc.less(known_at, pa.scalar(end, TIMESTAMP))
    )
    wanted = pc.and_(inside, pc.is_valid(table.column("label")))
    labels = pa.table(
        {
            "transaction_id": _text_or_integer(table.column("transaction_id")),
            "label": table.column("label").cast(pa.int8()),
            "known_at": known_at,
        }
    ).filter(wanted)
    return labels.append_column("kind", pa.array([LabelKind.CHARGEBACK.value] * labels.num_rows, pa.string()))


def _text_or_integer(ids: pa.ChunkedArray) -> pa.ChunkedArray:
    return ids if pa.types.is_integer(ids.type) else ids.cast(pa.string())


def _missing(values: pa.Array) -> convert.Mask:
    mask: convert.Mask = pc.is_null(values).to_numpy(zero_copy_only=False)
    return mask
