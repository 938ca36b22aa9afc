"""Scores that rank nothing, whatever the labels say: what makes them so, in words.

What does not live here: scores that rank wrongly, which only labels can tell (`choose_winner` in metrics.py).
"""

import numpy as np
from numpy.typing import NDArray

MOST_AT_TOP = 0.5
LEAST_SPREAD = 1e-6


def degeneracy(scores: NDArray[np.float64]) -> str | None:
    """Why scores cannot be used to rank transactions; None for scores that can, and for none at all.

    Degenerate are scores that are not all finite; that differ by less than a millionth of the largest, as rounding
    errors do; and those whose highest value is shared by more than half of the transactions.
    """
    if len(scores) == 0:
        return None
    lost = int((~np.isfinite(scores)).sum())
    if lost:
        return f"{lost:,} of {len(scores):,} scores are not finite"
    highest = scores.max()
    if np.ptp(scores) <= LEAST_SPREAD * np.abs(scores).max():
        return f"all scores are {highest:.4g}"
    at_top = float((scores == highest).mean())
    return f"{at_top:.1%} of the transactions share the highest score" if at_top > MOST_AT_TOP else None
