"""Slices: which there are, and that they are parts of one whole."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraud_assets.learning.measuring.days import LabelledDays
from fraud_assets.learning.measuring.slices import MISSING, MOST_VALUES, OTHER, Slice, band_edges, band_names, slices
from fraud_assets_tests.learning.frames import at


def rows(amounts: list[float], **segments: list[str | None]) -> pd.DataFrame:
    """Transactions eight hours apart from each other, from the evening of the first day on."""
    frame = pd.DataFrame(
        {
            "transaction_time": [at("2024-01-01 20:00") + pd.Timedelta(hours=8 * n) for n in range(len(amounts))],
            "amount": amounts,
            "label": np.int8(0),
        }
    )
    return frame.assign(**{name: pd.Series(values, dtype="str") for name, values in segments.items()})


def found(
    frame: pd.DataFrame, segments: tuple[str, ...] = (), edges: tuple[float, ...] = (), timezone: str = "UTC"
) -> dict[tuple[str, str], Slice]:
    labelled = LabelledDays.from_rows(frame, timezone)
    return {(part.kind, part.name): part for part in slices(frame, labelled, segments, edges)}


def test_days_are_those_of_the_timezone() -> None:
    frame = rows([1.0, 2.0, 3.0, 4.0, 5.0])
    assert {name: int(part.rows.sum()) for (kind, name), part in found(frame).items() if kind == "day"} == {
        "2024-01-01": 1,
        "2024-01-02": 3,
        "2024-01-03": 1,
    }
    auckland = found(frame, timezone="Pacific/Auckland")
    assert auckland["day", "2024-01-02"].rows.tolist() == [True, True, False, False, False]
    assert auckland["day", "2024-01-02"].days == 1
    assert auckland["amount_band", "all amounts"].days == 2


def test_an_edge_belongs_to_the_band_above_it_and_empty_bands_are_left_out() -> None:
    bands = found(rows([0.0, 19.99, 20.0, 2_000.0]), edges=(20.0, 50.0, 1_000.0))
    assert {name: part.rows.tolist() for (kind, name), part in bands.items() if kind == "amount_band"} == {
        "below 20": [True, True, False, False],
        "20 to 50": [False, False, True, False],
        "1,000 and more": [False, False, False, True],
    }


def test_bands_have_readable_names() -> None:
    assert band_names([0.5, 1_000_000.0]) == ["below 0.5", "0.5 to 1,000,000", "1,000,000 and more"]


def test_edges_are_round_and_the_same_from_day_to_day() -> None:
    rng = np.random.default_rng(0)
    daily = {band_edges(rng.gamma(2, 35, size=5_000).round(2)) for _ in range(20)}
    assert daily == {(50.0, 100.0, 200.0)} or daily == {(20.0, 50.0, 100.0, 200.0)}
    assert band_edges(np.array([0.0, 0.0])) == ()
    assert band_edges(np.empty(0)) == ()


@settings(deadline=None)
@given(amounts=st.lists(st.floats(1e-6, 1e12), min_size=1, max_size=50))
def test_edges_are_1_2_or_5_times_a_power_of_ten_and_near_the_amounts(amounts: list[float]) -> None:
    edges = band_edges(np.array(amounts))
    assert list(edges) == sorted(set(edges))
    for edge in edges:
        assert f"{edge:e}"[0] in "125"
        assert float(f"{edge:.0e}") == edge
        assert min(amounts) / 2 <= edge <= max(amounts) * 2


def test_values_of_a_segment_are_slices_and_missing_ones_one_of_their_own() -> None:
    parts = found(rows([1.0, 2.0, 3.0], channel=["web", None, "web"]), segments=("channel",))
    assert parts["channel", "web"].rows.tolist() == [True, False, True]
    assert parts["channel", MISSING].rows.tolist() == [False, True, False]


def test_of_many_values_the_frequent_ones_are_slices() -> None:
    often = [f"often {n}" for n in range(MOST_VALUES)]
    parts = found(rows([1.0] * 50, shop=[*often, *often, *(f"once {n}" for n in range(10))]), segments=("shop",))
    names = [name for kind, name in parts if kind == "shop"]
    assert sorted(names) == sorted([*often, OTHER])
    assert parts["shop", OTHER].rows.sum() == 10


def test_a_segment_that_is_called_like_a_kind_of_ours_is_told_apart() -> None:
    parts = found(rows([1.0, 2.0], day=["Monday", "Monday"]), segments=("day",))
    assert ("column day", "Monday") in parts
    assert [name for kind, name in parts if kind == "day"] == ["2024-01-01", "2024-01-02"]


@pytest.mark.parametrize("kind", ["day", "amount_band", "channel"])
def test_each_row_is_in_one_slice_of_each_kind(kind: str) -> None:
    rng = np.random.default_rng(1)
    channels: list[str | None] = rng.choice(np.array(["web", "shop", None], dtype=object), size=40).tolist()
    frame = rows(rng.gamma(2, 30, size=40).tolist(), channel=channels)
    parts = [part.rows for (of, _), part in found(frame, ("channel",), (20.0, 50.0)).items() if of == kind]
    assert (np.sum(parts, axis=0) == 1).all()
    assert not any((one & other).any() for one, other in itertools.combinations(parts, 2))
