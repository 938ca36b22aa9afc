"""What each asset tells with its materialization, for the tests that look whether it is all there."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from fraud_assets.assets.candidate_models import CANDIDATES
from fraud_assets_tests.small_world import DAY, World

NUMBERS: Mapping[str, tuple[str, ...]] = {
    "raw_batch": ("rows_in", "rejected_share", "duplicates", "refunds", "amount_total", "amount_mean"),
    "rejected_rows": ("rejected_share",),
    "labels": ("labels", "frauds", "fraud_share"),
    "cleaned_features": ("learnable", "not_learnable", "missing_share"),
    **{
        f"candidate_models/{name}": ("threshold", "fits", "training_rows", "training_frauds", "best_search_score")
        for name in CANDIDATES
    },
    "evaluation_table": ("validation_rows", "average_precision", "gradient_boosting/average_precision"),
    "best_model": ("score", "threshold", "average_precision", "training_rows"),
    "feature_importance": ("highest_importance",),
    "scored_batch": ("alerts", "alerted_amount", "expected_saving", "lowest_alert_score"),
    "live_performance": ("history_weeks",),
    "label_maturity": ("frauds_known",),
    "feature_drift": ("ok", "watch", "drift", "highest_psi", "psi/amount"),
    "performance_report": ("report_bytes", "sections"),
    "daily_summary": ("transactions", "alerts", "fraud_rate", "score", "report_bytes"),
}
TABLES: Mapping[str, str] = {
    "raw_batch": "by_hour",
    "rejected_rows": "reasons",
    "cleaned_features": "features",
    "candidate_models/random_forest": "search",
    "evaluation_table": "evaluation",
    "feature_importance": "feature_importance",
    "scored_batch": "top_alerts",
}
PICTURES: Mapping[str, str] = {
    "raw_batch": "volume by hour",
    "feature_importance": "importance",
    "scored_batch": "scores and amounts of the alerts",
    "live_performance": "promise and live",
    "label_maturity": "label maturity",
    "feature_drift": "drift of the last days",
}


def told(made: World, asset: str, day: str = DAY) -> Mapping[str, dg.MetadataValue[Any]]:
    """The metadata of an asset's newest materialization of a day."""
    key = dg.AssetKey(asset.split("/"))
    records = made.instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=key, asset_partitions=[day]), limit=1
    ).records
    materialization = records[0].asset_materialization
    assert materialization is not None
    return materialization.metadata
