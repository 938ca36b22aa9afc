"""Parts of the validation rows that are worth a look of their own: days, amount bands, segments.

What lives here: which rows belong to which slice. What does not: what is measured on them (metrics.py).
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fraud_assets.learning.measuring.days import LabelledDays

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

DAY = "day"
AMOUNT_BAND = "amount_band"
MOST_VALUES = 20
MISSING = "(missing)"
OTHER = "(other)"
BAND_QUANTILES = (0.25, 0.5, 0.75, 0.95, 0.99)


@dataclass(frozen=True)
class Slice:
    """Some of the rows: `kind` ("day", "amount_band" or a segment's column) and `name` say which.

    `rows` is True for each row that belongs to it; `days` is over how many days "a day" is meant.
    """

    kind: str
    name: str
    rows: BoolArray
    days: int


def slices(
    rows: pd.DataFrame, labelled: LabelledDays, segments: Sequence[str], edges: Sequence[float]
) -> Iterator[Slice]:
    """The slices of the rows: each day, each amount band between `edges`, and each value of each segment's column.

    No slice is empty. Of a segment with more than `MOST_VALUES` values the most frequent are slices of their own, and
    the rest is one, `OTHER`; rows without a value are `MISSING`. A segment whose column is called like one of our own
    kinds is called "column day".
    """
    for number, day in enumerate(labelled.days):
        yield Slice(DAY, day, labelled.day == number, 1)
    days = len(labelled.days)
    band = np.searchsorted(np.asarray(edges, dtype=np.float64), labelled.amount, side="right")
    for number, name in enumerate(band_names(edges)):
        if (band == number).any():
            yield Slice(AMOUNT_BAND, name, band == number, days)
    for column in segments:
        kind = f"column {column}" if column in {DAY, AMOUNT_BAND} else column
        values = _few_values(rows[column])
        for value in sorted(values.unique()):
            yield Slice(kind, value, (values == value).to_numpy(dtype=np.bool_), days)


def band_edges(amounts: FloatArray) -> tuple[float, ...]:
    """Edges of amount bands for amounts of any currency: quartiles, .95 and .99 quantile, as 1, 2 or 5 times 10^n.

    Rounded so far, the edges are the same from day to day, and a band can be followed over time. At most five, fewer
    where quantiles fall together.
    """
    quantiles = np.quantile(amounts, BAND_QUANTILES) if len(amounts) else np.empty(0)
    positive = quantiles[quantiles > 0]
    return tuple(float(edge) for edge in np.unique([_one_two_five(value) for value in positive]))


def band_names(edges: Sequence[float]) -> list[str]:
    """ "below 20", "20 to 50", "50 and more": an edge belongs to the band above it."""
    if not edges:
        return ["all amounts"]
    written = [f"{edge:,.10g}" for edge in edges]
    between = [f"{low} to {high}" for low, high in itertools.pairwise(written)]
    return [f"below {written[0]}", *between, f"{written[-1]} and more"]


def _one_two_five(value: float) -> float:
    steps = [float(f"{digit}e{int(np.floor(np.log10(value))) + power}") for power in (0, 1) for digit in (1, 2, 5)]
    return min(steps, key=lambda step: abs(np.log(step / value)))


def _few_values(column: pd.Series) -> pd.Series:
    values = column.astype("str").fillna(MISSING)
    # By number of rows, then by name: the same values whatever the order of the rows.
    counts = values.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    return values if len(counts) <= MOST_VALUES else values.where(values.isin(counts.index[:MOST_VALUES]), OTHER)
