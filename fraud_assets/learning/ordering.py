"""The one order of rows: by transaction_time, and by transaction_id where times are equal."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

BY = ["transaction_time", "transaction_id"]


def time_order(rows: pd.DataFrame) -> NDArray[np.intp]:
    """The positions of the rows in that order, without a copy of more than the two columns."""
    order: NDArray[np.intp] = rows[BY].reset_index(drop=True).sort_values(BY).index.to_numpy()
    return order


def taken(rows: pd.DataFrame, places: NDArray[np.intp]) -> pd.DataFrame:
    """The rows at these positions, numbered anew; not copied where those are all of them, as they are."""
    is_as_it_was = np.array_equal(places, np.arange(len(rows)))
    return (rows if is_as_it_was else rows.take(places)).reset_index(drop=True)
