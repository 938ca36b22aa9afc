"""The extreme tails of columns, as small whole numbers that histogram binning cannot blur.

What lives here: one transformer. What does not: which families use it (families.py).
"""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

# Histogram boosting has 255 bins of equal mass: what is rarer than one of them is all alike to it.
MOST_BINS = 255
TAIL_SHARE = 0.05
MOST_EDGES = 100


class TailCodes(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Appends, for each of the first `columns` columns with an extreme tail, how far out in it a value is.

    Columns of at most 255 distinct values are left alone. A tail is extreme when its end is further from the edge of
    the outermost of 255 bins of equal mass than that edge is from the median. The outermost 5 % of the fitted rows are
    then cut at order statistics, geometric in rank down to the single largest (smallest) value: the code counts the
    edges that a value has passed, upwards positive, downwards negative, 0 in between. These are at most 201 distinct
    codes, so that each is a bin of its own.
    """

    def __init__(self, columns: int) -> None:
        self.columns = columns

    def fit(self, X: NDArray[Any], y: NDArray[Any] | None = None) -> Self:
        """`X` (n, at least `columns`) floats; missing values are NaN."""
        self.edges_ = []
        for column in range(self.columns):
            values = np.sort(X[:, column][np.isfinite(X[:, column])])
            lower, upper = -_upper_edges(-values[::-1])[::-1], _upper_edges(values)
            if len(lower) or len(upper):
                self.edges_.append((column, lower, upper))
        return self

    def transform(self, X: NDArray[Any]) -> NDArray[np.float64]:
        codes = [_codes(X[:, column], lower, upper) for column, lower, upper in self.edges_]
        return np.column_stack([X, *codes]) if codes else X


def _upper_edges(ascending: NDArray[Any]) -> NDArray[np.float64]:
    """The distinct edges of the upper tail, ascending; none where the tail is not extreme."""
    n = len(ascending)
    none = np.zeros(0)
    if np.count_nonzero(np.diff(ascending)) < MOST_BINS:
        return none  # each distinct value has a bin of its own anyway
    median, bin_edge = ascending[n // 2], ascending[min(n - 1, int(n * (1 - 1 / MOST_BINS)))]
    if not ascending[-1] - bin_edge > bin_edge - median:
        return none
    ranks = np.unique(np.geomspace(1, max(1, n * TAIL_SHARE), MOST_EDGES).astype(np.int64))
    edges = np.unique(ascending[n - ranks])
    # A value that most rows have is no tail.
    beyond: NDArray[np.float64] = edges[edges > median]
    return beyond


def _codes(values: NDArray[Any], lower: NDArray[np.float64], upper: NDArray[np.float64]) -> NDArray[np.float64]:
    passed = np.searchsorted(upper, values, side="right") - (len(lower) - np.searchsorted(lower, values, side="left"))
    return np.where(np.isnan(values), np.nan, passed)
