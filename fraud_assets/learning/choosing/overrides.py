"""What people decide instead of the rule, and which of it stands on a day.

Every override is one entry of a journal that only grows. It names the first day on which it counts, so that days
before it come out as they did when they are made again. Where several count, the one that was written last stands.
What does not live here: the journal, and what follows for the choice (champion.py).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from fraud_assets.learning.choosing.tuned import TunedRecipe


class OverrideKind(StrEnum):
    """What somebody has decided."""

    APPROVE = "approve"
    """The challenger that waits since `day` takes over."""
    ROLLBACK = "rollback"
    """The recipe of the best model of `day` takes over, and competition goes on from there."""
    PIN = "pin"
    """The recipe of the best model of `day` stays, whatever the challengers do."""
    UNPIN = "unpin"
    """Competition goes on from the recipe that was pinned."""


TAKEOVERS = frozenset({OverrideKind.APPROVE, OverrideKind.ROLLBACK})
_DONE = {
    OverrideKind.APPROVE: "approved",
    OverrideKind.ROLLBACK: "rolled back to",
    OverrideKind.PIN: "pinned",
    OverrideKind.UNPIN: "unpinned",
}


@dataclass(frozen=True)
class Override:
    """One entry: `kind`, the day whose best model it is about, and the first day on which it counts.

    `day` and `tuned` are None for the end of a pin, which is about no recipe. `number` grows from entry to entry;
    `written_at` is the time of writing in ISO format.
    """

    number: int
    kind: OverrideKind
    day: str | None
    from_day: str
    tuned: TunedRecipe | None
    author: str
    written_at: str
    reason: str

    def __str__(self) -> str:
        """Who did what and when, and why, as it stands in a sentence."""
        what = _DONE[self.kind] + ("" if self.tuned is None else f" {self.tuned.recipe.family} of {self.day}")
        return f"{self.author} {what} at {self.written_at}" + (f" ({self.reason})" if self.reason else "")

    @classmethod
    def from_json(cls, number: int, author: str, written_at: str, document: Mapping[str, Any]) -> Self:
        """The override that an entry of the journal holds."""
        tuned = document["tuned"]
        return cls(
            number=number,
            kind=OverrideKind(document["kind"]),
            day=document["day"],
            from_day=document["from_day"],
            tuned=None if tuned is None else TunedRecipe.from_json(tuned),
            author=author,
            written_at=written_at,
            reason=document["reason"],
        )


def override_document(
    kind: OverrideKind, from_day: str, day: str | None = None, tuned: TunedRecipe | None = None, reason: str = ""
) -> dict[str, Any]:
    """What the journal holds of an override, beside its author and time."""
    return {
        "kind": kind.value,
        "day": day,
        "from_day": from_day,
        "tuned": None if tuned is None else tuned.as_json(),
        "reason": reason,
    }


def standing_pin(overrides: Iterable[Override], day: str) -> Override | None:
    """The pin that holds on a day; None where there is none, or none any more."""
    last = _last(overrides, day, frozenset({OverrideKind.PIN, OverrideKind.UNPIN}))
    return last if last is not None and last.kind is OverrideKind.PIN else None


def last_takeover(overrides: Iterable[Override], day: str) -> Override | None:
    """The approval or rollback that was written last among those that count on a day."""
    return _last(overrides, day, TAKEOVERS)


def _last(overrides: Iterable[Override], day: str, kinds: frozenset[OverrideKind]) -> Override | None:
    counting = (one for one in overrides if one.kind in kinds and one.from_day <= day)
    return max(counting, key=lambda one: one.number, default=None)
