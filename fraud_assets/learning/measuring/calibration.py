"""Whether scores mean what they say: of the transactions with a score of .2, is one in five fraud?

What lives here: the bins of a reliability diagram and what is computed from them. What does not: the calibrator,
which is fitted with the model and on other rows, and drawing.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from fraud_assets.learning.measuring.intervals import CONFIDENCE

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

FEWEST_ROWS = 50
BIN_COLUMNS = (
    "bin",
    "rows",
    "frauds",
    "lowest_score",
    "highest_score",
    "mean_score",
    "fraud_share",
    "fraud_share_low",
    "fraud_share_high",
)


def reliability_bins(scores: FloatArray, labels: BoolArray) -> pd.DataFrame:
    """The bins of a reliability diagram, `BIN_COLUMNS`, numbered from 1 for the lowest scores.

    Each bin has half of the rows that are left above it: the lower half of all, a quarter, an eighth, and so on, down
    to `FEWEST_ROWS` rows. With one fraud in a hundred, bins of equal width hold nearly everything in the first, and
    bins of equal size put everything that can be an alert into the last. Equal scores are never parted, and labels
    have no say in where the bins end. `fraud_share_low` and `_high` are the exact 95 % interval of Clopper and Pearson
    (1934), as if transactions were independent of each other.
    """
    numbers = _bin_of_each(scores)
    rows = np.bincount(numbers)
    frauds = np.bincount(numbers[labels], minlength=len(rows))
    low, high = _exact_interval(frauds, rows)
    by_bin = pd.Series(scores).groupby(numbers)
    columns = {
        "bin": np.arange(1, len(rows) + 1),
        "rows": rows,
        "frauds": frauds,
        "lowest_score": by_bin.min().to_numpy(),
        "highest_score": by_bin.max().to_numpy(),
        "mean_score": by_bin.mean().to_numpy(),
        "fraud_share": frauds / rows,
        "fraud_share_low": low,
        "fraud_share_high": high,
    }
    return pd.DataFrame({name: columns[name] for name in BIN_COLUMNS})


def expected_calibration_error(scores: FloatArray, labels: BoolArray) -> float:
    """The mean distance between a bin's mean score and its share of fraud, each bin of `reliability_bins` by its rows.

    Naeini, Cooper and Hauskrecht 2015, "Obtaining well calibrated probabilities using Bayesian binning". 0 is best.
    """
    numbers = _bin_of_each(scores)
    # A bin's rows times its distance is the distance of two sums.
    distances = np.abs(np.bincount(numbers, weights=scores) - np.bincount(numbers, weights=labels))
    return float(distances.sum() / len(scores))


def brier_skill(brier_score: float, labels: BoolArray) -> float | None:
    """1 for perfect scores, 0 for those that always say the share of fraud in these rows, negative for worse ones.

    1 - Brier score / (share · (1 - share)): Murphy 1973, "A new vector partition of the probability score". None
    where all rows have the same label.
    """
    share = float(labels.mean())
    return 1 - brier_score / (share * (1 - share)) if 0 < share < 1 else None


def _bin_of_each(scores: FloatArray) -> NDArray[np.int64]:
    """The bin of each row, from 0, none of them empty."""
    ordered = np.sort(scores)
    cuts, start = [], 0
    while len(ordered) - start >= 2 * FEWEST_ROWS:
        start += (len(ordered) - start) // 2
        cuts.append(ordered[start])
    raw = np.searchsorted(np.unique(cuts), scores, side="right")
    return np.unique(raw, return_inverse=True)[1]


def _exact_interval(frauds: NDArray[np.int64], rows: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
    tail = (1 - CONFIDENCE) / 2
    low = np.where(frauds == 0, 0.0, stats.beta.ppf(tail, np.maximum(frauds, 1), rows - frauds + 1))
    high = np.where(frauds == rows, 1.0, stats.beta.ppf(1 - tail, frauds + 1, np.maximum(rows - frauds, 1)))
    return low, high
