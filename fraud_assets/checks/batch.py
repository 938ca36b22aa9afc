"""Whether a day's batch can be trusted, and whether it is as large as such days are. Pure, of what was stored.

A check that blocks judges every day of a run, and fails for all of it when one day fails: it names the days.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import sqrt
from statistics import median

import dagster as dg

from fraud_assets.checks.results import counted, listed, result
from fraud_assets.checks.specs import (
    ALL_ROWS_ACCOUNTED_FOR,
    COLUMNS_AS_PROMISED,
    FEW_ROWS_REJECTED,
    NO_DUPLICATES,
    TIMES_IN_DAY,
    VOLUME_AS_USUAL,
)

WEEKS = 4
FEWEST_WEEKS = 2
"""With fewer same weekdays there is no saying what is usual."""
SURE = 4.0
"""By how many standard deviations the volume must differ too: that of a few transactions a day doubles by chance."""


@dataclass(frozen=True)
class StoredBatch:
    """What is known of a day's batch: what the source counted, and what is in the tables."""

    day: str
    rows_in: int
    accepted: int
    rejected: int
    """The two as stored."""
    duplicates: int
    """Rows that were rejected because their id was there before."""
    distinct_ids: int
    earliest: datetime | None
    latest: datetime | None
    begins: datetime
    ends: datetime
    columns: Mapping[str, str]
    """Stored columns and their types."""
    promised: Mapping[str, Sequence[str]]
    """Promised columns and the types that they may have."""
    forgotten: int = 0
    """Rows of the two tables that a forgotten customer was in: most are gone, some were only rewritten."""


@dataclass(frozen=True)
class BatchLimits:
    """The largest shares of a batch's rows that may be rejected, and that may repeat an id."""

    rejected_share: float
    duplicate_share: float


Problem = Callable[[StoredBatch, BatchLimits], str | None]


def columns_problem(batch: StoredBatch, _: BatchLimits) -> str | None:
    missing = [name for name in batch.promised if name not in batch.columns]
    if missing:
        return f"the columns {listed(missing)} are not stored"
    other = [
        f"{name} is {batch.columns[name]} instead of {' or '.join(types)}"
        for name, types in batch.promised.items()
        if batch.columns[name] not in types
    ]
    return listed(other) or None


def rows_problem(batch: StoredBatch, _: BatchLimits) -> str | None:
    lost = batch.rows_in - batch.accepted - batch.rejected
    if 0 <= lost <= batch.forgotten:
        return None
    forgotten = f", {batch.forgotten:,} forgotten" if batch.forgotten else ""
    return f"{batch.rows_in:,} rows received, {batch.accepted:,} stored and {batch.rejected:,} rejected{forgotten}"


def rejected_problem(batch: StoredBatch, limits: BatchLimits) -> str | None:
    return _share(batch.rejected, batch.rows_in, limits.rejected_share, "rejected")


def duplicate_problem(batch: StoredBatch, limits: BatchLimits) -> str | None:
    twice = batch.accepted - batch.distinct_ids
    if twice:
        return f"{counted(twice, 'stored row')} with an id that another row has"
    return _share(batch.duplicates, batch.rows_in, limits.duplicate_share, "repeated ids")


def times_problem(batch: StoredBatch, _: BatchLimits) -> str | None:
    if batch.earliest is None or batch.latest is None:
        return None
    if batch.begins <= batch.earliest and batch.latest < batch.ends:
        return None
    return f"transactions from {batch.earliest.isoformat()} to {batch.latest.isoformat()}"


def _share(rows: int, of: int, most: float, what: str) -> str | None:
    share = rows / of if of else 0.0
    return f"{share:.1%} {what} ({rows:,} of {of:,} rows)" if share > most else None


@dataclass(frozen=True)
class _Judged:
    problem: Problem
    fine: str
    expected: Callable[[BatchLimits], str]
    what_to_do: str


_BLOCKING: Mapping[str, _Judged] = {
    COLUMNS_AS_PROMISED: _Judged(
        columns_problem,
        "All promised columns are stored with their types.",
        lambda _: "The columns that source.columns names, in types that features can be made of.",
        "Correct source.columns, or ask for the old columns back, and materialize raw_batch of these days again.",
    ),
    ALL_ROWS_ACCOUNTED_FOR: _Judged(
        rows_problem,
        "Every row received is stored or rejected.",
        lambda _: "Rows received = rows stored in raw_batch + rows stored in rejected_rows.",
        "Materialize raw_batch of these days again.",
    ),
    FEW_ROWS_REJECTED: _Judged(
        rejected_problem,
        "Few enough rows were rejected.",
        lambda limits: f"At most {limits.rejected_share:.1%} of a day's rows are rejected.",
        "Look at the reasons in rejected_rows and have the batch delivered again; or, where the rest can be trusted, "
        "set watching.max_rejected_share higher and materialize raw_batch again.",
    ),
    NO_DUPLICATES: _Judged(
        duplicate_problem,
        "No id is stored twice, and few enough rows repeated one.",
        lambda limits: f"No id stored twice, and at most {limits.duplicate_share:.1%} of a day's rows repeat one.",
        "Look whether the batch was put together twice and have it delivered again; or, where repetition is normal "
        "there, set watching.max_duplicate_share higher and materialize raw_batch again.",
    ),
    TIMES_IN_DAY: _Judged(
        times_problem,
        "All transactions are of their day.",
        lambda _: "Every transaction lies between the day's midnights in the settings' timezone.",
        "Look at timezone and source.columns.timestamp_timezone, and materialize raw_batch of these days again.",
    ),
}


def batch_checks(batches: Sequence[StoredBatch], limits: BatchLimits) -> list[dg.AssetCheckResult]:
    """The blocking checks of the days of one run."""
    return [_judged(name, judged, batches, limits) for name, judged in _BLOCKING.items()]


def untrusted_days(batches: Sequence[StoredBatch], limits: BatchLimits) -> dict[str, str]:
    """Of the days those that fail a blocking check, each with what is wrong."""
    found: dict[str, str] = {}
    for batch in batches:
        problems = [problem for judged in _BLOCKING.values() if (problem := judged.problem(batch, limits))]
        if problems:
            found[batch.day] = "; ".join(problems)
    return found


def _judged(name: str, judged: _Judged, batches: Sequence[StoredBatch], limits: BatchLimits) -> dg.AssetCheckResult:
    problems = {batch.day: problem for batch in batches if (problem := judged.problem(batch, limits))}
    seen = f"{listed([f'{day}: {problem}' for day, problem in problems.items()])}." if problems else judged.fine
    return result(
        name,
        passed=not problems,
        seen=seen,
        expected=judged.expected(limits),
        what_to_do=judged.what_to_do,
        numbers={"days_judged": len(batches), "days_failed": len(problems), **_NUMBERS[name](batches)},
    )


def _largest_share(batches: Sequence[StoredBatch], rows: Callable[[StoredBatch], int]) -> float:
    return max((rows(batch) / batch.rows_in for batch in batches if batch.rows_in), default=0.0)


_NUMBERS: Mapping[str, Callable[[Sequence[StoredBatch]], Mapping[str, int | float]]] = {
    COLUMNS_AS_PROMISED: lambda _: {},
    ALL_ROWS_ACCOUNTED_FOR: lambda batches: {
        "rows_in": sum(batch.rows_in for batch in batches),
        "stored_as_accepted": sum(batch.accepted for batch in batches),
        "stored_as_rejected": sum(batch.rejected for batch in batches),
    },
    FEW_ROWS_REJECTED: lambda batches: {"largest_share": _largest_share(batches, lambda batch: batch.rejected)},
    NO_DUPLICATES: lambda batches: {"largest_share": _largest_share(batches, lambda batch: batch.duplicates)},
    TIMES_IN_DAY: lambda _: {},
}


def volume_is_as_usual(days: Sequence[str], rows: Mapping[str, int], factor: float) -> dg.AssetCheckResult:
    """Warns for a day with more than `factor` times the transactions of such weekdays, or less than that share of them.

    `rows` are the stored rows by day, of these days and those before.
    """
    judged = {day: usual for day in days if (usual := _usual(day, rows)) is not None}
    odd = [
        f"{day}: {rows[day]:,} transactions, {usual:,.0f} on the last same weekdays"
        for day, usual in judged.items()
        if not usual / factor <= rows[day] <= usual * factor and _is_surely_different(rows[day], usual)
    ]
    last = next(reversed(judged), None)
    seen = f"{listed(odd)}." if odd else _volume_seen(last, rows, judged)
    return result(
        VOLUME_AS_USUAL,
        passed=not odd,
        seen=seen,
        expected=f"Between 1/{factor:g} and {factor:g} times the median of the last {WEEKS} same weekdays.",
        what_to_do=(
            "Look whether the batch is whole, and whether there was a holiday, an outage or a campaign; have one "
            "that is not whole delivered again."
        ),
        numbers={
            "days_judged": len(judged),
            "transactions": rows.get(last) if last else None,
            "usual_transactions": judged.get(last) if last else None,
        },
    )


def _is_surely_different(rows: int, usual: float) -> bool:
    """By the square root of a count, whose standard deviation is a half whatever the count (Anscombe 1948)."""
    return 2 * abs(sqrt(rows) - sqrt(usual)) > SURE


def _volume_seen(day: str | None, rows: Mapping[str, int], usual: Mapping[str, float]) -> str:
    if day is None:
        return f"Nothing to judge by: fewer than {FEWEST_WEEKS} of the last {WEEKS} same weekdays are stored."
    return f"{day}: {rows[day]:,} transactions, {usual[day]:,.0f} on the last same weekdays."


def _usual(day: str, rows: Mapping[str, int]) -> float | None:
    """The median of the last four same weekdays that are stored; None with fewer than two."""
    earlier = ((date.fromisoformat(day) - timedelta(weeks=week)).isoformat() for week in range(1, WEEKS + 1))
    found = [rows[key] for key in earlier if key in rows]
    return median(found) if len(found) >= FEWEST_WEEKS and day in rows else None
