"""What scores were worth once the labels are known, and which candidate is the best.

What lives here: metrics of scores on labelled rows, naive baselines, and the choice of the winner. What does not: how
the scores were made (models.py).
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from fraud_assets.learning.errors import LearningError

FloatArray = NDArray[np.float64]

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
)
BASELINE_PREFIX = "baseline_"
CARDS_PER_DAY = 100


def evaluate(
    scores: FloatArray, rows: pd.DataFrame, *, threshold: float | None, alerts_per_day: int, timezone: str
) -> dict[str, float | None]:
    """Every metric of `METRICS` of the scores of labelled rows; None where one is not defined.

    `rows` has label (0/1), transaction_time and, where cards are known, customer_id. Days are days of `timezone`.
    Metrics at the threshold count score >= threshold as an alert, and are None without a threshold; the Brier score is
    None for scores that are no probabilities. All are None when a score is not finite.
    """
    y = rows["label"].to_numpy(dtype=np.int8)
    metrics: dict[str, float | None] = dict.fromkeys(METRICS)
    if len(rows) == 0 or not np.isfinite(scores).all():
        return metrics
    ranked = pd.DataFrame(
        {
            "score": scores,
            "label": y,
            "day": rows["transaction_time"].dt.tz_convert(timezone).dt.date.to_numpy(),
        }
    )
    if y.any():
        metrics["average_precision"] = float(average_precision_score(y, scores))
        metrics["roc_auc"] = None if y.all() else float(roc_auc_score(y, scores))
    metrics |= _at_k(ranked, alerts_per_day)
    if "customer_id" in rows:
        metrics["card_precision_at_100"] = _card_precision(ranked.assign(card=rows["customer_id"].to_numpy()))
    if threshold is not None:
        metrics |= _at_threshold(y, scores >= threshold)
    if scores.min() >= 0 and scores.max() <= 1:
        metrics["brier_score"] = float(brier_score_loss(y, scores, pos_label=1))
    return metrics


def baselines(rows: pd.DataFrame) -> dict[str, FloatArray]:
    """The scores of two naive scorers: the amount itself, and 'nothing is ever fraud'."""
    return {
        f"{BASELINE_PREFIX}amount": rows["amount"].to_numpy(dtype=np.float64),
        f"{BASELINE_PREFIX}constant": np.zeros(len(rows)),
    }


def choose_winner(evaluation: pd.DataFrame) -> str:
    """The name of the candidate with the highest average precision.

    `evaluation` has a row for each scorer: candidate (its name), average_precision and roc_auc. Baselines never win,
    nor does what ranks no better than chance (constant, missing or inverted scores: ROC AUC <= .5 or none). Equal
    ones are decided by ROC AUC, then by name. Raises `LearningError` when none is left.
    """
    measured = evaluation.astype({"average_precision": "float64", "roc_auc": "float64"})
    contenders = measured[~measured["candidate"].str.startswith(BASELINE_PREFIX)]
    if contenders["average_precision"].isna().all():
        raise LearningError(
            "No candidate could be measured: the validation days have no known fraud, or no score is finite; wait for "
            "more labels or take more validation days (validation_days)."
        )
    sound = contenders[(contenders["roc_auc"] > 0.5) & contenders["average_precision"].notna()]
    if sound.empty:
        raise LearningError(
            f"None of the {len(contenders)} candidates ranks frauds better than chance on the validation days; check "
            "the labels, or take a longer training window (training_days)."
        )
    order = sound.sort_values(["average_precision", "roc_auc", "candidate"], ascending=[False, False, True])
    return str(order["candidate"].iloc[0])


def _at_k(ranked: pd.DataFrame, k: int) -> dict[str, float | None]:
    """Precision and recall of each day's k highest scores, as means over days (over days with fraud for recall).

    A day of fewer than k transactions has as many alerts as transactions.
    """
    highest = ranked.sort_values("score", ascending=False, kind="stable").groupby("day").head(k)
    hits = highest.groupby("day")["label"].agg(["sum", "size"])
    frauds = ranked.groupby("day")["label"].sum()
    found = (hits["sum"] / frauds)[frauds > 0]
    return {
        "precision_at_k": float((hits["sum"] / hits["size"]).mean()),
        "recall_at_k": float(found.mean()) if len(found) else None,
    }


def _card_precision(ranked: pd.DataFrame) -> float | None:
    """Card precision at 100: the handbook, chapter 4 "Precision top-k metrics", mean over days in order.

    Each day: without the cards detected on earlier days, each card by its highest score and label, the 100 highest,
    the share of them that are fraudulent; those are detected from then on. Equal scores are ordered by card.
    """
    detected: set[Any] = set()
    daily: list[float] = []
    for _, day in ranked.groupby("day", sort=True):
        cards = day[~day["card"].isin(detected)].groupby("card", sort=True)[["score", "label"]].max()
        highest = cards.sort_values("score", ascending=False, kind="stable").head(CARDS_PER_DAY)
        if len(highest):
            daily.append(float(highest["label"].mean()))
            detected |= set(highest.index[highest["label"] == 1])
    return float(np.mean(daily)) if daily else None


def _at_threshold(y: NDArray[Any], alerts: NDArray[np.bool_]) -> dict[str, float | None]:
    hits, alerted, frauds = int((alerts & (y == 1)).sum()), int(alerts.sum()), int(y.sum())
    return {
        "recall": hits / frauds if frauds else None,
        "precision": hits / alerted if alerted else None,
        "f1": 2 * hits / (alerted + frauds) if alerted + frauds else None,
        "accuracy": float((alerts == (y == 1)).mean()),
    }
