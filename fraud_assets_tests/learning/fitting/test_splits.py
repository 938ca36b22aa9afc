"""What is learned from lies before what is measured on."""

import itertools
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraud_assets.learning import LearningError, split_last_fifth
from fraud_assets.learning.fitting.splits import InnerFolds, prequential_folds
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


def check_sound(inner: InnerFolds, times: pd.Series, y: np.ndarray, gap: timedelta) -> None:
    """Each fold is fitted on both classes, scored later than the gap after that, and no row is scored twice."""
    for fold in inner.folds:
        assert set(y[: fold.train_end]) == {0, 1}
        assert y[fold.score_start : fold.score_end].any()
        kept = gap if "without a gap" not in (inner.note or "") else timedelta(0)
        assert times[fold.score_start] - times[fold.train_end - 1] > kept or fold.score_end == len(times)
        assert times[fold.score_start] > times[fold.train_end - 1]
    starts = [fold.score_start for fold in inner.folds]
    assert starts == sorted(starts)
    for earlier, later in itertools.pairwise(inner.folds):
        assert earlier.score_end == later.score_start
    if inner.folds:
        assert inner.folds[-1].score_end == len(times)


@pytest.mark.parametrize(("days", "delay"), [(28, 7), (8, 2), (84, 7), (1, 0)])
def test_a_window_has_three_folds_with_the_gap(days: int, delay: int) -> None:
    times = pd.Series(pd.date_range(at("2024-01-01"), at("2024-01-01") + timedelta(days=days), periods=2_000))
    y = np.zeros(2_000, dtype=np.int8)
    y[::50] = 1
    gap = timedelta(days=delay)
    inner = prequential_folds(times, y, gap)
    assert inner.note is None
    assert len(inner.folds) == 3
    check_sound(inner, times, y, gap)
    sizes = [fold.score_end - fold.score_start for fold in inner.folds]
    assert max(sizes) - min(sizes) <= 1
    assert inner.folds[0].train_end >= 0.29 * 2_000
    for fold in inner.folds:
        assert times[fold.score_start] - times[fold.train_end - 1] > gap
        assert times[fold.score_start] - times[fold.train_end] <= gap


def test_a_shorter_window_has_fewer_folds_and_says_so() -> None:
    times, y = daily(10, list(range(10)))
    inner = prequential_folds(times, y, timedelta(days=6))
    assert len(inner.folds) == 2
    assert inner.note == "The training window is too short, or has too few frauds, for 3 folds: 2 used."
    check_sound(inner, times, y, timedelta(days=6))


def test_a_short_window_gives_up_the_gap_and_says_so() -> None:
    times, y = daily(8, list(range(8)))
    inner = prequential_folds(times, y, WEEK)
    assert len(inner.folds) == 3
    assert all(fold.train_end == fold.score_start for fold in inner.folds)
    assert inner.note == "The training window is too short for a gap of 7 days: searched without a gap."


def test_an_end_without_fraud_moves_the_fold_to_the_last_fraud() -> None:
    times, y = daily(28, [1, 10])
    inner = prequential_folds(times, y, WEEK)
    (fold,) = inner.folds
    assert y[: fold.train_end].sum() == 1
    assert y[fold.score_start :].sum() == 1
    assert inner.note == "Few frauds: searched on the rows from 2024-01-11 00:00 on."


def test_a_single_fraud_allows_no_fold() -> None:
    times, y = daily(28, [10])
    inner = prequential_folds(times, y, WEEK)
    assert inner.folds == ()
    assert inner.note is not None
    assert "Too few frauds" in inner.note


@given(
    st.lists(st.tuples(st.integers(0, 40), st.booleans()), min_size=2, max_size=60).filter(
        lambda drawn: any(fraud for _, fraud in drawn)
    ),
    st.integers(0, 30),
)
@settings(deadline=None)
def test_folds_are_sound_whatever_the_window(drawn: list[tuple[int, bool]], delay_hours: int) -> None:
    ordered = sorted(drawn)
    times = pd.Series([at("2024-01-01") + timedelta(hours=hour) for hour, _ in ordered])
    y = np.array([fraud for _, fraud in ordered], dtype=np.int8)
    inner = prequential_folds(times, y, timedelta(hours=delay_hours))
    check_sound(inner, times, y, timedelta(hours=delay_hours))
    assert inner.folds or inner.note


def test_folds_are_described_by_what_they_saw() -> None:
    times, y = daily(28, list(range(28)))
    inner = prequential_folds(times, y, WEEK)
    assert len(inner.described(times)) == 3
    assert inner.described(times)[-1] == (
        "fold 3: fitted until 2024-01-17 16:48, scored from 2024-01-24 19:12 to 2024-01-28 21:36"
    )
