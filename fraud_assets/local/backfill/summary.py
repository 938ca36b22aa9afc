"""What came of a backfill: what was made of how many days, in which time, and which days lack what and why."""

from collections import Counter
from collections.abc import Mapping, Sequence

import dagster as dg
from rich.box import SIMPLE_HEAD
from rich.table import Table

from fraud_assets.local.backfill.lineage import Lineage
from fraud_assets.local.backfill.record import Backfill
from fraud_assets.local.backfill.work import Left, Work
from fraud_assets.local.console import out, print_table
from fraud_assets.postgres import StoredByRun

SHOWN = 5


def print_summary(work: Work) -> None:
    """A line for each asset; then the checks that failed, and the days that lack something."""
    backfill = work.backfill
    print_table(_made(backfill, work.lineage, work.stored(), _seconds(work.instance, work.run_ids)))
    checks = Counter(f"{one.asset_key.to_user_string()}, {one.check_name.replace('_', ' ')}" for one in work.warnings)
    for check, runs in checks.items():
        out.print(f"Check failed ({check}) in {runs} of {len(work.run_ids)} runs.", markup=False)
    for left in sorted(work.left, key=lambda left: left.day):
        out.print(f"{left.day} is without {_named(left)}: {left.reason}.", markup=False)
    if work.left:
        days = len({left.day for left in work.left})
        out.print(f"{days} of {len(backfill.days)} days lack something; put that right, and try them again with:")
        out.print("  fraud-assets backfill --resume")


def _named(left: Left) -> str:
    more = len(left.assets) - SHOWN
    return ", ".join(left.assets[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _made(backfill: Backfill, lineage: Lineage, stored: Sequence[StoredByRun], seconds: Mapping[str, float]) -> Table:
    newest = {(one.asset_key, one.partition_key): one for one in stored}
    days = Counter(asset for asset, _ in newest)
    rows = Counter[str]()
    for (asset, _), one in newest.items():
        rows[asset] += one.row_count
    title = f"Backfill {backfill.number}: {backfill.first} to {backfill.last}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("asset", no_wrap=True)
    for heading in ("days", "rows", "seconds"):
        table.add_column(heading, justify="right", no_wrap=True)
    steps_shown = set[str]()
    for asset in backfill.assets:
        step = lineage.step[asset]
        # What comes from one step has one time.
        took = "" if step in steps_shown else f"{seconds.get(step, 0):,.1f}"
        steps_shown.add(step)
        table.add_row(asset, f"{days[asset]} of {len(backfill.days)}", f"{rows[asset]:,}", took)
    return table


def _seconds(instance: dg.DagsterInstance, run_ids: Sequence[str]) -> Mapping[str, float]:
    """Of each step, in all runs."""
    seconds = Counter[str]()
    for run_id in run_ids:
        for step in instance.get_run_step_stats(run_id):
            if step.start_time is not None and step.end_time is not None:
                seconds[step.step_key] += step.end_time - step.start_time  # type: ignore[assignment]
    return seconds
