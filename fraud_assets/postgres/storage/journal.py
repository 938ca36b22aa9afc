"""Journals: what people have decided, in the order in which they did, written once and never changed.

An entry is a document of whoever uses this folder; what it means is not known here. The database itself refuses to
change or remove one.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.rows import class_row

from fraud_assets.postgres.errors import PostgresStorageError


@dataclass(frozen=True)
class JournalEntry:
    """One entry of one journal."""

    number: int
    """Later entries have greater numbers, over all journals of the database; some numbers are never given."""
    journal: str
    author: str
    """Who wrote it, as the writer said."""
    content: dict[str, Any]
    written_at: datetime
    """By the database's clock."""


def append_entry(connection: Connection[Any], journal: str, author: str, content: Mapping[str, Any]) -> JournalEntry:
    """Write an entry at the end of a journal. Raises `PostgresStorageError` for a content that JSON cannot hold."""
    try:
        written = json.dumps(content, allow_nan=False)
        with connection.cursor(row_factory=class_row(JournalEntry)) as cursor:
            cursor.execute(
                "INSERT INTO dagster_io.journals (journal, author, content) VALUES (%s, %s, %s) RETURNING *",
                [journal, author, written],
            )
            entry = cursor.fetchone()
    except (TypeError, ValueError, psycopg.errors.UntranslatableCharacter) as error:
        raise PostgresStorageError(
            f"The entry for the journal {journal!r} cannot be written as JSON ({error}); give it plain values."
        ) from error
    assert entry is not None
    return entry


def journal_entries(connection: Connection[Any], journal: str) -> list[JournalEntry]:
    """All entries of a journal, oldest first; none of one that nobody has written to."""
    with connection.cursor(row_factory=class_row(JournalEntry)) as cursor:
        cursor.execute("SELECT * FROM dagster_io.journals WHERE journal = %s ORDER BY number", [journal])
        return cursor.fetchall()
