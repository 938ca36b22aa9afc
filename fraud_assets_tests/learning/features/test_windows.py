"""Sums and counts over moving windows are exact, wherever the history starts."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fraud_assets.learning.features.windows import GroupedEvents, active_at

events = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12), st.integers(0, 10**15)), max_size=25)
questions = st.lists(st.tuples(st.integers(0, 3), st.integers(-3, 15), st.integers(0, 6)), min_size=1, max_size=10)


def columns(rows: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


@given(events, questions)
@settings(deadline=None)
def test_count_and_total_are_those_of_the_window(
    rows: list[tuple[int, int, int]], asked: list[tuple[int, int, int]]
) -> None:
    log = GroupedEvents(*columns(rows))
    groups, times, widths = columns(asked)
    window = log.until(groups, times).since(log.until(groups, times - widths))
    inside = [[a for g, t, a in rows if g == group and time - w < t <= time] for group, time, w in asked]
    assert window.count.tolist() == [len(amounts) for amounts in inside]
    assert window.total.tolist() == [sum(amounts) for amounts in inside]


@given(events, questions)
@settings(deadline=None)
def test_active_intervals_contain_their_start_and_not_their_end(
    rows: list[tuple[int, int, int]], asked: list[tuple[int, int, int]]
) -> None:
    groups, starts, lengths = columns(rows)
    ends = starts + lengths % 7 - 2  # some intervals are empty, some end before they start
    at_groups, at_times, _ = columns(asked)
    active = active_at(starts, ends, groups, at_groups=at_groups, at_times=at_times)
    intervals = list(zip(groups, starts, ends, strict=True))
    assert active.tolist() == [sum(g == group and s <= t < e for g, s, e in intervals) for group, t, _ in asked]


def test_totals_beyond_the_range_of_integers_still_differ_exactly() -> None:
    amounts = np.full(5, 2**62, dtype=np.int64)
    log = GroupedEvents(np.zeros(5, dtype=np.int64), np.arange(5), amounts)
    window = log.until(np.array([0]), np.array([4])).since(log.until(np.array([0]), np.array([3])))
    assert window.total.tolist() == [2**62]
