"""Drift: the index by its formula, what chance alone does, and what must and must not alarm."""

import json
import pickle
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy

from fraud_assets.learning.watching.drift import (
    DRIFT_DTYPES,
    Level,
    Reference,
    Thresholds,
    level_of,
    measure_drift,
    psi,
    psi_by_chance,
    reference_of,
)
from fraud_assets_tests.learning.frames import at

THRESHOLDS = Thresholds()
FEATURES = ("amount", "share", "kind", "is_weekend", "is_night", "constant")


def _rows(days: int = 28, per_day: int = 400, seed: int = 0, first: str = "2024-03-04") -> pd.DataFrame:
    """From a Monday on; `share` is mostly 0, `kind` has 14 categories, some of them missing."""
    rng = np.random.default_rng(seed)
    n = days * per_day
    times = at(first) + pd.to_timedelta(np.sort(rng.integers(0, days * 86_400, n)), unit="s")
    kind = np.array([f"k{number}" for number in rng.geometric(0.3, n).clip(1, 14)], dtype=object)
    kind[rng.random(n) < 0.05] = None
    amount = rng.gamma(2, 30, n)
    amount[rng.random(n) < 0.1] = np.nan
    return pd.DataFrame(
        {
            "transaction_time": times.as_unit("us"),
            "amount": amount,
            "share": np.where(rng.random(n) < 0.97, 0.0, rng.random(n)),
            "kind": pd.Series(kind, dtype="str"),
            "is_weekend": (times.day_of_week >= 5).astype(np.int8),
            "is_night": (rng.random(n) < 0.2).astype(np.int8),
            "constant": 1.0,
        }
    )


def _reference(rows: pd.DataFrame | None = None) -> Reference:
    return reference_of(_rows() if rows is None else rows, FEATURES, ("kind",))


def _measured(today: pd.DataFrame, weekday: int | None = 0, reference: Reference | None = None) -> pd.DataFrame:
    return measure_drift(reference or _reference(), today, THRESHOLDS, weekday=weekday).set_index("subject")


def _today(first: str = "2024-04-08", per_day: int = 400, seed: int = 1) -> pd.DataFrame:
    return _rows(1, per_day, seed, first)


counts = st.lists(st.integers(0, 500), min_size=12, max_size=12).map(np.array)


@given(counts, counts)
def test_the_index_is_the_symmetric_divergence_of_shares_with_half_a_row_more(a: Any, b: Any) -> None:
    index = psi(a, b)
    if not (a.sum() and b.sum()):
        assert index is None
        return
    filled = (a + b) > 0
    e, o = a[filled] + 0.5, b[filled] + 0.5
    assert index == pytest.approx(entropy(o, e) + entropy(e, o), abs=1e-12)
    assert index is not None
    assert index >= 0
    assert psi(b, a) == pytest.approx(index, abs=1e-12)
    assert psi(a, a) == pytest.approx(0, abs=1e-12)


def test_a_textbook_example() -> None:
    """Shares of .2, .3, .5 that become .3, .3, .4: .1 ln 1.5 + 0 - .1 ln .8."""
    index = psi(np.array([200_000, 300_000, 500_000]), np.array([300_000, 300_000, 400_000]))
    assert index == pytest.approx(0.1 * np.log(1.5) - 0.1 * np.log(0.8), abs=1e-5)


@pytest.mark.parametrize(("rows", "reference_rows"), [(50, 5_000), (80, 80), (400, 20_000), (9_600, 40_000)])
def test_without_drift_the_index_is_above_what_chance_explains_as_rarely_as_said(
    rows: int, reference_rows: int
) -> None:
    rng = np.random.default_rng(3)
    shares = np.full(10, 0.1)
    drawn = [(rng.multinomial(reference_rows, shares), rng.multinomial(rows, shares)) for _ in range(2_000)]
    indices = np.array([psi(reference, day) for reference, day in drawn], dtype=np.float64)
    noise = np.array([psi_by_chance(reference, day, 0.01) for reference, day in drawn])
    assert 0.004 < np.mean(indices > noise) < 0.02
    assert np.mean(indices) == pytest.approx(9 * (1 / rows + 1 / reference_rows), rel=0.15)


def test_a_small_day_is_far_above_the_customary_thresholds_and_no_alarm() -> None:
    small = _today(per_day=25, seed=5)
    table = _measured(small)
    assert table["psi"]["amount"] > THRESHOLDS.watch
    assert (table["level"] == Level.OK).all()


@pytest.mark.parametrize(("weekday", "first"), [(0, "2024-04-08"), (5, "2024-04-13"), (6, "2024-04-14")])
def test_a_day_like_the_others_is_stable_also_at_the_weekend(weekday: int, first: str) -> None:
    table = _measured(_today(first), weekday)
    assert (table["level"] == Level.OK).all(), table["level"].to_dict()
    assert table["psi"]["is_weekend"] == pytest.approx(0, abs=1e-12)
    assert table["reference_rows"].between(1_400, 1_800).all()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("amount", lambda rows: rows["amount"] * 1.8),
        ("amount", lambda rows: rows["amount"].where(rows.index % 4 > 0)),
        ("amount", lambda rows: rows["amount"] * np.inf),
        ("share", lambda rows: rows["share"] + 0.1),
        ("kind", lambda rows: rows["kind"].where(rows.index % 3 > 0, "never seen")),
        ("kind", lambda rows: rows["kind"].where(rows.index < 0)),
        ("is_night", lambda rows: 1 - rows["is_night"]),
        ("is_weekend", lambda rows: 1 - rows["is_weekend"]),
        ("constant", lambda rows: rows["constant"] + (rows.index % 5 == 0)),
        ("constant", lambda rows: rows["constant"] * 2),
    ],
)
def test_what_has_changed_drifts_and_nothing_else_does(name: str, change: Any) -> None:
    today = _today()
    today[name] = change(today)
    table = _measured(today)
    assert table["level"][name] == Level.DRIFT
    assert set(table["level"].drop(name)) == {Level.OK}


def test_missing_rates_are_those_of_the_day_and_of_the_reference() -> None:
    today = _today()
    today.loc[today.index[:100], "amount"] = np.inf
    table = _measured(today)
    assert table["missing_rate"]["amount"] == pytest.approx(today["amount"].map(np.isfinite).eq(False).mean())
    assert table["reference_missing_rate"]["amount"] == pytest.approx(0.1, abs=0.02)
    assert table["missing_rate"]["kind"] == pytest.approx(today["kind"].isna().mean())
    assert table["missing_rate"]["is_night"] == table["reference_missing_rate"]["is_night"] == 0


def test_a_window_without_the_weekday_is_compared_as_a_whole_but_for_what_the_calendar_decides() -> None:
    workdays = _reference(_rows(days=3))
    table = _measured(_today("2024-03-09"), 5, workdays)
    assert table["level"]["is_weekend"] == Level.UNKNOWN
    assert set(table["level"].drop(["is_weekend", "constant"])) == {Level.OK}
    assert set(table["reference_rows"]) == {1_200}
    odd = _today("2024-03-09").assign(is_weekend=lambda rows: rows.index % 2)
    assert _measured(odd, 5, workdays)["level"]["is_weekend"] == Level.DRIFT


def test_weekdays_are_those_of_the_time_zone() -> None:
    sunday_evening = _rows(days=1, first="2024-03-10").assign(transaction_time=at("2024-03-10T20:00:00"))
    for timezone, weekday in (("UTC", 6), ("Asia/Tokyo", 0)):
        (feature,) = reference_of(sunday_evening, ["amount"], (), timezone=timezone).features
        assert [day for day, bins in enumerate(feature.counts) if sum(bins)] == [weekday]


@pytest.mark.parametrize("rows", [0, 1])
def test_nothing_to_compare_is_unknown(rows: int) -> None:
    nothing = _rows().iloc[:0]
    empty = _measured(nothing)
    assert set(empty["level"]) == {Level.UNKNOWN}
    assert empty["psi"].isna().all()
    without_reference = _measured(_today().iloc[:rows], reference=_reference(nothing))
    assert set(without_reference["level"]) == {Level.UNKNOWN}
    assert {name: str(dtype) for name, dtype in empty[list(DRIFT_DTYPES)].dtypes.items()} == DRIFT_DTYPES


def test_a_reference_is_plain_values_and_the_same_bytes_whatever_the_order_of_the_rows() -> None:
    rows = _rows(days=9)
    reference = _reference(rows)
    shuffled = _reference(rows.sample(frac=1, random_state=1))
    assert shuffled == reference
    assert pickle.dumps(shuffled) == pickle.dumps(reference)
    written = json.loads(json.dumps(asdict(reference)))
    assert [feature["name"] for feature in written["features"]] == list(FEATURES) == list(reference.names)
    by_name = {feature.name: feature for feature in reference.features}
    assert len(by_name["amount"].edges) == 9
    assert by_name["kind"].values[0] == "k1"
    assert set(by_name["kind"].values) == set(rows["kind"].value_counts().index[:10])
    assert by_name["is_night"].values == (0.0, 1.0)
    assert [name for name, feature in by_name.items() if feature.varies_by_day_only] == ["is_weekend", "constant"]
    assert all(sum(map(sum, feature.counts)) == len(rows) for feature in reference.features)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), min_size=1, max_size=40), st.booleans())
def test_every_number_has_a_bin(numbers: list[float], repeat: bool) -> None:
    """Also where one value is nearly all of them, and its deciles therefore one."""
    values = numbers + [5.0] * (200 if repeat else 0)
    rows = pd.DataFrame({"transaction_time": at("2024-03-04"), "x": values})
    (feature,) = reference_of(rows, ["x"], ()).features
    assert sum(feature.counts[0]) == len(values)
    assert feature.counts[0][-2] == 0, "nothing of the reference is other than the reference"
    assert list(feature.edges) == sorted(set(feature.edges))
    same = measure_drift(Reference(len(rows), (feature,)), rows, THRESHOLDS, weekday=0)
    assert same["psi"].item() == pytest.approx(0, abs=1e-12)


def test_a_number_that_is_nearly_always_its_largest_has_bins_on_both_sides() -> None:
    values = [5.0] * 200 + [number / 10 for number in range(20)]
    (feature,) = reference_of(pd.DataFrame({"transaction_time": at("2024-03-04"), "x": values}), ["x"], ()).features
    assert feature.edges == (1.9,)
    assert feature.counts[0] == (20, 200, 0, 0)


def test_levels_need_both_the_threshold_and_more_than_chance() -> None:
    given_levels = [level_of(index, 0.2, THRESHOLDS) for index in (None, 0.05, 0.15, 0.22, 0.26)]
    assert given_levels == [Level.UNKNOWN, Level.OK, Level.OK, Level.WATCH, Level.DRIFT]
    assert level_of(0.3, 0.31, THRESHOLDS) is Level.OK
