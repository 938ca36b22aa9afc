"""Where a day's transactions come from: one file for each kind of source, and what they share.

Open a source with `open_source`, read a day with `Source.read_day`, and use the `DayBatch` in a `with`. Nothing here
stores anything, and nothing here knows Dagster or a database of ours.
"""

from pathlib import Path
from typing import assert_never

from fraud_assets.settings import CreditcardSource, FilesSource, Settings, SimulatedSource, SqlSource
from fraud_assets.sources.base import Source, Surroundings
from fraud_assets.sources.batch import CHUNK_ROWS, DayBatch, DayCounts
from fraud_assets.sources.content import content_digest
from fraud_assets.sources.creditcard import CreditcardFile
from fraud_assets.sources.delivered import Delivered
from fraud_assets.sources.errors import EveryRowRejected, SourceError, SourceNotReady, check_not_repeated
from fraud_assets.sources.files import LandingFolder
from fraud_assets.sources.label_feed import LabelFeed, labels_of_batches
from fraud_assets.sources.landing import Arrival
from fraud_assets.sources.pseudonyms import Pseudonymizer
from fraud_assets.sources.simulated import Simulator
from fraud_assets.sources.sql import SqlTable
from fraud_assets.sources.whole_file import read_file

__all__ = [
    "Arrival",
    "DayBatch",
    "DayCounts",
    "Delivered",
    "EveryRowRejected",
    "LabelFeed",
    "LandingFolder",
    "Source",
    "SourceError",
    "SourceNotReady",
    "check_not_repeated",
    "content_digest",
    "labels_of_batches",
    "open_source",
    "read_file",
]


def open_source(
    settings: Settings,
    *,
    pseudonym_key: bytes | None = None,
    temporary_folder: Path | None = None,
    chunk_rows: int = CHUNK_ROWS,
) -> Source:
    """The source that the settings choose. Touches no file and no database yet.

    Raises `SourceError` when columns are sensitive and there is no `pseudonym_key`, or when roles contradict.
    """
    if settings.columns is not None and settings.columns.sensitive and not pseudonym_key:
        raise SourceError("source.columns.sensitive names columns to pseudonymise; set pseudonym_key.")
    pseudonymizer = Pseudonymizer(pseudonym_key) if pseudonym_key else None
    surroundings = Surroundings(settings.tzinfo, pseudonymizer, temporary_folder, chunk_rows)
    match settings.source:
        case SimulatedSource():
            return Simulator(settings.source, surroundings)
        case FilesSource():
            return LandingFolder(settings.source, surroundings)
        case CreditcardSource():
            return CreditcardFile(settings.source, surroundings)
        case SqlSource():
            return SqlTable(settings.source, surroundings)
        case _:
            assert_never(settings.source)
