"""What the rows of stored partitions span: how many values a column has, and the first and last of another."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, sql

from fraud_assets.postgres.errors import PartitionMissing
from fraud_assets.postgres.storage.ledger import current_versions


@dataclass(frozen=True)
class Extent:
    """Of one stored partition: its rows, the distinct values of a column, the ends of another (None: no row)."""

    rows: int
    distinct: int
    first: Any
    last: Any


def extents(
    connection: Connection[Any], asset_key: str, partition_keys: Iterable[str], distinct: str, ordered: str
) -> dict[str, Extent]:
    """By partition, in the partitions' order, of those that are stored.

    Each has a table of its own, so that nobody else's partition is read or locked. Raises `PartitionMissing` for an
    asset that keeps its partitions otherwise.
    """
    found: dict[str, Extent] = {}
    for version in current_versions(connection, asset_key, partition_keys):
        if version.relation_name is None:
            raise PartitionMissing(f"{asset_key} of {version.partition_key!r} has no table of its own.")
        row = connection.execute(
            sql.SQL("SELECT count(*), count(DISTINCT {d}), min({o}), max({o}) FROM ONLY {table}").format(
                d=sql.Identifier(distinct), o=sql.Identifier(ordered), table=version.relation.identifier
            )
        ).fetchone()
        assert row is not None
        found[version.partition_key] = Extent(*row)
    return found
