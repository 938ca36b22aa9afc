"""How long it takes until labels are known: whether the label delay that is set is the one that the data has.

What lives here: ages of labels in days. What does not: which label stands (labels.py).
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fraud_assets.learning.labels import known_labels, same_kind_of_ids

Int64Array = NDArray[np.int64]

MATURITY_DTYPES = {
    "age_days": "int64",
    "labels_known": "float64",
    "frauds_known": "float64",
    "transactions": "int64",
    "labels": "int64",
    "frauds": "int64",
}


def label_ages(
    transactions: pd.DataFrame, labels: pd.DataFrame, *, before: pd.Timestamp, timezone: str
) -> pd.DataFrame:
    """For each labelled transaction its last label known before `before`, and the age at which that became known.

    `transactions` has transaction_id and transaction_time. The result has transaction_id, label (int8) and age_days
    (int64): midnights of `timezone` between the transaction and the first label that says what the last one says. 0 is
    the same day; a label that is dated before its transaction counts as 0.
    """
    if transactions.empty or labels.empty:
        return pd.DataFrame({"transaction_id": [], "label": [], "age_days": []}).astype("int64")
    last = known_labels(labels, before)
    same_kind_of_ids(transactions, last)
    said = labels[["transaction_id", "label", "known_at"]].dropna().astype({"label": "int8"})
    agreeing = said.merge(last[["transaction_id", "label"]], on=["transaction_id", "label"])
    first = agreeing.groupby("transaction_id", as_index=False)["known_at"].min()
    known = transactions[["transaction_id", "transaction_time"]].merge(first, on="transaction_id")
    known = known.merge(last[["transaction_id", "label"]], on="transaction_id")
    days = (_day(known["known_at"], timezone) - _day(known["transaction_time"], timezone)).dt.days
    return known[["transaction_id", "label"]].assign(age_days=days.clip(lower=0).astype("int64"))


def label_maturity(
    transactions: pd.DataFrame, labels: pd.DataFrame, *, before: pd.Timestamp, timezone: str, oldest: int
) -> pd.DataFrame:
    """What was known of a cohort of transactions at each age from 0 to `oldest` days: one row is one age.

    Every transaction of the cohort should be at least `oldest` days old by `before`. Columns: age_days;
    labels_known, the share of the transactions that had a label by that age; frauds_known, the share of the frauds
    known by now that were known by that age (NaN without any); transactions, labels and frauds, how many there are in
    all (int64). The shares never fall, and the last of frauds_known is below 1 where frauds became known later still.
    """
    ages = np.arange(oldest + 1)
    known = label_ages(transactions, labels, before=before, timezone=timezone)
    of_labels = known["age_days"].to_numpy()
    of_frauds = known.loc[known["label"] == 1, "age_days"].to_numpy()
    return pd.DataFrame(
        {
            "age_days": ages,
            "labels_known": _shares(of_labels, ages, len(transactions)),
            "frauds_known": _shares(of_frauds, ages, len(of_frauds)),
            "transactions": len(transactions),
            "labels": len(of_labels),
            "frauds": len(of_frauds),
        }
    ).astype(MATURITY_DTYPES)


def age_of_share(maturity: pd.DataFrame, share: float) -> int | None:
    """The first age at which at least `share` of the frauds were known; None where that is at none of them."""
    enough = maturity.loc[maturity["frauds_known"] >= share, "age_days"]
    return int(enough.iloc[0]) if len(enough) else None


def _day(times: pd.Series, timezone: str) -> pd.Series:
    days: pd.Series = times.dt.tz_convert(timezone).dt.tz_localize(None).dt.normalize()
    return days


def _shares(found: Int64Array, ages: Int64Array, total: int) -> NDArray[np.float64]:
    if not total:
        return np.full(len(ages), np.nan)
    shares: NDArray[np.float64] = np.searchsorted(np.sort(found), ages, side="right") / total
    return shares
