"""What each candidate is worth on the validation days: over all of them, on slices, and by its calibration."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import dagster as dg
import pandas as pd

from fraud_assets.assets.candidate_models import CANDIDATES, PREFIX
from fraud_assets.assets.evaluation_metadata import COMMENTS, evaluation_metadata
from fraud_assets.assets.links import report_link
from fraud_assets.assets.pictures import Pictures
from fraud_assets.assets.plan import DAY_BY_DAY, GROUP, LABEL_COLUMNS, OWNERS, TABLES, Plan, StoredFacts, code_version
from fraud_assets.checks import every_family_fitted, history_is_complete, specs_of
from fraud_assets.learning import (
    Candidate,
    Evaluation,
    LearningError,
    baselines,
    choose_winner,
    evaluate_scorers,
    learnable_rows,
    score_candidates,
    split_last_fifth,
)
from fraud_assets.learning.watching.live import CALIBRATION, calibration_counts
from fraud_assets.partitions import shifted
from fraud_assets.reporting.figures.alerting import by_alerts_per_day, saving_by_threshold
from fraud_assets.reporting.figures.calibration import reliability
from fraud_assets.reporting.figures.comparison import model_comparison
from fraud_assets.reporting.figures.curves import precision_recall, roc
from fraud_assets.reporting.figures.distributions import confusion, score_distribution

_DESCRIPTIONS = {
    "evaluation_table": "One row is one candidate (or a naive baseline) with all its metrics on the validation days.",
    "evaluation_slices": "One row is one candidate on one day, amount band or segment of the validation days.",
    "calibration_bins": "One row is one bin of a candidate's reliability diagram: what its scores promise, what came.",
    "operating_points": "One row is one threshold of one scorer: what alerting from that score on would be worth.",
}


def evaluation_table_asset(plan: Plan) -> dg.AssetsDefinition:
    """`evaluation_table`, its slices, bins and operating points: from one scoring of the validation rows."""
    windows, learning = plan.windows, plan.settings.learning
    version = code_version("3", vars(windows), vars(plan.alert_policy), learning.amount_bands, plan.features.segments)

    @dg.multi_asset(
        name="evaluation_table",
        outs={
            name: dg.AssetOut(
                description=description,
                dagster_type=dg.Any,
                io_manager_key=TABLES,
                is_required=False,
                kinds={"postgres", "plotly"} if name == "evaluation_table" else {"postgres", "table"},
                owners=list(OWNERS),
                group_name=GROUP,
                freshness_policy=plan.freshness,
                code_version=version,
                metadata={"layout": "rows", "volatile": ["fit_seconds"], "column_comments": COMMENTS[name]},
            )
            for name, description in _DESCRIPTIONS.items()
        },
        ins={
            **{family: dg.AssetIn(key=[PREFIX, family], metadata={"missing": "empty"}) for family in CANDIDATES},
            "cleaned_features": dg.AssetIn(metadata={"window": list(windows.validation)}),
            "labels": dg.AssetIn(
                metadata={"window": list(windows.labels_for(windows.validation, 0)), "columns": LABEL_COLUMNS}
            ),
        },
        partitions_def=plan.partitions,
        can_subset=True,
        check_specs=specs_of("evaluation_table"),
        backfill_policy=DAY_BY_DAY,
        retry_policy=plan.retries,
    )
    def evaluation_table(
        context: dg.AssetExecutionContext,
        storage: dg.ResourceParam[StoredFacts],
        pictures: Pictures,
        cleaned_features: pd.DataFrame,
        labels: pd.DataFrame,
        **families: Any,
    ) -> Iterator[dg.Output[pd.DataFrame] | dg.AssetCheckResult]:
        wanted, checks = {key.path[-1] for key in context.selected_asset_keys}, context.selected_asset_check_keys
        if not wanted:
            # Dagster offers it since the tables can be had one by one, and then says of no day that it is meant.
            raise dg.Failure("A check alone belongs to no day: materialize evaluation_table.", allow_retries=False)
        day = context.partition_key
        candidates = {name: candidate for name, candidate in families.items() if candidate is not None}
        try:
            rows = validation_rows(plan, day, cleaned_features, labels)
            scores = score_candidates(candidates, rows, jobs=learning.jobs) | baselines(rows)
        except LearningError as error:
            raise dg.Failure(f"No evaluation for {day}: {error}", allow_retries=False) from error
        measured = evaluation(plan, day, candidates, rows, scores)
        winner, warning = _winner(measured.overall)
        if warning is not None:
            context.log.warning(warning)
        link = report_link(plan, day)
        for name, table in (
            ("evaluation_slices", measured.slices),
            ("calibration_bins", measured.bins),
            ("operating_points", measured.points),
        ):
            if name in wanted:
                yield dg.Output(table, name, metadata=link)
        if "evaluation_table" in wanted:
            drawn = pictures.metadata(context.log, _figures(plan, measured, winner))
            metadata = {**link, **evaluation_metadata(measured.overall, winner, warning, drawn)}
            if winner is not None:
                counted = calibration_counts(rows.assign(is_learnable=True, score=scores[winner]))
                metadata[CALIBRATION] = dg.MetadataValue.json(counted)
            yield dg.Output(measured.overall, "evaluation_table", metadata=metadata)
        stored = storage.stored_row_counts("cleaned_features").keys()
        failed = {name: found.failure for name, found in candidates.items() if found.failure is not None}
        for check in (history_is_complete(_expected_days(plan, day), stored), every_family_fitted(failed)):
            if dg.AssetCheckKey(dg.AssetKey("evaluation_table"), str(check.check_name)) in checks:
                yield check

    return evaluation_table


def validation_rows(plan: Plan, day: str, features: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """The rows that candidates are measured on, with the labels known by the end of the day: none, where none is known.

    Raises `LearningError` when the rows of a single day cannot be split in time.
    """
    rows = learnable_rows(features, labels, plan.end(day))
    return split_last_fifth(rows)[1] if plan.windows.is_split and len(rows) else rows


def evaluation(
    plan: Plan, day: str, candidates: Mapping[str, Candidate], rows: pd.DataFrame, scores: Mapping[str, Any]
) -> Evaluation:
    """The four tables of a day: candidates first, then baselines, in a fixed order."""
    fitted = [name for name in CANDIDATES if name in candidates]
    order = [*fitted, *(name for name in scores if name not in CANDIDATES)]
    thresholds = {name: c.threshold if c.failure is None else None for name, c in candidates.items()}
    measured = evaluate_scorers(
        rows,
        {name: scores[name] for name in order if name in scores},
        thresholds,
        policy=plan.alert_policy,
        timezone=plan.settings.timezone,
        segments=plan.features.segments,
        bands=plan.settings.learning.amount_bands,
    )
    overall = measured.overall.set_index("candidate").reindex(pd.Index(order, name="candidate")).reset_index()
    fits = [candidates.get(name) for name in order]
    overall = overall.assign(
        validation_rows=len(rows),
        validation_frauds=int(rows["label"].sum()),
        fit_seconds=pd.Series([c.fit_seconds if c else None for c in fits], dtype="float64"),
        failure=pd.Series([c.failure if c else None for c in fits], dtype="str"),
    )
    return replace(
        measured,
        **{
            name: frame.assign(day=day)[["day", *frame.columns]]
            for name, frame in {**vars(measured), "overall": overall}.items()
        },
    )


def _winner(table: pd.DataFrame) -> tuple[str | None, str | None]:
    """The candidate that comes out best, if any does, and what people should be warned of."""
    rows, frauds = int(table["validation_rows"].iloc[0]), int(table["validation_frauds"].iloc[0])
    if not rows:
        return None, (
            "No transaction of the validation days has a label that is known by now, so nothing is measured; wait for "
            "labels, or set label_delay_days and validation_days to what the data has."
        )
    if not frauds:
        return None, (
            f"None of the {rows:,} labelled transactions of the validation days is a fraud, so the candidates cannot "
            "be told apart; wait for more labels, or take more validation days (validation_days)."
        )
    try:
        winner = choose_winner(table)
    except LearningError as error:
        return None, str(error)
    amount = table.loc[table["candidate"] == "baseline_amount", "average_precision"].max()
    best = table.loc[table["candidate"] == winner, "average_precision"].max()
    beaten = (
        f"Ranking by the amount alone has an average precision of {amount:.4f}, and no candidate a higher one: "
        f"{winner} has {best:.4f}."
    )
    return winner, beaten if amount >= best else None


def _expected_days(plan: Plan, day: str) -> list[str]:
    windows = plan.windows
    spans = [windows.training, windows.validation, windows.refit]
    offsets = sorted({offset for first, last in spans for offset in range(first, last + 1)})
    return [shifted(day, offset).isoformat() for offset in offsets]


def _figures(plan: Plan, measured: Evaluation, winner: str | None) -> dict[str, Any]:
    """The pictures of the day; without a winner, those that are about all candidates."""
    points, table = measured.points, measured.overall
    figures = {
        "precision and recall": precision_recall(points, table),
        "ROC": roc(points, table),
        "precision and recall by alerts per day": by_alerts_per_day(points, plan.alert_policy.alerts_per_day),
        "comparison": model_comparison(table),
        "calibration": reliability(measured.bins, winner),
    }
    if winner is None:
        return figures
    return figures | {
        "saving by threshold": saving_by_threshold(points, winner),
        "score distribution": score_distribution(points, winner),
        "confusion": confusion(points, winner),
    }
