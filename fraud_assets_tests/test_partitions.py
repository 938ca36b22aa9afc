"""The windows of days that a day may see."""

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from fraud_assets.partitions import Windows, day_end, day_start

days = st.integers(1, 60)


def test_the_windows_of_the_design() -> None:
    windows = Windows(label_delay_days=7, training_days=28, validation_days=14)
    assert windows.validation == (-20, -7)
    assert windows.training == (-55, -28)
    assert windows.refit == (-34, -7)
    assert windows.training_horizon == -21
    assert windows.history == (-55, 0)


@given(st.integers(0, 30), days, days)
def test_training_gap_and_validation_follow_each_other(d: int, w: int, v: int) -> None:
    windows = Windows(d, w, v)
    assert windows.training[1] - windows.training[0] + 1 == w
    assert windows.validation[1] - windows.validation[0] + 1 == v
    assert windows.refit[1] - windows.refit[0] + 1 == w
    assert windows.validation[0] - windows.training[1] - 1 == d
    assert windows.validation[1] == windows.refit[1] == -d
    # What a candidate learns from became known, at the latest, on the eve of validation.
    assert windows.training[1] + d == windows.training_horizon


@given(st.integers(0, 30), days)
def test_without_validation_days_the_training_window_is_split(d: int, w: int) -> None:
    windows = Windows(d, w, 0)
    assert windows.is_split
    assert windows.training == windows.validation == windows.refit == (-(d + w - 1), -d)


def test_a_day_is_half_open_and_follows_the_clocks() -> None:
    assert day_end("2024-03-31", "Europe/Berlin") - day_start("2024-03-31", "Europe/Berlin") == pd.Timedelta(hours=23)
    assert day_end("2024-10-27", "Europe/Berlin") - day_start("2024-10-27", "Europe/Berlin") == pd.Timedelta(hours=25)
    assert day_end("2024-10-26", "Europe/Berlin") == day_start("2024-10-27", "Europe/Berlin")
    assert day_start("2024-07-01", "UTC") == pd.Timestamp("2024-07-01", tz="UTC")
