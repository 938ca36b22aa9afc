"""`prune`: what went, or would go, in words."""

from rich.box import SIMPLE_HEAD
from rich.filesize import decimal
from rich.table import Table

from fraud_assets.assets import all_assets
from fraud_assets.local.console import out, print_table
from fraud_assets.local.daily import code_location
from fraud_assets.local.database import Workplace
from fraud_assets.local.housekeeping import Gone, House, Housekept, housekeeping


def prune_workplace(workplace: Workplace, *, dry_run: bool) -> Housekept:
    """Housekeeping of a workplace. Raises `Refusal` for settings that cannot be meant."""
    _, plan = code_location(workplace)
    house = House(workplace.postgres(), workplace.dagster_database_url, plan, all_assets(plan))
    with workplace.instance() as instance:
        return housekeeping(house, instance, dry_run=dry_run)


def print_pruned(kept: Housekept) -> None:
    """A line for each asset of which something goes, and what left Dagster's event log and the disk."""
    goes = "would go" if kept.is_dry else "went"
    touched = [one for one in kept.assets if one.versions or one.left]
    if touched:
        print_table(_table(touched, goes))
    else:
        out.print("Everything that is stored is within what the settings under retention keep.")
    total = sum(one.byte_count for one in kept.assets)
    if total:
        out.print(f"In all {decimal(total)} of data {goes}; the ledger keeps the record of it.")
    left = sum(one.left for one in kept.assets)
    if left:
        out.print(f"{left} versions are being read, or were replaced just now; they are left for the next time.")
    if kept.events.events:
        runs = f"{len(kept.events.runs):,} finished runs"
        out.print(
            f"Dagster's event log: {kept.events.events:,} events of {runs} ({decimal(kept.events.byte_count)}) {goes}."
        )
    if kept.forgotten_events:
        what = "partitions" if kept.is_dry else "events of partitions"
        out.print(f"Dagster's record: {kept.forgotten_events:,} {what} that are stored no more {goes}.")
    for table, size in kept.reclaimed.items():
        out.print(f"{table} is {decimal(size)} smaller on disk.", markup=False)


def _table(touched: list[Gone], goes: str) -> Table:
    table = Table(box=SIMPLE_HEAD, title=f"What {goes}", title_justify="left")
    for heading, side in (
        ("asset", "left"), ("kept from", "left"), ("partitions", "right"), ("versions", "right"), ("size", "right"),
    ):  # fmt: skip
        table.add_column(heading, justify=side, no_wrap=True)  # type: ignore[arg-type]
    for one in touched:
        partitions = one.partitions
        days = f"{len(partitions):,}" + (f" ({partitions[0]} to {partitions[-1]})" if partitions else "")
        table.add_row(one.asset, one.first_day or "all", days, f"{len(one.versions):,}", decimal(one.byte_count))
    return table
