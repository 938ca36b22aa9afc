"""Who is in charge as a day begins, and what a champion leaves to the days after it."""

import json

import pytest

from fraud_assets.learning import Champion, DecisionKind, InCharge, OverrideKind, champion_facts, in_charge
from fraud_assets_tests.learning.choosing.material import (
    CHAMPION_DAYS,
    DAY,
    champion,
    contest,
    decided,
    override,
    tuned,
)

PIN, UNPIN, ROLLBACK, APPROVE = OverrideKind.PIN, OverrideKind.UNPIN, OverrideKind.ROLLBACK, OverrideKind.APPROVE


def test_a_champion_has_to_defend_itself_for_as_long_as_its_term_has_lasted() -> None:
    assert in_charge(champion(), [], DAY, CHAMPION_DAYS) == InCharge(
        tuned("random_forest"), "2026-03-01", DecisionKind.KEPT
    )


def test_nobody_is_in_charge_on_the_first_day() -> None:
    assert in_charge(None, [], DAY, CHAMPION_DAYS) is None


@pytest.mark.parametrize(("kind", "right"), [(APPROVE, DecisionKind.APPROVED), (ROLLBACK, DecisionKind.ROLLED_BACK)])
def test_a_takeover_counts_once(kind: OverrideKind, right: DecisionKind) -> None:
    said = [override(7, kind, "2026-03-12")]
    found = in_charge(champion(last_override=3), said, DAY, CHAMPION_DAYS)
    assert found == InCharge(tuned("gradient_boosting"), DAY, right, said[0])
    knows = champion("gradient_boosting", last_override=7)
    assert in_charge(knows, said, DAY, CHAMPION_DAYS) == InCharge(knows.tuned, "2026-03-01", DecisionKind.KEPT)


def test_a_takeover_of_a_later_day_is_no_news_to_an_earlier_one() -> None:
    said = [override(7, ROLLBACK, "2026-03-16")]
    assert in_charge(champion(), said, DAY, CHAMPION_DAYS) == in_charge(champion(), [], DAY, CHAMPION_DAYS)


def test_without_a_champion_a_takeover_counts_for_as_long_as_one_would() -> None:
    for from_day, counts in (("2026-02-16", True), ("2026-02-15", False)):
        found = in_charge(None, [override(7, ROLLBACK, from_day)], DAY, CHAMPION_DAYS)
        assert (found is not None) == counts


def test_a_pin_comes_before_a_takeover_and_keeps_the_term_of_the_same_recipe() -> None:
    said = [override(7, PIN, "2026-03-12"), override(8, ROLLBACK, "2026-03-12", "logistic_regression")]
    other = in_charge(champion(), said, DAY, CHAMPION_DAYS)
    assert other == InCharge(tuned("gradient_boosting"), DAY, DecisionKind.PINNED, said[0])
    same = in_charge(champion("gradient_boosting"), said, DAY, CHAMPION_DAYS)
    assert same == InCharge(tuned("gradient_boosting"), "2026-03-01", DecisionKind.PINNED, said[0])


def test_a_takeover_from_before_a_pin_does_not_come_back_with_its_end() -> None:
    """A rollback, then a pin: after the unpin the pinned recipe is the champion, which has to defend itself."""
    said = [
        override(1, ROLLBACK, "2026-03-15", "logistic_regression"),
        override(2, PIN, "2026-03-15", "gradient_boosting"),
        override(3, UNPIN, "2026-03-16"),
    ]
    scores = {"gradient_boosting": 0.5, "random_forest": 0.4}
    pinned = decided(contest(scores, scored_as="gradient_boosting"), champion(), said)
    assert (pinned.kind, pinned.last_override) == (DecisionKind.PINNED, 1)
    stored = Champion.from_facts(DAY, "hash", champion_facts(tuned("gradient_boosting"), pinned))
    free = in_charge(stored, said, "2026-03-16", CHAMPION_DAYS)
    assert free == InCharge(tuned("gradient_boosting"), DAY, DecisionKind.KEPT)


def test_a_champion_comes_back_from_the_facts_of_its_model() -> None:
    decision = decided(contest({"random_forest": 0.5}), overrides=[override(7, APPROVE, "2025-03-15")])
    facts = json.loads(json.dumps(champion_facts(tuned(C=0.1), decision)))
    assert Champion.from_facts(DAY, "hash", facts) == Champion(tuned(C=0.1), DAY, "hash", DAY, 7)


def test_a_model_without_such_facts_is_no_champion() -> None:
    assert Champion.from_facts(DAY, "hash", {"winner": "random_forest", "decision": "It won."}) is None
