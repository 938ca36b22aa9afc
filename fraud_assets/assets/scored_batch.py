"""The day's transactions, scored by the day's best model; the alerts among them, with their reasons."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd

from fraud_assets.assets.candidate_models import CANDIDATES, PREFIX
from fraud_assets.assets.lineage import scores_lineage
from fraud_assets.assets.links import report_link
from fraud_assets.assets.pictures import Pictures
from fraud_assets.assets.plan import DAY_BY_DAY, GROUP, OWNERS, TABLES, Plan, code_version
from fraud_assets.learning import BestModel, Candidate, score
from fraud_assets.learning.explaining.reasons import REASONS, worded_reasons
from fraud_assets.learning.watching.review import review_sample
from fraud_assets.reporting.figures.alerts import alerts_of_day

MOST_SHOWN = 20

_COMMENTS = {
    "score": "probability of fraud, by a fit that has seen no row as late as this one; NULL where there is none",
    "rank": "place of the score within the day; 1 is the highest",
    "is_alert": "raised by the alert policy (capacity or cost); a refund or declined transaction is none",
    "review_sample": "no alert, but drawn at random to be looked at, so that labels are not only about alerts",
    "reason_1": (
        "what made the score high: with a typical value of this alone it would be lower or, where several are each "
        "enough, that of a typical transaction higher with this alone; NULL outside alerts"
    ),
    "reason_2": "the next strongest reason; NULL where there is none",
    "reason_3": "the third strongest reason; NULL where there is none",
}


def scored_batch_asset(plan: Plan) -> dg.AssetsDefinition:
    """`scored_batch`: one row is one transaction of the day with its score, rank, alert flag and reasons."""
    learning = plan.settings.learning
    # Where a day is split, the best model has learned from all of it; what was held out only a candidate has not seen.
    fitted_before = CANDIDATES if plan.windows.is_split else ()

    @dg.asset(
        name="scored_batch",
        partitions_def=plan.partitions,
        io_manager_key=TABLES,
        ins={name: dg.AssetIn(key=[PREFIX, name], metadata={"missing": "empty"}) for name in fitted_before},
        description="One row is one transaction of the day with its score, rank, alert flag and the reasons for it.",
        kinds={"postgres", "scikitlearn"},
        owners=list(OWNERS),
        group_name=GROUP,
        freshness_policy=plan.freshness,
        code_version=code_version("2", vars(plan.alert_policy), learning.review_sample_size, learning.seed),
        # The version that was issued is what live performance is about, however often the day is scored again.
        metadata={"keep_first": True, **scores_lineage(plan, _COMMENTS)},
        backfill_policy=DAY_BY_DAY,
        retry_policy=plan.retries,
    )
    def scored_batch(
        context: dg.AssetExecutionContext,
        pictures: Pictures,
        cleaned_features: pd.DataFrame,
        best_model: BestModel,
        **candidates: Any,
    ) -> dg.Output[pd.DataFrame]:
        model = as_fitted_before(best_model, candidates.get(best_model.decision.scored_as))
        scored = score_day(plan, model, cleaned_features, [*plan.features.identifiers, "amount"])
        alerts = scored[scored["is_alert"]].sort_values("rank")
        seen = int(scored["score"].isna().sum())
        if seen:
            context.log.warning(
                f"{seen:,} transactions have no score: the model was fitted on rows as late as they are. "
                "Later days are scored, or set label_delay_days above 0."
            )
        return dg.Output(
            scored,
            metadata={
                **report_link(plan, context.partition_key),
                "transactions": len(scored),
                "alerts": len(alerts),
                "alerted_amount": float(alerts["amount"].sum()),
                "expected_saving": expected_saving(plan, scored),
                **score_numbers(scored),
                "not_scored": seen,
                "model_trained_until": model.trained_until.isoformat(),
                "top_alerts": _table(alerts.head(MOST_SHOWN)),
                **pictures.metadata(context.log, {"scores and amounts of the alerts": alerts_of_day(alerts)}),
            },
        )

    return scored_batch


def as_fitted_before(best: BestModel, candidate: Candidate | None) -> BestModel:
    """The best model with the fit of the candidate that won, which has not seen the rows held out; without one, as is.

    Calibrator and threshold are the same.
    """
    if candidate is None or candidate.model is None:
        return best
    return replace(best, model=candidate.model, trained_until=candidate.trained_until)


def score_day(plan: Plan, best: BestModel, features: pd.DataFrame, identifiers: Sequence[str]) -> pd.DataFrame:
    """The identifiers of one day's transactions with `score` (float64), `rank` (Int64, from 1), `is_alert` and
    `review_sample` (bool), and up to three reasons of each alert (text).

    Equal scores are ranked in the order of the rows. Only learnable transactions raise alerts, or are drawn for
    review. A transaction that is not later than the rows that the model was fitted on has neither score nor rank: it
    would be praise of oneself.
    """
    learning = plan.settings.learning
    features = features.reset_index(drop=True)
    unseen = (features["transaction_time"] > best.trained_until).to_numpy(dtype=bool)
    scores = np.full(len(features), np.nan)
    scores[unseen] = score(best.model, features[unseen], jobs=learning.jobs)
    order = np.argsort(-scores, kind="stable")[: unseen.sum()]
    rank = pd.array([pd.NA] * len(scores), dtype="Int64")
    rank[order] = np.arange(1, len(order) + 1)
    learnable = features["is_learnable"].to_numpy(dtype=bool)
    is_alert = plan.alert_policy.alerts(scores, features["amount"].to_numpy(dtype=np.float64), learnable)
    drawn = np.zeros(len(features), dtype=bool)
    drawn[learnable] = review_sample(
        features.loc[learnable, "transaction_id"], is_alert[learnable], learning.review_sample_size, learning.seed
    )
    reasons = worded_reasons(best.model, features[is_alert], best.typical, jobs=learning.jobs)
    scored = features[list(identifiers)].assign(score=scores, rank=rank, is_alert=is_alert, review_sample=drawn)
    return scored.join(reasons)


def score_numbers(scored: pd.DataFrame) -> dict[str, float]:
    """The mean score and the lowest of an alert; what is not defined is left out, as a 0 would be plotted as one."""
    of_alerts = scored.loc[scored["is_alert"], "score"]
    numbers = {"lowest_alert_score": of_alerts.min(), "mean_score": scored["score"].mean()}
    return {name: float(value) for name, value in numbers.items() if pd.notna(value)}


def expected_saving(plan: Plan, scored: pd.DataFrame) -> float:
    """What the day's alerts should save by their own scores, in the unit of the amounts and less what they cost."""
    alerts, amounts, scores = (scored[name].to_numpy() for name in ("is_alert", "amount", "score"))
    return float(plan.alert_policy.savings(alerts, amounts, scores).sum())


def _table(alerts: pd.DataFrame) -> dg.TableMetadataValue:
    """A row an alert: which transaction, its amount and score, and why."""
    numbers = {"rank": "integer", "amount": "float", "score": "float"}
    columns = ("transaction_id", *numbers, *REASONS)
    schema = dg.TableSchema([dg.TableColumn(name, numbers.get(name, "string")) for name in columns])
    return dg.MetadataValue.table(
        [dg.TableRecord(_shown(record)) for record in alerts[list(columns)].to_dict("records")], schema
    )


def _shown(record: Mapping[Any, Any]) -> dict[str, str | float | int]:
    reasons = {name: "" if pd.isna(record[name]) else str(record[name]) for name in REASONS}
    numbers = {"amount": round(float(record["amount"]), 2), "score": round(float(record["score"]), 4)}
    return {"transaction_id": str(record["transaction_id"]), "rank": int(record["rank"]), **numbers, **reasons}
