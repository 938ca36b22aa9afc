"""The champion before a day, and the recipe that is in charge as the day begins.

What does not live here: where champions and overrides are stored, and whether the recipe stays (champion.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Self

from fraud_assets.learning.choosing.decisions import Decision, DecisionKind
from fraud_assets.learning.choosing.overrides import Override, OverrideKind, last_takeover, standing_pin
from fraud_assets.learning.choosing.tuned import TunedRecipe


@dataclass(frozen=True)
class Champion:
    """The best model of the last day before: its recipe, partition and content, and the day its term began."""

    tuned: TunedRecipe
    day: str
    content_hash: str
    since: str
    last_override: int | None = None
    """The last approval or rollback that it knows of."""

    @classmethod
    def from_facts(cls, day: str, content_hash: str, facts: Mapping[str, Any]) -> Self | None:
        """From what `champion_facts` has written; None for a model that was stored without it."""
        if not {"recipe", "champion_since"} <= facts.keys():
            return None
        tuned = TunedRecipe.from_json(facts)
        return cls(tuned, day, content_hash, str(facts["champion_since"]), facts.get("last_override"))


def champion_facts(tuned: TunedRecipe, decision: Decision) -> dict[str, Any]:
    """What a later day needs to know of a best model, so that its recipe can be the champion without unpickling it."""
    settled = {} if decision.last_override is None else {"last_override": decision.last_override}
    return {**tuned.as_json(), "champion_since": decision.since, **settled}


@dataclass(frozen=True)
class InCharge:
    """The recipe in use as a day begins. `right` is KEPT where it has to defend itself, else what an override made it.

    `since` is the first day of its term: its age counts from it.
    """

    tuned: TunedRecipe
    since: str
    right: DecisionKind = DecisionKind.KEPT
    override: Override | None = None


def in_charge(
    champion: Champion | None, overrides: Sequence[Override], day: str, champion_days: int
) -> InCharge | None:
    """The recipe that is pinned, else the one that was just approved or rolled back to, else the champion's.

    An approval or a rollback counts once: on the first day whose champion does not know of it. Where there is no
    champion, it counts for as long as a champion would, `champion_days` days.
    """
    pin, takeover = standing_pin(overrides, day), last_takeover(overrides, day)
    if pin is not None and pin.tuned is not None:
        stays = champion is not None and champion.tuned.recipe == pin.tuned.recipe
        return InCharge(pin.tuned, champion.since if champion and stays else day, DecisionKind.PINNED, pin)
    if takeover is not None and takeover.tuned is not None and _is_new(takeover, champion, day, champion_days):
        is_approval = takeover.kind is OverrideKind.APPROVE
        right = DecisionKind.APPROVED if is_approval else DecisionKind.ROLLED_BACK
        return InCharge(takeover.tuned, day, right, takeover)
    return None if champion is None else InCharge(champion.tuned, champion.since)


def _is_new(takeover: Override, champion: Champion | None, day: str, champion_days: int) -> bool:
    if champion is None:
        return days_between(takeover.from_day, day) < champion_days
    return takeover.number > (champion.last_override or 0)


def days_between(first: str, last: str) -> int:
    """From one day to another, both written YYYY-MM-DD."""
    return (date.fromisoformat(last) - date.fromisoformat(first)).days
