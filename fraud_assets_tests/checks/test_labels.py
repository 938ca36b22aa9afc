"""When a label feed is quiet, and when more of it says fraud than chance would make."""

from datetime import date, timedelta

import numpy as np
import pytest

from fraud_assets.checks import fraud_rate_is_as_usual, label_feed_is_alive

DAY = date(2026, 3, 15)
BEFORE = [str(DAY - timedelta(days=back)) for back in range(28, 0, -1)]
TODAY = str(DAY)


@pytest.mark.parametrize(
    ("last", "is_alive", "seen"),
    [
        (0, True, "100 labels became known"),
        (2, True, "0 labels became known"),
        (3, False, "no label for 3 days, the last on 2026-03-12"),
    ],
)
def test_a_feed_is_quiet_after_so_many_days(last: int, is_alive: bool, seen: str) -> None:
    silent = {str(DAY - timedelta(days=back)): 0 for back in range(last)}
    labels = {str(DAY - timedelta(days=last)): 100, **silent}
    check = label_feed_is_alive([TODAY], labels, 3)
    assert check.passed is is_alive
    assert seen in str(check.metadata["seen"].value)


@pytest.mark.parametrize(("today", "is_alive"), [(26, True), (25, True), (24, False)])
def test_far_fewer_than_on_such_weekdays(today: int, is_alive: bool) -> None:
    check = label_feed_is_alive([TODAY], {**dict.fromkeys(BEFORE, 100), TODAY: today}, 3)
    assert check.passed is is_alive


def test_a_feed_of_few_labels_may_have_days_without() -> None:
    assert label_feed_is_alive([TODAY], {**dict.fromkeys(BEFORE, 5), TODAY: 0}, 3).passed


def test_no_feed_yet() -> None:
    assert label_feed_is_alive([TODAY], {TODAY: 0}, 3).passed


def _rate(frauds_before: int, labels: int, frauds: int) -> bool:
    known = {**dict.fromkeys(BEFORE, 1000), TODAY: labels}
    check = fraud_rate_is_as_usual([TODAY], known, {**dict.fromkeys(BEFORE, frauds_before), TODAY: frauds})
    assert ("what_to_do" in check.metadata) is not check.passed
    return check.passed


def test_much_more_or_less_fraud_than_before_is_worth_a_look() -> None:
    assert _rate(10, 1000, 10)
    assert _rate(10, 1000, 22)
    assert not _rate(10, 1000, 30)
    assert not _rate(100, 1000, 40)
    assert _rate(100, 1000, 66)
    assert _rate(1, 100, 3)


def test_a_feed_of_frauds_alone_is_as_usual() -> None:
    assert _rate(1000, 500, 500)
    assert not _rate(1000, 500, 300)


def test_chance_alone_hardly_ever_warns() -> None:
    """Days of the same rate, drawn a thousand times: a year of days has less than one false warning."""
    rng = np.random.default_rng(0)
    warned = sum(not _rate(9, 1000, int(drawn)) for drawn in rng.binomial(1000, 0.009, 1000))
    assert warned <= 2


def test_without_enough_days_there_is_nothing_to_judge_by() -> None:
    few = dict.fromkeys(BEFORE[-6:], 1000)
    check = fraud_rate_is_as_usual([TODAY], {**few, TODAY: 1000}, {**dict.fromkeys(few, 1), TODAY: 900})
    assert check.passed
    assert "Nothing to judge by" in str(check.metadata["seen"].value)
