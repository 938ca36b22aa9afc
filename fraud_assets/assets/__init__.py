"""The assets: thin, a file for each. Frames in, frames and metadata out; what is computed lives in other rooms."""

import dagster as dg

from fraud_assets.assets.best_model import best_model_asset
from fraud_assets.assets.candidate_models import candidate_models_asset
from fraud_assets.assets.cleaned_features import cleaned_features_asset
from fraud_assets.assets.evaluation_table import evaluation_table_asset
from fraud_assets.assets.feature_drift import feature_drift_asset
from fraud_assets.assets.feature_importance import feature_importance_asset
from fraud_assets.assets.label_maturity import label_maturity_asset
from fraud_assets.assets.labels import labels_asset
from fraud_assets.assets.live_performance import live_performance_asset
from fraud_assets.assets.performance_report import performance_report_asset
from fraud_assets.assets.plan import Plan
from fraud_assets.assets.raw_batch import raw_batch_asset
from fraud_assets.assets.retention import with_archived_versions
from fraud_assets.assets.scored_batch import scored_batch_asset
from fraud_assets.assets.versions import with_versions_above


def all_assets(plan: Plan) -> list[dg.AssetsDefinition]:
    """Every asset of the code location, in the order in which a day needs them."""
    made = [
        raw_batch_asset(plan),
        labels_asset(plan),
        cleaned_features_asset(plan),
        candidate_models_asset(plan),
        evaluation_table_asset(plan),
        best_model_asset(plan),
        feature_importance_asset(plan),
        scored_batch_asset(plan),
        live_performance_asset(plan),
        label_maturity_asset(plan),
        feature_drift_asset(plan),
        performance_report_asset(plan),
    ]
    return with_archived_versions(with_versions_above(plan, made), plan)
