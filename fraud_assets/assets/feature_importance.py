"""Which features the day's best recipe leans on."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pandas as pd

from fraud_assets.assets.best_model import Rows
from fraud_assets.assets.candidate_models import CANDIDATES, PREFIX
from fraud_assets.assets.links import report_link
from fraud_assets.assets.pictures import Pictures
from fraud_assets.assets.plan import DAY_BY_DAY, GROUP, LABEL_COLUMNS, OWNERS, TABLES, TRAINING_POOL, Plan, code_version
from fraud_assets.assets.rounding import rounded
from fraud_assets.learning import BestModel, Candidate, FraudModel, LearningError, fit_recipe
from fraud_assets.learning.explaining.importance import REPEATS, permutation_importance, sample_size
from fraud_assets.reporting.figures.importance import feature_importance as importance_figure

_COMMENTS = {
    "recipe": "the family of the best model's recipe, as fitted on the candidates' training window",
    "importance": "mean fall of average precision on the validation days when the feature's values are shuffled",
    "standard_deviation": f"of that fall over {REPEATS} shuffles; the sample of rows adds to it",
}
_MOST_SHOWN = 60


def feature_importance_asset(plan: Plan) -> dg.AssetsDefinition:
    """`feature_importance`: one row is one feature's importance for the day's best recipe.

    The best model itself has learned from the validation days. What is measured is its recipe as it was fitted on the
    candidates' training window: the candidate that won, or the champion's recipe fitted there once more.
    """
    windows = plan.windows
    learned = [windows.history[0], windows.refit[1]]

    @dg.asset(
        name="feature_importance",
        partitions_def=plan.partitions,
        io_manager_key=TABLES,
        ins={
            **{name: dg.AssetIn(key=[PREFIX, name], metadata={"missing": "empty"}) for name in CANDIDATES},
            "cleaned_features": dg.AssetIn(
                metadata={
                    "window": learned,
                    "columns": plan.learned_columns,
                    "where": "is_learnable",
                }
            ),
            "labels": dg.AssetIn(
                metadata={
                    "window": list(windows.labels_for((learned[0], learned[1]), 0)),
                    "columns": LABEL_COLUMNS,
                }
            ),
        },
        description="One row is one feature's permutation importance for the day's best recipe, on validation days.",
        kinds={"postgres", "scikitlearn"},
        owners=list(OWNERS),
        group_name=GROUP,
        freshness_policy=plan.freshness,
        code_version=code_version("1", vars(windows), plan.budget.seed),
        metadata={"layout": "rows", "column_comments": _COMMENTS},
        pool=TRAINING_POOL,
        backfill_policy=DAY_BY_DAY,
        retry_policy=plan.retries,
    )
    def feature_importance(
        context: dg.AssetExecutionContext,
        pictures: Pictures,
        best_model: BestModel,
        cleaned_features: pd.DataFrame,
        labels: pd.DataFrame,
        **candidates: Any,
    ) -> dg.Output[pd.DataFrame]:
        day = context.partition_key
        rows = Rows(plan, day, cleaned_features, labels)
        try:
            model, fitted_until = measured_model(best_model, candidates, rows)
            table = permutation_importance(
                model,
                rows.validation,
                sample_size(best_model.recipe),
                fitted_until=fitted_until,
                seed=plan.budget.seed,
                jobs=plan.budget.jobs,
            )
        except LearningError as error:
            raise dg.Failure(f"No feature importance for {day}: {error}", allow_retries=False) from error
        table.insert(0, "day", day)
        table.insert(1, "recipe", best_model.recipe.family)
        drawn = pictures.metadata(context.log, {"importance": importance_figure(table)})
        return dg.Output(table, metadata={**report_link(plan, day), **_metadata(table), **drawn})

    return feature_importance


def measured_model(
    best: BestModel, candidates: Mapping[str, Candidate | None], rows: Rows
) -> tuple[FraudModel, pd.Timestamp]:
    """The best model's recipe as fitted on the training window, and the last transaction_time that this fit saw."""
    winner = candidates.get(best.decision.scored_as)
    if winner is not None and winner.model is not None:
        return winner.model, winner.trained_until
    training = rows.training
    with rows.plan.fits_run():
        model = fit_recipe(best.recipe, training, rows.plan.budget, calibrator=best.calibrator)
    return model, training["transaction_time"].max()


def _metadata(table: pd.DataFrame) -> dict[str, Any]:
    shown = ("feature", "importance", "standard_deviation")
    schema = dg.TableSchema([dg.TableColumn(name, "string" if name == "feature" else "float") for name in shown])
    records = [
        dg.TableRecord({"feature": record["feature"], **{name: rounded(record[name]) for name in shown[1:]}})
        for record in table.head(_MOST_SHOWN).to_dict("records")
    ]
    first = table.iloc[0]
    return {
        "most_important_feature": str(first["feature"]),
        **({} if pd.isna(first["importance"]) else {"highest_importance": float(first["importance"])}),
        "feature_importance": dg.MetadataValue.table(records, schema),
    }
