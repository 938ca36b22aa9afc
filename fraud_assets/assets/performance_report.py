"""The day's report as one document, and the day's numbers in one row: all that people look at is read from these."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
import pandas as pd

from fraud_assets.assets.candidate_models import CANDIDATES, PREFIX
from fraud_assets.assets.daily_summary import (
    COMMENTS,
    ROW,
    SUMMARY,
    DayRows,
    stored_summaries,
    summary_facts,
    summary_record,
    summary_table,
)
from fraud_assets.assets.links import report_link
from fraud_assets.assets.plan import (
    DAY_BY_DAY,
    GROUP,
    LABEL_COLUMNS,
    OWNERS,
    TABLES,
    Plan,
    StoredFacts,
    code_version,
    optional_input,
)
from fraud_assets.assets.searches import search_frame
from fraud_assets.learning import LearningError
from fraud_assets.reporting.document import DayFrames, day_headline, day_sections, render

REPORT = "performance_report"
DRIFT_DAYS = 30

_REPORT_COMMENTS = {
    "html": "a self-contained document without plotly.js: fraud-assets report writes it with plotly.js inside",
    "sections": "the titles of its sections, a JSON list",
}


def performance_report_asset(plan: Plan) -> dg.AssetsDefinition:
    """`performance_report`: one row is a day's document; `daily_summary`: one row is a day in numbers."""
    windows, reports = plan.windows, plan.settings.reports
    delay, history = windows.label_delay_days, [1 - reports.history_days, 0]
    outcome = ["outcome"] if plan.roles.outcome else []
    version = code_version("1", vars(windows), vars(plan.alert_policy), reports.history_days)

    @dg.multi_asset(
        name=REPORT,
        outs={
            REPORT: dg.AssetOut(
                io_manager_key=TABLES,
                is_required=False,
                description="One row is the report of a day: a self-contained document with its figures and tables.",
                kinds={"postgres", "plotly"},
                owners=list(OWNERS),
                group_name=GROUP,
                freshness_policy=plan.freshness,
                code_version=version,
                metadata={"layout": "rows", "column_comments": _REPORT_COMMENTS},
            ),
            SUMMARY: dg.AssetOut(
                io_manager_key=TABLES,
                is_required=False,
                description="One row is a day in numbers: volume, alerts, frauds, the decision and the model in use.",
                kinds={"postgres", "pandas"},
                owners=list(OWNERS),
                group_name=GROUP,
                freshness_policy=plan.freshness,
                code_version=version,
                metadata={"layout": "rows", "volatile": ["model_version"], "column_comments": COMMENTS},
            ),
        },
        ins={
            "raw_batch": optional_input(window=[-delay, -delay], columns=["transaction_id", "amount", *outcome]),
            "cleaned_features": optional_input(columns=["amount", "is_learnable"]),
            "labels": optional_input(window=[-delay, 0], columns=LABEL_COLUMNS),
            "scored_batch": optional_input(where="is_alert"),
            "evaluation_table": optional_input(window=history),
            "live_performance": optional_input(window=history),
            "feature_drift": optional_input(window=[1 - DRIFT_DAYS, 0]),
            **{
                name: optional_input()
                for name in (
                    "evaluation_slices",
                    "calibration_bins",
                    "operating_points",
                    "feature_importance",
                    "label_maturity",
                    "best_model",
                )
            },
            **{name: dg.AssetIn(key=[PREFIX, name], metadata={"missing": "empty"}) for name in CANDIDATES},
        },
        deps=["rejected_rows"],
        partitions_def=plan.partitions,
        can_subset=True,
        backfill_policy=DAY_BY_DAY,
        retry_policy=plan.retries,
    )
    def performance_report(
        context: dg.AssetExecutionContext,
        storage: dg.ResourceParam[StoredFacts],
        raw_batch: pd.DataFrame,
        cleaned_features: pd.DataFrame,
        labels: pd.DataFrame,
        scored_batch: pd.DataFrame,
        feature_drift: pd.DataFrame,
        best_model: Any,
        **others: Any,
    ) -> Iterator[dg.Output[pd.DataFrame]]:
        day = context.partition_key
        drift = feature_drift[feature_drift["day"] == day] if len(feature_drift) else feature_drift
        rows = DayRows(cleaned_features, raw_batch, labels, scored_batch, drift, best_model)
        try:
            record = summary_record(plan, storage, day, rows)
        except LearningError as error:
            raise dg.Failure(f"No report of {day}: {error}", allow_retries=False) from error
        if record["transactions"] is None:
            raise dg.Failure(f"No report of {day}: its raw_batch is not stored; materialize it.", allow_retries=False)
        earlier = stored_summaries(storage, day, reports.history_days)
        frames = _frames(plan, day, pd.concat([earlier, pd.DataFrame([record])]), scored_batch, feature_drift, others)
        document = _document(frames)
        size = len(str(document["html"].iloc[0]).encode())
        link, wanted = report_link(plan, day), {key.path[-1] for key in context.selected_asset_keys}
        if REPORT in wanted:
            facts = {"report_bytes": size, "sections": len(json.loads(document["sections"].iloc[0]))}
            yield dg.Output(document, REPORT, metadata={**link, **facts})
        if SUMMARY in wanted:
            # Of the report that is stored: this one, or an earlier one where the summary alone is made.
            record["report_bytes"] = size if REPORT in wanted else storage.stored_facts(REPORT, "report_bytes").get(day)
            row = {ROW: dg.MetadataValue.json(record)}
            yield dg.Output(summary_table(record), SUMMARY, metadata={**link, **summary_facts(record), **row})

    return performance_report


def _frames(
    plan: Plan, day: str, summary: pd.DataFrame, alerts: pd.DataFrame, drift: pd.DataFrame, others: Mapping[str, Any]
) -> DayFrames:
    return DayFrames(
        day=day,
        evaluation=others["evaluation_table"],
        slices=others["evaluation_slices"],
        points=others["operating_points"],
        bins=others["calibration_bins"],
        importance=others["feature_importance"],
        drift=drift,
        live=others["live_performance"],
        maturity=others["label_maturity"],
        summary=summary,
        alerts=_in_local_time(plan, alerts),
        search=search_frame({name: others[name].search for name in CANDIDATES if others[name] is not None}),
        alerts_per_day=plan.alert_policy.alerts_per_day,
        label_delay_days=plan.windows.label_delay_days,
    )


def _in_local_time(plan: Plan, alerts: pd.DataFrame) -> pd.DataFrame:
    if alerts.empty:
        return alerts
    return alerts.assign(transaction_time=alerts["transaction_time"].dt.tz_convert(plan.settings.timezone))


def _document(frames: DayFrames) -> pd.DataFrame:
    sections = day_sections(frames)
    document = render(frames.day, sections, headline=day_headline(frames))
    titles = json.dumps([section.title for section in sections], ensure_ascii=False)
    return pd.DataFrame({"day": [frames.day], "html": [document], "sections": [titles]}).astype("str")
