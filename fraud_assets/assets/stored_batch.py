"""A day's batch as it is stored, in the terms of the checks: looked up when it has been written.

What lives here: asking storage. What does not: what is wrong with a batch (checks/batch.py).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from fraud_assets.assets.plan import Extent, Plan, StoredFacts
from fraud_assets.checks import BatchLimits, StoredBatch, untrusted_days
from fraud_assets.settings import WatchingSettings
from fraud_assets.sources.roles import Kind, canonical_columns

FORGOTTEN = "forgotten"
"""The fact in which storage notes when how many rows were taken out of a version, or changed."""

_TYPES: Mapping[Kind, Sequence[str]] = {
    Kind.IDENTIFIER: ("an integer", "text"),
    Kind.TIMESTAMP: ("a time",),
    Kind.NUMBER: ("a number",),
    Kind.LABEL: ("an integer",),
    Kind.TEXT: ("text",),
}


def stored_batches(plan: Plan, storage: StoredFacts, days: Sequence[str]) -> list[StoredBatch]:
    """The batches of these days; a day that is not stored has no rows."""
    rows_in, duplicates = (storage.stored_facts("raw_batch", fact) for fact in ("rows_in", "duplicates"))
    rejected = storage.stored_row_counts("rejected_rows")
    forgotten = [storage.stored_facts(asset, FORGOTTEN) for asset in ("raw_batch", "rejected_rows")]
    schemas = storage.stored_schemas("raw_batch", days)
    found = storage.stored_extents("raw_batch", days, distinct="transaction_id", ordered="transaction_time")
    promised = promised_columns(plan)
    return [
        StoredBatch(
            day=day,
            rows_in=int(rows_in.get(day, 0)),
            accepted=found[day].rows if day in found else 0,
            rejected=rejected.get(day, 0),
            duplicates=int(duplicates.get(day, 0)),
            distinct_ids=found[day].distinct if day in found else 0,
            earliest=_instant(found.get(day), "first"),
            latest=_instant(found.get(day), "last"),
            begins=plan.start(day).to_pydatetime(),
            ends=plan.end(day).to_pydatetime(),
            columns={field.name: _kind(field.type) for field in schemas.get(day, pa.schema([]))},
            promised=promised,
            forgotten=sum(_rows(noted.get(day, [])) for noted in forgotten),
        )
        for day in days
    ]


def untrusted_batches(plan: Plan, storage: StoredFacts, days: Iterable[str]) -> dict[str, str]:
    """Of these days the ones whose stored batch fails a check that blocks, and why."""
    stored = storage.stored_row_counts("raw_batch")
    there = [day for day in days if day in stored]
    return untrusted_days(stored_batches(plan, storage, there), limits_of(plan.settings.watching)) if there else {}


def promised_columns(plan: Plan) -> dict[str, Sequence[str]]:
    """The columns of `raw_batch` by the source's roles, each with what its values may be."""
    named = {column.name: _TYPES[column.kind] for column in canonical_columns(plan.roles)}
    return {"transaction_id": _TYPES[Kind.IDENTIFIER], **named}


def limits_of(watching: WatchingSettings) -> BatchLimits:
    return BatchLimits(watching.max_rejected_share, watching.max_duplicate_share)


def _rows(noted: Sequence[Mapping[str, Any]]) -> int:
    return sum(int(entry["rows"]) for entry in noted)


def _instant(extent: Extent | None, end: str) -> datetime | None:
    found: datetime | None = getattr(extent, end) if extent is not None else None
    return None if found is None else found.astimezone(UTC)


def _kind(stored: pa.DataType) -> str:
    if pa.types.is_timestamp(stored):
        return "a time" if stored.tz else "a time without a timezone"
    if pa.types.is_integer(stored):
        return "an integer"
    if pa.types.is_floating(stored) or pa.types.is_decimal(stored):
        return "a number"
    return "text" if pa.types.is_string(stored) or pa.types.is_large_string(stored) else str(stored)
