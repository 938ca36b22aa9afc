"""The day's transactions as a model sees them."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
import pandas as pd

from fraud_assets.assets.lineage import features_lineage
from fraud_assets.assets.links import report_link
from fraud_assets.assets.plan import GROUP, LABEL_COLUMNS, OWNERS, TABLES, Plan
from fraud_assets.assets.rounding import rounded
from fraud_assets.learning import LearningError, compute_features


def cleaned_features_asset(plan: Plan) -> dg.AssetsDefinition:
    """`cleaned_features`: one row is one transaction with its features and no label."""

    @dg.asset(
        name="cleaned_features",
        partitions_def=plan.partitions,
        io_manager_key=TABLES,
        ins={
            "raw_batch": dg.AssetIn(metadata={"window": list(plan.feature_history), "columns": _inputs(plan)}),
            "labels": dg.AssetIn(
                metadata={"window": list(plan.feature_history), "missing": "empty", "columns": LABEL_COLUMNS}
            ),
        },
        description="One row is one valid transaction with its features, and no label.",
        kinds={"postgres", "pandas"},
        owners=list(OWNERS),
        group_name=GROUP,
        freshness_policy=plan.freshness,
        code_version=plan.code_versions["cleaned_features"],
        metadata=features_lineage(plan),
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=plan.retries,
    )
    def cleaned_features(
        context: dg.AssetExecutionContext, raw_batch: pd.DataFrame, labels: pd.DataFrame
    ) -> dict[str, pd.DataFrame]:
        keys = list(context.partition_keys)
        start, end = plan.start(keys[0]), plan.end(keys[-1])
        try:
            features = compute_features(raw_batch, labels, plan.features, start=start, end=end)
        except LearningError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        bounds = features["transaction_time"].searchsorted([plan.start(key) for key in keys] + [end])
        by_day = {
            key: features.iloc[first:last].reset_index(drop=True)
            for key, first, last in zip(keys, bounds[:-1], bounds[1:], strict=True)
        }
        for key, rows in by_day.items():
            facts = {**report_link(plan, key), **_facts(rows, plan.features.names)}
            context.add_asset_metadata(facts, partition_key=key)
        return by_day

    return cleaned_features


def _facts(rows: pd.DataFrame, names: Sequence[str]) -> dict[str, Any]:
    """How many of the day's rows can be learned from, and what there is of each feature."""
    learnable = int(rows["is_learnable"].sum())
    missing = rows[list(names)].isna().mean() if len(rows) else pd.Series(0.0, index=list(names))
    means = rows[list(names)].mean(numeric_only=True)
    schema = dg.TableSchema(
        [dg.TableColumn("feature"), dg.TableColumn("missing_share", "float"), dg.TableColumn("mean", "float")]
    )
    records = [
        dg.TableRecord({"feature": name, "missing_share": rounded(missing[name]), "mean": rounded(means.get(name))})
        for name in names
    ]
    return {
        "learnable": learnable,
        "not_learnable": len(rows) - learnable,
        "missing_share": float(missing.mean()) if len(names) else 0.0,
        "features": dg.MetadataValue.table(records, schema),
    }


def _inputs(plan: Plan) -> list[str]:
    """The columns of raw_batch that features are made of. The label is not among them."""
    outcome = ("outcome",) if plan.roles.outcome else ()
    features = plan.features
    named = (*features.identifiers, "amount", *outcome, *features.numeric, *features.categorical, *features.segments)
    return list(dict.fromkeys(named))
