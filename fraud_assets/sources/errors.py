"""What can be wrong with a day at its source, each as one sentence for the person who can put it right."""

from collections.abc import Mapping
from datetime import date
from typing import Protocol


class SourceError(Exception):
    """A file, table or day that cannot be used. Permanent: a retry finds the same."""


class SourceNotReady(SourceError):
    """The day is not there yet, or its database does not answer: a retry may pass."""


class Content(Protocol):
    """What a day's content was, whether it could be used or not."""

    @property
    def day(self) -> date: ...
    @property
    def origin(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...


class EveryRowRejected(SourceError):
    """No row of the day is usable. Carries the content's fingerprint: it may be another day's file."""

    def __init__(self, message: str, day: date, origin: str, fingerprint: str) -> None:
        super().__init__(message)
        self.day = day
        self.origin = origin
        self.fingerprint = fingerprint


def check_not_repeated(content: Content, known: Mapping[str, str]) -> None:
    """Raises `SourceError` when `known`, fingerprint to day (YYYY-MM-DD) of stored batches, has it under another day.

    `content` is a `DayBatch` or an `EveryRowRejected`. The same day again is a re-run, and legal.
    """
    earlier = known.get(content.fingerprint)
    if earlier is not None and earlier != content.day.isoformat():
        raise SourceError(
            f"{content.origin}, given for {content.day}, has the same content as the batch of day {earlier}; "
            f"deliver the transactions of {content.day}."
        )
