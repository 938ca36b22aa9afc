"""Which columns the columns of a table are made of, from the source to the scores: for Dagster, and in words.

Dagster's open UI lists columns with their descriptions, and draws no graph of them: so each column's description says
what it is made of, beside the metadata that a graph, or any catalogue, is made from.

What lives here: the edges between columns. What does not: what a feature reads, which stands beside the code that
computes it, and the nodes that are not made here (`external`).
"""

from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg

from fraud_assets.assets.external import LABEL_FEED, SOURCE, label_columns, source_columns
from fraud_assets.assets.plan import Plan
from fraud_assets.learning import feature_reads
from fraud_assets.learning.explaining.reasons import REASONS
from fraud_assets.settings import LabelFiles

COLUMN_LINEAGE = "dagster/column_lineage"
MOST_NAMED = 8
"""More columns of one asset than these are counted, and not named."""

_RAW, _LABELS, _FEATURES, _SCORES = "raw_batch", "labels", "cleaned_features", "scored_batch"
_ALERTED = {_SCORES: ["is_alert"], _LABELS: ["label"]}
_RANKED = {_SCORES: ["score"], _LABELS: ["label"]}
_LIVE: Mapping[str, Mapping[str, Iterable[str]]] = {
    "transactions": {_SCORES: ["transaction_id"]},
    "labels": {_LABELS: ["transaction_id", "label", "known_at"]},
    "frauds": {_LABELS: ["label"]},
    "alerts": {_SCORES: ["is_alert"]},
    "alerts_labelled": _ALERTED,
    "frauds_in_alerts": _ALERTED,
    "alert_precision": _ALERTED,
    "alert_recall": _ALERTED,
    "average_precision": _RANKED,
    "roc_auc": _RANKED,
    "precision_at_k": _RANKED,
    "saving_per_day": {_SCORES: ["is_alert", "amount"], _LABELS: ["label"]},
}


def batch_lineage(plan: Plan, comments: Mapping[str, str]) -> dict[str, Any]:
    """Of `raw_batch`: each column from the source's."""
    return _lineage({column.name: {SOURCE: [column.source]} for column in source_columns(plan)}, comments)


def rejected_lineage(plan: Plan) -> dict[str, Any]:
    """Of `rejected_rows`: any column may be the reason; the original row has all that are not sensitive."""
    columns = source_columns(plan)
    shown = [column.source for column in columns if not column.sensitive]
    return _lineage({"reason": {SOURCE: [column.source for column in columns]}, "original": {SOURCE: shown}})


def labels_lineage(plan: Plan, comments: Mapping[str, str]) -> dict[str, Any]:
    """Of `labels`: from the feed's columns, or from those of earlier batches."""
    feed = plan.settings.labels
    if isinstance(feed, LabelFiles):
        return _lineage({name: {LABEL_FEED: [source]} for name, source in label_columns(feed).items()}, comments)
    named = {"transaction_id": "transaction_id", "label": "label", "known_at": "transaction_time"}
    there = ["transaction_id", *(column.name for column in source_columns(plan))]
    return _lineage({name: {_RAW: [source]} for name, source in named.items() if source in there}, comments)


def features_lineage(plan: Plan) -> dict[str, Any]:
    """Of `cleaned_features`: what each feature reads, as its own code says."""
    reads = feature_reads(plan.features)
    return _lineage({name: {_RAW: read.transactions, _LABELS: read.labels} for name, read in reads.items()})


def scores_lineage(plan: Plan, comments: Mapping[str, str]) -> dict[str, Any]:
    """Of `scored_batch`: the score and its reasons from all features, what identifies a row from itself."""
    features = list(plan.features.names)
    decided = ("score", "rank", *REASONS)
    return _lineage(
        {name: {_FEATURES: [name]} for name in (*plan.features.identifiers, "amount")}
        | {name: {_FEATURES: features} for name in decided}
        | {"is_alert": {_FEATURES: list(dict.fromkeys([*features, "amount", "is_learnable"]))}}
        | {"review_sample": {_FEATURES: list(dict.fromkeys(["transaction_id", "is_learnable", *features]))}},
        comments,
    )


def live_lineage(comments: Mapping[str, str]) -> dict[str, Any]:
    """Of `live_performance`: the counts and metrics of a day's alerts, not what is made of them over days."""
    return _lineage(_LIVE, comments)


def _lineage(
    columns: Mapping[str, Mapping[str, Iterable[str]]], comments: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """An asset's metadata from the columns, by upstream asset, that each of its columns is made of."""
    told = dict(comments or {})
    deps: dict[str, list[dg.TableColumnDep]] = {}
    for name, read in columns.items():
        edges = [(asset, column) for asset, sources in read.items() for column in sorted(set(sources))]
        deps[name] = [dg.TableColumnDep(dg.AssetKey(asset), column) for asset, column in edges]
        told[name] = "; ".join(part for part in (told.get(name), _in_words(read)) if part)
    return {"column_comments": told, COLUMN_LINEAGE: dg.TableColumnLineage(deps)}


def _in_words(read: Mapping[str, Iterable[str]]) -> str:
    parts = []
    for asset, sources in read.items():
        names = sorted(set(sources))
        named = ", ".join(names) if len(names) <= MOST_NAMED else f"{len(names)} columns"
        parts += [f"{asset} ({named})"] if names else []
    return f"from {' and '.join(parts)}" if parts else ""
