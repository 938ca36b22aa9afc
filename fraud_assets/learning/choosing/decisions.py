"""What was decided on a day, and on what grounds: the record that is stored with each best model.

What does not live here: the rule itself (champion.py), and what people decide instead (overrides.py).
"""

from dataclasses import dataclass, fields
from enum import StrEnum

CHAMPION = "champion"
"""The row of an evaluation that has the numbers of a champion's recipe that is none of the day's candidates."""


class DecisionKind(StrEnum):
    """How the recipe of a day came to be used."""

    FIRST = "first"
    """There was no champion: the best candidate."""
    KEPT = "kept"
    """The champion's recipe stays."""
    PROMOTED = "promoted"
    """The challenger was surely better than the champion."""
    TOO_OLD = "too_old"
    """The champion's recipe had been used for longer than is allowed: the best candidate."""
    REPLACED = "replaced"
    """The champion's recipe cannot be fitted any more, or ranks no better than chance: the best candidate."""
    AWAITING_APPROVAL = "awaiting_approval"
    """The champion's recipe stays until somebody approves the challenger."""
    APPROVED = "approved"
    """Somebody approved a challenger."""
    ROLLED_BACK = "rolled_back"
    """Somebody went back to the recipe of an earlier day."""
    PINNED = "pinned"
    """Somebody pinned a recipe, and nobody has unpinned it."""


@dataclass(frozen=True)
class Decision:
    """Which recipe is used from a day on, and why.

    Scores are average precisions over the validation days. `difference` is the mean over days of the challenger's
    average precision minus the champion's, `lower_bound` the lower bound of its one-sided 99 % t-interval, `days` on
    how many days both are defined; all are None, or 0, where nothing was compared.
    """

    day: str
    kind: DecisionKind
    winner: str
    """The family of the recipe that is used."""
    scored_as: str
    """The row of the day's evaluation that has its numbers: a candidate's name, or `CHAMPION`."""
    score: float | None
    since: str
    """The first day of the recipe's present term: a champion's age counts from it."""
    reason: str
    validation_from: str
    validation_until: str
    margin: float
    champion: str | None = None
    """The family of the champion's recipe as the day began."""
    champion_day: str | None = None
    """The partition of the best model that it was read from."""
    champion_hash: str | None = None
    """That model's content hash."""
    champion_score: float | None = None
    challenger: str | None = None
    challenger_score: float | None = None
    difference: float | None = None
    lower_bound: float | None = None
    days: int = 0
    override: str | None = None
    """What somebody has decided instead, where that is how it came."""
    last_override: int | None = None
    """The last approval or rollback that is settled, by its number in the journal: it does not count again."""

    def facts(self) -> dict[str, str | float | int]:
        """All of it but the reason, in plain values; what is not defined is left out."""
        renamed = {"kind": "decision_kind", "since": "champion_since", "days": "days_compared"}
        told = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in {"day", "reason"}}
        plain = {name: str(value) if isinstance(value, DecisionKind) else value for name, value in told.items()}
        return {renamed.get(name, name): value for name, value in plain.items() if value is not None}
