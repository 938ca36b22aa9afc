"""Intervals: formulas against the textbook's, and how often the truth lies inside of them, by seeded simulation."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from fraud_assets.learning.measuring.intervals import (
    FEWEST_DIFFERENCES,
    PairedInterval,
    Sided,
    jackknife_interval,
    paired_interval,
    prediction_interval,
    without_each,
)
from fraud_assets.learning.measuring.ranking import ranking_metrics

FloatArray = NDArray[np.float64]
DIFFERENCES = [0.01, 0.03, -0.01, 0.02, 0.05]


def covered(trials: int, holds: Callable[[np.random.Generator], bool]) -> float:
    """The share of trials in which an interval held the truth."""
    rng = np.random.default_rng(0)
    return float(np.mean([holds(rng) for _ in range(trials)]))


def test_the_jackknife_of_a_mean_is_students_interval() -> None:
    daily = np.array([3.0, -1.0, 4.0, 1.0, 5.0])
    found = jackknife_interval(float(daily.mean()), without_each(daily), is_share=False)
    expected = stats.t.interval(0.95, 4, loc=daily.mean(), scale=stats.sem(daily))
    assert found is not None
    assert (found.low, found.high) == pytest.approx(expected)


def test_a_share_stays_between_0_and_1() -> None:
    for daily in ([0.9, 0.99, 0.2], [1.0, 1.0, 0.4], [0.0, 0.0, 0.1], [1.0, 1.0, 1.0]):
        found = jackknife_interval(float(np.mean(daily)), without_each(daily), is_share=True)
        assert found is not None
        assert 0 <= found.low <= np.mean(daily) <= found.high <= 1


def test_one_day_or_an_estimate_that_hangs_on_one_day_has_no_interval() -> None:
    assert jackknife_interval(0.5, without_each([0.5]), is_share=True) is None
    assert jackknife_interval(0.5, [0.4, None, 0.6], is_share=True) is None
    assert jackknife_interval(None, [0.4, 0.6], is_share=True) is None


def _day(rng: np.random.Generator) -> tuple[NDArray[np.bool_], FloatArray]:
    """A day that differs from others in how many frauds it has, and how hard they are to tell."""
    frauds = rng.poisson(rng.gamma(4, 3))
    y = np.repeat([False, True], [400, frauds])
    return y, rng.normal(size=len(y)) + y * rng.normal(2.5, 0.4)


def _average_precision(days: list[tuple[NDArray[np.bool_], FloatArray]]) -> float | None:
    y, scores = np.concatenate([day[0] for day in days]), np.concatenate([day[1] for day in days])
    order = np.argsort(-scores)
    return ranking_metrics(y[order], scores[order])[0]


@pytest.mark.parametrize("days", [5, 14])
def test_the_interval_of_average_precision_holds_it_in_95_of_100_cases(days: int) -> None:
    """A percentile bootstrap over days holds it in 82 and 92 of 100 here, one over transactions in 72 and 74."""
    rng = np.random.default_rng(1)
    truth = _average_precision([_day(rng) for _ in range(3_000)])
    assert truth is not None

    def holds(rng: np.random.Generator) -> bool:
        drawn = [_day(rng) for _ in range(days)]
        without = [_average_precision(drawn[:number] + drawn[number + 1 :]) for number in range(days)]
        found = jackknife_interval(_average_precision(drawn), without, is_share=True)
        return found is not None and found.low <= truth <= found.high

    assert covered(600, holds) == pytest.approx(0.95, abs=0.025)


def test_a_paired_interval_is_students() -> None:
    one = paired_interval(DIFFERENCES, confidence=0.99)
    both = paired_interval(DIFFERENCES, confidence=0.98, sided=Sided.TWO)
    low, high = stats.t.interval(0.98, 4, loc=np.mean(DIFFERENCES), scale=stats.sem(DIFFERENCES))
    for found in (one, both):
        assert (found.low, found.mean, found.high) == pytest.approx((low, 0.02, high))
        assert found.days == 5
    significant = stats.ttest_1samp(DIFFERENCES, 0, alternative="greater").pvalue
    assert paired_interval(DIFFERENCES, confidence=1 - significant).low == pytest.approx(0, abs=1e-12)


def test_days_without_a_difference_are_left_out() -> None:
    gaps: list[float | None] = [None, *DIFFERENCES, float("nan"), float("inf")]
    assert paired_interval(gaps, confidence=0.99) == paired_interval(DIFFERENCES, confidence=0.99)


def test_too_few_days_have_no_bounds() -> None:
    assert paired_interval([0.1, None], confidence=0.99) == PairedInterval(0.1, None, None, 1)
    assert paired_interval([], confidence=0.99) == PairedInterval(None, None, None, 0)


@pytest.mark.parametrize(("sided", "expected"), [(Sided.ONE, 0.9), (Sided.TWO, 0.95)])
def test_the_lower_bound_lies_below_the_mean_as_often_as_it_says(sided: Sided, expected: float) -> None:
    def holds(rng: np.random.Generator) -> bool:
        low = paired_interval(rng.normal(0.01, 0.02, size=7), confidence=0.9, sided=sided).low
        return low is not None and low <= 0.01

    assert covered(4_000, holds) == pytest.approx(expected, abs=0.012)


def test_the_next_week_lies_in_its_prediction_in_95_of_100_cases() -> None:
    """With the interval of the mean, without the 1 in √(1 + 1/n), it would be about half of them."""

    def holds(rng: np.random.Generator) -> bool:
        *past, coming = rng.normal(-0.03, 0.02, size=7)
        found = prediction_interval(past, 0.7)
        return found is not None and found.low <= 0.7 + coming <= found.high

    assert covered(4_000, holds) == pytest.approx(0.95, abs=0.012)


def test_a_prediction_is_the_promise_corrected_by_what_came_of_earlier_ones() -> None:
    found = prediction_interval([*DIFFERENCES, None], 0.7, 0.9)
    assert found is not None
    reach = stats.t.ppf(0.95, 4) * np.std(DIFFERENCES, ddof=1) * np.sqrt(6 / 5)
    assert (found.expected, found.low, found.high) == pytest.approx((0.72, 0.72 - reach, 0.72 + reach))
    assert found.values == 5


def test_without_a_history_or_a_promise_nothing_is_predicted() -> None:
    assert prediction_interval(DIFFERENCES[: FEWEST_DIFFERENCES - 1], 0.7) is None
    assert prediction_interval([*DIFFERENCES[:-1], None], 0.7) is None
    assert prediction_interval(DIFFERENCES, None) is None
    assert prediction_interval(DIFFERENCES, float("nan")) is None
