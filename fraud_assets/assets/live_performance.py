"""What became of a day once its labels are known: the alerts that were raised then, beside what was promised."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
import pandas as pd

from fraud_assets.assets.lineage import live_lineage
from fraud_assets.assets.links import report_link
from fraud_assets.assets.pictures import Pictures
from fraud_assets.assets.plan import (
    DAY_BY_DAY,
    GROUP,
    LABEL_COLUMNS,
    OWNERS,
    TABLES,
    Plan,
    StoredFacts,
    code_version,
    optional_input,
)
from fraud_assets.assets.promises import LIVE, Issued, Record, coming, issued_scores, live_history, past_week, promised
from fraud_assets.checks import ScoreSum, live_performance_is_as_promised, scores_are_calibrated, specs_of
from fraud_assets.learning import LearningError, known_labels
from fraud_assets.learning.labels import same_kind_of_ids
from fraud_assets.learning.watching.live import (
    CALIBRATION,
    DAYS_OF_WEEK,
    PROMISED,
    LiveDay,
    calibration_counts,
    live_day,
)
from fraud_assets.partitions import shifted
from fraud_assets.reporting.figures.live import promise_and_live

_COMMENTS = {
    "scored_date": "the day whose scores and alerts are judged",
    "scored_version": "the version of its scored_batch that was issued: the first",
    "later_versions": "how many came after it; they are retrospective, and not judged",
    "is_retrospective": "the scores were first stored so long after their day that nobody can have acted on them",
    "labels": "learnable transactions whose label is known",
    "frauds": "of these, frauds",
    "alerts_labelled": "alerts whose label is known",
    "alert_precision": "frauds_in_alerts / alerts_labelled",
    "alert_recall": "frauds_in_alerts / frauds",
    "precision_at_k": "k = alerts_per_day",
    "saving_per_day": "what the alerts have saved, less what all of them cost",
    "history_weeks": "whole weeks of live minus promised; next_week_* are NULL until there are five",
    "week_average_precision": "mean over the last seven scored days; NULL with fewer than four",
    "week_expected_by": "history: next_week_* as stated before that week; validation: what was promised for its days",
    "reason": "why there is nothing, or not everything, to judge",
    **{f"promised_{name}": "mean of the validation days, each by itself, of the day's model" for name in PROMISED},
    **{f"difference_{name}": "live minus promised" for name in PROMISED},
    **{f"is_{name}_as_promised": "a day spreads wider than the mean of the validation days does" for name in PROMISED},
    **{f"next_week_{name}_low": "lower bound of the mean of the seven coming days, 95 %" for name in PROMISED},
    **{f"next_week_{name}_high": "upper bound of the mean of the seven coming days, 95 %" for name in PROMISED},
}
_COUNTS = ("transactions", "labels", "frauds", "alerts", "alerts_labelled", "frauds_in_alerts")
_INTEGERS = ("scored_version", "later_versions", *_COUNTS, "history_weeks")
_BOOLEANS = ("is_retrospective", *(f"is_{name}_as_promised" for name in PROMISED))
_TEXTS = ("day", "scored_date", "week_expected_by", "reason")


def live_performance_asset(plan: Plan) -> dg.AssetsDefinition:
    """`live_performance`: one row is what a day's alerts turned out to be worth."""
    windows, timezone = plan.windows, plan.settings.timezone
    delay = windows.label_delay_days
    customer = ["customer_id"] if plan.features.has_customer else []
    scored = ["transaction_id", "transaction_time", *customer, "amount", "score", "is_alert"]

    @dg.asset(
        name=LIVE,
        description="One row is what the alerts of the day scored_date turned out to be worth.",
        partitions_def=plan.partitions,
        io_manager_key=TABLES,
        kinds={"postgres", "pandas"},
        owners=list(OWNERS),
        group_name=GROUP,
        freshness_policy=plan.freshness,
        code_version=code_version("2", vars(windows), vars(plan.alert_policy), timezone),
        metadata={"layout": "rows", "volatile": ["later_versions"], **live_lineage(_COMMENTS)},
        ins={
            "scored_batch": optional_input(window=[-delay, -delay], version="first", columns=scored),
            "cleaned_features": optional_input(window=[-delay, -delay], columns=["transaction_id", "is_learnable"]),
            "labels": optional_input(window=[-delay, 0], columns=LABEL_COLUMNS),
        },
        check_specs=specs_of(LIVE),
        backfill_policy=DAY_BY_DAY,
        retry_policy=plan.retries,
    )
    def live_performance(
        context: dg.AssetExecutionContext,
        storage: dg.ResourceParam[StoredFacts],
        pictures: Pictures,
        scored_batch: pd.DataFrame,
        cleaned_features: pd.DataFrame,
        labels: pd.DataFrame,
    ) -> Iterator[dg.Output[pd.DataFrame] | dg.AssetCheckResult]:
        day = context.partition_key
        scored_date = shifted(day, -delay).isoformat()
        issued = issued_scores(plan, storage, scored_date)
        try:
            rows = judged_rows(scored_batch, cleaned_features, labels, plan.end(day))
            live = live_day(rows, policy=plan.alert_policy, timezone=timezone)
        except LearningError as error:
            raise dg.Failure(f"No live performance on {day}: {error}", allow_retries=False) from error
        record = {"day": day, "scored_date": scored_date, **_measured(issued, live)}
        record |= promised(issued, live.metrics)
        record |= past_week(plan, storage, day, record) | coming(storage, day, record)
        record["reason"] = _reason(record, issued, live)
        history = live_history(storage, record, plan.settings.reports.history_days)
        drawn = pictures.metadata(context.log, {"promise and live": promise_and_live(history)})
        counted = calibration_counts(rows)
        told = {**report_link(plan, day), **_facts(record), CALIBRATION: dg.MetadataValue.json(counted), **drawn}
        yield dg.Output(_table(record), metadata=told)
        yield live_performance_is_as_promised(
            record["week_average_precision"],
            record["week_expected_low"],
            record["week_expected_high"],
            record["week_expected_by"] or "nothing yet: there are too few days",
        )
        validation = storage.stored_facts("evaluation_table", CALIBRATION).get(day)
        yield _calibrated({**storage.stored_facts(LIVE, CALIBRATION), day: counted}, day, validation)

    return live_performance


def _calibrated(
    counts: Mapping[str, Mapping[str, float]], day: str, validation: Mapping[str, float] | None
) -> dg.AssetCheckResult:
    """Of the scored days that were judged on the last seven days up to `day`, else of the day's validation days."""
    first = shifted(day, 1 - DAYS_OF_WEEK).isoformat()
    week = [found for judged, found in counts.items() if first <= judged <= day and found["expected"]]
    return scores_are_calibrated(_sum(week), len(week), None if validation is None else _sum([validation]))


def _sum(counts: Sequence[Mapping[str, float]]) -> ScoreSum:
    frauds, expected, variance = (sum(found[name] for found in counts) for name in ("frauds", "expected", "variance"))
    return ScoreSum(int(frauds), expected, variance)


def judged_rows(
    scored: pd.DataFrame, features: pd.DataFrame, labels: pd.DataFrame, before: pd.Timestamp
) -> pd.DataFrame:
    """The issued rows with is_learnable (bool), and label (Int8) as far as it is known before `before`.

    A transaction that has left its batch since is learnable: it is judged by its label. Raises `LearningError` when the
    ids of scores and labels cannot be compared.
    """
    if scored.empty:
        return scored.assign(is_learnable=False, label=None)
    known = known_labels(labels, before)[["transaction_id", "label"]].astype({"label": "Int8"})
    same_kind_of_ids(scored, known)
    rows = scored.merge(features, on="transaction_id", how="left").merge(known, on="transaction_id", how="left")
    return rows.assign(is_learnable=rows["is_learnable"].astype("boolean").fillna(value=True).astype("bool"))


def _measured(issued: Issued | None, live: LiveDay) -> Record:
    counts = {name: getattr(live, name) if live.transactions else None for name in _COUNTS}
    return {
        "scored_version": issued.version if issued else None,
        "later_versions": issued.later_versions if issued else None,
        "is_retrospective": issued.is_retrospective if issued else None,
        **counts,
        "alert_precision": live.alert_precision,
        "alert_recall": live.alert_recall,
        **live.metrics,
    }


def _reason(record: Record, issued: Issued | None, live: LiveDay) -> str | None:
    date = record["scored_date"]
    if issued is None:
        return f"No scores of {date} are stored."
    if issued.is_pruned:
        return f"The scores of {date} as they were issued have been pruned."
    if not live.transactions:
        return f"There was no transaction on {date}."
    if not live.labels:
        return f"No label of {date} was known by the end of {record['day']}."
    if record["saving_per_day"] is None:
        return f"No labelled transaction of {date} has a score: the model was fitted on rows as late as they are."
    return None if live.frauds else f"None of the {live.labels:,} labelled transactions of {date} is a fraud."


def _table(record: Record) -> pd.DataFrame:
    types = dict.fromkeys(_INTEGERS, "Int64") | dict.fromkeys(_BOOLEANS, "boolean") | dict.fromkeys(_TEXTS, "str")
    return pd.DataFrame([record]).astype({name: types.get(name, "float64") for name in record})


def _facts(record: Record) -> dict[str, Any]:
    """What is known of the row, for the ledger: later days look it up, and Dagster plots its numbers."""
    return {name: value for name, value in record.items() if name != "day" and value is not None}
