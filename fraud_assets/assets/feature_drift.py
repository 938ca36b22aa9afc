"""Whether the day looks like the days that its model has learned from."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
import pandas as pd

from fraud_assets.assets.links import report_link
from fraud_assets.assets.pictures import Pictures
from fraud_assets.assets.plan import DAY_BY_DAY, GROUP, LABEL_COLUMNS, OWNERS, TABLES, Plan, StoredFacts, code_version
from fraud_assets.checks import features_are_stable, specs_of
from fraud_assets.learning import LearningError
from fraud_assets.learning.watching.drift import (
    DRIFT_DTYPES,
    Level,
    Thresholds,
    measure_drift,
    reference_of,
)
from fraud_assets.learning.watching.rates import daily_frauds, rate_change
from fraud_assets.partitions import shifted
from fraud_assets.reporting.figures.drift import drift_heat_map

SCORE_DAYS = 7
SCORE, FRAUD_RATE = "score", "fraud_rate"
SHOWN_DAYS = 30
LEVELS = "levels"
"""The fact that later days draw: of each subject its index and level, as JSON."""

_COMMENTS = {
    "subject": "a feature, score, or fraud_rate",
    "psi": (
        "population stability index of the day against the training window's days of the same weekday (all of them, "
        f"where it has none), of score against the {SCORE_DAYS} days before"
    ),
    "psi_by_chance": "what the index exceeds once in a hundred days, over all subjects, though nothing has changed",
    "missing_rate": "share of the day's learnable transactions without a value",
    "value": "of fraud_rate: known frauds / learnable transactions of the newest labelled day, D - label_delay_days",
    "reference_value": "of fraud_rate: mean of the days before it in the training window",
    "expected_low": "of fraud_rate: where a further day falls with 99 %, lower bound",
    "expected_high": "of fraud_rate: upper bound",
    "level": "ok, watch, drift, or unknown where there is nothing to compare",
    "note": "why the level is unknown",
}
_DTYPES = {**DRIFT_DTYPES, **dict.fromkeys(("value", "reference_value", "expected_low", "expected_high"), "float64")}
_TEXTS = ("day", "subject", "level", "note")
_COLUMNS = ("day", "subject", *_DTYPES, "level", "note")


def feature_drift_asset(plan: Plan) -> dg.AssetsDefinition:
    """`feature_drift`: one row is a feature, the score, or the share of frauds, beside what it was in training."""
    windows, settings = plan.windows, plan.settings
    features = plan.features
    window = [windows.refit[0], 0]
    thresholds = Thresholds(settings.watching.psi_watch, settings.watching.psi_drift)

    @dg.asset(
        name="feature_drift",
        partitions_def=plan.partitions,
        io_manager_key=TABLES,
        ins={
            "cleaned_features": dg.AssetIn(
                metadata={
                    "window": window,
                    "columns": ["transaction_id", "transaction_time", *features.names],
                    "where": "is_learnable",
                }
            ),
            "labels": dg.AssetIn(metadata={"window": window, "missing": "empty", "columns": LABEL_COLUMNS}),
            "scored_batch": dg.AssetIn(
                metadata={"window": [-SCORE_DAYS, 0], "missing": "empty", "columns": ["transaction_time", SCORE]}
            ),
        },
        description="One row is a feature, the score or the share of frauds, and how far from training it is.",
        kinds={"postgres", "pandas"},
        owners=list(OWNERS),
        group_name=GROUP,
        freshness_policy=plan.freshness,
        code_version=code_version("1", features, vars(windows), vars(thresholds)),
        metadata={"layout": "rows", "column_comments": _COMMENTS},
        check_specs=specs_of("feature_drift"),
        backfill_policy=DAY_BY_DAY,
        retry_policy=plan.retries,
    )
    def feature_drift(
        context: dg.AssetExecutionContext,
        storage: dg.ResourceParam[StoredFacts],
        pictures: Pictures,
        cleaned_features: pd.DataFrame,
        labels: pd.DataFrame,
        scored_batch: pd.DataFrame,
    ) -> Iterator[dg.Output[pd.DataFrame] | dg.AssetCheckResult]:
        day = context.partition_key
        try:
            table = pd.concat(
                [
                    _features(plan, day, cleaned_features, thresholds),
                    _scores(plan, day, scored_batch, thresholds),
                    _frauds(plan, day, cleaned_features, labels),
                ],
                ignore_index=True,
            )
        except LearningError as error:
            raise dg.Failure(f"No drift of {day}: {error}", allow_retries=False) from error
        table = table.assign(day=day).reindex(columns=_COLUMNS).astype({**_DTYPES, **dict.fromkeys(_TEXTS, "str")})
        drawn = pictures.metadata(
            context.log, {"drift of the last days": drift_heat_map(_last_days(storage, day, table))}
        )
        yield dg.Output(table, metadata={**report_link(plan, day), **_numbers(table), **drawn})
        yield _check(table)

    return feature_drift


def _features(plan: Plan, day: str, rows: pd.DataFrame, thresholds: Thresholds) -> pd.DataFrame:
    """Each feature of the day's transactions against those of the window that its model learned from."""
    before, today = _split(plan, rows, day, min(plan.windows.refit[1], -1))
    spec = plan.features
    reference = reference_of(before, spec.names, spec.categorical, timezone=plan.settings.timezone)
    table = measure_drift(reference, today, thresholds, weekday=shifted(day, 0).weekday())
    nothing = "No transaction of the training window is stored." if before.empty else "There was no transaction."
    note = (
        nothing if before.empty or today.empty else "Every day has a single value, and no day of this weekday is known."
    )
    return table.assign(note=table["level"].map({Level.UNKNOWN: note}))


def _scores(plan: Plan, day: str, scored: pd.DataFrame, thresholds: Thresholds) -> pd.DataFrame:
    """The day's scores against those of the seven days before, whatever their weekday: there is one of each."""
    scored = scored[scored[SCORE].notna()]
    before, today = _split(plan, scored, day, -1)
    if before.empty or today.empty:
        missing = (
            f"No transaction of {day} has a score." if today.empty else f"No scores of the {SCORE_DAYS} days before."
        )
        record = {"subject": SCORE, "rows": len(today), "reference_rows": len(before), "level": Level.UNKNOWN}
        return pd.DataFrame([{**record, "note": missing}])
    reference = reference_of(before, [SCORE], (), timezone=plan.settings.timezone)
    return measure_drift(reference, today, thresholds, weekday=None)


def _frauds(plan: Plan, day: str, rows: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """The newest labelled day's share of frauds against the days of the window before it."""
    delay, timezone = plan.windows.label_delay_days, plan.settings.timezone
    learned = rows.loc[rows["transaction_time"] < plan.end_of(day, -delay), ["transaction_id", "transaction_time"]]
    days = daily_frauds(learned, labels, before=plan.end(day), timezone=timezone, within_days=delay)
    newest = shifted(day, -delay).isoformat()
    change = rate_change(days, newest)
    record = {
        "subject": FRAUD_RATE,
        "value": change.rate,
        "reference_value": change.reference_rate,
        "expected_low": change.low,
        "expected_high": change.high,
        "rows": change.transactions,
        "reference_rows": change.reference_transactions,
        "level": change.level,
    }
    if change.level is Level.UNKNOWN:
        record["note"] = f"Too few labels: of {newest} or of the days before it."
    return pd.DataFrame([record])


def _split(plan: Plan, rows: pd.DataFrame, day: str, until: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows up to the day that lies `until` days after `day`, and those of `day`."""
    times = rows["transaction_time"].astype("datetime64[us, UTC]")
    is_today = (times >= plan.start(day)) & (times < plan.end(day))
    return rows[times < plan.end_of(day, until)], rows[is_today]


def _last_days(storage: StoredFacts, day: str, table: pd.DataFrame) -> pd.DataFrame:
    """Index and level of each subject on the last days: those before are on record, the day's own are in the table."""
    first = shifted(day, 1 - SHOWN_DAYS).isoformat()
    found = {key: levels for key, levels in storage.stored_facts("feature_drift", LEVELS).items() if first <= key < day}
    records = [(key, subject, psi, level) for key, of in found.items() for subject, (psi, level) in of.items()]
    before = pd.DataFrame(records, columns=["day", "subject", "psi", "level"]).astype({"psi": "float64"})
    return pd.concat([before, table[list(before.columns)]], ignore_index=True)


def _numbers(table: pd.DataFrame) -> dict[str, Any]:
    """The levels in numbers, and each subject's index and missing rate: Dagster plots them over the partitions."""
    levels = table["level"].value_counts()
    numbers: dict[str, Any] = {str(level): int(levels.get(level, 0)) for level in Level}
    if table["psi"].notna().any():
        numbers["highest_psi"] = float(table["psi"].max())
    indices = table["psi"].astype("object").where(table["psi"].notna(), None)
    on_record = dict(zip(table["subject"], zip(indices, table["level"], strict=True), strict=True))
    numbers[LEVELS] = dg.MetadataValue.json({subject: list(of) for subject, of in on_record.items()})
    for column in ("psi", "missing_rate", "value"):
        found = table.dropna(subset=[column])
        numbers |= {
            f"{column}/{subject}": float(value) for subject, value in zip(found["subject"], found[column], strict=True)
        }
    return numbers


def _check(table: pd.DataFrame) -> dg.AssetCheckResult:
    drifted = table[table["level"] == Level.DRIFT]
    return features_are_stable(
        judged=int((table["level"] != Level.UNKNOWN).sum()),
        watched=table.loc[table["level"] == Level.WATCH, "subject"].tolist(),
        drifted={str(record["subject"]): _seen(record) for record in drifted.to_dict("records")},
    )


def _seen(record: Mapping[Any, Any]) -> str:
    if record["subject"] == FRAUD_RATE:
        return (
            f"{record['value']:.3%} of {record['rows']:,} transactions, expected {record['expected_low']:.3%} to "
            f"{record['expected_high']:.3%}"
        )
    return (
        f"index {record['psi']:.3f}, by chance up to {record['psi_by_chance']:.3f}; {record['missing_rate']:.2%} "
        f"missing, expected {record['reference_missing_rate']:.2%}"
    )
