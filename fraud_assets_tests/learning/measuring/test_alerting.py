"""Alerts of a day, and what they save, counted by hand and for any scores."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fraud_assets.learning import AlertKind, AlertPolicy, LearningError

SCORES = np.array([0.9, 0.1, 0.5, 0.5, np.nan, 0.99])
AMOUNTS = np.array([10.0, 400.0, 50.0, 60.0, 900.0, -70.0])
LEARNABLE = np.array([True, True, True, True, True, False])
BY_COST = AlertPolicy(AlertKind.COST, alerts_per_day=1, cost_per_alert=8.0, recovered_share=0.5)


def raised(policy: AlertPolicy) -> list[int]:
    return [int(row) for row in np.flatnonzero(policy.alerts(SCORES, AMOUNTS, LEARNABLE))]


def test_capacity_takes_the_highest_and_of_equal_scores_the_first() -> None:
    assert raised(AlertPolicy(alerts_per_day=2)) == [0, 2]
    assert raised(AlertPolicy(alerts_per_day=3)) == [0, 2, 3]


def test_refunds_declined_and_unscored_rows_never_alert() -> None:
    assert raised(AlertPolicy(alerts_per_day=100)) == [0, 1, 2, 3]
    assert not {4, 5} & set(raised(BY_COST))


def test_cost_takes_what_should_save_more_than_it_costs_and_has_no_limit() -> None:
    # Expected: .9*10/2, .1*400/2, .5*50/2, .5*60/2.
    assert raised(BY_COST) == [1, 2, 3]
    assert raised(dataclasses.replace(BY_COST, cost_per_alert=20.0)) == []
    assert raised(dataclasses.replace(BY_COST, cost_per_alert=12.5)) == [1, 3], "above the cost, not at it"


def test_a_saving_is_the_recovered_fraud_less_the_cost_of_every_alert() -> None:
    alerts = np.array([True, True, False, False, False, False])
    policy = AlertPolicy(cost_per_alert=3.0, recovered_share=0.5)
    fraud = np.array([True, False, True, False, False, False])
    assert policy.savings(alerts, AMOUNTS, fraud).tolist() == [5.0 - 3.0, -3.0, 0, 0, 0, 0]
    assert policy.savings(alerts, AMOUNTS, SCORES).tolist() == [4.5 - 3.0, 20.0 - 3.0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("numbers", "sentence"),
    [
        ({"alerts_per_day": 0}, "alerts_per_day is 0; it must be at least 1"),
        ({"cost_per_alert": -1.0}, "cost_per_alert is -1.0; it must be a number from 0 on"),
        ({"cost_per_alert": np.inf}, "cost_per_alert is inf"),
        ({"recovered_share": 0.0}, "recovered_share is 0.0; it must be above 0 and at most 1"),
        ({"recovered_share": 1.5}, "recovered_share is 1.5"),
        ({"kind": AlertKind.COST}, "Alerts by cost need a cost_per_alert above 0"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(numbers: dict[str, float], sentence: str) -> None:
    with pytest.raises(LearningError, match=sentence):
        AlertPolicy(**numbers)  # type: ignore[arg-type]


@st.composite
def days(draw: st.DrawFn) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    rows = draw(st.integers(0, 30))
    scores = draw(st.lists(st.sampled_from([0.0, 0.2, 0.4, 0.9, 1.0, np.nan]), min_size=rows, max_size=rows))
    amounts = draw(st.lists(st.floats(-10, 500), min_size=rows, max_size=rows))
    learnable = draw(st.lists(st.booleans(), min_size=rows, max_size=rows))
    return np.array(scores), np.array(amounts), np.array(learnable, dtype=np.bool_)


@settings(deadline=None)
@given(day=days(), limit=st.integers(1, 10))
def test_capacity_is_used_up_and_nothing_left_out_is_higher(
    day: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]], limit: int
) -> None:
    scores, amounts, learnable = day
    alerts = AlertPolicy(alerts_per_day=limit).alerts(scores, amounts, learnable)
    eligible = learnable & ~np.isnan(scores)
    assert alerts.sum() == min(limit, eligible.sum())
    assert not (alerts & ~eligible).any()
    left_out = scores[eligible & ~alerts]
    if alerts.any() and len(left_out):
        assert scores[alerts].min() >= left_out.max()


@settings(deadline=None)
@given(day=days(), cost=st.floats(0.5, 100), share=st.floats(0.1, 1))
def test_no_other_alerts_would_be_expected_to_save_more(
    day: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]], cost: float, share: float
) -> None:
    scores, amounts, learnable = day
    policy = AlertPolicy(AlertKind.COST, cost_per_alert=cost, recovered_share=share)
    alerts = policy.alerts(scores, amounts, learnable)
    best = policy.savings(alerts, amounts, scores).sum()
    for row in np.flatnonzero(learnable & ~np.isnan(scores)):
        other = alerts.copy()
        other[row] = ~other[row]
        assert policy.savings(other, amounts, scores).sum() <= best + 1e-9
