"""What was made from something that has been replaced since: known across partitions, from the ledger.

Dagster compares a partition with the same partition upstream. A version that has looked back on other days is out of
date when one of those was stored anew with another content; the ledger knows which versions looked at which.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg import Connection

# From the replaced versions of the root whose fact differs from the current one's, along what has seen them: a
# superseded version counts as replaced where its successor has another content, and is otherwise where it ends.
_OUTDATED: LiteralString = """
WITH RECURSIVE
edges AS (
    SELECT s.upstream_version_id AS seen, s.version_id AS seer
      FROM dagster_io.seen s
      JOIN dagster_io.versions u ON u.version_id = s.upstream_version_id
      JOIN dagster_io.versions v ON v.version_id = s.version_id
     WHERE NOT (v.asset_key || ' ' || u.asset_key) = ANY(%(excepted)s)
),
replaced AS (
    SELECT v.version_id
      FROM dagster_io.versions v
      JOIN dagster_io.versions c USING (asset_key, partition_key)
     WHERE v.asset_key = %(root)s AND v.status <> 'current' AND c.status = 'current'
       AND v.content_hash <> c.content_hash AND v.facts -> %(fact)s IS DISTINCT FROM c.facts -> %(fact)s
    UNION
    SELECT v.version_id
      FROM replaced r
      JOIN edges e ON e.seen = r.version_id
      JOIN dagster_io.versions v ON v.version_id = e.seer
      JOIN dagster_io.versions c USING (asset_key, partition_key)
     WHERE v.status <> 'current' AND c.status = 'current' AND v.content_hash <> c.content_hash
),
affected AS (
    SELECT e.seer AS version_id
      FROM replaced r
      JOIN edges e ON e.seen = r.version_id
      JOIN dagster_io.versions v ON v.version_id = e.seer AND v.status = 'current'
    UNION
    SELECT e.seer
      FROM affected a
      JOIN edges e ON e.seen = a.version_id
      JOIN dagster_io.versions v ON v.version_id = e.seer AND v.status = 'current'
)
SELECT v.version_id, v.asset_key, v.partition_key,
       EXISTS (SELECT FROM edges e JOIN replaced r ON r.version_id = e.seen WHERE e.seer = v.version_id),
       EXISTS (SELECT FROM edges e JOIN affected a ON a.version_id = e.seen WHERE e.seer = v.version_id)
  FROM affected
  JOIN dagster_io.versions v USING (version_id)
 ORDER BY v.partition_key, v.asset_key
"""


@dataclass(frozen=True)
class Outdated:
    """A current version that what was replaced reaches: directly, or by what it was made from."""

    version_id: int
    asset_key: str
    partition_key: str
    is_direct: bool
    """Something that it has seen has been replaced by another content."""
    must_wait: bool
    """Something that it has seen is outdated itself, and comes first."""


def outdated_by(
    connection: Connection[Any], root: str, fact: str, excepted: Collection[tuple[str, str]] = ()
) -> list[Outdated]:
    """What replacements of the root asset have left out of date, where a fact of the root differs too; by partition.

    `excepted` are pairs of a reader and what it reads as it was first stored: that stays as it was.
    """
    pairs = [f"{reader} {read}" for reader, read in excepted]
    rows = connection.execute(_OUTDATED, {"root": root, "fact": fact, "excepted": pairs}).fetchall()
    return [Outdated(*row) for row in rows]
