"""The labelled rows of one training window as every fit sees them.

What lives here: rows in time order as a matrix, and what makes them unfit to learn from. What does not: fitting.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fraud_assets.learning.errors import LearningError
from fraud_assets.learning.fitting.families import Recipe
from fraud_assets.learning.fitting.models import ColumnEncoder, Matrix
from fraud_assets.learning.fitting.results import SearchResult
from fraud_assets.learning.ordering import time_order


@dataclass(frozen=True)
class Window:
    """A window's matrix (rows, features), its labels (rows,) of 0 and 1 and its times, all in time order.

    `dropped` are the features that are not in the matrix.
    """

    encoder: ColumnEncoder
    X: Matrix
    y: NDArray[np.int8]
    times: pd.Series
    dropped: tuple[str, ...] = ()

    @classmethod
    def whole(cls, rows: pd.DataFrame, features: tuple[str, ...], categorical: tuple[str, ...]) -> "Window":
        """The window with all of the features. Raises `LearningError` for rows of one class, or a missing feature."""
        check_both_classes(rows)
        # Positions instead of sorted rows: a second copy of a long window's frame would be the largest object there is.
        order = time_order(rows)
        encoder = ColumnEncoder.from_rows(rows, features, categorical)
        return cls(
            encoder=encoder,
            X=encoder.matrix(rows, order),
            y=rows["label"].to_numpy(dtype=np.int8)[order],
            times=rows["transaction_time"].iloc[order].reset_index(drop=True),
        )

    def without_constants(self) -> "Window":
        """The window without the features that have one value, or none, throughout.

        Raises `LearningError` when that is all of them.
        """
        first = self.X[0]
        varies = np.where(np.isnan(first), ~np.isnan(self.X).all(axis=0), (first != self.X).any(axis=0))
        if varies.all():
            return self
        if not varies.any():
            raise LearningError(
                f"Each of the {len(varies)} features has one value throughout the {len(self.y):,} labelled "
                "transactions, so there is nothing to learn from; check the source's columns."
            )
        dropped = tuple(name for name, kept in zip(self.encoder.features, varies, strict=True) if not kept)
        return replace(self, encoder=self.encoder.without(dropped), X=self.X[:, varies], dropped=dropped)

    def recipe(self, family: str, result: SearchResult) -> Recipe:
        """The family with what a search has found, on this window's features."""
        return Recipe(family, dict(result.parameters), self.encoder.features, tuple(self.encoder.categories))


def check_both_classes(rows: pd.DataFrame) -> None:
    """Raise `LearningError` unless the rows have at least one fraud and one genuine transaction."""
    if rows.empty:
        raise LearningError(
            "The training window has no labelled transactions; load earlier days, or wait until labels are known."
        )
    frauds = int(rows["label"].sum())
    if frauds and frauds < len(rows):
        return
    first, last = rows["transaction_time"].min(), rows["transaction_time"].max()
    lacking = "is a fraud" if frauds == 0 else "is genuine"
    raise LearningError(
        f"None of the {len(rows):,} labelled transactions from {first} to {last} {lacking}, so there is nothing to "
        "tell apart; take a longer training window (training_days), or check that the labels arrive."
    )
