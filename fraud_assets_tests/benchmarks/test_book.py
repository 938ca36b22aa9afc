"""The handbook's protocol on frames of a few rows."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fraud_assets.learning import evaluate
from fraud_assets_tests.benchmarks import book

START = date(2018, 7, 11)
TEST = START + timedelta(days=14)


def rows(*records: tuple[int, int, int], **columns: list[Any]) -> pd.DataFrame:
    """Records of (days after START, customer, label), one a minute in the order of the days."""
    frame = pd.DataFrame(records, columns=["offset", "customer_id", "label"])
    frame["day"] = [START + timedelta(days=offset) for offset in frame["offset"]]
    minutes = pd.to_timedelta(frame.groupby("offset").cumcount(), unit="min")
    frame["transaction_time"] = pd.to_datetime(frame["day"]).dt.tz_localize("UTC") + minutes
    return frame.assign(transaction_id=frame.index, **columns)


def test_customers_with_a_fraud_in_the_training_week_are_no_test_rows() -> None:
    found = book.test_rows(rows((0, 1, 1), (6, 2, 1), (6, 3, 0), (14, 1, 0), (14, 2, 0), (14, 3, 0)), START)
    assert found["customer_id"].tolist() == [3]


def test_customers_leave_the_test_week_eight_days_after_their_fraud_and_for_good() -> None:
    weeks = rows((7, 1, 1), (14, 1, 0), (15, 1, 0), (15, 2, 0), (16, 1, 0), (20, 1, 0))
    found = book.test_rows(weeks, START)
    assert list(zip(found["offset"], found["customer_id"], strict=True)) == [(14, 1), (15, 2)]


def test_a_fraud_before_the_training_week_removes_nobody() -> None:
    found = book.test_rows(rows((-1, 1, 1), (14, 1, 0)), START)
    assert found["customer_id"].tolist() == [1]


def test_the_test_week_ends_after_seven_days() -> None:
    found = book.test_rows(rows((13, 1, 0), (14, 1, 0), (20, 1, 0), (21, 1, 0)), START)
    assert found["offset"].tolist() == [14, 20]


def test_a_detected_card_is_not_counted_again() -> None:
    test = rows((14, 1, 1), (14, 2, 0), (15, 1, 1), (15, 3, 0))
    assert book.card_precision(test, np.array([0.9, 0.1, 0.9, 0.1]), cards=1) == 0.5


def test_a_card_that_was_not_detected_stays() -> None:
    test = rows((14, 1, 1), (14, 2, 0), (15, 1, 1), (15, 3, 0))
    assert book.card_precision(test, np.array([0.1, 0.9, 0.9, 0.1]), cards=1) == 0.5


def test_a_card_has_its_highest_score_and_label_of_the_day() -> None:
    test = rows((14, 1, 1), (14, 1, 0), (14, 2, 0))
    assert book.card_precision(test, np.array([0.1, 0.9, 0.5]), cards=1) == 1.0


def test_card_precision_agrees_with_the_products() -> None:
    rng = np.random.default_rng(0)
    n = 6_000
    records = zip(np.sort(rng.integers(14, 21, n)), rng.integers(0, 900, n), rng.random(n) < 0.05, strict=True)
    test = rows(*((int(day), int(customer), int(label)) for day, customer, label in records)).assign(amount=1.0)
    scores = rng.random(n) + 0.5 * test["label"].to_numpy()
    product = evaluate(scores, test, threshold=None, alerts_per_day=100, timezone="UTC")["card_precision_at_100"]
    assert book.card_precision(test, scores) == pytest.approx(product)


def bad(labels: list[int], terminals: list[int]) -> list[bool]:
    frame = rows(*((n, n, label) for n, label in enumerate(labels)), terminal_id=terminals)
    shuffled = frame.sample(frac=1, random_state=0)
    return book.at_bad_terminals(shuffled).loc[frame.index].tolist()


def test_a_terminal_is_bad_where_three_transactions_in_a_row_are_frauds() -> None:
    assert bad([0, 1, 1, 1, 0, 1, 1, 0], [1] * 8) == [False, True, True, True, False, False, False, False]


def test_frauds_at_neighbouring_terminals_are_no_run() -> None:
    assert not any(bad([1, 1, 1, 1], [1, 1, 2, 2]))


def test_genuine_rows_in_a_row_are_no_bad_terminal() -> None:
    assert not any(bad([0, 0, 0, 0], [1] * 4))


def hidden() -> pd.DataFrame:
    """Four frauds, of which only the first says nothing of itself, and a genuine row."""
    return rows(
        *[(14, n, label) for n, label in enumerate([1, 1, 1, 1, 0])],
        at_bad_terminal=[True, True, True, False, False],
        amount=[220.0, 220.01, 50.0, 50.0, 50.0],
        terminal_fraud_share_30d=[0.0, 0.0, 0.1, 0.0, 0.0],
    )


def test_the_ceiling_does_not_know_what_says_nothing_of_itself() -> None:
    assert book.can_be_known(hidden()).tolist() == [False, True, True, True, False]


def test_the_ceiling_puts_what_it_knows_first() -> None:
    found = book.ceiling(hidden())
    # The unknown fraud comes fourth or fifth, either order as likely as the other.
    assert 0.95 < found.average_precision < 1.0
    assert 0.75 < found.roc_auc < 1.0
    assert found.card_precision == pytest.approx(4 / book.CARDS)


def test_the_forest_learns_from_the_books_features_alone() -> None:
    rng = np.random.default_rng(0)
    label = (rng.random(400) < 0.3).astype(int)
    frame = pd.DataFrame({name: rng.normal(size=400) for name in book.FEATURES})
    frame = frame.assign(label=label, amount=frame["amount"] + 5 * label)
    misleading = frame.assign(noise=label).iloc[200:].assign(noise=lambda rows: 1 - rows["label"])
    scores = book.random_forest(frame.assign(noise=label).iloc[:200], misleading)
    assert np.corrcoef(scores, misleading["label"])[0, 1] > 0.9


def test_figures_are_averaged_each_by_itself() -> None:
    assert book.Figures.mean([book.Figures(0.1, 0.2, 0.3), book.Figures(0.3, 0.4, 0.5)]).values == pytest.approx(
        (0.2, 0.3, 0.4)
    )
