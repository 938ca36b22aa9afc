"""How old labels are when they become known, from feeds and from label columns."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from fraud_assets.learning import LearningError
from fraud_assets.learning.watching.maturity import age_of_share, label_ages, label_maturity
from fraud_assets_tests.learning.frames import at


def _transactions(count: int = 4) -> pd.DataFrame:
    times = [at("2024-03-01T12:00:00") + timedelta(hours=n) for n in range(count)]
    return pd.DataFrame({"transaction_id": range(count), "transaction_time": pd.Series(times)})


def _labels(*rows: tuple[int, int, str]) -> pd.DataFrame:
    ids, labels, times = zip(*rows, strict=True)
    return pd.DataFrame(
        {
            "transaction_id": ids,
            "label": np.array(labels, dtype=np.int8),
            "known_at": pd.Series([at(time) for time in times]),
        }
    )


def test_a_label_column_is_a_step_at_the_delay() -> None:
    transactions = _transactions(12)
    labels = transactions.assign(label=[1, 0, 0] * 4, known_at=transactions["transaction_time"] + timedelta(days=7))
    labels = labels.drop(columns="transaction_time")
    table = label_maturity(transactions, labels, before=at("2024-03-20"), timezone="UTC", oldest=9)
    assert table["age_days"].tolist() == list(range(10))
    assert table["labels_known"].tolist() == table["frauds_known"].tolist() == [0.0] * 7 + [1.0] * 3
    assert set(table["transactions"]) == {12}
    assert set(table["frauds"]) == {4}
    assert age_of_share(table, 0.9) == 7


def test_a_feed_is_a_curve_and_what_is_not_known_yet_is_not_counted() -> None:
    labels = _labels(
        (0, 1, "2024-03-01T20:00:00"),
        (1, 1, "2024-03-03T09:00:00"),
        (2, 0, "2024-03-02T09:00:00"),
        (3, 1, "2024-03-09T09:00:00"),
    )
    soon = label_maturity(_transactions(), labels, before=at("2024-03-09"), timezone="UTC", oldest=3)
    assert soon["labels_known"].tolist() == [0.25, 0.5, 0.75, 0.75]
    assert soon["frauds_known"].tolist() == [0.5, 0.5, 1.0, 1.0]
    later = label_maturity(_transactions(), labels, before=at("2024-03-10"), timezone="UTC", oldest=3)
    assert later["frauds_known"].tolist() == pytest.approx([1 / 3, 1 / 3, 2 / 3, 2 / 3])
    assert age_of_share(later, 0.6) == 2
    assert age_of_share(later, 0.9) is None


def test_a_fraud_is_known_from_its_first_chargeback_and_a_corrected_label_from_its_correction() -> None:
    labels = _labels(
        (0, 0, "2024-03-01T20:00:00"),
        (0, 1, "2024-03-04T20:00:00"),
        (0, 1, "2024-03-09T20:00:00"),
        (1, 1, "2024-03-02T20:00:00"),
        (1, 0, "2024-03-06T20:00:00"),
    )
    ages = label_ages(_transactions(), labels, before=at("2024-03-20"), timezone="UTC").set_index("transaction_id")
    assert ages["age_days"].to_dict() == {0: 3, 1: 5}
    assert ages["label"].to_dict() == {0: 1, 1: 0}


def test_days_are_those_of_the_time_zone() -> None:
    """At 23:30 UTC the clocks of Tokyo show the next morning."""
    transactions = _transactions(1).assign(transaction_time=at("2024-03-01T14:30:00"))
    labels = _labels((0, 1, "2024-03-01T15:30:00"))
    ages = {
        zone: label_ages(transactions, labels, before=at("2024-03-20"), timezone=zone)["age_days"].item()
        for zone in ("UTC", "Asia/Tokyo")
    }
    assert ages == {"UTC": 0, "Asia/Tokyo": 1}


def test_nothing_is_known_of_nobody() -> None:
    for transactions, labels in (
        (_transactions(0), _labels((0, 1, "2024-03-01"))),
        (_transactions(), _labels((9, 1, "2024-03-01"))),
        (_transactions(), _labels((0, 1, "2024-03-05")).iloc[:0]),
        (pd.DataFrame({"transaction_id": [], "transaction_time": []}, dtype=object), pd.DataFrame(columns=["label"])),
    ):
        table = label_maturity(transactions, labels, before=at("2024-03-20"), timezone="UTC", oldest=2)
        assert table["frauds_known"].isna().all()
        assert set(table["labels"]) == {0}
        assert age_of_share(table, 0.5) is None


def test_ids_that_cannot_be_compared_are_refused() -> None:
    labels = _labels((0, 1, "2024-03-02")).astype({"transaction_id": "str"})
    with pytest.raises(LearningError, match="Transaction ids are int64"):
        label_ages(_transactions(), labels, before=at("2024-03-20"), timezone="UTC")
