"""The share of frauds of the newest labelled day, against the days before it."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from fraud_assets.learning.watching.drift import Level
from fraud_assets.learning.watching.rates import FEWEST_DAYS, daily_frauds, rate_change
from fraud_assets_tests.learning.frames import at


def _days(frauds: list[int], transactions: int = 1_000, labels: list[int] | None = None) -> pd.DataFrame:
    names = [f"2024-03-{number:02d}" for number in range(1, len(frauds) + 1)]
    return pd.DataFrame(
        {"day": names, "transactions": transactions, "labels": labels or [transactions] * len(frauds), "frauds": frauds}
    )


@pytest.mark.parametrize(
    ("newest", "level"), [(10, Level.OK), (16, Level.OK), (18, Level.WATCH), (22, Level.DRIFT), (3, Level.WATCH)]
)
def test_the_interval_is_that_of_one_more_day(newest: int, level: Level) -> None:
    """The days before spread less than chance has it, so counts decide: 99 % of Poisson(10) are 3 to 19."""
    change = rate_change(_days([*[9, 11, 10, 10] * 3, newest]), "2024-03-13")
    assert change.level is level
    assert change.reference_rate == pytest.approx(0.01)
    assert change.low == pytest.approx(0.003)
    assert change.high == pytest.approx(0.019, abs=0.0011)


def test_days_that_spread_more_than_chance_widen_the_interval() -> None:
    """Two-sided 99 % Student's t of 7 degrees of freedom: 3.499."""
    before = [2, 20, 5, 31, 9, 17, 3, 25]
    change = rate_change(_days([*before, 45]), "2024-03-09")
    rates = np.array(before) / 1_000
    assert change.high == pytest.approx(rates.mean() + 3.499 * rates.std(ddof=1) * np.sqrt(1 + 1 / 8), rel=1e-3)
    assert (change.low, change.level) == (0, Level.WATCH)
    assert rate_change(_days([*before, 60]), "2024-03-09").level is Level.DRIFT


def test_a_small_day_and_the_first_fraud_do_not_alarm() -> None:
    days = _days([8, 12, 9, 11, 10, 13, 7, 1])
    days.loc[7, "transactions"] = 20
    assert rate_change(days, "2024-03-08").level is Level.OK
    assert rate_change(_days([0] * 9 + [1]), "2024-03-10").level is Level.OK
    assert rate_change(_days([0] * 9 + [9]), "2024-03-10").level is Level.DRIFT


def test_too_little_is_unknown() -> None:
    few = rate_change(_days([10] * FEWEST_DAYS), f"2024-03-{FEWEST_DAYS:02d}")
    assert (few.level, few.rate, few.reference_rate, few.low) == (Level.UNKNOWN, 0.01, 0.01, None)
    unlabelled = rate_change(_days([10] * 9 + [0], labels=[1_000] * 9 + [0]), "2024-03-10")
    assert (unlabelled.level, unlabelled.rate) == (Level.UNKNOWN, None)
    assert rate_change(_days([10] * 9), "2024-03-20").level is Level.UNKNOWN
    assert rate_change(_days([10] * 9).iloc[:0], "2024-03-20").reference_rate is None


def test_days_without_labels_are_no_days_without_fraud() -> None:
    labels = [1_000] * 6 + [0, 0, 0, 1_000]
    change = rate_change(_days([10] * 6 + [0, 0, 0, 10], labels=labels), "2024-03-10")
    assert change.level is Level.OK
    assert change.reference_rate == pytest.approx(0.01)


def test_an_older_day_gets_no_credit_for_having_had_more_time() -> None:
    """Every day has one fraud that is known after a day, and one that takes ten."""
    transactions = pd.DataFrame(
        {
            "transaction_id": range(40),
            "transaction_time": [at("2024-03-01T12:00:00") + timedelta(days=number // 4) for number in range(40)],
        }
    )
    late = np.tile([1, 10, 1, 1], 10)
    labels = pd.DataFrame(
        {
            "transaction_id": range(40),
            "label": np.tile([1, 1, 0, 0], 10).astype(np.int8),
            "known_at": transactions["transaction_time"] + pd.to_timedelta(late, unit="D"),
        }
    )
    days = daily_frauds(transactions, labels, before=at("2024-03-13"), timezone="UTC", within_days=2)
    assert days["day"].tolist() == [f"2024-03-{number:02d}" for number in range(1, 11)]
    assert days[["transactions", "labels", "frauds"]].drop_duplicates().to_numpy().tolist() == [[4, 3, 1]]
    patient = daily_frauds(transactions, labels, before=at("2024-03-13"), timezone="UTC", within_days=10)
    assert patient["frauds"].tolist() == [2, 2, *[1] * 8]
