"""The day's candidates: one fitted, tuned model of each family, from one load of the training window."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import dagster as dg
import pandas as pd

from fraud_assets.assets.plan import GROUP, MODELS, OWNERS, RETRIES, TRAINING_POOL, Plan, code_version
from fraud_assets.learning import (
    FAMILIES,
    Candidate,
    LearningError,
    SearchBudget,
    fit_candidates,
    learnable_rows,
    split_last_fifth,
)

PREFIX = "candidate_models"
CANDIDATES = (
    "logistic_regression",
    "support_vector_machine",
    "k_nearest_neighbors",
    "random_forest",
    "gradient_boosting",
)


class SearchConfig(dg.Config):
    """What the search of one run may cost, instead of what the settings say."""

    configurations: int | None = None
    max_search_rows: int | None = None
    max_slow_rows: int | None = None

    def of(self, budget: SearchBudget) -> SearchBudget:
        """The budget with what is set here."""
        return replace(budget, **{name: value for name, value in self.model_dump().items() if value is not None})


def candidate_models_asset(plan: Plan) -> dg.AssetsDefinition:
    """`candidate_models/<family>`: a node for each family, fitted together and in parallel."""
    windows = plan.windows
    spaces = [[name, *(dict(c) for c in FAMILIES[name].configurations)] for name in CANDIDATES]
    version = code_version("1", spaces, plan.settings.learning.model_dump(mode="json"), vars(windows))

    @dg.multi_asset(
        name=PREFIX,
        outs={
            family: dg.AssetOut(
                key=[PREFIX, family],
                dagster_type=dg.Any,
                io_manager_key=MODELS,
                is_required=False,
                description=f"The {family.replace('_', ' ')} of the day: tuned, fitted, with its search results.",
                kinds={"scikitlearn", "postgres"},
                owners=list(OWNERS),
                group_name=GROUP,
                code_version=version,
                metadata={"volatile": ["fit_seconds"]},
            )
            for family in CANDIDATES
        },
        ins={
            "cleaned_features": dg.AssetIn(metadata={"window": list(windows.training)}),
            "labels": dg.AssetIn(
                metadata={"window": list(windows.labels_for(windows.training, windows.training_horizon))}
            ),
        },
        partitions_def=plan.partitions,
        can_subset=True,
        pool=TRAINING_POOL,
        retry_policy=RETRIES,
    )
    def candidate_models(
        context: dg.AssetExecutionContext, config: SearchConfig, cleaned_features: pd.DataFrame, labels: pd.DataFrame
    ) -> Iterator[dg.Output[Any]]:
        wanted = [family for family in CANDIDATES if dg.AssetKey([PREFIX, family]) in context.selected_asset_keys]
        try:
            rows = training_rows(plan, context.partition_key, cleaned_features, labels)
            fitted = fit_candidates(rows, wanted, plan.features, config.of(plan.budget), context.log.info)
        except LearningError as error:
            raise dg.Failure(f"No model for {context.partition_key}: {error}", allow_retries=False) from error
        for family, candidate in fitted.items():
            if candidate.failure is not None:
                context.log.error(f"{family} failed and leaves the day with the others: {candidate.failure}")
            yield dg.Output(candidate, family, metadata=_metadata(candidate))

    return candidate_models


def training_rows(plan: Plan, day: str, features: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """The rows that the candidates of a day learn from: nothing that was not known on the eve of validation."""
    if plan.windows.is_split:
        rows = learnable_rows(features, labels, plan.end(day))
        if rows.empty:
            return rows
        held_out_from = split_last_fifth(rows)[1]["transaction_time"].min()
        return learnable_rows(features[features["transaction_time"] < held_out_from], labels, held_out_from)
    return learnable_rows(features, labels, plan.end_of(day, plan.windows.training_horizon))


def _metadata(candidate: Candidate) -> dict[str, Any]:
    search = candidate.search
    metadata: dict[str, Any] = {
        "parameters": dg.MetadataValue.json(dict(candidate.recipe.parameters)),
        "training_rows": candidate.rows,
        "training_frauds": candidate.frauds,
        "trained_from": candidate.trained_from.isoformat(),
        "trained_until": candidate.trained_until.isoformat(),
        "fit_seconds": candidate.fit_seconds,
        "threshold": float(candidate.threshold),
    }
    if search:
        columns = sorted({name for result in search for name in result if name != "parameters"})
        schema = dg.TableSchema([dg.TableColumn(name, "string") for name in ("parameters", *columns)])
        records = [
            dg.TableRecord({"parameters": str(r.get("parameters")), **{c: str(r.get(c, "")) for c in columns}})
            for r in search
        ]
        metadata["search"] = dg.MetadataValue.table(records, schema)
    if candidate.failure is not None:
        metadata["failure"] = candidate.failure
    if candidate.warnings:
        metadata["warnings"] = " ".join(candidate.warnings)
    return metadata
