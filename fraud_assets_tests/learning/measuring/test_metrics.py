"""Metrics on days small enough to count by hand, and a winner that is never degenerate."""

import itertools

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from fraud_assets.learning import METRICS, LearningError, baselines, choose_winner, evaluate
from fraud_assets_tests.learning.frames import at


def measured(
    rows: pd.DataFrame, scores: list[float], *, threshold: float | None = 0.5, k: int = 2, timezone: str = "UTC"
) -> dict[str, float | None]:
    return evaluate(np.array(scores), rows, threshold=threshold, alerts_per_day=k, timezone=timezone)


def rows(*days: list[int], cards: list[int] | None = None) -> pd.DataFrame:
    """One list of labels for each day, one transaction a minute."""
    times = [
        at("2024-01-01") + pd.Timedelta(days=day, minutes=minute)
        for day, labels in enumerate(days)
        for minute in range(len(labels))
    ]
    labels = np.array(list(itertools.chain(*days)), dtype=np.int8)
    frame = pd.DataFrame({"transaction_time": times, "label": labels, "amount": 10.0})
    return frame if cards is None else frame.assign(customer_id=cards)


def table(**candidates: tuple[float | None, float | None]) -> pd.DataFrame:
    return pd.DataFrame(
        [{"candidate": name, "average_precision": ap, "roc_auc": auc} for name, (ap, auc) in candidates.items()]
    )


def test_every_metric_is_there_and_right() -> None:
    frame = rows([1, 0, 0, 1], [0, 0, 1])
    scores = [0.9, 0.8, 0.1, 0.2, 0.3, 0.1, 0.7]
    metrics = measured(frame, scores)
    assert tuple(metrics) == METRICS
    assert metrics["average_precision"] == pytest.approx(average_precision_score(frame["label"], scores))
    assert metrics["roc_auc"] == pytest.approx(9 / 12)
    assert metrics["precision_at_k"] == pytest.approx((1 / 2 + 1 / 2) / 2)
    assert metrics["recall_at_k"] == pytest.approx((1 / 2 + 1) / 2)
    assert metrics["card_precision_at_100"] is None
    assert metrics["recall"] == pytest.approx(2 / 3)
    assert metrics["precision"] == pytest.approx(2 / 3)
    assert metrics["f1"] == pytest.approx(2 / 3)
    assert metrics["accuracy"] == pytest.approx(5 / 7)
    brier = np.mean((np.array(scores) - frame["label"]) ** 2)
    assert metrics["brier_score"] == pytest.approx(brier)
    assert metrics["brier_skill"] == pytest.approx(1 - brier / (3 / 7 * 4 / 7))
    assert metrics["expected_calibration_error"] == pytest.approx(abs(3.1 / 7 - 3 / 7))
    assert metrics["saving_per_day"] == pytest.approx((10 + 10) / 2)
    assert metrics["expected_saving_per_day"] == pytest.approx(10 * (0.9 + 0.8 + 0.3 + 0.7) / 2)


def test_days_without_fraud_count_for_precision_and_not_for_recall() -> None:
    metrics = measured(rows([1, 0, 0], [0, 0, 0]), [0.9, 0.1, 0.1, 0.2, 0.3, 0.4])
    assert metrics["precision_at_k"] == pytest.approx((1 / 2 + 0) / 2)
    assert metrics["recall_at_k"] == 1


def test_days_are_those_of_the_timezone() -> None:
    frame = rows([1, 0]).assign(transaction_time=[at("2024-01-01 22:30"), at("2024-01-01 23:30")])
    assert measured(frame, [0.2, 0.9], k=1)["recall_at_k"] == 0
    assert measured(frame, [0.2, 0.9], k=1, timezone="Europe/Berlin")["recall_at_k"] == 1


def test_a_detected_card_is_dropped_from_later_days() -> None:
    frame = rows([1, 0, 0], [1, 0, 1], cards=[1, 2, 1, 1, 2, 3])
    # Day 1: card 1 (fraud) and card 2; day 2: card 1 is gone, card 2 and card 3 (fraud).
    assert measured(frame, [0.1, 0.5, 0.9, 0.9, 0.1, 0.8])["card_precision_at_100"] == pytest.approx(1 / 2)


def test_only_the_hundred_highest_cards_are_looked_at() -> None:
    labels = [0] * 150
    labels[149] = 1
    frame = rows(labels, cards=list(range(150)))
    up = [float(x) for x in np.linspace(0, 1, 150)]
    assert measured(frame, up)["card_precision_at_100"] == pytest.approx(0.01)
    assert measured(frame, up[::-1])["card_precision_at_100"] == 0


def test_transactions_without_a_card_are_on_no_list_of_cards() -> None:
    frame = rows([1, 0, 0]).assign(customer_id=pd.array([1, None, None], dtype="Int64"))
    assert measured(frame, [0.1, 0.9, 0.8])["card_precision_at_100"] == 1


def test_cards_of_equal_scores_are_listed_in_their_order_whatever_that_of_the_rows() -> None:
    labels = [1] * 50 + [0] * 100
    for cards in (range(150), range(149, -1, -1)):
        frame = rows(labels, cards=list(cards))
        expected = 0.5 if cards[0] == 0 else 0.0
        for order in (frame, frame[::-1].reset_index(drop=True)):
            assert measured(order, [0.5] * 150)["card_precision_at_100"] == expected


def test_equal_scores_are_ranked_the_same_way_in_any_run() -> None:
    frame = rows([0, 1, 0, 1], cards=[4, 3, 2, 1])
    assert measured(frame, [0.5] * 4, k=2)["precision_at_k"] == 0.5
    assert measured(frame, [0.5] * 4, k=1)["precision_at_k"] == 0


@pytest.mark.parametrize(("labels", "lacking"), [([0, 0], "average_precision"), ([1, 1], "roc_auc")])
def test_one_class_leaves_ranking_undefined(labels: list[int], lacking: str) -> None:
    metrics = measured(rows(labels), [0.1, 0.9])
    assert metrics[lacking] is None
    assert metrics["accuracy"] == 0.5


def test_no_alert_has_no_precision_and_no_threshold_no_decision() -> None:
    assert measured(rows([1, 0]), [0.1, 0.1])["precision"] is None
    assert measured(rows([1, 0]), [0.1, 0.1])["f1"] == 0
    assert measured(rows([1, 0]), [0.1, 0.1], threshold=None)["recall"] is None


def test_an_alert_is_a_score_at_or_above_the_threshold() -> None:
    assert measured(rows([1, 0]), [0.5, 0.4])["recall"] == 1


def test_scores_that_are_not_finite_have_no_metric() -> None:
    assert set(measured(rows([1, 0]), [np.nan, 0.1]).values()) == {None}


def test_amounts_are_no_probabilities() -> None:
    frame = rows([1, 0]).assign(amount=[200.0, 3.0])
    scores = baselines(frame)
    assert list(scores) == ["baseline_amount", "baseline_constant"]
    amount = evaluate(scores["baseline_amount"], frame, threshold=None, alerts_per_day=1, timezone="UTC")
    assert (amount["average_precision"], amount["brier_score"]) == (1, None)
    assert (amount["expected_calibration_error"], amount["expected_saving_per_day"]) == (None, None)
    assert amount["saving_per_day"] == 200
    constant = evaluate(scores["baseline_constant"], frame, threshold=0.5, alerts_per_day=1, timezone="UTC")
    assert (constant["roc_auc"], constant["accuracy"], constant["recall"]) == (0.5, 0.5, 0)


def test_the_highest_average_precision_wins() -> None:
    assert choose_winner(table(a=(0.5, 0.9), b=(0.6, 0.7), baseline_amount=(0.8, 0.9))) == "b"


def test_ties_are_decided_by_roc_auc_and_then_by_name() -> None:
    assert choose_winner(table(b=(0.5, 0.8), a=(0.5, 0.7))) == "b"
    assert choose_winner(table(b=(0.5, 0.8), a=(0.5, 0.8))) == "a"


@pytest.mark.parametrize("degenerate", [(0.9, 0.5), (None, None), (0.9, 0.2), (0.9, None)])
def test_what_ranks_no_better_than_chance_never_wins(degenerate: tuple[float | None, float | None]) -> None:
    assert choose_winner(table(broken=degenerate, sound=(0.1, 0.6))) == "sound"
    with pytest.raises(LearningError, match="No"):
        choose_winner(table(broken=degenerate, baseline_amount=(0.9, 0.9)))


def test_validation_without_fraud_says_that_it_cannot_choose() -> None:
    with pytest.raises(LearningError, match="the validation days have no known fraud"):
        choose_winner(table(a=(None, None), b=(None, None), baseline_constant=(None, None)))
