"""What was known about which transaction, and when.

What lives here: the rule that a label counts from `known_at` on, until a later one supersedes it, and that a
transaction without a known label is neither fraud nor genuine. What does not: where labels come from.
"""

import numpy as np
import pandas as pd

from fraud_assets.learning.errors import LearningError
from fraud_assets.learning.ordering import BY, taken, time_order

NEVER = pd.Timestamp("2262-01-01", tz="UTC")


def label_periods(labels: pd.DataFrame) -> pd.DataFrame:
    """Each label with the period [known_at, superseded_at) over which it is the last word on its transaction.

    Columns transaction_id, label (int8), known_at and superseded_at (timestamp[us, UTC]), sorted by transaction and
    time. Of two labels known at the same instant the fraud stands, so that the order of the rows means nothing.
    Raises `LearningError` when `known_at` has no time zone.
    """
    if labels.empty:
        labels = labels.astype({"known_at": "datetime64[us, UTC]"})
    if not isinstance(labels["known_at"].dtype, pd.DatetimeTZDtype):
        raise LearningError("The column 'known_at' of the labels has no time zone; give the label feed one.")
    known = labels[["transaction_id", "label", "known_at"]].dropna()
    known = known.assign(
        label=known["label"].astype("int8"), known_at=known["known_at"].dt.tz_convert("UTC").dt.as_unit("us")
    ).sort_values(["transaction_id", "known_at", "label"], ignore_index=True)
    following = known["known_at"].shift(-1)
    same = known["transaction_id"].eq(known["transaction_id"].shift(-1)).fillna(value=False)
    superseded = following.where(same.astype("bool"), NEVER).astype(known["known_at"].dtype)
    return known.assign(superseded_at=superseded)


def known_labels(labels: pd.DataFrame, before: pd.Timestamp) -> pd.DataFrame:
    """The last label of each transaction that was known strictly before `before`: one row a transaction.

    Columns transaction_id, label (int8) and known_at, sorted by transaction.
    """
    periods = label_periods(labels)
    standing = (periods["known_at"] < before) & (periods["superseded_at"] >= before)
    return periods.loc[standing, ["transaction_id", "label", "known_at"]].reset_index(drop=True)


def learnable_rows(features: pd.DataFrame, labels: pd.DataFrame, before: pd.Timestamp) -> pd.DataFrame:
    """The rows to learn from or to measure on: learnable, and with a label known strictly before `before`.

    The columns of `features` and `label` (int8), sorted by transaction_time and transaction_id. A row whose label is
    not known is left out: unknown is not genuine. Raises `LearningError` when the two frames' ids cannot be compared.
    """
    known = known_labels(labels, before)
    same_kind_of_ids(features, known)
    label = features["transaction_id"].map(known.set_index("transaction_id")["label"].astype("float32"))
    learned = (features["is_learnable"].astype("bool") & label.notna()).to_numpy()
    places = np.flatnonzero(learned)
    places = places[time_order(features[BY].iloc[places])]
    # The frame is the largest there is: one copy of the rows in their order, and none where all are in order already.
    rows = taken(features, places)
    return rows.assign(label=label.to_numpy()[places].astype("int8"))


def same_kind_of_ids(transactions: pd.DataFrame, labels: pd.DataFrame) -> None:
    """Raise `LearningError` when one frame's ids are numbers and the other's are text."""
    if transactions.empty or labels.empty:
        return
    numeric = [pd.api.types.is_numeric_dtype(frame["transaction_id"]) for frame in (transactions, labels)]
    if numeric[0] != numeric[1]:
        raise LearningError(
            f"Transaction ids are {transactions['transaction_id'].dtype} in the transactions and "
            f"{labels['transaction_id'].dtype} in the labels; let the source and the label feed write them alike."
        )
