"""The day's transactions, scored by the day's best model."""

from collections.abc import Sequence

import dagster as dg
import numpy as np
import pandas as pd

from fraud_assets.assets.plan import GROUP, OWNERS, RETRIES, TABLES, Plan, code_version
from fraud_assets.learning import BestModel, score

_COMMENTS = {
    "score": "probability of fraud; NULL where the model was fitted on rows as late as this one",
    "rank": "place of the score within the day; 1 is the highest",
    "is_alert": "among the alerts_per_day highest scores of the day; a refund or declined transaction is none",
}


def scored_batch_asset(plan: Plan) -> dg.AssetsDefinition:
    """`scored_batch`: one row is one transaction of the day with its score, rank and alert flag."""

    @dg.asset(
        name="scored_batch",
        partitions_def=plan.partitions,
        io_manager_key=TABLES,
        description="One row is one transaction of the day with its score, rank and alert flag.",
        kinds={"postgres", "scikitlearn"},
        owners=list(OWNERS),
        group_name=GROUP,
        code_version=code_version("1", plan.settings.learning.alerts_per_day),
        metadata={"column_comments": _COMMENTS},
        retry_policy=RETRIES,
    )
    def scored_batch(
        context: dg.AssetExecutionContext, cleaned_features: pd.DataFrame, best_model: BestModel
    ) -> dg.Output[pd.DataFrame]:
        identifiers = [*plan.features.identifiers, "amount"]
        scored = score_day(
            best_model,
            cleaned_features,
            identifiers,
            alerts_per_day=plan.settings.learning.alerts_per_day,
            jobs=plan.settings.learning.jobs,
        )
        alerts = scored[scored["is_alert"]]
        seen = int(scored["score"].isna().sum())
        if seen:
            context.log.warning(
                f"{seen:,} transactions have no score: the model was fitted on rows as late as they are. "
                "Later days are scored, or set label_delay_days above 0."
            )
        return dg.Output(
            scored,
            metadata={
                "transactions": len(scored),
                "alerts": len(alerts),
                "lowest_alert_score": float(alerts["score"].min()) if len(alerts) else 0.0,
                "mean_score": float(scored["score"].mean()) if seen < len(scored) else 0.0,
                "not_scored": seen,
                "model_trained_until": best_model.trained_until.isoformat(),
            },
        )

    return scored_batch


def score_day(
    best: BestModel, features: pd.DataFrame, identifiers: Sequence[str], *, alerts_per_day: int, jobs: int
) -> pd.DataFrame:
    """The identifiers of one day's transactions with `score` (float64), `rank` (Int64, from 1) and `is_alert` (bool).

    Equal scores are ranked in the order of the rows. Only learnable transactions raise alerts. A transaction that is
    not later than the rows that the model was fitted on has neither score nor rank: it would be praise of oneself.
    """
    unseen = (features["transaction_time"] > best.trained_until).to_numpy(dtype=bool)
    scores = np.full(len(features), np.nan)
    scores[unseen] = score(best.model, features[unseen], jobs=jobs)
    order = np.argsort(-scores, kind="stable")[: unseen.sum()]
    rank = pd.array([pd.NA] * len(scores), dtype="Int64")
    rank[order] = np.arange(1, len(order) + 1)
    learnable = features["is_learnable"].to_numpy(dtype=bool)
    is_alert = np.zeros(len(scores), dtype=bool)
    is_alert[order[learnable[order]][:alerts_per_day]] = True
    return features[list(identifiers)].assign(score=scores, rank=rank, is_alert=is_alert)
