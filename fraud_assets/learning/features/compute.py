"""The features of a day's transactions: those of the Fraud Detection Handbook, more like them, and the source's own.

What lives here: from frames to a frame. What does not: which features there are (spec.py), and the arithmetic of
habits, frauds and windows.
"""

import numpy as np
import pandas as pd

from fraud_assets.learning.errors import LearningError
from fraud_assets.learning.features.frauds import KNOWN_FRAUD_READS, KnownFrauds, microseconds
from fraud_assets.learning.features.habits import (
    CUSTOMER_READS,
    NEW_PAIR_READS,
    Transactions,
    as_transactions,
    customer_features,
    is_new_pair,
)
from fraud_assets.learning.features.reads import Reads
from fraud_assets.learning.features.spec import FeatureSpec, customer_names, fraud_names
from fraud_assets.learning.features.terminals import TERMINAL_READS, fraud_counts, terminal_features
from fraud_assets.learning.features.windows import FloatArray, GroupedEvents, Int64Array

LAST_NIGHT_HOUR = 6
SATURDAY = 5

_MICROSECOND = np.timedelta64(1, "us")


def compute_features(
    transactions: pd.DataFrame, labels: pd.DataFrame, spec: FeatureSpec, *, start: pd.Timestamp, end: pd.Timestamp
) -> pd.DataFrame:
    """The features of the transactions in [start, end), sorted by transaction_time and transaction_id.

    `transactions` are raw rows in any order, covering [start - spec.history, end) as far as it exists; `labels` has
    transaction_id, label (0/1) and known_at. Windows are those of the handbook, chapter 3 "Baseline feature
    transformation": customers over (t-w, t], this transaction included; terminals over (t-d-w, t-d] with the label
    delay d, where frauds are of transactions strictly before t-d and only by labels with known_at <= t. A row depends
    on nothing after its own time, and is the same bits however many days are computed at once.

    Counts and means are over transactions that are no refunds (amount < 0), and missing (NaN) where the customer or
    terminal is missing, or where there is nothing to take a mean of. Flags are int8, other numbers float64,
    categories and segments strings. Raises `LearningError` for a missing column, naive times or missing amounts.
    """
    _check(transactions, spec)
    times = transactions["transaction_time"].dt.tz_convert("UTC").dt.as_unit("us")
    everything = transactions.assign(transaction_time=times).reset_index(drop=True)
    times = everything["transaction_time"]
    wanted = everything[(times >= start) & (times < end)].sort_values(["transaction_time", "transaction_id"])
    columns: dict[str, pd.Series | FloatArray] = {name: wanted[name] for name in spec.identifiers}
    columns["is_learnable"] = is_learnable(wanted, spec)
    columns |= {name: wanted[name].astype("str") for name in (*spec.segments, *spec.categorical)}
    columns |= {name: wanted[name].astype("float64") for name in ("amount", *spec.numeric)}
    columns |= _time_features(wanted, spec)
    columns |= _window_features(everything, wanted, labels, spec)
    return pd.DataFrame({name: columns[name] for name in spec.columns}).reset_index(drop=True)


def feature_reads(spec: FeatureSpec) -> dict[str, Reads]:
    """What decides each column of `compute_features`, by its name: columns of `transactions`, columns of `labels`."""
    own = (*spec.identifiers, *spec.segments, *spec.categorical, "amount", *spec.numeric)
    time = dict.fromkeys(("is_weekend", "is_night", "hour_of_day"), Reads.of("transaction_time"))
    customer = dict.fromkeys(customer_names(), CUSTOMER_READS)
    frauds = dict.fromkeys(fraud_names("customer"), CUSTOMER_READS | KNOWN_FRAUD_READS)
    both = {"is_new_terminal": NEW_PAIR_READS}
    outcome = ("outcome",) if spec.declined_outcomes else ()
    learnable = {"is_learnable": Reads.of("amount", *outcome)}
    known = {name: Reads.of(name) for name in own} | learnable | time | customer | frauds | dict(TERMINAL_READS) | both
    return {name: known[name] for name in spec.columns}


def _check(transactions: pd.DataFrame, spec: FeatureSpec) -> None:
    needed = {*spec.identifiers, "amount", *spec.numeric, *spec.categorical, *spec.segments}
    missing = sorted(needed - set(transactions.columns))
    if missing:
        raise LearningError(f"The transactions have no column {missing[0]!r}; check the column roles of the source.")
    if not isinstance(transactions["transaction_time"].dtype, pd.DatetimeTZDtype):
        raise LearningError("The column 'transaction_time' has no time zone; give the source's timestamps one.")
    unknown = int((~np.isfinite(transactions["amount"].to_numpy(dtype="float64", na_value=np.nan))).sum())
    if unknown:
        raise LearningError(
            f"{unknown} of {len(transactions)} transactions have no finite amount; the source must reject such rows."
        )


def is_learnable(rows: pd.DataFrame, spec: FeatureSpec) -> pd.Series:
    """Which transactions are learned from and measured on: neither refunds nor declined. `rows` as they came."""
    learnable = rows["amount"] >= 0
    if spec.declined_outcomes and "outcome" in rows:
        declined = {outcome.casefold() for outcome in spec.declined_outcomes}
        learnable &= ~rows["outcome"].astype("str").str.strip().str.casefold().isin(declined)
    return learnable.astype("bool")


def _time_features(rows: pd.DataFrame, spec: FeatureSpec) -> dict[str, pd.Series]:
    local = rows["transaction_time"].dt.tz_convert(spec.timezone).dt
    features = {
        "is_weekend": (local.day_of_week >= SATURDAY).astype("int8"),
        "is_night": (local.hour <= LAST_NIGHT_HOUR).astype("int8"),
    }
    if "hour_of_day" in spec.names:
        features["hour_of_day"] = local.hour + local.minute / 60 + local.second / 3600
    return features


def _window_features(
    everything: pd.DataFrame, wanted: pd.DataFrame, labels: pd.DataFrame, spec: FeatureSpec
) -> dict[str, FloatArray]:
    times = microseconds(everything["transaction_time"])
    places = wanted.index.to_numpy()
    delay = np.int64(spec.label_delay // _MICROSECOND.item())
    features: dict[str, FloatArray] = {}

    def both(groups: Int64Array) -> tuple[Transactions, Transactions]:
        return (
            as_transactions(everything, groups, times),
            as_transactions(wanted, groups[places], times[places]),
        )

    if spec.has_customer:
        customers = _codes(everything["customer_id"])
        all_of_customers, rows = both(customers)
        features |= customer_features(all_of_customers, rows)
        features |= fraud_counts("customer", rows, _known_frauds(everything, customers, labels), delay)
    if spec.has_terminal:
        terminals = _codes(everything["terminal_id"])
        all_of_terminals, rows = both(terminals)
        features |= terminal_features(all_of_terminals, rows, _known_frauds(everything, terminals, labels), delay)
    if spec.has_customer and spec.has_terminal:
        pairs = _codes_of_pairs(customers, terminals)
        counted = both(pairs)[0].counted
        features["is_new_terminal"] = is_new_pair(
            GroupedEvents(counted.groups, counted.times), pairs[places], times[places]
        )
    return features


def _known_frauds(transactions: pd.DataFrame, groups: Int64Array, labels: pd.DataFrame) -> KnownFrauds:
    """Frauds by group. A refund is no fraud, whatever its label says: it is not learned from."""
    counted = np.where(transactions["amount"].to_numpy(dtype=np.float64) >= 0, groups, np.int64(-1))
    return KnownFrauds.of(transactions, counted, labels)


def _codes(ids: pd.Series) -> Int64Array:
    """A code for each distinct id; -1 where it is missing."""
    codes: Int64Array = pd.factorize(ids)[0].astype(np.int64)
    return codes


def _codes_of_pairs(first: Int64Array, second: Int64Array) -> Int64Array:
    """A code for each distinct pair of codes; -1 where either is missing."""
    width = np.int64(second.max() + 1) if len(second) else np.int64(1)
    pairs = np.where((first >= 0) & (second >= 0), first * width + second, np.int64(-1))
    compact, codes = np.unique(pairs, return_inverse=True)
    # The missing pair sorts first, so that codes of real ones follow it.
    shift = np.int64(1) if len(compact) and compact[0] < 0 else np.int64(0)
    return codes.astype(np.int64) - shift
