"""Features are the handbook's, look only backwards, and are the same bits for one day or many."""

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraud_assets.learning import FeatureSpec, LearningError, compute_features
from fraud_assets_tests.learning.frames import SHARED_DATA, at, handbook

START = at("2024-05-01")
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SPEC = FeatureSpec(has_customer=True, has_terminal=True, label_delay=2 * DAY)

# Times in steps of six hours over 40 days meet each other and the edges of the windows often.
transaction = st.tuples(
    st.integers(0, 159), st.integers(0, 2), st.integers(0, 1), st.decimals(-50, 500, places=2, allow_nan=False)
)
transactions_drawn = st.lists(transaction, min_size=1, max_size=30)
labels_drawn = st.lists(st.tuples(st.integers(0, 29), st.integers(0, 1), st.integers(0, 180)), max_size=30)


def frames(rows: list[Any], labels: list[Any]) -> tuple[pd.DataFrame, pd.DataFrame]:
    transactions = pd.DataFrame(
        {
            "transaction_id": range(len(rows)),
            "transaction_time": pd.Series([START + 6 * HOUR * row[0] for row in rows], dtype="datetime64[us, UTC]"),
            "customer_id": [row[1] for row in rows],
            "terminal_id": [row[2] for row in rows],
            "amount": [float(row[3]) for row in rows],
        }
    )
    known = pd.DataFrame(
        {
            "transaction_id": pd.Series([label[0] for label in labels], dtype="int64"),
            "label": pd.Series([label[1] for label in labels], dtype="int8"),
            "known_at": pd.Series([START + 6 * HOUR * label[2] for label in labels], dtype="datetime64[us, UTC]"),
        }
    )
    return transactions, known


def computed(transactions: pd.DataFrame, labels: pd.DataFrame, spec: FeatureSpec = SPEC) -> pd.DataFrame:
    return compute_features(transactions, labels, spec, start=START, end=START + 40 * DAY)


def is_known_fraud(transaction_id: int, labels: pd.DataFrame, now: pd.Timestamp) -> bool:
    known = labels[(labels["transaction_id"] == transaction_id) & (labels["known_at"] <= now)]
    if known.empty:
        return False
    return bool(known.loc[known["known_at"] == known["known_at"].max(), "label"].max())


def by_hand(row: Any, transactions: pd.DataFrame, labels: pd.DataFrame) -> dict[str, float]:
    now = row.transaction_time
    times, counted = transactions["transaction_time"], transactions["amount"] >= 0
    expected = {}
    for days in (1, 7, 30):
        own = counted & (transactions["customer_id"] == row.customer_id) & (times > now - days * DAY) & (times <= now)
        amounts = transactions.loc[own, "amount"]
        expected[f"customer_transactions_{days}d"] = float(len(amounts))
        expected[f"customer_mean_amount_{days}d"] = float(amounts.mean()) if len(amounts) else np.nan
        then = now - SPEC.label_delay
        there = transactions[counted & (transactions["terminal_id"] == row.terminal_id) & (times > then - days * DAY)]
        count = int((there["transaction_time"] <= then).sum())
        before = there[there["transaction_time"] < then]
        frauds = sum(is_known_fraud(identifier, labels, now) for identifier in before["transaction_id"])
        expected[f"terminal_transactions_{days}d"] = float(count)
        expected[f"terminal_fraud_share_{days}d"] = frauds / count if count else 0.0
    return expected | habits_by_hand(row, transactions) | frauds_by_hand(row, transactions, labels)


def spent_before(customer: int, now: pd.Timestamp, days: int, transactions: pd.DataFrame) -> pd.DataFrame:
    times = transactions["transaction_time"]
    own = (transactions["amount"] >= 0) & (transactions["customer_id"] == customer)
    return transactions[own & (times > now - days * DAY) & (times < now)]


def ratio(amount: float, habit: float) -> float:
    return amount / habit if habit > 0 else np.nan


def habits_by_hand(row: Any, transactions: pd.DataFrame) -> dict[str, float]:
    now, customer = row.transaction_time, row.customer_id
    month = spent_before(customer, now, 30, transactions)
    typical = np.expm1(np.log1p(month["amount"]).mean())
    expected = {
        "amount_over_customer_mean_7d": ratio(
            row.amount, spent_before(customer, now, 7, transactions)["amount"].mean()
        ),
        "amount_over_customer_mean_30d": ratio(row.amount, month["amount"].mean()),
        "amount_over_customer_typical_30d": ratio(row.amount, typical),
        "customer_seconds_since_last": (now - month["transaction_time"].max()).total_seconds(),
        "is_new_terminal": float(row.terminal_id not in set(month["terminal_id"])),
    }
    for days in (1, 3, 7, 14):
        earlier = spent_before(customer, now, days, transactions)
        expected[f"customer_large_amounts_{days}d"] = sum(
            ratio(amount, spent_before(customer, at_that_time, 30, transactions)["amount"].mean()) >= 3
            for at_that_time, amount in zip(earlier["transaction_time"], earlier["amount"], strict=True)
        )
    return expected


def frauds_by_hand(row: Any, transactions: pd.DataFrame, labels: pd.DataFrame) -> dict[str, float]:
    now, then = row.transaction_time, row.transaction_time - SPEC.label_delay
    expected: dict[str, float] = {}
    for whose in ("customer", "terminal"):
        own = transactions[transactions[f"{whose}_id"] == getattr(row, f"{whose}_id")]
        own = own[(own["amount"] >= 0) & (own["transaction_time"] < then)]
        known = [identifier for identifier in own["transaction_id"] if is_known_fraud(identifier, labels, now)]
        frauds = own[own["transaction_id"].isin(known)]
        for days in (1, 7, 14, 30):
            expected[f"{whose}_frauds_{days}d"] = int((frauds["transaction_time"] > then - days * DAY).sum())
    recent = frauds.loc[frauds["transaction_time"] > then - 30 * DAY, "transaction_time"]
    expected["terminal_days_since_first_fraud"] = (now - recent.min()) / DAY if len(recent) else np.nan
    expected["terminal_days_since_last_fraud"] = (now - recent.max()) / DAY if len(recent) else np.nan
    there = transactions[(transactions["terminal_id"] == row.terminal_id) & (transactions["amount"] >= 0)]
    since = (there["transaction_time"] > recent.max()) & (there["transaction_time"] <= then)
    expected["terminal_transactions_since_last_fraud"] = int(since.sum()) if len(recent) else np.nan
    return expected


@given(st.lists(transaction, min_size=1, max_size=15), labels_drawn)
@settings(max_examples=25, deadline=None)
def test_windows_are_those_computed_by_hand(rows: list[Any], drawn: list[Any]) -> None:
    transactions, labels = frames(rows, drawn)
    features = computed(transactions.sample(frac=1, random_state=1), labels)
    assert list(features.columns) == list(SPEC.columns)
    assert len(features) == len(transactions)
    for row in features.itertuples():
        for name, value in by_hand(row, transactions, labels).items():
            # Logarithms are summed in millionths; all else is exact to the last bits.
            precision = 1e-5 if "typical" in name else 1e-12
            assert getattr(row, name) == pytest.approx(value, rel=precision, nan_ok=True), name


@given(transactions_drawn, labels_drawn, st.integers(0, 39), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_a_day_alone_has_the_same_bits_as_in_a_range(rows: list[Any], drawn: list[Any], day: int, days: int) -> None:
    transactions, labels = frames(rows, drawn)
    start, end = START + day * DAY, START + (day + days) * DAY
    times = transactions["transaction_time"]
    seen = transactions[(times >= start - SPEC.history) & (times < end)]
    alone = compute_features(seen, labels[labels["known_at"] < end], SPEC, start=start, end=end)
    together = computed(transactions, labels)
    inside = (together["transaction_time"] >= start) & (together["transaction_time"] < end)
    pd.testing.assert_frame_equal(alone, together[inside].reset_index(drop=True), check_exact=True)


@given(transactions_drawn, labels_drawn, st.integers(0, 159))
@settings(max_examples=40, deadline=None)
def test_nothing_later_changes_a_row(rows: list[Any], drawn: list[Any], horizon: int) -> None:
    now = START + 6 * HOUR * horizon
    transactions, labels = frames(rows, drawn)
    features = computed(transactions, labels)
    later = transactions["transaction_time"] > now
    changed = transactions.assign(
        amount=transactions["amount"].where(~later, 9_999.0), terminal_id=transactions["terminal_id"].where(~later, 7)
    )
    flipped = labels.assign(label=labels["label"].where(labels["known_at"] <= now, 1 - labels["label"]))
    again = computed(changed, flipped)
    past = features["transaction_time"] <= now
    pd.testing.assert_frame_equal(features[past], again[past], check_exact=True)


def test_text_ids_give_the_same_features_as_numbers() -> None:
    rng = np.random.default_rng(3)
    rows = [(int(t), int(c), int(s), round(float(a), 2)) for t, c, s, a in rng.uniform(0, [160, 3, 2, 300], (60, 4))]
    transactions, labels = frames(rows, [(i, 1, i * 2) for i in range(0, 60, 4)])
    text = dict.fromkeys(("transaction_id", "customer_id", "terminal_id"), "str")
    padded = transactions.assign(transaction_id=transactions["transaction_id"].astype("str").str.zfill(3))
    named = labels.assign(transaction_id=labels["transaction_id"].astype("str").str.zfill(3))
    names = list(SPEC.names)
    pd.testing.assert_frame_equal(
        computed(padded.astype(text), named)[names], computed(transactions, labels)[names], check_exact=True
    )


def test_a_correction_counts_from_the_moment_it_is_known() -> None:
    transactions, _ = frames([(0, 0, 0, 10), (12, 1, 0, 10), (16, 1, 0, 10), (20, 1, 0, 10)], [])
    labels = frames([], [(0, 1, 9), (0, 0, 16)])[1]
    shares = computed(transactions, labels)["terminal_fraud_share_30d"]
    assert shares.tolist() == [0.0, 1.0, 0.0, 0.0]


def test_refunds_and_declined_transactions_are_kept_but_not_learned_from() -> None:
    transactions, labels = frames([(0, 0, 0, 30), (1, 0, 0, -500), (2, 0, 0, 50), (3, 1, 1, -5)], [])
    transactions["outcome"] = ["approved", None, " DECLINED", "approved"]
    spec = FeatureSpec(has_customer=True, has_terminal=False, declined_outcomes=("declined",))
    features = computed(transactions, labels, spec)
    assert features["is_learnable"].tolist() == [True, False, False, False]
    assert features["customer_transactions_1d"].tolist() == [1, 1, 2, 0]
    assert features["customer_mean_amount_1d"].tolist()[:3] == [30, 30, 40]
    assert np.isnan(features["customer_mean_amount_1d"].iloc[3])


def test_a_missing_customer_is_nobody_and_not_one_person() -> None:
    transactions, labels = frames([(0, 0, 0, 30), (1, 0, 0, 50)], [])
    transactions["customer_id"] = pd.Series([np.nan, np.nan], dtype="str")
    features = computed(transactions, labels, FeatureSpec(has_customer=True, has_terminal=False))
    assert features.filter(like="customer_transactions").isna().all(axis=None)


def test_weekend_and_night_are_local() -> None:
    transactions, labels = frames([(0, 0, 0, 1)], [])
    transactions["transaction_time"] = pd.Series([at("2024-05-03 22:30")])  # a Friday in UTC
    spec = FeatureSpec(has_customer=False, has_terminal=False, timezone="Europe/Berlin")
    (row,) = computed(transactions, labels, spec).to_dict("records")
    assert (row["is_weekend"], row["is_night"], row["hour_of_day"]) == (1, 1, 0.5)
    (row,) = computed(transactions, labels, FeatureSpec(has_customer=False, has_terminal=False)).to_dict("records")
    assert (row["is_weekend"], row["is_night"], row["hour_of_day"]) == (0, 0, 22.5)


def test_the_sources_own_columns_pass_through() -> None:
    transactions, labels = frames([(0, 0, 0, 1), (1, 0, 0, 2)], [])
    transactions = transactions.assign(
        v1=[1, 2], channel=pd.Series(["web", np.nan], dtype="str"), region=["north", "south"]
    )
    spec = FeatureSpec(
        has_customer=False,
        has_terminal=False,
        numeric=("v1",),
        categorical=("channel",),
        segments=("region", "channel"),
    )
    features = computed(transactions, labels, spec)
    assert spec.names == ("amount", "is_weekend", "is_night", "hour_of_day", "v1", "channel")
    assert list(features.columns)[:5] == ["transaction_id", "transaction_time", "is_learnable", "region", "channel"]
    assert features["v1"].dtype == "float64"
    assert features["channel"].isna().tolist() == [False, True]


def test_a_day_without_transactions_has_the_columns_and_types_of_any_other() -> None:
    transactions, labels = frames([(0, 0, 0, 1)], [])
    empty = computed(transactions.iloc[:0], labels)
    assert len(empty) == 0
    pd.testing.assert_series_equal(empty.dtypes, computed(transactions, labels).dtypes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"transaction_time": pd.Series([pd.Timestamp("2024-05-01")])}, "no time zone"),
        ({"amount": [np.nan]}, "1 of 1 transactions have no finite amount"),
        ({"transaction_id": ["a"]}, "Transaction ids are"),
    ],
)
def test_input_that_cannot_be_used_is_refused(change: dict[str, Any], message: str) -> None:
    transactions, labels = frames([(0, 0, 0, 1)], [(0, 1, 0)])
    with pytest.raises(LearningError, match=message):
        computed(transactions.assign(**change), labels)


def test_a_missing_column_is_named() -> None:
    transactions, labels = frames([(0, 0, 0, 1)], [])
    with pytest.raises(LearningError, match="no column 'terminal_id'"):
        computed(transactions.drop(columns="terminal_id"), labels)


def test_two_features_of_one_name_are_refused() -> None:
    with pytest.raises(LearningError, match="'is_night'"):
        FeatureSpec(has_customer=False, has_terminal=False, numeric=("is_night",))


def test_history_is_what_the_windows_need() -> None:
    assert SPEC.history == timedelta(days=44)
    late = timedelta(days=30)
    assert FeatureSpec(has_customer=False, has_terminal=True, label_delay=late).history == timedelta(days=60)
    assert FeatureSpec(has_customer=True, has_terminal=False, label_delay=late).history == timedelta(days=60)
    assert FeatureSpec(has_customer=False, has_terminal=False).history == timedelta(0)


@pytest.mark.skipif(not (SHARED_DATA / "handbook").is_dir(), reason="needs the handbook's days in shared/data")
def test_a_real_customer_has_the_windows_of_pandas() -> None:
    transactions, labels = handbook("2018-05-20", "2018-06-28")
    customer = transactions.groupby("customer_id").size().idxmax()
    spec = FeatureSpec(has_customer=True, has_terminal=False)
    features = compute_features(transactions, labels, spec, start=at("2018-06-21"), end=at("2018-06-29"))
    ours = features[features["customer_id"] == customer].set_index("transaction_time")
    own = transactions[transactions["customer_id"] == customer].set_index("transaction_time")["amount"].sort_index()
    assert len(ours) > 20
    for days in (1, 7, 30):
        rolling = own.rolling(f"{days}D").agg(["count", "mean"]).loc[ours.index]
        np.testing.assert_array_equal(ours[f"customer_transactions_{days}d"], rolling["count"])
        np.testing.assert_allclose(ours[f"customer_mean_amount_{days}d"], rolling["mean"], rtol=1e-9)
