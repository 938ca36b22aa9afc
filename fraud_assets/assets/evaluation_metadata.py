"""How a day's evaluation is told: comments on its columns, and the numbers and the table of its metadata.

What does not live here: anything that is computed from scores.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pandas as pd

from fraud_assets.assets.rounding import rounded
from fraud_assets.learning import BOUNDS, METRICS

NUMBERS = (*METRICS, "fit_seconds")
COMPARED = ("average_precision", "roc_auc", "precision_at_k", "expected_calibration_error", "saving_per_day")
"""What is told of every scorer: all numbers of all would bury the pictures."""

_METRIC_COMMENTS = {
    "average_precision": "area under the precision-recall curve",
    "precision_at_k": "mean over days, k = alerts_per_day",
    "recall_at_k": "mean over days with fraud, k = alerts_per_day",
    "card_precision_at_100": "share of fraudulent cards among the 100 highest of each day, by the handbook's protocol",
    "recall": "at the threshold",
    "precision": "at the threshold",
    "f1": "at the threshold",
    "accuracy": "at the threshold; flagging nothing is about 99 % accurate",
    "brier_score": "mean squared distance of score and label",
    "brier_skill": "1 for perfect scores, 0 for always saying the share of fraud, negative for worse than that",
    "expected_calibration_error": "mean distance of mean score and share of fraud over calibration_bins, by rows",
    "saving_per_day": (
        "what the alerts of alert_policy would have saved: fraudulent amount * recovered_share - cost_per_alert each"
    ),
    "expected_saving_per_day": "the same, as the scores promised it",
}
_SLICED = " (lists of a day are made over the whole day, and counted in the slice)"

COMMENTS: Mapping[str, Mapping[str, str]] = {
    "evaluation_table": {
        **_METRIC_COMMENTS,
        **dict.fromkeys(BOUNDS, "95 % sampling interval over the validation days (jackknife); NULL with one day"),
        "threshold": "the score from which on F1 was best on inner out-of-fold scores; no validation row has a say",
        "degenerate": "why these scores rank nothing and never win",
        "fit_seconds": "wall time of the fit on the whole training window",
        "failure": "why the family has no model; its metrics are NULL then",
    },
    "evaluation_slices": {
        "slice_kind": "day, amount_band, or the column of a segment",
        "slice": "the day, the amounts (from the first, below the second) or the segment's value",
        **_METRIC_COMMENTS,
        "precision_at_k": _METRIC_COMMENTS["precision_at_k"] + _SLICED,
        "card_precision_at_100": _METRIC_COMMENTS["card_precision_at_100"] + _SLICED,
        "saving_per_day": _METRIC_COMMENTS["saving_per_day"] + _SLICED,
    },
    "calibration_bins": {
        "bin": "from 1, the lowest scores; each bin has half of the rows left above it",
        "mean_score": "the share of fraud that the scores promise",
        "fraud_share": "the share of fraud that came",
        "fraud_share_low": "exact 95 % interval (Clopper-Pearson), as if transactions were independent",
        "fraud_share_high": "exact 95 % interval (Clopper-Pearson), as if transactions were independent",
    },
    "operating_points": {
        "threshold": "alert = score >= threshold; of each scorer from the highest to the lowest, where all are alerts",
        "alerts": "over all validation rows: frauds_caught + false_alarms",
        "alerts_per_day": "alerts / number of validation days",
        "precision": "frauds_caught / alerts",
        "recall": "frauds_caught / frauds; NULL without a fraud",
        "false_positive_rate": "false_alarms / genuine transactions",
        "saving_per_day": (
            "of alerting on exactly these: fraudulent amount * recovered_share - cost_per_alert each (alert_policy)"
        ),
        "is_chosen": "the candidate's own threshold",
    },
}


def evaluation_metadata(
    table: pd.DataFrame, winner: str | None, warning: str | None, drawn: Mapping[str, Any]
) -> dict[str, Any]:
    """The winner or the warning, the evaluation as a table, the pictures, and then numbers by themselves.

    The winner's numbers have their plain names; of every other scorer there are those of `COMPARED`, with its name
    before them: Dagster plots them over the partitions.
    """
    told = {"winner": winner, "warning": warning}
    return {
        **{name: text for name, text in told.items() if text is not None},
        "validation_rows": int(table["validation_rows"].iloc[0]),
        "validation_frauds": int(table["validation_frauds"].iloc[0]),
        "evaluation": _table(table),
        **drawn,
        **_numbers(table, winner),
    }


def _numbers(table: pd.DataFrame, winner: str | None) -> dict[str, float]:
    by_candidate = table.set_index("candidate")
    of_winner = {} if winner is None else dict(by_candidate.loc[winner, [*NUMBERS, *BOUNDS]].dropna())
    compared = {
        f"{candidate}/{metric}": value
        for metric in COMPARED
        for candidate, value in by_candidate[metric].dropna().items()
    }
    return {str(name): float(value) for name, value in (of_winner | compared).items()}


def _table(table: pd.DataFrame) -> dg.TableMetadataValue:
    first, *others = NUMBERS
    numbers = (first, f"{first}_low", f"{first}_high", *others)
    schema = dg.TableSchema([dg.TableColumn("candidate"), *(dg.TableColumn(name, "float") for name in numbers)])
    records = [
        dg.TableRecord({"candidate": record["candidate"], **{name: rounded(record[name]) for name in numbers}})
        for record in table.to_dict("records")
    ]
    return dg.MetadataValue.table(records, schema)
