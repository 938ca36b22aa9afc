"""What each candidate is worth on the validation days, beside two naive baselines."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd

from fraud_assets.assets.candidate_models import CANDIDATES, PREFIX
from fraud_assets.assets.pictures import Pictures
from fraud_assets.assets.plan import GROUP, OWNERS, RETRIES, TABLES, Plan, StoredFacts, code_version
from fraud_assets.checks import (
    CHECK_SPECS,
    EVERY_FAMILY_FITTED,
    HISTORY_IS_COMPLETE,
    every_family_fitted,
    history_is_complete,
)
from fraud_assets.learning import (
    METRICS,
    Candidate,
    LearningError,
    baselines,
    choose_winner,
    evaluate,
    learnable_rows,
    score_candidates,
    split_last_fifth,
)
from fraud_assets.partitions import shifted
from fraud_assets.reporting.comparison import model_comparison
from fraud_assets.reporting.curves import precision_recall, roc
from fraud_assets.reporting.distributions import confusion, score_distribution

NUMBERS = (*METRICS, "fit_seconds")

_COMMENTS = {
    "average_precision": "area under the precision-recall curve on the validation days",
    "precision_at_k": "mean over days, k = alerts_per_day",
    "recall_at_k": "mean over days, k = alerts_per_day",
    "card_precision_at_100": "share of fraudulent cards among the 100 highest of each day, by the handbook's protocol",
    "threshold": "the score from which on F1 was best on inner out-of-fold scores",
    "fit_seconds": "wall time of the fit on the whole training window",
    "failure": "why the family has no model; its metrics are NULL then",
}


def evaluation_table_asset(plan: Plan) -> dg.AssetsDefinition:
    """`evaluation_table`: one row is one candidate, or a baseline, with all its metrics."""
    windows = plan.windows

    @dg.asset(
        name="evaluation_table",
        partitions_def=plan.partitions,
        io_manager_key=TABLES,
        ins={
            **{family: dg.AssetIn(key=[PREFIX, family], metadata={"missing": "empty"}) for family in CANDIDATES},
            "cleaned_features": dg.AssetIn(metadata={"window": list(windows.validation)}),
            "labels": dg.AssetIn(metadata={"window": list(windows.labels_for(windows.validation, 0))}),
        },
        description="One row is one candidate (or a naive baseline) with all its metrics on the validation days.",
        kinds={"postgres", "plotly"},
        owners=list(OWNERS),
        group_name=GROUP,
        code_version=code_version("1", vars(windows), plan.settings.learning.alerts_per_day),
        metadata={"layout": "rows", "volatile": ["fit_seconds"], "column_comments": _COMMENTS},
        check_specs=[CHECK_SPECS[HISTORY_IS_COMPLETE], CHECK_SPECS[EVERY_FAMILY_FITTED]],
        retry_policy=RETRIES,
    )
    def evaluation_table(
        context: dg.AssetExecutionContext,
        storage: dg.ResourceParam[StoredFacts],
        pictures: Pictures,
        cleaned_features: pd.DataFrame,
        labels: pd.DataFrame,
        **families: Any,
    ) -> Iterator[dg.Output[pd.DataFrame] | dg.AssetCheckResult]:
        candidates = {name: candidate for name, candidate in families.items() if candidate is not None}
        try:
            rows = validation_rows(plan, context.partition_key, cleaned_features, labels)
            scores = score_candidates(candidates, rows, jobs=plan.settings.learning.jobs) | baselines(rows)
            table = evaluation(plan, context.partition_key, candidates, rows, scores)
            winner = choose_winner(table)
        except LearningError as error:
            raise dg.Failure(f"No evaluation for {context.partition_key}: {error}", allow_retries=False) from error
        figures = _figures(rows, scores, table, winner)
        drawn = pictures.metadata(context.log, figures)
        yield dg.Output(table, metadata={"winner": winner, **_table(table), **drawn, **_numbers(table, winner)})
        day = context.partition_key
        yield history_is_complete(_expected_days(plan, day), storage.stored_row_counts("cleaned_features").keys())
        yield every_family_fitted({n: c.failure for n, c in candidates.items() if c.failure is not None})

    return evaluation_table


def validation_rows(plan: Plan, day: str, features: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """The rows that candidates are measured on, with the labels known by the end of the day. Raises `LearningError`."""
    rows = learnable_rows(features, labels, plan.end(day))
    if rows.empty:
        raise LearningError(
            "no transaction of the validation days has a label that is known by then; wait for labels, or set "
            "label_delay_days and validation_days to what the data has."
        )
    return split_last_fifth(rows)[1] if plan.windows.is_split else rows


def evaluation(
    plan: Plan, day: str, candidates: Mapping[str, Candidate], rows: pd.DataFrame, scores: Mapping[str, Any]
) -> pd.DataFrame:
    """The table: candidates first, then baselines, in a fixed order."""
    records = []
    for name in [*(n for n in CANDIDATES if n in candidates), *(n for n in scores if n not in CANDIDATES)]:
        candidate = candidates.get(name)
        threshold = candidate.threshold if candidate is not None and candidate.failure is None else None
        measured: dict[str, float | None] = dict.fromkeys(METRICS)
        if name in scores:
            measured = evaluate(
                scores[name],
                rows,
                threshold=threshold,
                alerts_per_day=plan.settings.learning.alerts_per_day,
                timezone=plan.settings.timezone,
            )
        records.append(
            {
                "day": day,
                "candidate": name,
                **measured,
                "threshold": threshold,
                "validation_rows": len(rows),
                "validation_frauds": int(rows["label"].sum()),
                "fit_seconds": candidate.fit_seconds if candidate else None,
                "failure": candidate.failure if candidate else None,
            }
        )
    table = pd.DataFrame(records)
    numbers = dict.fromkeys((*METRICS, "threshold", "fit_seconds"), "float64")
    return table.astype({**numbers, "failure": "str"})


def _expected_days(plan: Plan, day: str) -> list[str]:
    windows = plan.windows
    spans = [windows.training, windows.validation, windows.refit]
    offsets = sorted({offset for first, last in spans for offset in range(first, last + 1)})
    return [shifted(day, offset).isoformat() for offset in offsets]


def _numbers(table: pd.DataFrame, winner: str) -> dict[str, float]:
    """Each metric as a number of its own, the winner's by its plain name: Dagster plots them over the partitions."""
    numbers: dict[str, float] = {}
    by_candidate = table.set_index("candidate")
    for prefix, candidate in [("", winner), *((f"{name}/", name) for name in by_candidate.index)]:
        measured = by_candidate.loc[candidate, list(NUMBERS)].dropna()
        numbers |= {f"{prefix}{metric}": float(value) for metric, value in measured.items()}
    return numbers


def _table(table: pd.DataFrame) -> dict[str, dg.TableMetadataValue]:
    shown = ("candidate", *NUMBERS)
    schema = dg.TableSchema([dg.TableColumn(name, "string" if name == "candidate" else "float") for name in shown])
    records = [dg.TableRecord({name: _shown(record[name]) for name in shown}) for record in table.to_dict("records")]
    return {"evaluation": dg.MetadataValue.table(records, schema)}


def _shown(value: Any) -> str | float | None:
    if isinstance(value, str):
        return value
    return None if pd.isna(value) else round(float(value), 4)


def _figures(rows: pd.DataFrame, scores: Mapping[str, Any], table: pd.DataFrame, winner: str) -> dict[str, Any]:
    labelled = pd.concat(
        [
            pd.DataFrame({"model": name, "label": rows["label"], "score": values})
            for name, values in scores.items()
            if np.isfinite(values).all()
        ]
    )
    known = table.dropna(subset=["threshold"])
    thresholds = {str(name): float(value) for name, value in zip(known["candidate"], known["threshold"], strict=True)}
    return {
        "precision and recall": precision_recall(labelled, thresholds),
        "ROC": roc(labelled, thresholds),
        "comparison": model_comparison(table.rename(columns={"candidate": "model"})),
        "score distribution": score_distribution(labelled, winner, thresholds[winner]),
        "confusion": confusion(labelled, winner, thresholds[winner]),
    }
