"""The handbook's daily Parquet files as the frames of the pipeline, and simulated days in their place.

What lives here: reading and feature computation for benchmarks, all days at once in memory. What does not: protocols.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import pyarrow as pa

from fraud_assets.assets.plan import Plan
from fraud_assets.learning import compute_features
from fraud_assets.partitions import daily_partitions
from fraud_assets.settings import Settings
from fraud_assets.sources import labels_of_batches

FEATURES_FILE, LABELS_FILE = "features.parquet", "labels.parquet"
FIRST_PARTITION = date(2013, 1, 1)
COLUMNS = {
    "transaction_id": "TRANSACTION_ID",
    "timestamp": "TX_DATETIME",
    "timestamp_timezone": "UTC",
    "amount": "TX_AMOUNT",
    "label": "TX_FRAUD",
    "customer": "CUSTOMER_ID",
    "terminal": "TERMINAL_ID",
}


class Days(Protocol):
    """Features and labels of many days, of which a step loads what its windows allow."""

    def features_between(self, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        """Rows as `cleaned_features` has them, with transaction_time in [start, end)."""

    def labels_between(self, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        """Rows as `labels` has them, with known_at in [start, end)."""


@dataclass(frozen=True)
class DaysInMemory:
    """All days as two frames."""

    features: pd.DataFrame
    labels: pd.DataFrame

    def features_between(self, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        return _between(self.features, "transaction_time", start, end)

    def labels_between(self, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        return _between(self.labels, "known_at", start, end)

    def write(self, folder: Path) -> None:
        """Leave them where `StoredDays` finds them."""
        self.features.to_parquet(folder / FEATURES_FILE)
        self.labels.to_parquet(folder / LABELS_FILE)


@dataclass(frozen=True)
class StoredDays:
    """The same in files, so that a process holds only what it has asked for."""

    folder: Path

    def features_between(self, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        return _read(self.folder / FEATURES_FILE, "transaction_time", start, end)

    def labels_between(self, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        return _read(self.folder / LABELS_FILE, "known_at", start, end)


def _between(rows: pd.DataFrame, column: str, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
    return rows[(rows[column] >= start) & (rows[column] < end)].reset_index(drop=True)


def _read(file: Path, column: str, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
    return pd.read_parquet(file, filters=[(column, ">=", start), (column, "<", end)])


def handbook_plan(folder: Path, **changes: Any) -> Plan:
    """The pipeline on this folder; all other settings are those of the process (fraud.toml, FRAUD_*)."""
    source = {"kind": "files", "folder": folder, "columns": COLUMNS}
    return plan_of(source=source, **changes)


def plan_of(**changes: Any) -> Plan:
    """The pipeline with some settings in the place of those of the process."""
    settings = Settings(**changes)
    return Plan(settings, daily_partitions(settings.start_date or FIRST_PARTITION, settings.timezone))


def dates_in(folder: Path) -> list[date]:
    """The dates of the folder's files, in order. Leaves the process when there are none."""
    found = sorted(date.fromisoformat(path.stem) for path in folder.glob("????-??-??.parquet"))
    if not found:
        raise SystemExit(
            f"The folder {folder} has no files YYYY-MM-DD.parquet; name the folder of the handbook's days."
        )
    return found


def read_days(plan: Plan, days: Sequence[date]) -> DaysInMemory:
    """Read the days through the plan's source, and compute the features of all of them at once.

    A row has the same features as if each day had been computed alone, from the days before it that are there.
    """
    batches = []
    for day in days:
        with plan.source.read_day(day) as batch:
            batches.append(batch.accepted.read_all())
    table = pa.concat_tables(batches)
    start, end = plan.start(days[0].isoformat()), plan.end(days[-1].isoformat())
    # All labels, also those that become known after the last day: who asks for a day sees those known by then.
    known_by = end + plan.settings.label_delay + timedelta(days=1)
    labels = labels_of_batches(table, plan.settings.label_delay, start, known_by).to_pandas()
    transactions = table.drop_columns(["label"]).to_pandas()
    return DaysInMemory(compute_features(transactions, labels, plan.features, start=start, end=end), labels)
