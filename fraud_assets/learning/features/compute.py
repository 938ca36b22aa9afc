"""What a model sees of a transaction: the features of the Fraud Detection Handbook, and the source's own columns.

What lives here: which features there are and how each is computed. What does not: the arithmetic of windows
(windows.py), and scaling, imputing or encoding, which are fitted and therefore belong to a family's pipeline.
"""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from fraud_assets.learning.errors import LearningError
from fraud_assets.learning.features.windows import GroupedEvents, Int64Array, active_at
from fraud_assets.learning.labels import label_periods, same_kind_of_ids

WINDOW_DAYS = (1, 7, 30)
LAST_NIGHT_HOUR = 6
SATURDAY = 5

# Amounts are summed as integers in units of 1/10,000, so that a sum does not depend on the order of its terms.
AMOUNT_UNITS = 10_000
LARGEST_SUMMED_AMOUNT = 1e12

_DAY = np.int64(86_400_000_000)
_MICROSECOND = np.timedelta64(1, "us")


@dataclass(frozen=True)
class FeatureSpec:
    """What a source's transactions offer to learn from, and when its labels are expected.

    `numeric`, `categorical` and `segments` are the source's own columns; `label_delay` shifts the terminal's windows.
    Raises `LearningError` when two features would have the same name.
    """

    has_customer: bool
    has_terminal: bool
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    label_delay: timedelta = timedelta(days=7)
    timezone: str = "UTC"
    declined_outcomes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        taken = [*self.identifiers, "is_learnable", "label", *self.names]
        twice = sorted({name for name in taken if taken.count(name) > 1})
        if twice:
            raise LearningError(f"Two features would be called {twice[0]!r}; rename the source's column of that name.")

    @property
    def names(self) -> tuple[str, ...]:
        """The model's input columns, in order."""
        time = ("is_weekend", "is_night") if self._has_windows else ("is_weekend", "is_night", "hour_of_day")
        customer = tuple(
            name for w in WINDOW_DAYS for name in (f"customer_transactions_{w}d", f"customer_mean_amount_{w}d")
        )
        terminal = tuple(
            name for w in WINDOW_DAYS for name in (f"terminal_transactions_{w}d", f"terminal_fraud_share_{w}d")
        )
        windows = (customer if self.has_customer else ()) + (terminal if self.has_terminal else ())
        return ("amount", *time, *windows, *self.numeric, *self.categorical)

    @property
    def identifiers(self) -> tuple[str, ...]:
        """The columns that say which transaction a row is."""
        customer = ("customer_id",) if self.has_customer else ()
        terminal = ("terminal_id",) if self.has_terminal else ()
        return ("transaction_id", "transaction_time", *customer, *terminal)

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of the computed frame, in order; a segment that is also something else stands there once."""
        return tuple(dict.fromkeys((*self.identifiers, "is_learnable", *self.segments, *self.names)))

    @property
    def history(self) -> timedelta:
        """How far before the first transaction of interest the windows reach."""
        longest = timedelta(days=max(WINDOW_DAYS))
        if self.has_terminal:
            return longest + self.label_delay
        return longest if self.has_customer else timedelta(0)

    @property
    def _has_windows(self) -> bool:
        return self.has_customer or self.has_terminal


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
    columns: dict[str, pd.Series] = {name: wanted[name] for name in spec.identifiers}
    columns["is_learnable"] = _is_learnable(wanted, spec)
    columns |= {name: wanted[name].astype("str") for name in (*spec.segments, *spec.categorical)}
    columns |= {name: wanted[name].astype("float64") for name in ("amount", *spec.numeric)}
    columns |= _time_features(wanted, spec)
    if spec.has_customer:
        columns |= _customer_features(everything, wanted)
    if spec.has_terminal:
        columns |= _terminal_features(everything, wanted, labels, spec)
    return pd.DataFrame({name: columns[name] for name in spec.columns}).reset_index(drop=True)


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


def _is_learnable(rows: pd.DataFrame, spec: FeatureSpec) -> pd.Series:
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


def _customer_features(everything: pd.DataFrame, wanted: pd.DataFrame) -> dict[str, pd.Series]:
    groups, counted = _groups(everything, "customer_id")
    own = groups.loc[wanted.index].to_numpy()
    now = _microseconds(wanted["transaction_time"])
    spent = everything.loc[counted, "amount"].to_numpy(dtype="float64").clip(max=LARGEST_SUMMED_AMOUNT)
    events = GroupedEvents(
        groups[counted].to_numpy(),
        _microseconds(everything.loc[counted, "transaction_time"]),
        np.rint(spent * AMOUNT_UNITS).astype(np.int64),
    )
    until_now = events.until(own, now)
    features = {}
    for days in WINDOW_DAYS:
        window = until_now.since(events.until(own, now - days * _DAY))
        count = np.where(own >= 0, window.count, np.nan)
        mean = np.full(len(count), np.nan)
        np.divide(window.total, count * AMOUNT_UNITS, out=mean, where=count > 0)
        features[f"customer_transactions_{days}d"] = pd.Series(count, wanted.index)
        features[f"customer_mean_amount_{days}d"] = pd.Series(mean, wanted.index)
    return features


def _terminal_features(
    everything: pd.DataFrame, wanted: pd.DataFrame, labels: pd.DataFrame, spec: FeatureSpec
) -> dict[str, pd.Series]:
    groups, counted = _groups(everything, "terminal_id")
    own = groups.loc[wanted.index].to_numpy()
    now = _microseconds(wanted["transaction_time"])
    delay = np.int64(spec.label_delay // _MICROSECOND.item())
    events = GroupedEvents(groups[counted].to_numpy(), _microseconds(everything.loc[counted, "transaction_time"]))
    until_delay = events.until(own, now - delay)
    frauds = _frauds(everything.assign(terminal=groups)[counted], labels)
    fraud_groups = frauds["terminal"].to_numpy(dtype=np.int64)
    happened = _microseconds(frauds["transaction_time"])
    known = _microseconds(frauds["known_at"])
    superseded = _microseconds(frauds["superseded_at"])
    features = {}
    for days in WINDOW_DAYS:
        count = until_delay.since(events.until(own, now - delay - days * _DAY)).count
        # A fraud counts while it is inside the window, open at both ends, and its label is known and still stands.
        active = active_at(
            np.maximum(happened + delay + 1, known),
            np.minimum(happened + delay + days * _DAY, superseded),
            fraud_groups,
            at_groups=own,
            at_times=now,
        )
        share = np.divide(active, count, out=np.zeros(len(count)), where=count > 0)
        features[f"terminal_transactions_{days}d"] = pd.Series(np.where(own >= 0, count, np.nan), wanted.index)
        features[f"terminal_fraud_share_{days}d"] = pd.Series(np.where(own >= 0, share, np.nan), wanted.index)
    return features


def _groups(rows: pd.DataFrame, column: str) -> tuple[pd.Series, pd.Series]:
    """A code for each row's group (-1: missing), and which rows count towards it."""
    codes = pd.Series(pd.factorize(rows[column])[0].astype(np.int64), rows.index)
    return codes, (codes >= 0) & (rows["amount"] >= 0)


def _frauds(transactions: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """The fraud labels of these transactions, each with the period over which it stands."""
    periods = label_periods(labels)
    frauds = periods[periods["label"] == 1]
    same_kind_of_ids(transactions, frauds)
    return frauds.merge(transactions[["transaction_id", "transaction_time", "terminal"]], on="transaction_id")


def _microseconds(times: pd.Series) -> Int64Array:
    microseconds: Int64Array = times.dt.as_unit("us").to_numpy(dtype="datetime64[us]").astype(np.int64)
    return microseconds
