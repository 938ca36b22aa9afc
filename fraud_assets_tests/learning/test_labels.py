"""A label counts once it is known, until a later one supersedes it; what is not known is not genuine."""

import pandas as pd
import pytest

from fraud_assets.learning import LearningError, known_labels, learnable_rows
from fraud_assets_tests.learning.frames import at


def labels(*rows: tuple[int, int, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "transaction_id": [row[0] for row in rows],
            "label": pd.array([row[1] for row in rows], dtype="Int8"),
            "known_at": pd.Series([at(row[2]) for row in rows], dtype="datetime64[us, UTC]"),
            "kind": "chargeback",
        }
    )


def features(*learnable: bool) -> pd.DataFrame:
    times = [at("2024-01-01") + pd.Timedelta(hours=hour) for hour in range(len(learnable))]
    return pd.DataFrame(
        {"transaction_id": range(len(learnable)), "transaction_time": times, "is_learnable": list(learnable)}
    ).iloc[::-1]


def test_the_last_label_known_strictly_before_counts() -> None:
    feed = labels((1, 1, "2024-01-03"), (1, 0, "2024-01-05"), (2, 0, "2024-01-04"))
    assert known_labels(feed, at("2024-01-03")).empty
    assert known_labels(feed, at("2024-01-04"))[["transaction_id", "label"]].values.tolist() == [[1, 1]]
    assert known_labels(feed, at("2024-01-05"))["label"].tolist() == [1, 0]
    assert known_labels(feed, at("2024-01-06"))["label"].tolist() == [0, 0]


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_of_two_labels_at_one_instant_the_fraud_stands(order: list[int]) -> None:
    feed = labels((1, 1, "2024-01-03"), (1, 0, "2024-01-03")).iloc[order]
    assert known_labels(feed, at("2024-01-04"))["label"].tolist() == [1]


def test_rows_without_a_known_label_are_left_out_and_never_genuine() -> None:
    feed = labels((0, 0, "2024-01-02"), (1, 1, "2024-01-02"), (2, 1, "2024-01-09"), (4, 1, "2024-01-02"))
    rows = learnable_rows(features(True, True, True, True, False), feed, at("2024-01-09"))
    assert rows["transaction_id"].tolist() == [0, 1]
    assert rows["label"].tolist() == [0, 1]
    assert rows["label"].dtype == "int8"


def test_no_labels_at_all_leave_no_rows() -> None:
    nothing = pd.DataFrame({"transaction_id": [], "label": [], "known_at": []})
    rows = learnable_rows(features(True), nothing, at("2024-01-09"))
    assert rows.empty
    assert "label" in rows


def test_ids_of_another_kind_are_refused() -> None:
    text = labels((0, 1, "2024-01-02")).astype({"transaction_id": "str"})
    with pytest.raises(LearningError, match="int64 in the transactions and str in the labels"):
        learnable_rows(features(True), text, at("2024-01-09"))


def test_naive_times_are_refused() -> None:
    naive = labels((0, 1, "2024-01-02")).assign(known_at=pd.Timestamp("2024-01-02"))
    with pytest.raises(LearningError, match="'known_at' of the labels has no time zone"):
        known_labels(naive, at("2024-01-09"))
