"""Asset checks: what was seen, what was expected, and what to do. Pure functions of plain values."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import dagster as dg

ALL_ROWS_ACCOUNTED_FOR = "all_rows_accounted_for"
HISTORY_IS_COMPLETE = "history_is_complete"
EVERY_FAMILY_FITTED = "every_family_fitted"

CHECK_SPECS: Mapping[str, dg.AssetCheckSpec] = {
    spec.name: spec
    for spec in (
        dg.AssetCheckSpec(
            ALL_ROWS_ACCOUNTED_FOR,
            asset="raw_batch",
            description="Rows received = rows accepted + rows rejected, as they are stored.",
        ),
        dg.AssetCheckSpec(
            HISTORY_IS_COMPLETE,
            asset="evaluation_table",
            description="Every day that training and validation look back on has its features.",
        ),
        dg.AssetCheckSpec(
            EVERY_FAMILY_FITTED,
            asset="evaluation_table",
            description="No family of candidates failed to fit.",
        ),
    )
}


def all_rows_accounted_for(
    keys: Sequence[str], rows_in: Mapping[str, int], accepted: Mapping[str, int], rejected: Mapping[str, int]
) -> dg.AssetCheckResult:
    """Fails for the days on which a row was lost between the source and the two tables."""
    lost = [key for key in keys if rows_in.get(key) != accepted.get(key, 0) + rejected.get(key, 0)]
    return dg.AssetCheckResult(
        asset_key="raw_batch",
        check_name=ALL_ROWS_ACCOUNTED_FOR,
        passed=not lost,
        metadata={
            "rows_in": sum(rows_in.get(key, 0) for key in keys),
            "stored_as_accepted": sum(accepted.get(key, 0) for key in keys),
            "stored_as_rejected": sum(rejected.get(key, 0) for key in keys),
            **_days("days_with_lost_rows", lost, "Materialize raw_batch for these days again."),
        },
    )


def history_is_complete(expected: Sequence[str], found: Collection[str]) -> dg.AssetCheckResult:
    """Warns when days are missing from the windows: the models of the day have then learned from less."""
    missing = [day for day in expected if day not in found]
    return dg.AssetCheckResult(
        asset_key="evaluation_table",
        check_name=HISTORY_IS_COMPLETE,
        passed=not missing,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "days_expected": len(expected),
            "days_found": len(expected) - len(missing),
            **_days("days_missing", missing, "Backfill raw_batch, labels and cleaned_features for these days."),
        },
    )


def every_family_fitted(failures: Mapping[str, str]) -> dg.AssetCheckResult:
    """Warns when a family has left the day."""
    return dg.AssetCheckResult(
        asset_key="evaluation_table",
        check_name=EVERY_FAMILY_FITTED,
        passed=not failures,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={f"failure of {family}": reason for family, reason in failures.items()},
    )


def _days(name: str, days: Sequence[str], advice: str) -> dict[str, Any]:
    if not days:
        return {}
    shown = ", ".join(days[:10]) + (f" and {len(days) - 10} more" if len(days) > 10 else "")
    return {name: shown, "what_to_do": advice}
