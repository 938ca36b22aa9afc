"""A landing folder: one CSV or Parquet file a day, each perhaps compressed with gzip or zstd."""

from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa

from fraud_assets.settings import ColumnRoles, FilesSource
from fraud_assets.sources.base import Surroundings, first_row_id, no_rows_in
from fraud_assets.sources.batch import DayBatch, DayContent, collect_day
from fraud_assets.sources.content import is_parquet
from fraud_assets.sources.csv_chunks import CsvFile
from fraud_assets.sources.days import bounds, require_begun
from fraud_assets.sources.delivered import Delivered, compared
from fraud_assets.sources.errors import SourceError, SourceNotReady
from fraud_assets.sources.landing import Arrival, Landing
from fraud_assets.sources.parquet_chunks import ParquetFile
from fraud_assets.sources.roles import canonical_columns, needed_columns
from fraud_assets.sources.rows import RowRules
from fraud_assets.sources.table_shape import check_types, identifier_types

ALWAYS = (datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC))


class LandingFolder:
    """The source `files`. Text sources keep ids as text; Parquet integers stay int64."""

    def __init__(self, settings: FilesSource, surroundings: Surroundings) -> None:
        self._settings = settings
        self._around = surroundings
        self._landing = Landing(settings.folder, settings.pattern, settings.date_format)
        self._columns = canonical_columns(settings.columns)
        self._needed = needed_columns(settings.columns, self._columns)

    @property
    def roles(self) -> ColumnRoles:
        return self._settings.columns

    def first_day(self) -> date | None:
        return self._landing.first_day()

    def has_day(self, day: date) -> bool:
        return self._landing.has_day(day)

    def arrivals(self) -> list[Arrival]:
        """The files of all days, as the folder lists them. Raises `SourceError` for no folder."""
        return self._landing.arrivals()

    def delivered(self, day: date, fingerprint: str) -> Delivered:
        try:
            path = self._landing.file_of(day)
        except SourceError:
            return Delivered.GONE
        return compared(path, fingerprint)

    def read_day(self, day: date) -> DayBatch:
        require_begun(day, self._around.zone)
        path = self._landing.file_of(day)
        window = bounds(day, self._around.zone)
        return collect_day(
            day, self._around.temporary_folder, lambda folder: self._open(path, window, first_row_id(day), folder)
        )

    def read_whole(self, path: Path) -> DayBatch:
        """Any file in the folder's columns, whatever the days of its transactions. Its `day` says nothing.

        Raises `SourceError` when the file cannot be used, `SourceNotReady` when it is not there.
        """
        if not path.is_file():
            raise SourceNotReady(f"There is no file {path}; correct its name.")
        return collect_day(date.min, self._around.temporary_folder, lambda folder: self._open(path, ALWAYS, 0, folder))

    def _open(self, path: Path, window: tuple[datetime, datetime], first_id: int, folder: Path) -> DayContent:
        file, schema = self._parquet(path, folder) if is_parquet(path) else self._csv(path)
        zone = self.roles.timestamp_timezone
        rules = RowRules(
            columns=self._columns,
            identifier_types=identifier_types(schema, self._columns),
            window=window,
            naive_zone=ZoneInfo(zone) if zone else None,
            origin=f"The file {path}",
            pseudonymizer=self._around.pseudonymizer,
            first_row_id=first_id,
        )
        chunks = file.chunks(self._around.chunk_rows)
        return DayContent(path.name, rules, chunks, file.fingerprint, no_rows_in(f"The file {path}"))

    def _parquet(self, path: Path, folder: Path) -> tuple[ParquetFile, pa.Schema]:
        file = ParquetFile(path, self._needed, folder)
        check_types(file.schema, self._columns, f"The file {path}")
        return file, file.schema

    def _csv(self, path: Path) -> tuple[CsvFile, pa.Schema]:
        settings = self._settings
        show = not self.roles.sensitive
        file = CsvFile(path, settings.separator, settings.encoding, self._needed, show_broken=show)
        return file, pa.schema([(name, pa.string()) for name in self._needed])
