"""What scores were worth once the labels are known, how sure that is, and which candidate is the best.

What lives here: metrics of scores on labelled rows, their sampling intervals, naive baselines, and the choice of the
winner. What does not: how the scores were made (fitting), and which rows are a slice (slices.py).
"""

from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss

from fraud_assets.learning.errors import LearningError
from fraud_assets.learning.measuring.alerting import AlertPolicy
from fraud_assets.learning.measuring.calibration import brier_skill, expected_calibration_error
from fraud_assets.learning.measuring.days import LabelledDays, ListedCards, ScoredDays, are_probabilities
from fraud_assets.learning.measuring.intervals import Interval, jackknife_interval, without_each
from fraud_assets.learning.measuring.ranking import ranking_metrics
from fraud_assets.learning.measuring.slices import Slice

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
Metrics: TypeAlias = dict[str, float | None]

METRICS = (
    "average_precision",
    "roc_auc",
    "precision_at_k",
    "recall_at_k",
    "card_precision_at_100",
    "recall",
    "precision",
    "f1",
    "accuracy",
    "brier_score",
    "brier_skill",
    "expected_calibration_error",
    "saving_per_day",
    "expected_saving_per_day",
)
WITH_INTERVALS = ("average_precision", "roc_auc", "precision_at_k", "saving_per_day")
BASELINE_PREFIX = "baseline_"


def evaluate(
    scores: FloatArray, rows: pd.DataFrame, *, threshold: float | None, alerts_per_day: int, timezone: str
) -> Metrics:
    """Every metric of `METRICS` of the scores of labelled rows, with alerts by capacity; None where not defined.

    `rows` has label (0/1), amount, transaction_time and, where cards are known, customer_id. Days are days of
    `timezone`. All are None when there is no row, or a score is not finite.
    """
    if len(rows) == 0 or not np.isfinite(scores).all():
        return dict.fromkeys(METRICS)
    policy = AlertPolicy(alerts_per_day=alerts_per_day)
    return measure(ScoredDays.of(LabelledDays.from_rows(rows, timezone), scores, threshold=threshold, policy=policy))


def measure(scored: ScoredDays, within: Slice | None = None) -> Metrics:
    """Every metric of `METRICS` over all days, or within one slice of them; None where one is not defined.

    Average precision and ROC AUC are over the transactions. The k of a day, its alerts and its 100 cards are those of
    the whole day, and count in a slice as far as they fall into it; precision and recall at k and card precision are
    means over the days that have any (recall: any fraud), savings per day over all days. Metrics at the threshold are
    None without one; the Brier score, what follows from it, and the expected saving are None for scores that are no
    probabilities.
    """
    labelled = scored.labelled
    rows = scored.order if within is None else scored.order[within.rows[scored.order]]
    days = len(labelled.days) if within is None else within.days
    y, scores = labelled.label[rows], scored.score[rows]
    metrics: Metrics = dict.fromkeys(METRICS)
    if len(rows) == 0:
        return metrics
    metrics["average_precision"], metrics["roc_auc"] = ranking_metrics(y, scores)
    metrics |= _at_k(labelled.day[rows], y, scored.among_highest[rows])
    if scored.cards is not None:
        metrics["card_precision_at_100"] = _card_precision(scored.cards, labelled.day, within)
    if scored.is_above is not None:
        metrics |= _at_threshold(y, scored.is_above[rows])
    if are_probabilities(scored.score):
        metrics |= _calibration(y, scores)
    return metrics | _savings(scored, rows, days)


def sampling_intervals(scored: ScoredDays) -> dict[str, Interval | None]:
    """The 95 % interval of each of `WITH_INTERVALS` over the days; None where there are too few (`jackknife_interval`).

    They tell how much the numbers would differ on other days with the same model: not how another day's model, or
    fraud of another kind, would do.
    """
    labelled = scored.labelled
    y, scores, day = labelled.label[scored.order], scored.score[scored.order], labelled.day[scored.order]
    precision, auc = ranking_metrics(y, scores)
    others = [ranking_metrics(y[day != number], scores[day != number]) for number in range(len(labelled.days))]
    listed = labelled.day[scored.among_highest]
    daily_precision = _daily_sums(listed, labelled.label[scored.among_highest]) / np.bincount(listed)
    savings = _daily_savings(scored)
    without_day: dict[str, list[float | None] | FloatArray] = {
        "average_precision": [without[0] for without in others],
        "roc_auc": [without[1] for without in others],
        "precision_at_k": without_each(daily_precision),
        "saving_per_day": without_each(savings),
    }
    overall = {
        "average_precision": precision,
        "roc_auc": auc,
        "precision_at_k": float(daily_precision.mean()),
        "saving_per_day": float(savings.mean()),
    }
    return {
        name: jackknife_interval(overall[name], without_day[name], is_share=name != "saving_per_day")
        for name in WITH_INTERVALS
    }


def baselines(rows: pd.DataFrame) -> dict[str, FloatArray]:
    """The scores of two naive scorers: the amount itself, and 'nothing is ever fraud'."""
    return {
        f"{BASELINE_PREFIX}amount": rows["amount"].to_numpy(dtype=np.float64),
        f"{BASELINE_PREFIX}constant": np.zeros(len(rows)),
    }


def choose_winner(evaluation: pd.DataFrame) -> str:
    """The name of the candidate with the highest average precision.

    `evaluation` has a row for each scorer: candidate (its name), average_precision and roc_auc, and perhaps degenerate
    (why its scores rank nothing, see `degeneracy`). Baselines never win, nor does what is degenerate or ranks no
    better than chance (constant, missing, infinite or inverted scores: ROC AUC <= .5 or none). Equal ones are decided
    by ROC AUC, then by name. Raises `LearningError` when none is left.
    """
    measured = evaluation.astype({"average_precision": "float64", "roc_auc": "float64"})
    contenders = measured[~measured["candidate"].str.startswith(BASELINE_PREFIX)]
    precision, auc = contenders["average_precision"], contenders["roc_auc"]
    if precision.isna().all():
        raise LearningError(
            "No candidate could be measured: the validation days have no known fraud, or no score is finite; wait for "
            "more labels or take more validation days (validation_days)."
        )
    is_sound = precision.between(0, 1) & (auc > 0.5) & (auc <= 1)
    if "degenerate" in contenders:
        is_sound &= contenders["degenerate"].isna()
    sound = contenders[is_sound]
    if sound.empty:
        raise LearningError(
            f"None of the {len(contenders)} candidates ranks frauds better than chance on the validation days; check "
            "the labels, or take a longer training window (training_days)."
        )
    order = sound.sort_values(["average_precision", "roc_auc", "candidate"], ascending=[False, False, True])
    return str(order["candidate"].iloc[0])


def _at_k(day: IntArray, y: BoolArray, among_highest: BoolArray) -> Metrics:
    """Precision and recall of the k highest of each day. A day of fewer than k rows has as many alerts as rows."""
    days = day.max() + 1
    listed = np.bincount(day[among_highest], minlength=days)
    hits = np.bincount(day[among_highest & y], minlength=days)
    frauds = np.bincount(day[y], minlength=days)
    return {"precision_at_k": _mean_share(hits, listed), "recall_at_k": _mean_share(hits, frauds)}


def _card_precision(cards: ListedCards, day: IntArray, within: Slice | None) -> float | None:
    counted = np.ones(len(cards.row), dtype=np.bool_) if within is None else within.rows[cards.row]
    listed = np.bincount(day[cards.row[counted]])
    return _mean_share(np.bincount(day[cards.row[counted & cards.is_fraud]], minlength=len(listed)), listed)


def _mean_share(part: IntArray, whole: IntArray) -> float | None:
    known = whole > 0
    return float((part[known] / whole[known]).mean()) if known.any() else None


def _at_threshold(y: BoolArray, alerts: BoolArray) -> Metrics:
    hits, alerted, frauds = int((alerts & y).sum()), int(alerts.sum()), int(y.sum())
    return {
        "recall": hits / frauds if frauds else None,
        "precision": hits / alerted if alerted else None,
        "f1": 2 * hits / (alerted + frauds) if alerted + frauds else None,
        "accuracy": float((alerts == y).mean()),
    }


def _calibration(y: BoolArray, scores: FloatArray) -> Metrics:
    brier = float(brier_score_loss(y, scores, pos_label=1))
    return {
        "brier_score": brier,
        "brier_skill": brier_skill(brier, y),
        "expected_calibration_error": expected_calibration_error(scores, y),
    }


def _savings(scored: ScoredDays, rows: IntArray, days: int) -> Metrics:
    if scored.is_alert is None:
        return {}
    alerts, amounts = scored.is_alert[rows], scored.labelled.amount[rows]
    saved = scored.policy.savings(alerts, amounts, scored.labelled.label[rows])
    if not are_probabilities(scored.score):
        return {"saving_per_day": float(saved.sum() / days)}
    expected = scored.policy.savings(alerts, amounts, scored.score[rows])
    return {"saving_per_day": float(saved.sum() / days), "expected_saving_per_day": float(expected.sum() / days)}


def _daily_savings(scored: ScoredDays) -> FloatArray:
    if scored.is_alert is None:
        return np.full(len(scored.labelled.days), np.nan)
    labelled = scored.labelled
    return _daily_sums(labelled.day, scored.policy.savings(scored.is_alert, labelled.amount, labelled.label))


def _daily_sums(day: IntArray, values: FloatArray | BoolArray) -> FloatArray:
    return np.bincount(day, weights=values).astype(np.float64)
