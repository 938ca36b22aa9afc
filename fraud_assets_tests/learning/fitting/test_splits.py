"""What is learned from lies before what is measured on."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraud_assets.learning import LearningError, split_last_fifth
from fraud_assets.learning.fitting.splits import inner_folds
from fraud_assets_tests.learning.frames import at

WEEK = timedelta(days=7)


def rows(seconds: list[int]) -> pd.DataFrame:
    times = pd.Series([at("2024-01-01") + timedelta(seconds=second) for second in seconds])
    return pd.DataFrame({"transaction_id": range(len(seconds)), "transaction_time": times})


def daily(days: int, fraud_days: list[int]) -> tuple[pd.Series, np.ndarray]:
    """Ten transactions a day; the first of each fraud day is a fraud."""
    times = pd.Series(pd.date_range(at("2024-01-01"), periods=days * 10, freq="144min"))
    y = np.zeros(days * 10, dtype=np.int8)
    y[[day * 10 for day in fraud_days]] = 1
    return times, y


@given(st.lists(st.integers(0, 8), min_size=2, max_size=40).filter(lambda seconds: len(set(seconds)) > 1))
@settings(deadline=None)
def test_all_rows_are_on_one_side_and_no_timestamp_on_both(seconds: list[int]) -> None:
    everything = rows(seconds)
    training, held_out = split_last_fifth(everything)
    assert len(training)
    assert len(held_out)
    assert sorted([*training["transaction_id"], *held_out["transaction_id"]]) == list(range(len(seconds)))
    assert training["transaction_time"].max() < held_out["transaction_time"].min()


def test_distinct_times_hold_out_a_fifth() -> None:
    training, held_out = split_last_fifth(rows(list(range(100))))
    assert (len(training), len(held_out)) == (80, 20)


def test_one_timestamp_cannot_be_split() -> None:
    with pytest.raises(LearningError, match="share one timestamp"):
        split_last_fifth(rows([5, 5, 5]))


def test_a_long_window_keeps_the_gap() -> None:
    times, y = daily(28, list(range(28)))
    inner = inner_folds(times, y, WEEK)
    (fold,) = inner.folds
    assert inner.note is None
    assert times[fold.score_start] - times[fold.train_end - 1] > WEEK
    assert (fold.train_end, fold.score_start, fold.score_end) == (140, 210, 280)


def test_a_short_window_gives_up_the_gap_and_says_so() -> None:
    times, y = daily(8, list(range(8)))
    inner = inner_folds(times, y, WEEK)
    assert inner.folds[0].train_end == inner.folds[0].score_start == 60
    assert inner.note is not None
    assert "too short for a gap of 7 days" in inner.note


def test_a_last_quarter_without_fraud_moves_the_cut_to_the_last_fraud() -> None:
    times, y = daily(28, [1, 10])
    inner = inner_folds(times, y, WEEK)
    (fold,) = inner.folds
    assert y[: fold.train_end].sum() == 1
    assert y[fold.score_start :].sum() == 1
    assert inner.note is not None
    assert "last quarter of the training window has no fraud" in inner.note


def test_a_single_fraud_allows_no_fold() -> None:
    times, y = daily(28, [10])
    inner = inner_folds(times, y, WEEK)
    assert inner.folds == ()
    assert inner.note is not None
    assert "Too few frauds" in inner.note
