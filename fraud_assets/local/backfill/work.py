"""Making the runs of a backfill: ranges first, then day by day, around whatever fails."""

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

import dagster as dg

from fraud_assets.assets.plan import Plan
from fraud_assets.assets.stored_batch import untrusted_batches
from fraud_assets.local.backfill.lineage import Lineage
from fraud_assets.local.backfill.pieces import Piece, cut, pieces
from fraud_assets.local.backfill.record import Backfill
from fraud_assets.local.backfill.refused import bad_batches, bad_label_files, lacking
from fraud_assets.local.console import Steps, progress_of_days
from fraud_assets.local.runs import Ran, new_run_id, run_assets, said
from fraud_assets.postgres import PostgresResource, StoredByRun, report_untold
from fraud_assets.sources import SourceError

MOST_ROWS = 2_000_000
"""Transactions of a run, those of the days before that its features look back on included: about a kilobyte each is
held at once (122 days of 9,600 took 1.3 GB)."""

SECONDS_BETWEEN_LOOKS = 2.0


@dataclass(frozen=True)
class Left:
    """What a day was left without, and why."""

    day: str
    assets: tuple[str, ...]
    reason: str


@dataclass
class Work:
    """A backfill being carried out: what is still to be made of each day, what was left out, and its runs."""

    plan: Plan
    defs: dg.Definitions
    lineage: Lineage
    postgres: PostgresResource
    instance: dg.DagsterInstance
    backfill: Backfill
    left: list[Left] = field(default_factory=list)
    warnings: list[dg.AssetCheckEvaluation] = field(default_factory=list)
    run_ids: list[str] = field(default_factory=list)
    _todo: dict[str, frozenset[str]] = field(default_factory=dict)
    _made: dict[str, set[str]] = field(default_factory=dict)

    def carry_out(self) -> None:
        """Make what the backfill's runs have not stored yet.

        Raises whatever ends all of it: a database that is gone, an interrupt, a bug. What failed is in `left`.
        """
        runs = self.backfill.runs(self.instance)
        self.run_ids = [run.run_id for run in runs]
        report_untold(self.instance, self._note([run.run_id for run in runs if not run.is_success]))
        self._note([run.run_id for run in runs if run.is_success])
        self._todo = {day: self._undone(day, self.backfill.assets) for day in self.backfill.days}
        self._leave_what_cannot_be_made()
        self._make_ranges()
        self._make_days()

    def stored(self) -> list[StoredByRun]:
        """What the backfill has stored in all its sessions."""
        return self.postgres.stored_by_runs(self.run_ids)

    def _leave_what_cannot_be_made(self) -> None:
        days = [day for day, todo in self._todo.items() if "raw_batch" in todo]
        if days:
            with progress_of_days("the days at their source", len(days)) as bar:
                for day, reason in bad_batches(self.plan, self.postgres, days, bar).items():
                    self._leave(day, self.lineage.together["raw_batch"], reason)
        days = [day for day, todo in self._todo.items() if "labels" in todo]
        for day, reason in bad_label_files(self.plan, days).items():
            self._leave(day, {"labels"}, reason)
        self._leave_untrusted([day for day, todo in self._todo.items() if "raw_batch" not in todo])
        found = lacking(self.postgres, self.lineage.needs, self.backfill.assets, self.backfill.days)
        for day, reasons in found.items():
            for name, reason in reasons.items():
                self._leave(day, self.lineage.together[name], reason)

    def _leave_untrusted(self, days: Collection[str]) -> None:
        for day, reason in untrusted_batches(self.plan, self.postgres, days).items():
            stored = self.lineage.together["raw_batch"]
            self._leave(day, self.lineage.without(stored) - stored, f"its raw_batch is not trusted: {reason}")

    def _make_ranges(self) -> None:
        todo = {day: assets & self.lineage.in_ranges for day, assets in self._todo.items()}
        total = sum(map(bool, todo.values()))
        if total:
            with progress_of_days("", total) as bar:
                for piece in pieces(todo, self._longest(todo)):
                    self._make(piece, bar)

    def _make_days(self) -> None:
        todo = {day: assets - self.lineage.in_ranges for day, assets in self._todo.items()}
        total = sum(map(bool, todo.values()))
        if total:
            with progress_of_days("", total) as bar:
                for piece in pieces(todo, longest=1):
                    ran = self._run(piece, bar)
                    (day,) = piece.days
                    if missing := self._undone(day, piece.assets):
                        self._leave(day, missing, "; ".join(said(ran.failures)) or "its run did not succeed")
                    bar.settle()

    def _make(self, piece: Piece, bar: Steps) -> None:
        """A range in a single run; where that fails, its parts in as many as it takes to leave out what fails."""
        ran = self._run(piece, bar)
        if ran.is_success:
            bar.settle()
            return
        self._leave_untrusted([day for day in piece.days if "raw_batch" in piece.assets])
        step, why = next(iter(ran.failures.items()), ("", "its run did not succeed"))
        failed = frozenset(name for name in piece.assets if self.lineage.step[name] == step)
        todo = {day: self._undone(day, piece.assets) & self._todo[day] for day in piece.days}
        days = [day for day, assets in todo.items() if assets & failed or not failed]
        if len(days) == 1:
            self._leave(days[0], todo[days[0]] & failed or todo[days[0]], f"{step} failed: {why}" if step else why)
            todo = {day: assets & self._todo[day] for day, assets in todo.items()}
            parts = [piece.days]
        elif days:
            stored = {one.partition_key for one in self.postgres.stored_by_runs(self.run_ids[-1:])}
            parts = cut(days, sorted(stored)) if failed else cut(days, [])
            parts += [tuple(day for day in piece.days if day not in days)]
        else:
            parts = [piece.days]
        for part in sorted(filter(None, parts)):
            for smaller in pieces({day: todo[day] for day in part}, len(piece.days)):
                self._make(smaller, bar)

    def _run(self, piece: Piece, bar: Steps) -> Ran:
        run_id = new_run_id()
        self.run_ids.append(run_id)
        following = _Following(bar, self.postgres, run_id, piece)
        ran = run_assets(
            self.defs,
            self.instance,
            self.lineage.sorted(piece.assets),
            piece.range,
            run_id=run_id,
            bar=following,
            tags=self.backfill.tags,
        )
        # A database that is gone is found out here, and not by failing one day after the other.
        stored = self._note([run_id])
        if ran.is_success:
            following.reach(stored)
        else:
            report_untold(self.instance, stored)
        self.warnings += ran.warnings
        return ran

    def _note(self, run_ids: Iterable[str]) -> list[StoredByRun]:
        stored = self.postgres.stored_by_runs(list(run_ids))
        for one in stored:
            self._made.setdefault(one.partition_key, set()).add(one.asset_key)
        return stored

    def _undone(self, day: str, assets: Collection[str]) -> frozenset[str]:
        """Those of a day's assets that are still to be made. What comes together is made together."""
        made = self._made.get(day, set())
        return frozenset(name for name in assets if not self.lineage.together[name] <= made)

    def _leave(self, day: str, lost: Collection[str], reason: str) -> None:
        """Give up on assets of a day, and on those that cannot be made without them."""
        gone = self.lineage.without(lost) & self._todo[day]
        if gone:
            self._todo[day] -= gone
            self.left.append(Left(day, tuple(self.lineage.sorted(gone)), reason.rstrip(".")))

    def _longest(self, todo: Mapping[str, frozenset[str]]) -> int:
        """The most days of one run, by the rows of the largest day that is stored, or of the first one to be made."""
        stored = self.postgres.stored_row_counts("raw_batch").values()
        rows = max(stored, default=0) or self._rows_of(next(day for day, assets in todo.items() if assets))
        return max(1, MOST_ROWS // max(rows, 1) + self.plan.feature_history[0])

    def _rows_of(self, day: str) -> int:
        try:
            with self.plan.source.read_day(date.fromisoformat(day)) as batch:
                return batch.counts.accepted
        except SourceError:
            return 0


@dataclass
class _Following:
    """Moves a bar of days along with a run, by what the ledger has of it."""

    bar: Steps
    postgres: PostgresResource
    run_id: str
    piece: Piece
    looked_at: float = 0.0

    def advance(self, note: str = "") -> None:
        self.say(note)

    def say(self, note: str) -> None:
        self.bar.say(note if self.piece.days[0] in note else f"{self.piece.range}: {note}")

    def look(self) -> None:
        """Ask the ledger, and not more often than somebody may want to see it move."""
        if time.monotonic() - self.looked_at > SECONDS_BETWEEN_LOOKS:
            self.reach(self.postgres.stored_by_runs([self.run_id]))
            self.looked_at = time.monotonic()

    def reach(self, stored: Collection[StoredByRun]) -> None:
        # A step that was tried again has stored some days twice.
        made = {(one.asset_key, one.partition_key) for one in stored}
        self.bar.reach(len(made) / len(self.piece.assets))
