"""What a day's scores and alerts turned out to be worth, beside what validation had promised.

What lives here: the metrics of one issued day, and weeks of them. What does not: the metrics' formulas (measuring),
and which version of the scores was issued (the asset).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from fraud_assets.learning.measuring.alerting import AlertPolicy
from fraud_assets.learning.measuring.daily import DAILY
from fraud_assets.learning.measuring.intervals import Interval, Prediction, prediction_interval
from fraud_assets.learning.measuring.metrics import WITH_INTERVALS, evaluate

PROMISED = WITH_INTERVALS
"""The metrics of a live day that validation promises, with intervals."""
PROMISED_AS = {name: DAILY.get(name, name) for name in PROMISED}
"""What each is called among the promises: a day is compared with the mean of days, never with all days at once."""
CALIBRATION = "calibration_counts"
"""What `calibration_counts` are stored as, of a live day and of validation days: how many frauds, how many promised."""
DAYS_OF_WEEK = 7
FEWEST_DAYS_OF_WEEK = 4
LONGEST_HISTORY_WEEKS = 26


@dataclass(frozen=True)
class LiveDay:
    """The worth of one day's scores and alerts, as far as its labels are known.

    `metrics` has each of `PROMISED`; saving_per_day is that of the alerts as they were issued, all of which cost, and
    of which those known to be frauds have saved. Precision is over the alerts with a known label, recall over the
    known frauds; both None where there are none.
    """

    transactions: int
    labels: int
    frauds: int
    alerts: int
    alerts_labelled: int
    frauds_in_alerts: int
    alert_precision: float | None
    alert_recall: float | None
    metrics: Mapping[str, float | None]


def calibration_counts(rows: pd.DataFrame) -> dict[str, float]:
    """Of the learnable rows with a score and a known label: how many are frauds, and how many the scores add up to.

    `variance` is that of such a sum of independent events, the sum of p (1 - p). Columns as `live_day` has them.
    """
    measured = rows[rows["is_learnable"].to_numpy(dtype=bool) & (rows["label"].notna() & rows["score"].notna())]
    scores = measured["score"].to_numpy(dtype=np.float64)
    return {
        "frauds": float(measured["label"].eq(1).sum()),
        "expected": float(scores.sum()),
        "variance": float((scores * (1 - scores)).sum()),
    }


def live_day(rows: pd.DataFrame, *, policy: AlertPolicy, timezone: str) -> LiveDay:
    """The worth of the issued scores of one day.

    `rows` are the day's transactions: transaction_time, amount, score (NaN where none was given), is_alert,
    is_learnable, label (0, 1, or missing where it is not known) and perhaps customer_id. Metrics are over learnable
    rows with a score and a known label; they are None where there are none, and most of them without a fraud.
    """
    alert = rows["is_alert"].to_numpy(dtype=bool)
    is_known = rows["label"].notna().to_numpy()
    fraud = rows["label"].eq(1).fillna(value=False).to_numpy(dtype=bool)
    learnable = rows["is_learnable"].to_numpy(dtype=bool)
    measured = rows[learnable & is_known & rows["score"].notna().to_numpy()]
    scores = measured["score"].to_numpy(dtype=np.float64)
    found = evaluate(scores, measured, threshold=None, alerts_per_day=policy.alerts_per_day, timezone=timezone)
    saved = policy.savings(alert, rows["amount"].to_numpy(dtype=np.float64), fraud).sum()
    frauds, labelled, hits = int((fraud & learnable).sum()), int((alert & is_known).sum()), int((alert & fraud).sum())
    metrics = {name: found[name] for name in PROMISED}
    return LiveDay(
        transactions=len(rows),
        labels=int((is_known & learnable).sum()),
        frauds=frauds,
        alerts=int(alert.sum()),
        alerts_labelled=labelled,
        frauds_in_alerts=hits,
        alert_precision=hits / labelled if labelled else None,
        alert_recall=hits / frauds if frauds else None,
        metrics=metrics | {"saving_per_day": float(saved) if len(measured) else None},
    )


def week_until(day: str) -> list[str]:
    """The seven days that end on `day`, in order."""
    last = date.fromisoformat(day)
    return [(last - timedelta(days=back)).isoformat() for back in reversed(range(DAYS_OF_WEEK))]


def week_mean(daily: Mapping[str, float], until: str) -> float | None:
    """The mean of the week that ends on `until`; None where fewer than `FEWEST_DAYS_OF_WEEK` of its days are there."""
    found = [daily[day] for day in week_until(until) if day in daily]
    return float(np.mean(found)) if len(found) >= FEWEST_DAYS_OF_WEEK else None


def weekly_means(daily: Mapping[str, float], until: str) -> list[float]:
    """Means over weeks that end on `until`, seven days before it, and so on, newest first; at most half a year of them.

    `daily` is by day, YYYY-MM-DD; later days do not count, and a week of fewer than `FEWEST_DAYS_OF_WEEK` days is left
    out. The weeks do not overlap: neighbouring trailing means share six of seven days, and an interval from these would
    look surer than it is.
    """
    last = date.fromisoformat(until)
    ends = (last - timedelta(days=DAYS_OF_WEEK * week) for week in range(LONGEST_HISTORY_WEEKS))
    means = (week_mean(daily, end.isoformat()) for end in ends)
    return [mean for mean in means if mean is not None]


def coming_week(differences: Mapping[str, float], promised: float | None, until: str) -> Prediction | None:
    """Where the mean of the seven coming days should lie, given what validation promises for them.

    `differences` is live minus promised by day. The spread is that of weekly means, since the mean of seven days varies
    less than a day does; None before there are as many weeks as `prediction_interval` needs.
    """
    return prediction_interval(weekly_means(differences, until), promised)


def week_as_promised(promises: Mapping[str, tuple[float, Interval]], validation_days: int) -> Interval | None:
    """Where the mean of some days should lie, by what validation promised for each: for as long as no history tells.

    `promises` is by day: the promised value and its sampling interval over `validation_days`. A mean of n days has its
    own spread beside that of the promise, so the interval is wider than the mean promised one by √(1 + v/n). It knows
    nothing of models that change, or of fraud that does. None without a promise, or days of validation.
    """
    if not promises or not validation_days:
        return None
    value = float(np.mean([value for value, _ in promises.values()]))
    low = float(np.mean([value - interval.low for value, interval in promises.values()]))
    high = float(np.mean([interval.high - value for value, interval in promises.values()]))
    wider = float(np.sqrt(1 + validation_days / len(promises)))
    return Interval(value - low * wider, value + high * wider)
