"""Operating points: what would have been caught, and at what price, had one alerted from some score on.

What lives here: the points of one scorer, and which few of them tell the whole. What does not: choosing a threshold
(fitting), alerts as a policy raises them (alerting.py), and drawing.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fraud_assets.learning.measuring.days import ScoredDays

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

MOST_POINTS = 200
"""Of one scorer, without its own threshold: more change no pixel of a curve, and each is a row of every day."""
SCORE_BINS = 40
"""At each edge of so many equal bins of the scores there is a point, so that counts by score are exact."""
_MOST_LEVELS = 5_000
_RATES = 20
_DECADE_RATES = 40

POINT_TYPES = {
    "threshold": "float64",
    "alerts": "int64",
    "frauds_caught": "int64",
    "false_alarms": "int64",
    "alerts_per_day": "float64",
    "precision": "float64",
    "recall": "float64",
    "false_positive_rate": "float64",
    "saving_per_day": "float64",
    "is_chosen": "bool",
}


def operating_points(scored: ScoredDays, threshold: float | None) -> pd.DataFrame:
    """Some of the thresholds of one scorer and what each is worth, columns `POINT_TYPES`, the highest threshold first.

    A row with score >= threshold is an alert. Counts are over all rows; `alerts_per_day` and `saving_per_day` (in the
    unit of the amounts: `AlertPolicy.savings`) are means over the days. Precision is missing without an alert, recall
    without a fraud, the false positive rate without a genuine row. At most `MOST_POINTS` of the distinct scores are
    there, chosen for the precision-recall curve, for ROC on a linear and a logarithmic axis, and for the counts by
    score; the highest score, the lowest (everything is an alert) and the highest saving always are. Beside them there
    is one row for `threshold`, the scorer's own, where it has one: `is_chosen`. Scores are finite; without a row there
    is no point.
    """
    if not len(scored.order):
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in POINT_TYPES.items()})
    points = _every_point(scored)
    real = points.iloc[1:]
    kept = _kept(real["threshold"].to_numpy(), real["frauds_caught"].to_numpy(), real["false_alarms"].to_numpy())
    chosen = real.iloc[np.union1d(kept, [real["saving_per_day"].to_numpy().argmax()])]
    if threshold is not None and np.isfinite(threshold):
        chosen = _with_own(chosen, points, threshold)
    return chosen.reset_index(drop=True).astype(POINT_TYPES)


def thin_steps(heights: FloatArray, most: int) -> IntArray:
    """Which at most `most` of a step function's points to keep, so that its largest error is as small as can be.

    `heights[i]` is the height from point i-1 to point i, so a dropped step takes the height of the next kept one. For
    a tolerance, walking from the right and keeping each point that differs by more keeps the fewest; the tolerance is
    found by bisection. The first and the last point always stay. Returns positions, ascending.
    """
    if len(heights) <= most:
        return np.arange(len(heights))
    values: list[float] = heights.tolist()
    low, high = 0.0, float(np.ptp(heights))
    kept = _kept_within(values, high)
    while high - low > 1e-4:
        middle = (low + high) / 2
        attempt = _kept_within(values, middle)
        if len(attempt) <= most:
            kept, high = attempt, middle
        else:
            low = middle
    return np.array(kept[::-1], dtype=np.int64)


def _every_point(scored: ScoredDays) -> pd.DataFrame:
    """Above all scores, where nothing alerts, and then at each distinct one, the highest first."""
    order, labelled, days = scored.order, scored.labelled, len(scored.labelled.days)
    score, fraud = scored.score[order], labelled.label[order]
    last = np.flatnonzero(np.append(score[1:] != score[:-1], True))
    saved = scored.policy.savings(np.ones(len(order), dtype=np.bool_), labelled.amount[order], fraud)
    alerts, caught = np.append(0, last + 1), np.append(0, fraud.cumsum()[last])
    frauds, genuine = caught[-1], len(order) - caught[-1]
    return pd.DataFrame(
        {
            "threshold": np.append(np.inf, score[last]),
            "alerts": alerts,
            "frauds_caught": caught,
            "false_alarms": alerts - caught,
            "alerts_per_day": alerts / days,
            "precision": np.append(np.nan, caught[1:] / alerts[1:]),
            "recall": caught / frauds if frauds else np.nan,
            "false_positive_rate": (alerts - caught) / genuine if genuine else np.nan,
            "saving_per_day": np.append(0.0, saved.cumsum()[last] / days),
            "is_chosen": False,
        }
    )


def _with_own(kept: pd.DataFrame, points: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """The kept points with one for the scorer's own threshold, which alerts on the scores from there on."""
    own = points[points["threshold"] >= threshold].tail(1).assign(threshold=threshold, is_chosen=True)
    above = kept["threshold"]
    return pd.concat([kept[above > threshold], own, kept[above < threshold]])


def _kept(threshold: FloatArray, caught: IntArray, alarms: IntArray) -> IntArray:
    """Positions of at most `MOST_POINTS` - 1 points: the ends, those at edges and rates, and the most telling steps."""
    if len(threshold) < MOST_POINTS:
        return np.arange(len(threshold))
    wanted = np.union1d(_at_edges(threshold), _at_rates(alarms))
    # Of the points that catch equally much the first has the fewest alarms, and is the one that a step ends at.
    steps = np.flatnonzero(np.diff(caught, prepend=0) > 0)
    if len(steps) > _MOST_LEVELS:
        steps = steps[np.linspace(0, len(steps) - 1, _MOST_LEVELS).round().astype(np.int64)]
    if len(steps):
        precision = caught[steps] / (caught[steps] + alarms[steps])
        wanted = np.union1d(wanted, steps[thin_steps(precision, MOST_POINTS - 1 - len(wanted))])
    return wanted


def _at_edges(threshold: FloatArray) -> IntArray:
    """The lowest score at or above each edge of `SCORE_BINS` equal bins, of 0 to 1 or of the scores' own range."""
    low, high = threshold[-1], threshold[0]
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    edges = np.linspace(low, high, SCORE_BINS + 1)[1:-1]
    reached = np.searchsorted(-threshold, -edges, side="right") - 1
    return np.unique(np.concatenate([[0], reached[reached >= 0], [len(threshold) - 1]]))


def _at_rates(alarms: IntArray) -> IntArray:
    """The last point within each of some numbers of false alarms: in equal steps, and in equal ratios."""
    total = max(int(alarms[-1]), 1)
    rates = np.concatenate([np.linspace(0, total, _RATES + 1), np.geomspace(1, total, _DECADE_RATES)])
    reached = np.searchsorted(alarms, rates, side="right") - 1
    return np.unique(reached[reached >= 0])


def _kept_within(values: list[float], tolerance: float) -> list[int]:
    last = len(values) - 1
    kept, height = [last], values[last]
    for i in range(last - 1, 0, -1):
        if abs(values[i] - height) > tolerance:
            kept.append(i)
            height = values[i]
    return [*kept, 0]
