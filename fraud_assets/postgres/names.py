"""Names in the database: which table an asset is, and what its partitions are called. Nothing here talks to a server.

PostgreSQL cuts identifiers at 63 bytes without a word, so two long names can become one; ours (of schemas, tables,
columns and partitions) are shortened here, with a digest, and stay distinct. Frames come back with their own names.
"""

import hashlib
import re
from dataclasses import dataclass

from psycopg import sql

MAX_IDENTIFIER_BYTES = 63
PARTITION_COLUMN = "partition_key"
"""The column that every stored table has beside its own: the Dagster partition that the row belongs to."""
ORDINAL_COLUMN = "row_ordinal"
"""The column that a table of the layout `rows` has besides: the row's place in its frame."""
TAKEN_COLUMNS = frozenset({PARTITION_COLUMN, ORDINAL_COLUMN, "ctid", "tableoid", "xmin", "xmax", "cmin", "cmax"})
"""Names that no column of a frame can have: storage's own, and those of PostgreSQL's system columns."""


@dataclass(frozen=True)
class Relation:
    """A table by schema and name."""

    schema: str
    name: str

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


def is_encodable(name: str) -> bool:
    """Whether a name is text at all: half of a surrogate pair is none."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def shortened(name: str, room: int = MAX_IDENTIFIER_BYTES) -> str:
    """The name itself where it fits into `room` bytes, else its beginning and a digest of the whole."""
    encoded = name.encode()
    if len(encoded) <= room:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:10]
    return encoded[: room - len(digest) - 1].decode(errors="ignore") + "_" + digest


def child_name(table: str, partition_key: str, version_id: int) -> str:
    """The name of the table behind one version of a partition; the version id keeps it unique in the database."""
    suffix = f"__{version_id}"
    readable = re.sub(r"\W+", "_", partition_key)
    stem = f"{table}__{readable}" if readable else table
    return shortened(stem, MAX_IDENTIFIER_BYTES - len(suffix)) + suffix
