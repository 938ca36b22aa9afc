"""The model to use: the winning recipe, refitted on the newest labelled days."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pandas as pd

from fraud_assets.assets.candidate_models import CANDIDATES, PREFIX
from fraud_assets.assets.pictures import Pictures
from fraud_assets.assets.plan import BEST_MODEL_POOL, GROUP, MODELS, OWNERS, RETRIES, Plan, code_version
from fraud_assets.learning import (
    METRICS,
    BestModel,
    Decision,
    LearningError,
    choose_winner,
    learnable_rows,
    refit_best,
)
from fraud_assets.partitions import shifted
from fraud_assets.reporting.comparison import model_comparison
from fraud_assets.reporting.history import metric_history


def best_model_asset(plan: Plan) -> dg.AssetsDefinition:
    """`best_model`: the value is the model to use, its threshold, and the decision that chose it."""
    windows = plan.windows
    history_days = plan.settings.reports.history_days

    @dg.asset(
        name="best_model",
        partitions_def=plan.partitions,
        io_manager_key=MODELS,
        ins={
            "evaluation_table": dg.AssetIn(metadata={"window": [1 - history_days, 0]}),
            **{family: dg.AssetIn(key=[PREFIX, family], metadata={"missing": "empty"}) for family in CANDIDATES},
            "cleaned_features": dg.AssetIn(metadata={"window": list(windows.refit)}),
            "labels": dg.AssetIn(metadata={"window": list(windows.labels_for(windows.refit, 0))}),
        },
        description="The model to use: the winning recipe refitted on the newest labelled days, and why it won.",
        kinds={"scikitlearn", "postgres"},
        owners=list(OWNERS),
        group_name=GROUP,
        code_version=code_version("1", vars(windows), plan.settings.learning.model_dump(mode="json")),
        metadata={"volatile": ["fit_seconds"]},
        pool=BEST_MODEL_POOL,
        retry_policy=RETRIES,
    )
    def best_model(
        context: dg.AssetExecutionContext,
        pictures: Pictures,
        evaluation_table: pd.DataFrame,
        cleaned_features: pd.DataFrame,
        labels: pd.DataFrame,
        **families: Any,
    ) -> dg.Output[BestModel]:
        day = context.partition_key
        today = evaluation_table[evaluation_table["day"] == day]
        try:
            rows = learnable_rows(cleaned_features, labels, plan.end(day))
            decision = decide(plan, day, today)
            best = refit_best(families[decision.winner], rows, decision, plan.budget)
        except LearningError as error:
            raise dg.Failure(f"No best model for {day}: {error}", allow_retries=False) from error
        context.log.info(decision.reason)
        figures = {
            "average precision over time": metric_history(
                evaluation_table.rename(columns={"candidate": "model"}), days=history_days
            ),
            "candidates compared": model_comparison(today.rename(columns={"candidate": "model"})),
        }
        return dg.Output(best, metadata=_metadata(best, today, pictures.metadata(context.log, figures)))

    return best_model


def decide(plan: Plan, day: str, today: pd.DataFrame) -> Decision:
    """The recipe with the highest average precision on the day's validation. Raises `LearningError`."""
    winner = choose_winner(today)
    others = today[(today["candidate"] != winner) & today["candidate"].isin(CANDIDATES)]
    others = others.dropna(subset=["average_precision"]).sort_values("average_precision", ascending=False)
    score = float(today.loc[today["candidate"] == winner, "average_precision"].iloc[0])
    runner_up = str(others["candidate"].iloc[0]) if len(others) else None
    runner_up_score = float(others["average_precision"].iloc[0]) if len(others) else None
    first, last = (shifted(day, offset).isoformat() for offset in plan.windows.validation)
    versus = f", before {runner_up} with {runner_up_score:.4f}" if runner_up is not None else ""
    return Decision(
        day=day,
        winner=winner,
        score=score,
        runner_up=runner_up,
        runner_up_score=runner_up_score,
        validation_from=first,
        validation_until=last,
        reason=f"{winner} has the highest average precision from {first} to {last}: {score:.4f}{versus}.",
    )


def _metadata(best: BestModel, today: pd.DataFrame, drawn: Mapping[str, Any]) -> dict[str, Any]:
    measured = today[today["candidate"] == best.decision.winner].iloc[0]
    numbers = {metric: float(measured[metric]) for metric in METRICS if pd.notna(measured[metric])}
    return {
        "winner": best.decision.winner,
        "decision": best.decision.reason,
        **drawn,
        "parameters": dg.MetadataValue.json(dict(best.recipe.parameters)),
        "threshold": float(best.threshold),
        "trained_from": best.trained_from.isoformat(),
        "trained_until": best.trained_until.isoformat(),
        "training_rows": best.rows,
        "training_frauds": best.frauds,
        "fit_seconds": best.fit_seconds,
        **numbers,
    }
