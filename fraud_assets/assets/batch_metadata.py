"""What is told of a day's batch beside its rows: volume and amounts by hour, and why rows were rejected.

What lives here: counting while the rows pass by, and the numbers and tables made of it. What does not: reading a batch.
"""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow as pa

from fraud_assets.reporting.figures.hourly import HOURS
from fraud_assets.sources import DayBatch


class HourlyVolume:
    """Transactions and amounts by hour of the local day, counted batch by batch: a day may be larger than memory."""

    def __init__(self, timezone: ZoneInfo) -> None:
        self._timezone = timezone
        self._transactions = np.zeros(HOURS, dtype=np.int64)
        self._amounts = np.zeros(HOURS)
        self._largest: float | None = None

    def add(self, rows: pa.RecordBatch) -> None:
        """Counts the rows: transaction_time (with a time zone) and amount."""
        if not rows.num_rows:
            return
        hour = rows.column("transaction_time").to_pandas().dt.tz_convert(self._timezone).dt.hour.to_numpy()
        amount = rows.column("amount").to_numpy(zero_copy_only=False).astype(np.float64)
        self._transactions += np.bincount(hour, minlength=HOURS)
        self._amounts += np.bincount(hour, weights=amount, minlength=HOURS)
        self._largest = max(float(amount.max()), -np.inf if self._largest is None else self._largest)

    def table(self) -> pd.DataFrame:
        """hour (int64), transactions (int64) and amount (float64) of the hours that have a transaction."""
        hours = pd.DataFrame({"hour": range(HOURS), "transactions": self._transactions, "amount": self._amounts})
        return hours[hours["transactions"] > 0].reset_index(drop=True)

    def metadata(self) -> dict[str, Any]:
        """The amounts in numbers, as far as there are any, and the hours as a table."""
        transactions, total = int(self._transactions.sum()), float(self._amounts.sum())
        numbers: dict[str, Any] = {"amount_total": total}
        if transactions and self._largest is not None:
            numbers |= {"amount_mean": total / transactions, "amount_largest": self._largest}
        schema = dg.TableSchema(
            [dg.TableColumn("hour"), dg.TableColumn("transactions", "integer"), dg.TableColumn("amount", "float")]
        )
        records = [
            dg.TableRecord({"hour": f"{hour:02}:00", "transactions": int(count), "amount": round(float(amount), 2)})
            for hour, count, amount in self.table().itertuples(index=False)
        ]
        return numbers | {"by_hour": dg.MetadataValue.table(records, schema)}


def batch_facts(batch: DayBatch) -> dict[str, Any]:
    """What a source said of a batch: how many rows came, and what became of them."""
    counts = batch.counts
    return {
        "rows_in": counts.rows_in,
        "accepted": counts.accepted,
        "rejected": counts.rejected,
        "rejected_share": counts.rejected / counts.rows_in if counts.rows_in else 0.0,
        "duplicates": counts.duplicates,
        "refunds": counts.refunds,
        "rejected_reasons": dg.MetadataValue.json(dict(counts.reasons)),
        "origin": batch.origin,
    }


def rejected_facts(batch: DayBatch) -> dict[str, Any]:
    """Why rows were rejected, most frequent first, and their share of the batch."""
    counts = batch.counts
    reasons = sorted(counts.reasons.items(), key=lambda reason: (-reason[1], reason[0]))
    return {
        "rejected_share": counts.rejected / counts.rows_in if counts.rows_in else 0.0,
        "reasons": reasons_table(dict(reasons)),
    }


def reasons_table(reasons: Mapping[str, int]) -> dg.TableMetadataValue:
    """A row a reason: how many rows it has diverted."""
    schema = dg.TableSchema([dg.TableColumn("reason"), dg.TableColumn("rows", "integer")])
    return dg.MetadataValue.table(
        [dg.TableRecord({"reason": why, "rows": rows}) for why, rows in reasons.items()], schema
    )
