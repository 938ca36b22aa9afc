"""Which files of a landing folder are whole, and which of them are news: new ones, and corrected ones.

What lives here: the memory of a sensor between its looks, and what follows from it. What does not: launching anything.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from enum import StrEnum
from pathlib import Path

from fraud_assets.sources import Arrival, SourceError

HASHED_PER_LOOK = 50
"""How many files a look reads to its end: a folder that is looked at for the first time may hold years."""


GIVEN_UP_SECONDS = 3_600.0
"""How long a file may stay as it is and be unreadable before it counts as delivered so."""


class News(StrEnum):
    """What a whole file is, beside what is stored of its day."""

    NEW = "new"
    CORRECTED = "corrected"


@dataclass(frozen=True)
class WholeFile:
    """A file that has settled and differs from what is stored."""

    day: date
    fingerprint: str
    news: News

    @property
    def run_key(self) -> str:
        """What a run of it is known by: the same content of a day never starts another."""
        return f"{self.day} {self.news} {self.fingerprint}"


@dataclass(frozen=True)
class Seen:
    """A file as it was at the last look, and the instant (seconds) since when it has been so."""

    size: int
    modified: int
    since: float
    fingerprint: str | None = None

    def is_still(self, arrival: Arrival) -> bool:
        return (self.size, self.modified) == (arrival.size, arrival.modified)


@dataclass(frozen=True)
class Look:
    """What a look at the folder has found: what is news, what is waited for, and what to remember until the next."""

    whole: list[WholeFile] = field(default_factory=list)
    waiting: list[date] = field(default_factory=list)
    memory: Mapping[str, Seen] = field(default_factory=dict)


def look(
    arrivals: Iterable[Arrival],
    memory: Mapping[str, Seen],
    stored: Mapping[str, str],
    now: float,
    settle_seconds: float,
    digest: Callable[[Path], str],
) -> Look:
    """Compare a folder with the last look at it, and its whole files with the fingerprints that are `stored` by day.

    A file counts as whole when it has been the same for `settle_seconds` by our own clock, over at least two looks,
    whatever times the files bear, and can be read to its end: a truncated archive is still on its way.
    """
    whole: list[WholeFile] = []
    waiting: list[date] = []
    remembered: dict[str, Seen] = {}
    hashed = 0
    for arrival in arrivals:
        before = memory.get(arrival.path.name)
        seen = before if before is not None and before.is_still(arrival) else None
        if seen is None:
            seen, is_settled = Seen(arrival.size, arrival.modified, now), False
        else:
            is_settled = now - seen.since >= settle_seconds
        if is_settled and seen.fingerprint is None and hashed < HASHED_PER_LOOK:
            hashed += 1
            seen = replace(seen, fingerprint=_digested(arrival, digest, now - seen.since))
        remembered[arrival.path.name] = seen
        if seen.fingerprint is None:
            waiting.append(arrival.day)
        elif (known := stored.get(arrival.day.isoformat())) != seen.fingerprint:
            whole.append(WholeFile(arrival.day, seen.fingerprint, News.NEW if known is None else News.CORRECTED))
    return Look(whole, waiting, remembered)


def _digested(arrival: Arrival, digest: Callable[[Path], str], age: float) -> str | None:
    try:
        return digest(arrival.path)
    except SourceError:
        # Nobody is writing to it any more: its run says what is wrong with it.
        return f"unreadable {arrival.size} {arrival.modified}" if age >= GIVEN_UP_SECONDS else None


def as_cursor(memory: Mapping[str, Seen]) -> str:
    return json.dumps({name: asdict(seen) for name, seen in memory.items()})


def from_cursor(cursor: str | None) -> dict[str, Seen]:
    """What a sensor remembered; nothing at its first look."""
    return {name: Seen(**seen) for name, seen in json.loads(cursor or "{}").items()}
