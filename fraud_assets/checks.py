"""Asset checks: what was seen, what was expected, and what to do. Pure functions of plain values."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import dagster as dg

ALL_ROWS_ACCOUNTED_FOR = "all_rows_accounted_for"
HISTORY_IS_COMPLETE = "history_is_complete"
EVERY_FAMILY_FITTED = "every_family_fitted"
LIVE_AS_PROMISED = "live_performance_is_as_promised"
LABELS_ARE_MATURE = "labels_are_mature_after_the_label_delay"
FEATURES_ARE_STABLE = "features_are_stable"

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
        dg.AssetCheckSpec(
            LIVE_AS_PROMISED,
            asset="live_performance",
            description="The average precision of the last seven scored days lies where it was expected.",
        ),
        dg.AssetCheckSpec(
            LABELS_ARE_MATURE,
            asset="label_maturity",
            description="After label_delay_days, nearly all frauds are known that become known later.",
        ),
        dg.AssetCheckSpec(
            FEATURES_ARE_STABLE,
            asset="feature_drift",
            description="Features, scores and the share of frauds are what they were in the training window.",
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


def live_performance_is_as_promised(
    week: float | None, low: float | None, high: float | None, expected_by: str
) -> dg.AssetCheckResult:
    """Warns when the week's mean average precision is outside of [low, high]; without these there is nothing to say."""
    is_low = week is not None and low is not None and week < low
    is_high = week is not None and high is not None and week > high
    metadata: dict[str, Any] = {"expected_by": expected_by}
    named = {"average_precision_of_the_week": week, "expected_from": low, "expected_to": high}
    metadata |= {name: value for name, value in named.items() if value is not None}
    if is_low:
        metadata["what_to_do"] = (
            "Look at feature_drift and label_maturity of these days, and at evaluation_slices for where it is lost."
        )
    elif is_high:
        metadata["what_to_do"] = "Look whether labels of missed frauds are late (label_maturity), or fraud has changed."
    return dg.AssetCheckResult(
        asset_key="live_performance",
        check_name=LIVE_AS_PROMISED,
        passed=not (is_low or is_high),
        severity=dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )


def labels_are_mature(
    summary: str, known: float | None, wanted: float, delay_days: int, enough_days: int | None
) -> dg.AssetCheckResult:
    """Warns when less than `wanted` of the frauds were known after the label delay; None is nothing to judge by."""
    is_late = known is not None and known < wanted
    metadata: dict[str, Any] = {"summary": summary, "expected_share": wanted}
    if known is not None:
        metadata["share_of_frauds_known"] = known
    if is_late:
        metadata["what_to_do"] = (
            f"Set label_delay_days from {delay_days} to {enough_days}, by which so many were known."
            if enough_days is not None
            else "Look whether the label feed is complete, or set watching.maturity_days higher to see how long it is."
        )
    return dg.AssetCheckResult(
        asset_key="label_maturity",
        check_name=LABELS_ARE_MATURE,
        passed=not is_late,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )


def features_are_stable(judged: int, watched: Sequence[str], drifted: Mapping[str, str]) -> dg.AssetCheckResult:
    """Warns when a subject has drifted; `drifted` says of each what was seen and what was expected."""
    metadata: dict[str, Any] = {"judged": judged}
    if watched:
        metadata["watched"] = ", ".join(watched)
    metadata |= {f"drift of {subject}": seen for subject, seen in drifted.items()}
    if drifted:
        metadata["what_to_do"] = (
            "Compare the day's raw_batch with an earlier one: a changed source is to be mended and the day run again, "
            "a changed world to be learned from, which takes as long as labels do."
        )
    return dg.AssetCheckResult(
        asset_key="feature_drift",
        check_name=FEATURES_ARE_STABLE,
        passed=not drifted,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )


def _days(name: str, days: Sequence[str], advice: str) -> dict[str, Any]:
    if not days:
        return {}
    shown = ", ".join(days[:10]) + (f" and {len(days) - 10} more" if len(days) > 10 else "")
    return {name: shown, "what_to_do": advice}
