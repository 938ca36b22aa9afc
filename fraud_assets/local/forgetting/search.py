"""Where a customer is: which rows of which versions, and the ids of all their transactions.

A table with the customer's column is searched by it, one with transaction ids alone by those, rejected rows, which have
neither, by what they looked like, and reports by what they mention. All versions are searched: a corrected file may
have taken a row out of the current one.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from psycopg import Connection, sql

from fraud_assets.local.forgetting.identifiers import Identifiers
from fraud_assets.postgres import Version
from fraud_assets.postgres.storage.contents import own_columns
from fraud_assets.postgres.storage.forgetting import found_values, held_versions, rewrite_rows
from fraud_assets.postgres.storage.ledger import Layout
from fraud_assets.postgres.storage.tables import TableSpec, registered_spec
from fraud_assets.settings import ColumnRoles

CUSTOMER, TRANSACTION, ORIGINAL = "customer_id", "transaction_id", "original"
BROKEN = "text"
"""The one field that `original` has of a row that could not be cut into columns."""


@dataclass(frozen=True)
class Holding:
    """One version of a table, and its columns."""

    spec: TableSpec
    version: Version
    columns: frozenset[str]


@dataclass(frozen=True)
class Found:
    """Rows of one version that are a customer's: to be deleted by a condition, or, without one, to be reworded."""

    spec: TableSpec
    version: Version
    rows: int
    condition: sql.Composable | None = None


@dataclass(frozen=True)
class Search:
    """What a customer is known by, and where they are.

    `by_transaction` is found by the ids of transactions, and these by `by_customer`: which must therefore go last.
    """

    known: Identifiers
    by_transaction: tuple[Found, ...]
    by_customer: tuple[Found, ...]

    @property
    def found(self) -> tuple[Found, ...]:
        return self.by_transaction + self.by_customer

    def by_asset(self) -> dict[str, tuple[int, int]]:
        """How many versions, and how many rows, by asset."""
        versions = Counter(found.version.asset_key for found in self.found)
        rows = Counter[str]()
        for found in self.found:
            rows[found.version.asset_key] += found.rows
        return {asset: (versions[asset], rows[asset]) for asset in sorted(versions)}


def search(connection: Connection[Any], customers: frozenset[str], roles: ColumnRoles) -> Search:
    """Everything that is stored of a customer, who is known by any of these ids."""
    known = Identifiers(customers, columns=frozenset(filter(None, (roles.customer, roles.transaction_id))))
    holdings = list(_holdings(connection))
    own = [holding for holding in holdings if CUSTOMER in holding.columns]
    rejected = [holding for holding in holdings if ORIGINAL in holding.columns]
    by_column = [found for holding in own for found in _by_column(connection, holding, CUSTOMER, customers)]
    transactions = set(_transactions(connection, by_column))
    transactions |= {one for holding in rejected for one in _rejected_transactions(connection, holding, known, roles)}
    known = replace(known, transactions=frozenset(transactions))
    labelled = [one for one in holdings if TRANSACTION in one.columns and CUSTOMER not in one.columns]
    return Search(
        known,
        by_transaction=(
            *(found for one in labelled for found in _by_column(connection, one, TRANSACTION, transactions)),
            *(found for one in holdings for found in _by_text(connection, one, known)),
        ),
        by_customer=(*(found for one in rejected for found in _by_original(connection, one, known, roles)), *by_column),
    )


def _holdings(connection: Connection[Any]) -> Iterator[Holding]:
    assets = connection.execute("SELECT asset_key FROM dagster_io.tables ORDER BY asset_key").fetchall()
    for (asset,) in assets:
        spec = registered_spec(connection, asset)
        assert spec is not None
        for version in held_versions(connection, asset):
            columns = frozenset(column.name for column in own_columns(connection, spec, version))
            if columns:  # somebody may have dropped its table by hand
                yield Holding(spec, version, columns)


def _by_column(connection: Connection[Any], holding: Holding, column: str, values: Iterable[str]) -> Iterator[Found]:
    condition = sql.SQL("{}::text = ANY({}::text[])").format(sql.Identifier(column), sql.Literal(sorted(values)))
    rows = len(found_values(connection, holding.spec, holding.version, column, condition))
    if rows:
        yield Found(holding.spec, holding.version, rows, condition)


def _transactions(connection: Connection[Any], found: Iterable[Found]) -> Iterator[str]:
    for one in found:
        assert one.condition is not None
        yield from filter(None, found_values(connection, one.spec, one.version, TRANSACTION, one.condition))


def _by_text(connection: Connection[Any], holding: Holding, known: Identifiers) -> Iterator[Found]:
    """Documents, which are in the layout `rows`."""
    if holding.spec.layout is Layout.ROWS and not holding.columns & {CUSTOMER, TRANSACTION}:
        rows = rewrite_rows(connection, holding.spec, holding.version, known.redacted, dry_run=True)
        if rows:
            yield Found(holding.spec, holding.version, rows)


def _by_original(
    connection: Connection[Any], holding: Holding, known: Identifiers, roles: ColumnRoles
) -> Iterator[Found]:
    theirs = [text for text in _originals(connection, holding) if _is_theirs(text, known, roles)]
    if theirs:
        condition = sql.SQL("{} = ANY({}::text[])").format(sql.Identifier(ORIGINAL), sql.Literal(sorted(set(theirs))))
        yield Found(holding.spec, holding.version, len(theirs), condition)


def _rejected_transactions(
    connection: Connection[Any], holding: Holding, known: Identifiers, roles: ColumnRoles
) -> Iterator[str]:
    """Transactions of rejected rows: what else is stored of them, such as a label, has no other link."""
    for text in _originals(connection, holding):
        transaction = json.loads(text).get(roles.transaction_id or TRANSACTION)
        if transaction is not None and _is_theirs(text, known, roles):
            yield str(transaction).strip()


def _originals(connection: Connection[Any], holding: Holding) -> Iterator[str]:
    values = found_values(connection, holding.spec, holding.version, ORIGINAL, sql.SQL("true"))
    return (text for text in values if text is not None)


def _is_theirs(text: str, known: Identifiers, roles: ColumnRoles) -> bool:
    cells = json.loads(text)
    if BROKEN in cells and len(cells) == 1:
        return known.is_in(str(cells[BROKEN]))
    names = (roles.customer or CUSTOMER, roles.transaction_id or TRANSACTION)
    return any(known.is_known(cells[name]) for name in names if cells.get(name) is not None)
