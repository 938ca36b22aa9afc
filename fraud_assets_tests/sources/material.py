"""Helpers of this room's tests: settings of a landing folder, a file written to it, a day read back."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from fraud_assets.settings import Settings
from fraud_assets.sources import DayCounts, Source, open_source

DAY = date(2018, 4, 2)
ROLES: dict[str, Any] = {
    "transaction_id": "id",
    "timestamp": "at",
    "timestamp_timezone": "UTC",
    "amount": "paid",
    "label": "fraud",
    "customer": "card",
    "numeric": ("score",),
    "categorical": ("country",),
}
HEADER = "id,at,paid,fraud,card,score,country"
GOOD = "a1,2018-04-02 10:00:00,12.50,0,007,1.5,DE"
SHARED_DATA = Path(__file__).parents[2].parent / "shared" / "data"


def landing(folder: Path, pattern: str = "{date}.csv", roles: Mapping[str, Any] | None = None, **more: Any) -> Settings:
    columns = ROLES if roles is None else dict(roles)
    timezone = more.pop("timezone", "UTC")
    source = {"kind": "files", "folder": folder, "pattern": pattern, "columns": columns, **more}
    return Settings.model_validate({"timezone": timezone, "source": source})


def write_csv(folder: Path, *rows: str, header: str = HEADER, end: str = "\n") -> Path:
    path = folder / f"{DAY}.csv"
    path.write_bytes(("".join(row + end for row in (header, *rows))).encode())
    return path


def read(source: Source, day: date = DAY) -> tuple[pa.Table, pa.Table, DayCounts]:
    with source.read_day(day) as batch:
        assert batch.counts.rows_in == batch.counts.accepted + batch.counts.rejected
        assert sum(batch.counts.reasons.values()) == batch.counts.rejected
        return batch.accepted.read_all(), batch.rejected.read_all(), batch.counts


def read_files(folder: Path, *, chunk_rows: int = 100_000, key: bytes | None = None, **more: Any) -> Any:
    return read(open_source(landing(folder, **more), chunk_rows=chunk_rows, pseudonym_key=key))
