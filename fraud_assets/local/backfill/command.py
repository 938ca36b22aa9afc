"""The command: what it refuses, begins or goes on with, and what it says when it is interrupted."""

from collections.abc import Sequence
from datetime import date

from fraud_assets.local.backfill.lineage import Lineage
from fraud_assets.local.backfill.record import Backfill, Entry, begin, end, resume
from fraud_assets.local.backfill.selection import select
from fraud_assets.local.backfill.summary import print_summary
from fraud_assets.local.backfill.work import Work
from fraud_assets.local.console import err
from fraud_assets.local.daily import check_day, code_location, for_a_command, say_what_pictures_lack
from fraud_assets.local.database import Workplace
from fraud_assets.local.errors import Refusal, is_lost_database
from fraud_assets.local.runs import end_abandoned_runs
from fraud_assets.postgres.errors import DatabaseUnavailable

TO_GO_ON = "What was stored stays; this goes on with the rest:\n  fraud-assets backfill --resume"


def run_backfill(workplace: Workplace, first: date, last: date, asked: Sequence[str]) -> bool:
    """Make the days from `first` to `last` of the assets asked for. Returns whether all of it was made.

    Raises `Refusal` for days and assets that there are not.
    """
    workplace = for_a_command(workplace)
    defs, plan = code_location(workplace)
    if last < first:
        raise Refusal(f"--from {first} is after --to {last}; give the first day and the last.")
    for day in (first, last):
        check_day(plan, day)
    chosen = select(defs, Lineage.of(defs), asked)
    if chosen.brought:
        verb = "comes" if len(chosen.brought) == 1 else "come"
        err.print(f"{', '.join(chosen.brought)} {verb} along: the same step makes it.", markup=False)
    return _carry_out(workplace, begin(workplace, first, last, chosen.assets))


def resume_backfill(workplace: Workplace) -> bool:
    """Make what the newest backfill that is not complete still lacks. Returns whether all of it is made now."""
    backfill = resume(workplace)
    what = "all assets" if len(backfill.assets) > 3 else ", ".join(backfill.assets)
    err.print(f"Going on with backfill {backfill.number}: {what} of {backfill.first} to {backfill.last}.", markup=False)
    return _carry_out(for_a_command(workplace), backfill)


def _carry_out(workplace: Workplace, backfill: Backfill) -> bool:
    defs, plan = code_location(workplace)
    lineage = Lineage.of(defs)
    if unknown := [name for name in backfill.assets if name not in lineage.order]:
        raise Refusal(
            f"Backfill {backfill.number} is of {', '.join(unknown)}, which there is no more; begin a new one."
        )
    say_what_pictures_lack(workplace)
    with workplace.instance() as instance:
        end_abandoned_runs(instance)
        work = Work(plan, defs, lineage, workplace.postgres(), instance, backfill)
        try:
            work.carry_out()
        except KeyboardInterrupt:
            end(workplace, backfill, Entry.STOPPED)
            err.print(TO_GO_ON)
            raise
        except Exception as error:
            if isinstance(error, DatabaseUnavailable) or is_lost_database(error):
                err.print(TO_GO_ON)
            raise
        print_summary(work)
        end(workplace, backfill, Entry.STOPPED if work.left else Entry.COMPLETE)
    return not work.left
