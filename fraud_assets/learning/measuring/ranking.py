"""Average precision and ROC AUC of rows that are sorted by score already.

The numbers are scikit-learn's, which a test holds them to. A day's evaluation asks for them some hundreds of times, of
parts of rows that were sorted once: validating and sorting each part again takes ten times as long.
"""

import numpy as np
from numpy.typing import NDArray


def ranking_metrics(y: NDArray[np.bool_], scores: NDArray[np.float64]) -> tuple[float | None, float | None]:
    """Average precision and ROC AUC, of labels and finite scores in descending order of the scores.

    Equal scores count as one threshold. Average precision is None without a fraud, ROC AUC without one of the classes.
    """
    frauds = int(y.sum())
    if not frauds:
        return None, None
    last_of_tie = np.flatnonzero(np.append(scores[1:] != scores[:-1], True))
    caught = np.cumsum(y)[last_of_tie]
    alarms = last_of_tie + 1 - caught
    new_caught, new_alarms = np.diff(caught, prepend=0), np.diff(alarms, prepend=0)
    average_precision = float((new_caught * (caught / (last_of_tie + 1))).sum() / frauds)
    genuine = len(y) - frauds
    # Each genuine row, by the share of frauds above it; those that are level count half (Mann and Whitney 1947).
    above = caught - new_caught / 2
    return average_precision, float((new_alarms * above).sum() / (frauds * genuine)) if genuine else None
