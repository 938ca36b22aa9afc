"""A search's results serve the days after it, for a while, and no day before it."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fraud_assets.learning import Calibrator, SearchResult, incumbents, reusable

RESULT = SearchResult({"C": 1.0}, 0.25, Calibrator(0.5, -1.5), "2024-05-10", "v1")
FIRST = date(2024, 5, 1)


def day(number: int) -> str:
    return (FIRST + timedelta(days=number)).isoformat()


def found(searched: int, **changes: Any) -> SearchResult:
    return replace(RESULT, searched_on=day(searched), parameters={"C": float(searched)}, **changes)


def test_a_result_survives_its_text() -> None:
    for result in (RESULT, replace(RESULT, failure="ValueError: 'C' of -1"), SearchResult({})):
        assert SearchResult.from_text(result.as_text()) == result


def test_the_text_of_the_largest_result_is_short_enough_for_a_fact() -> None:
    weights = dict.fromkeys(("logistic_regression", "support_vector_machine", "k_nearest_neighbors"), 0.123456)
    largest = replace(RESULT, parameters=weights, failure="x" * 5_000)
    assert len(largest.as_text()) < 1_000


def test_the_newest_search_within_the_days_serves() -> None:
    stored = {"a": {day(n): found(searched) for n, searched in ((3, 3), (4, 3), (8, 8), (9, 8))}}
    for today, searched in ((4, 3), (7, 3), (8, 3), (9, 8), (14, 8)):
        reused = reusable(stored, ["a"], day(today), made_by="v1", every_days=7)
        assert reused == {"a": found(searched)}, today
    assert reusable(stored, ["a"], day(15), made_by="v1", every_days=7) is None
    assert reusable(stored, ["a"], day(3), made_by="v1", every_days=7) is None
    assert reusable(stored, ["a"], day(4), made_by="v1", every_days=1) is None


def test_of_other_code_nothing_is_used() -> None:
    stored = {"a": {day(3): found(3)}}
    assert reusable(stored, ["a"], day(4), made_by="v2", every_days=7) is None
    assert incumbents(stored, ["a"], day(4), made_by="v2") == {}


def test_all_take_part_in_one_search_or_none_does() -> None:
    stored = {"a": {day(3): found(3), day(5): found(5)}, "b": {day(3): found(3)}}
    assert reusable(stored, ["a", "b"], day(6), made_by="v1", every_days=7) == {"a": found(3), "b": found(3)}
    assert reusable(stored, ["a"], day(6), made_by="v1", every_days=7) == {"a": found(5)}
    assert reusable(stored, ["a", "c"], day(6), made_by="v1", every_days=7) is None


def test_a_search_in_which_one_failed_serves_no_other_day() -> None:
    stored = {"a": {day(3): found(3), day(5): found(5)}, "b": {day(3): found(3), day(5): found(5, failure="broken")}}
    assert reusable(stored, ["a", "b"], day(6), made_by="v1", every_days=7) == {"a": found(3), "b": found(3)}
    assert reusable(stored, ["a", "b"], day(6), made_by="v1", every_days=3) is None
    assert reusable(stored, ["a"], day(6), made_by="v1", every_days=3) == {"a": found(5)}


@given(st.dictionaries(st.integers(0, 20), st.integers(0, 10)), st.integers(0, 20), st.integers(1, 10))
@settings(deadline=None)
def test_nothing_later_is_ever_used_and_nothing_is_used_for_ever(
    ages: dict[int, int], today: int, every_days: int
) -> None:
    stored = {"a": {day(key): found(key - age) for key, age in ages.items()}}
    earlier = {key: result for key, result in stored["a"].items() if key < day(today)}
    reused = reusable(stored, ["a"], day(today), made_by="v1", every_days=every_days)
    assert reused == reusable({"a": earlier}, ["a"], day(today), made_by="v1", every_days=every_days)
    expected = [r.searched_on for r in earlier.values() if r.searched_on > day(today - every_days)]
    assert (reused["a"].searched_on if reused else None) == max(expected, default=None)
    assert incumbents(stored, ["a"], day(today), made_by="v1") == incumbents(
        {"a": earlier}, ["a"], day(today), made_by="v1"
    )


def test_the_incumbent_is_what_was_last_used() -> None:
    stored = {"a": {day(1): found(1), day(2): found(2), day(3): found(3, failure="broken"), day(5): found(5)}}
    assert incumbents(stored, ["a", "b"], day(4), made_by="v1") == {"a": {"C": 2.0}}
