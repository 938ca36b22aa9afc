"""Which override stands on a day, and what the journal holds of one."""

import json

import pytest

from fraud_assets.learning import Override, OverrideKind, last_takeover, override_document, standing_pin
from fraud_assets_tests.learning.choosing.material import override, tuned

PIN, UNPIN, ROLLBACK, APPROVE = OverrideKind.PIN, OverrideKind.UNPIN, OverrideKind.ROLLBACK, OverrideKind.APPROVE


def test_an_override_counts_from_its_day_on_and_not_before() -> None:
    said = [override(3, PIN, "2026-03-10"), override(4, ROLLBACK, "2026-03-12")]
    assert standing_pin(said, "2026-03-09") is None
    assert standing_pin(said, "2026-03-10") == said[0]
    assert last_takeover(said, "2026-03-11") is None
    assert last_takeover(said, "2026-03-12") == said[1]


def test_a_pin_holds_until_it_is_taken_back() -> None:
    said = [override(1, PIN, "2026-03-10"), override(2, UNPIN, "2026-03-13")]
    assert standing_pin(said, "2026-03-12") == said[0]
    assert standing_pin(said, "2026-03-13") is None


def test_of_several_that_count_the_last_that_was_written_stands() -> None:
    said = [
        override(5, ROLLBACK, "2026-03-12"),
        override(9, APPROVE, "2026-03-10"),
        override(7, ROLLBACK, "2026-03-14"),
    ]
    days = ("2026-03-09", "2026-03-10", "2026-03-12", "2026-03-14")
    standing = [last_takeover(said, day) for day in days]
    assert [one and one.number for one in standing] == [None, 9, 9, 9]
    pins = [override(1, PIN, "2026-03-10"), override(2, PIN, "2026-03-01", "logistic_regression")]
    assert standing_pin(pins, "2026-03-20") == pins[1]


@pytest.mark.parametrize("kind", list(OverrideKind))
def test_an_override_comes_back_from_its_entry(kind: OverrideKind) -> None:
    recipe, day = (None, None) if kind is UNPIN else (tuned(C=0.1), "2026-03-02")
    document = json.loads(json.dumps(override_document(kind, "2026-03-15", day, recipe, "too many alerts")))
    found = Override.from_json(4, "ada", "2026-03-14T09:00:00+00:00", document)
    assert found == Override(4, kind, day, "2026-03-15", recipe, "ada", "2026-03-14T09:00:00+00:00", "too many alerts")
    for part in ("ada ", "2026-03-14T09:00:00+00:00", "(too many alerts)"):
        assert part in str(found)
    assert ("random_forest of 2026-03-02" in str(found)) == (kind is not UNPIN)
