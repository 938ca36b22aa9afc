"""The record of backfills: which were begun, and which have ended, so that one that was interrupted goes on.

It is a journal beside the data, which nothing rewrites. What a backfill has stored is not in it but in the ledger:
each of its runs carries the backfill's number as a tag, and each version the run that stored it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

import dagster as dg

from fraud_assets.local.database import Workplace
from fraud_assets.local.errors import Refusal
from fraud_assets.local.processes import is_alive, own_identity

JOURNAL = "backfills"
BACKFILL_TAG = "fraud_assets/backfill"
AUTHOR = "fraud-assets backfill"


class Entry(StrEnum):
    """What an entry of the journal says of a backfill."""

    BEGUN = "begun"
    RESUMED = "resumed"
    COMPLETE = "complete"
    """Every day of every asset has been made."""
    STOPPED = "stopped"
    """Its process has ended it, and something is left to be made."""


@dataclass(frozen=True)
class Backfill:
    """A range of days, first and last included, and the assets to make of them."""

    number: int
    first: date
    last: date
    assets: tuple[str, ...]

    @property
    def days(self) -> list[str]:
        return [(self.first + timedelta(days=n)).isoformat() for n in range((self.last - self.first).days + 1)]

    @property
    def tags(self) -> dict[str, str]:
        return {BACKFILL_TAG: str(self.number)}

    def runs(self, instance: dg.DagsterInstance) -> Sequence[dg.DagsterRun]:
        """Its runs so far, in all sessions."""
        return instance.get_runs(dg.RunsFilter(tags=self.tags))


def begin(workplace: Workplace, first: date, last: date, assets: Sequence[str]) -> Backfill:
    content = {"first": first.isoformat(), "last": last.isoformat(), "assets": list(assets)}
    number = _write(workplace, Entry.BEGUN, content | {"process": own_identity()})
    return Backfill(number, first, last, tuple(assets))


def end(workplace: Workplace, backfill: Backfill, entry: Entry) -> None:
    _write(workplace, entry, {"backfill": backfill.number})


def resume(workplace: Workplace) -> Backfill:
    """The newest backfill that is not complete. Raises `Refusal` where there is none, or it is still going on."""
    entries = workplace.postgres().journal(JOURNAL)
    newest: Mapping[int, Mapping[str, Any]] = {_number(entry.number, entry.content): entry.content for entry in entries}
    begun = {entry.number: entry.content for entry in entries if entry.content["what"] == Entry.BEGUN}
    open_ones = [number for number in begun if newest[number]["what"] != Entry.COMPLETE]
    if not open_ones:
        raise Refusal("There is no backfill to go on with; fraud-assets backfill --from A --to B begins one.")
    number = max(open_ones)
    process = newest[number].get("process")
    if process is not None and is_alive(process):
        raise Refusal(
            f"Backfill {number} is still going on, in process {process.split('/')[1]}; wait for it, or end it first."
        )
    content = begun[number]
    _write(workplace, Entry.RESUMED, {"backfill": number, "process": own_identity()})
    first, last = (date.fromisoformat(content[name]) for name in ("first", "last"))
    return Backfill(number, first, last, tuple(content["assets"]))


def _number(own: int, content: Mapping[str, Any]) -> int:
    """The backfill that an entry is about: its own number is that of the backfill which it begins."""
    return int(content.get("backfill", own))


def _write(workplace: Workplace, entry: Entry, content: Mapping[str, Any]) -> int:
    return workplace.postgres().write_journal(JOURNAL, AUTHOR, {"what": entry, **content}).number
