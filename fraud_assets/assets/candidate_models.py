"""The day's candidates: one fitted, tuned model of each family and their ensemble, from one load of the window."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import dagster as dg
import pandas as pd

from fraud_assets.assets.links import report_link
from fraud_assets.assets.pictures import Pictures
from fraud_assets.assets.plan import (
    DAY_BY_DAY,
    GROUP,
    LABEL_COLUMNS,
    MODELS,
    OWNERS,
    TRAINING_POOL,
    Plan,
    StoredFacts,
    code_version,
)
from fraud_assets.assets.searches import search_frame, written
from fraud_assets.learning import (
    FAMILIES,
    Candidate,
    LearningError,
    SearchBudget,
    SearchResult,
    fit_candidates,
    incumbents,
    learnable_rows,
    needed_for,
    reusable,
    split_last_fifth,
)
from fraud_assets.reporting.figures.search import search_results

PREFIX = "candidate_models"
CANDIDATES = (
    "logistic_regression",
    "support_vector_machine",
    "k_nearest_neighbors",
    "random_forest",
    "gradient_boosting",
    "ensemble",
)
SEARCH_RESULT = "search_result"
"""The fact that a later day reads: what the search has found, as JSON."""


class SearchConfig(dg.Config):
    """What the search of one run may cost, and when it is due, instead of what the settings say.

    Nothing of what a fit on a whole window sees is here: the refit of the winner goes by the settings alone.
    """

    configurations: int | None = None
    max_search_rows: int | None = None
    max_fits: int | None = None
    search_every_days: int | None = None

    def of(self, budget: SearchBudget) -> SearchBudget:
        """The budget with what is set here."""
        changes = self.model_dump(exclude={"search_every_days"}, exclude_none=True)
        return replace(budget, **changes)


def candidate_models_asset(plan: Plan) -> dg.AssetsDefinition:
    """`candidate_models/<name>`: a node for each family and one for their ensemble, fitted together and in parallel."""
    windows = plan.windows
    version = _version(plan)

    @dg.multi_asset(
        name=PREFIX,
        outs={
            name: dg.AssetOut(
                key=[PREFIX, name],
                dagster_type=dg.Any,
                io_manager_key=MODELS,
                is_required=False,
                description=f"The {name.replace('_', ' ')} of the day: tuned, fitted, with its search results.",
                kinds={"scikitlearn", "postgres"},
                owners=list(OWNERS),
                group_name=GROUP,
                freshness_policy=plan.freshness,
                code_version=version,
                metadata={"volatile": ["fit_seconds"]},
            )
            for name in CANDIDATES
        },
        ins={
            "cleaned_features": dg.AssetIn(
                metadata={
                    "window": list(windows.training),
                    "columns": plan.learned_columns,
                    "where": "is_learnable",
                }
            ),
            "labels": dg.AssetIn(
                metadata={
                    "window": list(windows.labels_for(windows.training, windows.training_horizon)),
                    "columns": LABEL_COLUMNS,
                }
            ),
        },
        partitions_def=plan.partitions,
        can_subset=True,
        pool=TRAINING_POOL,
        backfill_policy=DAY_BY_DAY,
        retry_policy=plan.retries,
    )
    def candidate_models(
        context: dg.AssetExecutionContext,
        config: SearchConfig,
        storage: dg.ResourceParam[StoredFacts],
        pictures: Pictures,
        cleaned_features: pd.DataFrame,
        labels: pd.DataFrame,
    ) -> Iterator[dg.Output[Any]]:
        day = context.partition_key
        wanted = [name for name in CANDIDATES if dg.AssetKey([PREFIX, name]) in context.selected_asset_keys]
        try:
            rows = training_rows(plan, day, cleaned_features, labels)
            budget = replace(config.of(plan.budget), search_seed=search_seed(plan, day))
            made_by = _made_by(version, plan, budget)
            stored = stored_results(storage, needed_for(wanted))
            every_days = config.search_every_days or plan.settings.learning.search_every_days
            found = reusable(stored, needed_for(wanted), day, made_by=made_by, every_days=every_days)
            with plan.fits_run():
                fitted = fit_candidates(
                    rows,
                    wanted,
                    plan.features,
                    budget,
                    context.log.info,
                    found=found,
                    incumbents=incumbents(stored, tuple(FAMILIES), day, made_by=made_by),
                    searched_on=day,
                )
        except LearningError as error:
            raise dg.Failure(f"No model for {day}: {error}", allow_retries=False) from error
        for name, candidate in fitted.items():
            if candidate.failure is not None:
                context.log.error(f"{name} failed and leaves the day with the others: {candidate.failure}")
            searched = (
                {"search results": search_results(search_frame({name: candidate.search}))} if candidate.search else {}
            )
            shown = {**report_link(plan, day), **pictures.metadata(context.log, searched)}
            yield dg.Output(candidate, name, metadata={**_metadata(candidate, made_by), **shown})

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


def search_seed(plan: Plan, day: str) -> int:
    """What decides the configurations that a day draws: each day others, the same whenever the day is computed."""
    return plan.budget.seed + date.fromisoformat(day).toordinal()


def stored_results(storage: StoredFacts, names: Sequence[str]) -> dict[str, dict[str, SearchResult]]:
    """What searches have found, by candidate and by the day that it is stored with."""
    return {
        name: {
            day: SearchResult.from_text(text)
            for day, text in storage.stored_facts(f"{PREFIX}/{name}", SEARCH_RESULT).items()
        }
        for name in names
    }


def _version(plan: Plan) -> str:
    families = [
        [name, family.is_slow, family.most_rows, *(dict(parameters) for parameters in family.configurations)]
        for name, family in FAMILIES.items()
    ]
    learning = plan.settings.learning
    return code_version("3", families, vars(plan.windows), _ingredients(plan.budget), learning.search_every_days)


def _ingredients(budget: SearchBudget) -> Mapping[str, int]:
    """What of a budget decides a result."""
    return {name: value for name, value in vars(budget).items() if name not in ("jobs", "search_seed")}


def _made_by(version: str, plan: Plan, budget: SearchBudget) -> str:
    """What must be the same for a search's result to serve another day."""
    features = plan.features
    written = json.dumps([version, features.names, features.categorical, _ingredients(budget)])
    return hashlib.sha256(written.encode()).hexdigest()[:16]


def _metadata(candidate: Candidate, made_by: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "parameters": dg.MetadataValue.json(dict(candidate.recipe.parameters)),
        "searched_on": candidate.searched_on,
        SEARCH_RESULT: replace(candidate.result, made_by=made_by).as_text(),
        "fits": candidate.fits,
        "training_rows": candidate.rows,
        "training_frauds": candidate.frauds,
        "trained_from": candidate.trained_from.isoformat(),
        "trained_until": candidate.trained_until.isoformat(),
        "fit_seconds": candidate.fit_seconds,
        "threshold": float(candidate.threshold),
        "calibrator": dg.MetadataValue.json(candidate.calibrator.as_json()),
        "dropped": ", ".join(candidate.dropped) or "none",
    }
    if candidate.search:
        metadata["search"] = _search_table(candidate.search)
        metadata["best_search_score"] = max(float(tried["average_precision"] or 0) for tried in candidate.search)
        metadata["folds"] = dg.MetadataValue.md("\n".join(f"- {fold}" for fold in candidate.folds))
    if candidate.failure is not None:
        metadata["failure"] = candidate.failure
    if candidate.warnings:
        metadata["warnings"] = " ".join(candidate.warnings)
    return metadata


def _search_table(search: list[dict[str, Any]]) -> dg.TableMetadataValue:
    """A row for each configuration: its parameters, its score in each fold that it reached, and their mean."""
    columns = list(search[0])
    schema = dg.TableSchema([dg.TableColumn(name, "string") for name in columns])
    return dg.MetadataValue.table(
        [dg.TableRecord({name: _shown(tried[name]) for name in columns}) for tried in search], schema
    )


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return written(value)
    if isinstance(value, float):
        return f"{value:.4f}"
    return "" if value is None else str(value)
