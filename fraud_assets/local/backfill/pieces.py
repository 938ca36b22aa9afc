"""Which runs to make of what is to be done: contiguous days with the same assets in one, cut where one has failed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from fraud_assets.local.runs import Days


@dataclass(frozen=True)
class Piece:
    """Days without a hole, and the assets that one run makes of each."""

    days: tuple[str, ...]
    assets: frozenset[str]

    @property
    def range(self) -> Days:
        return Days(self.days[0], self.days[-1])


def pieces(todo: Mapping[str, frozenset[str]], longest: int) -> Iterator[Piece]:
    """As few as possible, in the order of their days, none of more than `longest`; days with nothing to do are left."""
    days: list[str] = []
    for day in sorted(day for day, assets in todo.items() if assets):
        if days and not (follows(days[-1], day) and todo[day] == todo[days[-1]] and len(days) < longest):
            yield Piece(tuple(days), todo[days[0]])
            days = []
        days.append(day)
    if days:
        yield Piece(tuple(days), todo[days[0]])


def follows(day: str, other: str) -> bool:
    """Whether a day is the one after another."""
    return date.fromisoformat(day) + timedelta(days=1) == date.fromisoformat(other)


def cut(days: Sequence[str], stored: Sequence[str]) -> list[tuple[str, ...]]:
    """The days of a run that failed, cut so that the day that it failed on is alone, as far as can be told.

    `stored` are those that the failed step had stored by then. A step that stores each day before it looks at the next
    has failed on the first of the others. One that had stored none tells nothing, and its days are cut in halves.
    """
    others = [place for place, day in enumerate(days) if day not in stored]
    culprit = others[0] if others else 0
    if culprit == 0:
        half = (len(days) + 1) // 2
        parts = [days[:half], days[half:]]
    else:
        parts = [days[:culprit], days[culprit : culprit + 1], days[culprit + 1 :]]
    return [tuple(part) for part in parts if part]
