"""The numbers of a day in one row: what came, what was found, and which model decided.

What lives here: the row, from the day's frames. What does not: reading them, and the report (performance_report.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fraud_assets.assets.plan import Plan, StoredFacts
from fraud_assets.assets.scored_batch import expected_saving
from fraud_assets.learning import BestModel, Decision, DecisionKind, known_labels
from fraud_assets.learning.features.compute import is_learnable
from fraud_assets.learning.labels import same_kind_of_ids
from fraud_assets.partitions import shifted

SUMMARY = "daily_summary"
ROW = "summary"
"""The fact that later days read: the whole row, as JSON."""

COMMENTS: Mapping[str, str] = {
    "transactions": "accepted rows of raw_batch",
    "amount_total": "of these, refunds counted as negative",
    "rejected": "rows of the batch that were not accepted",
    "learnable": "neither refund nor declined",
    "alerted_amount": "sum of the amounts of the alerts",
    "expected_saving": "of the alerts by their own scores: score * amount * recovered_share - cost_per_alert each",
    "lowest_alert_score": "NULL without an alert",
    "labelled_day": "the newest day whose labels are complete: day - label_delay_days",
    "labelled_transactions": "learnable transactions of labelled_day whose label was known by the end of the day",
    "frauds": "of these",
    "fraud_rate": "frauds / labelled_transactions",
    "fraud_amount": "sum of the amounts of these frauds",
    "decision_kind": "how the recipe in use came to be: first, kept, promoted, too_old, replaced, awaiting_approval, "
    "approved, rolled_back or pinned",
    "decision": "the same in a sentence, with the numbers that decided",
    "scored_as": "the row of evaluation_table with its numbers, or champion where it is none of the candidates",
    "family": "of the recipe in use",
    "challenger": "the candidate that it was compared with",
    "threshold": "the score from which on F1 was best on inner out-of-fold scores",
    "score": "average precision on the validation days",
    "score_low": "95 % sampling interval over the validation days, lower end",
    "score_high": "upper end",
    "is_promotion": "the recipe in use was not in use the day before: its term begins",
    "searched_on": "the day whose search found its parameters",
    "trained_from": "first transaction_time that it has learned from",
    "trained_until": "last transaction_time that it has learned from",
    "model_version": "the version of best_model in storage when this row was made",
    "drifted_features": "subjects of feature_drift at the level drift",
    "watched_features": "subjects of feature_drift at the level watch",
    "report_bytes": "size of the day's performance_report",
}
_TEXTS = ("day", "labelled_day", "decision_kind", "decision", "scored_as", "family", "challenger", "searched_on")
_TIMES = ("trained_from", "trained_until")
_INTEGERS = (
    "transactions",
    "rejected",
    "learnable",
    "alerts",
    "labelled_transactions",
    "frauds",
    "model_version",
    "drifted_features",
    "watched_features",
    "report_bytes",
)
_TYPES = {
    **dict.fromkeys((*_TEXTS, *_TIMES), "str"),
    **dict.fromkeys(_INTEGERS, "Int64"),
    "is_promotion": "boolean",
}

_OF_THE_MODEL = (
    "decision_kind",
    "decision",
    "scored_as",
    "family",
    "challenger",
    "threshold",
    "score",
    "score_low",
    "score_high",
    "is_promotion",
    "searched_on",
    *_TIMES,
    "model_version",
)

Record = dict[str, Any]


@dataclass(frozen=True)
class DayRows:
    """What a day's row is made of; frames without rows where nothing is stored.

    `features` has amount and is_learnable of the day; `labelled_batch` the rows of raw_batch of the labelled day with
    transaction_id, amount and, where the source has one, outcome; `alerts` the alerts of scored_batch.
    """

    features: pd.DataFrame
    labelled_batch: pd.DataFrame
    labels: pd.DataFrame
    alerts: pd.DataFrame
    drift: pd.DataFrame
    best: BestModel | None


def summary_record(plan: Plan, storage: StoredFacts, day: str, rows: DayRows) -> Record:
    """The day's row as plain values, in the order of the columns; None where something is not known.

    Raises `LearningError` when the ids of transactions and labels cannot be compared.
    """
    return {
        "day": day,
        "transactions": storage.stored_row_counts("raw_batch").get(day),
        **_batch(rows.features, storage, day),
        **_alerts(plan, storage, day, rows.alerts),
        **_frauds(plan, day, rows.labelled_batch, rows.labels),
        **_model(storage, day, rows.best),
        **_drift(rows.drift),
        "report_bytes": None,
    }


def summary_table(record: Record) -> pd.DataFrame:
    """The record as a frame of one row, with the same types whatever is missing."""
    return pd.DataFrame([record]).astype({name: _TYPES.get(name, "float64") for name in record})


def summary_facts(record: Record) -> Record:
    """What is known of the record: texts, and numbers that Dagster plots over the partitions."""
    return {name: value for name, value in record.items() if name != "day" and value is not None}


def stored_summaries(storage: StoredFacts, day: str, history_days: int) -> pd.DataFrame:
    """The rows of the days before `day`, as far as they are stored, the oldest first.

    What is stored of the day itself may be an earlier run's, and later days are not for it to know.
    """
    first = shifted(day, 1 - history_days).isoformat()
    found = storage.stored_facts(SUMMARY, ROW)
    return pd.DataFrame([found[key] for key in sorted(found) if first <= key < day])


def _batch(features: pd.DataFrame, storage: StoredFacts, day: str) -> Record:
    is_known = not features.empty
    return {
        "amount_total": float(features["amount"].sum()) if is_known else None,
        "rejected": storage.stored_row_counts("rejected_rows").get(day),
        "learnable": int(features["is_learnable"].sum()) if is_known else None,
    }


def _alerts(plan: Plan, storage: StoredFacts, day: str, alerts: pd.DataFrame) -> Record:
    if day not in storage.stored_row_counts("scored_batch"):
        return dict.fromkeys(("alerts", "alerted_amount", "expected_saving", "lowest_alert_score"))
    return {
        "alerts": len(alerts),
        "alerted_amount": float(alerts["amount"].sum()),
        "expected_saving": expected_saving(plan, alerts),
        "lowest_alert_score": float(alerts["score"].min()) if len(alerts) else None,
    }


def _frauds(plan: Plan, day: str, batch: pd.DataFrame, labels: pd.DataFrame) -> Record:
    """What is known by the end of the day of the newest day whose labels are complete."""
    record: Record = {"labelled_day": shifted(day, -plan.windows.label_delay_days).isoformat()}
    names = ("labelled_transactions", "frauds", "fraud_rate", "fraud_amount")
    if batch.empty or labels.empty:
        return record | dict.fromkeys(names)
    known = known_labels(labels, plan.end(day))
    same_kind_of_ids(batch, known)
    learnable = batch[is_learnable(batch, plan.features)]
    labelled = learnable.merge(known[["transaction_id", "label"]], on="transaction_id")
    if labelled.empty:
        return record | dict.fromkeys(names)
    frauds = labelled[labelled["label"] == 1]
    values = (len(labelled), len(frauds), len(frauds) / len(labelled), float(frauds["amount"].sum()))
    return record | dict(zip(names, values, strict=True))


def _model(storage: StoredFacts, day: str, best: BestModel | None) -> Record:
    if best is None:
        return dict.fromkeys(_OF_THE_MODEL)
    decision = best.decision
    current = [made.version for made in storage.stored_versions("best_model", day) if made.status == "current"]
    values = (
        str(decision.kind),
        decision.reason,
        decision.scored_as,
        best.recipe.family,
        decision.challenger,
        float(best.threshold),
        decision.score,
        best.promised.get("average_precision_low"),
        best.promised.get("average_precision_high"),
        is_promotion(decision),
        best.searched_on,
        best.trained_from.isoformat(),
        best.trained_until.isoformat(),
        current[0] if current else None,
    )
    return dict(zip(_OF_THE_MODEL, values, strict=True))


def is_promotion(decision: Decision) -> bool:
    """Whether the recipe in use was not in use the day before.

    A champion whose term was over and that was chosen anew begins another term as it is.
    """
    is_chosen_anew = decision.kind is DecisionKind.TOO_OLD and decision.scored_as != decision.challenger
    return decision.since == decision.day and not is_chosen_anew


def _drift(drift: pd.DataFrame) -> Record:
    if drift.empty:
        return {"drifted_features": None, "watched_features": None}
    levels = drift["level"].value_counts()
    return {"drifted_features": int(levels.get("drift", 0)), "watched_features": int(levels.get("watch", 0))}
