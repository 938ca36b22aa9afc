"""Looking into what is stored, a row or a version at a time: for people's questions, not for steps.

What lives here: the rows of one version, whichever it is, and the partitions that have a certain row. What does not:
loading whole partitions (`reading`), and what the ledger says of versions (`ledger`).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import Connection, sql
from psycopg.rows import class_row

from fraud_assets.postgres.connection import PostgresResource
from fraud_assets.postgres.errors import PartitionMissing, PostgresStorageError
from fraud_assets.postgres.names import PARTITION_COLUMN
from fraud_assets.postgres.storage.ledger import Layout, Status, Version, current_versions
from fraud_assets.postgres.storage.reading import LOOKUPS, Selection, chosen_columns, condition, open_versions
from fraud_assets.postgres.storage.superseded import source
from fraud_assets.postgres.storage.tables import TableSpec, registered_spec, stored_columns
from fraud_assets.postgres.transfer.sessions import RelationVanished


def version_of_id(connection: Connection[Any], version_id: int) -> Version | None:
    """A version by its number in the whole database, as the ledger has it now; None for one that never was."""
    with connection.cursor(row_factory=class_row(Version)) as cursor:
        cursor.execute("SELECT * FROM dagster_io.versions WHERE version_id = %s", [version_id])
        return cursor.fetchone()


def rows_of_version(postgres: PostgresResource, version: Version, selection: Selection) -> pa.Table:
    """The rows of a version, current or archived, in the columns that its table has today; `which` does not matter.

    Raises `PartitionMissing` for one that has been pruned, `PostgresStorageError` for a model, for columns that do not
    exist, and for a table that is not there any more.
    """
    vanished = ""
    for _ in range(LOOKUPS):
        with postgres.connect() as connection:
            now = version_of_id(connection, version.version_id)
            spec = registered_spec(connection, version.asset_key)
            if now is None or now.status == Status.PRUNED:
                raise PartitionMissing(f"{_named(version)} has been pruned: its rows are gone.")
            if spec is None:
                raise PostgresStorageError(f"{_named(version)} is a model and has no rows, or its table was dropped.")
            existing = stored_columns(connection, spec.relation)
            columns = chosen_columns(spec, existing, selection)
        try:
            return open_versions(postgres, spec, existing, columns, (now,), selection, True).read_all()
        except RelationVanished as error:
            # A swap changes status and table together: the same twice is a table that was dropped by hand.
            if now.status == vanished:
                raise PostgresStorageError(f"{_named(version)} cannot be read ({error}).") from error
            vanished = now.status
    raise PostgresStorageError(f"{_named(version)} was replaced {LOOKUPS} times while it was looked up; try again.")


def partitions_with(
    postgres: PostgresResource, asset_key: str, partition_keys: Sequence[str], selection: Selection
) -> Iterator[str]:
    """Those of the partitions, in the order given, whose current version has a row that the condition holds for.

    Each is asked when the one before has been given: whoever wants the first waits for no other.
    """
    with postgres.connect() as connection:
        spec = registered_spec(connection, asset_key)
        if spec is None:
            return
        for key in partition_keys:
            if _has_row(connection, spec, key, selection):
                yield key


def _has_row(connection: Connection[Any], spec: TableSpec, partition_key: str, selection: Selection) -> bool:
    existing = stored_columns(connection, spec.relation)
    form = sql.SQL(" AND ({}\n)")
    for _ in range(LOOKUPS):
        for version in current_versions(connection, spec.asset_key, [partition_key]):
            own: sql.Composable = sql.SQL("TRUE")
            if spec.layout is Layout.ROWS:
                own = sql.SQL("{} = {}").format(sql.Identifier(PARTITION_COLUMN), sql.Literal(partition_key))
            query = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {}{})").format(
                source(spec, existing, version), own, condition(selection, form)
            )
            try:
                row = connection.execute(query).fetchone()
            except psycopg.errors.UndefinedTable:
                break  # It has been replaced since it was looked up.
            return row == (True,)
        else:
            return False
    raise PostgresStorageError(
        f"{spec.asset_key} of {partition_key!r} was replaced {LOOKUPS} times while it was looked up; try again."
    )


def _named(version: Version) -> str:
    of = f" of {version.partition_key!r}" if version.partition_key else ""
    return f"Version {version.version} of {version.asset_key}{of}"
