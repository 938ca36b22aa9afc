"""`forget`: says what is stored of a customer, asks, takes it out, and says what has to be known afterwards.

The order is what makes it safe to interrupt: what is found by the ids of transactions goes before the rows that these
ids are known from, so that the same command, run again, finds whatever is left.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from rich.box import SIMPLE_HEAD
from rich.table import Table

from fraud_assets.local.console import out, print_table, progress
from fraud_assets.local.database import Workplace
from fraud_assets.local.errors import Refusal
from fraud_assets.local.forgetting.afterwards import print_afterwards
from fraud_assets.local.forgetting.search import Found, Search, search
from fraud_assets.local.forgetting.traces import in_dagster, in_journals, in_ledger, in_logs
from fraud_assets.local.journals import user_name
from fraud_assets.local.runs import end_abandoned_runs, unfinished_runs
from fraud_assets.postgres.storage.forgetting import delete_rows, rewrite_rows, settle
from fraud_assets.settings import ColumnRoles
from fraud_assets.sources import open_source
from fraud_assets.sources.pseudonyms import Pseudonymizer

JOURNAL = "forgetting"
"""The journal of what was forgotten when; whose it was is in it least of all."""


@dataclass(frozen=True)
class Stored:
    """All that there is of a customer: rows, and texts that mention them."""

    search: Search
    dagster: dict[str, int]
    """Rows by table of Dagster's."""
    facts: int
    logs: int
    journal: list[int]

    @property
    def is_nothing(self) -> bool:
        return not (self.search.found or self.dagster or self.facts or self.logs)


def forget(workplace: Workplace, customer: str, *, dry_run: bool, agreed: Callable[[str], bool]) -> bool:
    """Remove a customer; returns whether anything was. Interrupted anywhere, the same call finishes.

    `agreed` is asked before anything changes. Raises `Refusal` for a customer of whom nothing is stored, for a source
    without customers, and while runs are waiting or running: they would write what they have read before.
    """
    customer = customer.strip()
    roles = open_source(workplace.settings, pseudonym_key=workplace.settings.pseudonym_secret).roles
    customers = known_as(workplace, customer, roles)
    if not dry_run:
        _refuse_runs(workplace)
    stored = _look(workplace, customers, roles)
    if stored.is_nothing:
        _finish_interrupted(workplace, customer, dry_run=dry_run)
        return False
    _print(stored, dry_run=dry_run)
    if dry_run or not agreed("Remove all of this for good?"):
        return False
    _remove(workplace, stored)
    _write_journal(workplace, stored)
    print_afterwards(workplace, [found.version for found in stored.search.found], stored.journal)
    return True


def known_as(workplace: Workplace, customer: str, roles: ColumnRoles) -> frozenset[str]:
    """The customer's own id, and the pseudonym that stands in for it where the column is sensitive.

    Raises `Refusal` for a source without customers, and for an empty id.
    """
    if roles.customer is None:
        raise Refusal("This source has no customers: no column has the role customer (source.columns.customer).")
    if not customer:
        raise Refusal("An empty id is nobody's; give the customer's own.")
    if roles.customer not in roles.sensitive:
        return frozenset({customer})
    key = workplace.settings.pseudonym_secret
    assert key is not None
    return frozenset({customer, Pseudonymizer(key).pseudonym(customer)})


def _refuse_runs(workplace: Workplace) -> None:
    with workplace.instance() as instance:
        end_abandoned_runs(instance)
        unfinished = unfinished_runs(instance)
    if unfinished:
        runs = "1 run is" if unfinished == 1 else f"{unfinished} runs are"
        raise Refusal(
            f"{runs} waiting or running, and would write again what was read before; wait until they have ended, or "
            "cancel them, and keep schedules and sensors from launching others meanwhile."
        )


def _look(workplace: Workplace, customers: frozenset[str], roles: ColumnRoles) -> Stored:
    with workplace.postgres().connect() as connection:
        found = search(connection, customers, roles)
        facts, journal = in_ledger(connection, found.known, dry_run=True), in_journals(connection, found.known)
    dagster = in_dagster(workplace, found.known, dry_run=True)
    return Stored(found, dagster, facts, len(in_logs(workplace, found.known, dry_run=True)), journal)


def _finish_interrupted(workplace: Workplace, customer: str, *, dry_run: bool) -> None:
    settled = [] if dry_run else settle(workplace.postgres())
    if not settled:
        raise Refusal(f"Nothing is stored of a customer {customer!r}; ids are written as the source writes them.")
    out.print(f"Nothing was left of the customer but in the files of {len(settled)} versions; these are rewritten now.")


def _print(stored: Stored, *, dry_run: bool) -> None:
    table = Table(box=SIMPLE_HEAD, title="What is stored of the customer", title_justify="left")
    for heading, side in (("asset", "left"), ("versions", "right"), ("rows", "right")):
        table.add_column(heading, justify=side, no_wrap=True)  # type: ignore[arg-type]
    for asset, (versions, rows) in stored.search.by_asset().items():
        table.add_row(asset, f"{versions:,}", f"{rows:,}")
    if stored.search.found:
        print_table(table)
    mentions = [f"{rows:,} rows of {name}" for name, rows in stored.dagster.items()]
    mentions += [f"the facts of {stored.facts:,} versions"] if stored.facts else []
    mentions += [f"{stored.logs:,} log files"] if stored.logs else []
    if mentions:
        out.print(f"Mentioned in Dagster's tables and elsewhere: {', '.join(mentions)}.", markup=False)
    if dry_run:
        out.print("Nothing was changed.")


def _remove(workplace: Workplace, stored: Stored) -> None:
    found, postgres = stored.search, workplace.postgres()
    with progress("forgetting", 2 * len(found.found) + 2) as bar:
        in_dagster(workplace, found.known, dry_run=False)
        bar.advance("Dagster's tables")
        with postgres.connect() as connection:
            in_ledger(connection, found.known, dry_run=False)
            in_logs(workplace, found.known, dry_run=False)
            bar.advance("facts and logs")
            for one in found.found:
                _take_out(connection, one, found)
                bar.advance(f"{one.version.asset_key} {one.version.partition_key}")
        settle(postgres, lambda version: bar.advance(f"files of {version.asset_key} {version.partition_key}"))
        bar.finish()


def _take_out(connection: Connection[Any], found: Found, of: Search) -> None:
    if found.condition is None:
        rewrite_rows(connection, found.spec, found.version, of.known.redacted)
    else:
        delete_rows(connection, found.spec, found.version, found.condition)


def _write_journal(workplace: Workplace, stored: Stored) -> None:
    assets = {
        asset: {"versions": versions, "rows": rows} for asset, (versions, rows) in stored.search.by_asset().items()
    }
    workplace.postgres().write_journal(JOURNAL, user_name(), {"assets": assets, "dagster": stored.dagster})
