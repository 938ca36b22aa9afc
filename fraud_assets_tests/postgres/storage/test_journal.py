"""Journals: what is written stays, in its order, and nobody changes it."""

import psycopg
import pytest

from fraud_assets.postgres.errors import PostgresStorageError
from fraud_assets_tests.postgres.material import Store


def test_entries_come_back_in_the_order_of_writing(store: Store) -> None:
    said: list[tuple[str, dict[str, object]]] = [
        ("ada", {"a": 1.5, "b": [None, "x"]}),
        ("bo", {}),
        ("ada", {"ä": True}),
    ]
    for author, content in said:
        store.postgres.write_journal("decisions", author, content)
    written = store.postgres.write_journal("another", "ada", {"n": 0})
    entries = store.postgres.journal("decisions")
    assert [(entry.author, entry.content) for entry in entries] == said
    assert [entry.number for entry in entries] == sorted({entry.number for entry in entries})
    assert [entry.written_at for entry in entries] == sorted(entry.written_at for entry in entries)
    assert store.postgres.journal("another") == [written]


def test_a_journal_that_nobody_wrote_to_is_empty(store: Store) -> None:
    assert store.postgres.journal("decisions") == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE dagster_io.journals SET author = 'eve'",
        "DELETE FROM dagster_io.journals",
        "TRUNCATE dagster_io.journals",
    ],
)
def test_the_database_refuses_to_change_an_entry(store: Store, statement: str) -> None:
    written = store.postgres.write_journal("decisions", "ada", {"n": 1})
    with pytest.raises(psycopg.errors.RaiseException, match="neither changed nor removed"):
        store.run(statement)
    assert store.postgres.journal("decisions") == [written]


@pytest.mark.parametrize("content", [{"n": float("nan")}, {"n": object()}, {"n": "\0"}])
def test_what_json_cannot_hold_is_refused(store: Store, content: dict[str, object]) -> None:
    with pytest.raises(PostgresStorageError, match="journal 'decisions' cannot be written as JSON"):
        store.postgres.write_journal("decisions", "ada", content)
    assert store.postgres.journal("decisions") == []


def test_a_database_of_before_journals_gets_them(store: Store) -> None:
    with store.postgres.connect():
        pass
    store.run("DROP TABLE dagster_io.journals")
    assert store.postgres.journal("decisions") == []
