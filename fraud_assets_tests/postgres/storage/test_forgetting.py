"""Rows taken out of stored versions: gone from the files, with a ledger that says what is there."""

from typing import Any

import pandas as pd
import psycopg
import pyarrow as pa
import pytest
from psycopg import sql

from fraud_assets.postgres.archive import partition_versions, restore_version
from fraud_assets.postgres.names import Relation
from fraud_assets.postgres.storage import forgetting
from fraud_assets.postgres.storage.contents import content_now
from fraud_assets.postgres.storage.forgetting import (
    FORGOTTEN,
    UNSETTLED,
    delete_rows,
    found_values,
    held_versions,
    rewrite_rows,
    settle,
    unsettled,
)
from fraud_assets.postgres.storage.ledger import Layout, Version
from fraud_assets.postgres.storage.tables import TableSpec, registered_spec
from fraud_assets_tests.postgres.material import SCHEMA, Store

both_layouts = pytest.mark.parametrize("layout", [Layout.PARTITIONS, Layout.ROWS])
SECRET = "Ångström-77"
THEIRS = sql.SQL("who = {}").format(SECRET)


def _frame(round_: int) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "who": ["a", SECRET, "b", SECRET] * 25,
            "n": range(round_, round_ + 100),
            "at": pd.date_range("2026-01-01", periods=100, freq="h", tz="UTC", unit="us"),
            "maybe": pd.array([1, None, 3, None] * 25, dtype="UInt8"),
            "seconds": [0.5 * round_] * 100,
        }
    )
    return frame if round_ else frame.drop(columns=["maybe"])


def _three_versions(store: Store, layout: Layout) -> None:
    """The first of them lacks a column."""
    for round_ in range(3):
        store.write("t", "k", _frame(round_), layout=layout, volatile=frozenset({"seconds"}))


def _forget(store: Store) -> list[int]:
    with store.postgres.connect() as connection:
        spec = _spec(connection)
        return [delete_rows(connection, spec, version, THEIRS) for version in held_versions(connection, "t")]


def _spec(connection: psycopg.Connection[Any]) -> TableSpec:
    spec = registered_spec(connection, "t")
    assert spec is not None
    return spec


def _bytes_of(store: Store) -> bytes:
    """What the files of all tables hold, as far as SQL can tell: dead rows, indexes and statistics included."""
    names = store.query(
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 't', 'i') AND (n.nspname IN ('data', 'dagster_archive')"
        "  OR c.relname IN ('archived_rows', 'archived_rows_pkey'))"
    )
    store.run("CHECKPOINT")
    found = b""
    for (name,) in [*names, ("pg_statistic",)]:
        found += bytes(store.query("SELECT coalesce(pg_read_binary_file(pg_relation_filepath(%s)), '')", name)[0][0])
    return found + repr(store.query("SELECT most_common_vals::text, histogram_bounds::text FROM pg_stats")).encode()


@both_layouts
def test_rows_leave_every_version_and_every_file(store: Store, layout: Layout) -> None:
    _three_versions(store, layout)
    store.run("ANALYZE")
    assert SECRET.encode() in _bytes_of(store)
    assert _forget(store) == [50, 50, 50]
    assert [(v.row_count, v.facts[UNSETTLED]) for v in partition_versions(store.postgres, "t", "k")] == [(50, True)] * 3
    told: list[Version] = []
    settle(store.postgres, told.append)
    assert len(told) == 3
    assert SECRET.encode() not in _bytes_of(store)
    for version in partition_versions(store.postgres, "t", "k"):
        assert UNSETTLED not in version.facts
        assert [entry["rows"] for entry in version.facts[FORGOTTEN]] == [50]
    assert _forget(store) == [0, 0, 0]
    left = _frame(2)[_frame(2)["who"] != SECRET].reset_index(drop=True)
    pd.testing.assert_frame_equal(store.frame("t", ["k"]), left, check_dtype=False, check_like=True)
    # The archive is as good as before.
    restored = restore_version(store.postgres, "t", "k", 2)
    assert (restored.row_count, set(store.frame("t", ["k"])["who"])) == (50, {"a", "b"})


@both_layouts
def test_hash_and_size_are_those_of_the_rows_that_are_left(store: Store, layout: Layout) -> None:
    """The hash of a version without the rows is that of a frame that never had them."""
    _three_versions(store, layout)
    with store.postgres.connect() as connection:
        for version in held_versions(connection, "t"):
            content = content_now(store.postgres, connection, _spec(connection), version)
            assert (content.content_hash, content.row_count) == (version.content_hash, 100)
    _forget(store)
    settle(store.postgres)
    newest, second, _ = partition_versions(store.postgres, "t", "k")
    assert newest.byte_count > 0
    options: dict[str, Any] = {"layout": layout, "volatile": frozenset({"seconds"})}
    for version, round_ in ((newest, 2), (second, 1)):
        frame = _frame(round_)
        never = store.write("u", "k", frame[frame["who"] != SECRET].reset_index(drop=True), **options)
        assert version.content_hash == never.content_hash


def test_documents_are_reworded_current_and_archived(store: Store) -> None:
    for text in ("old Ångström-77 and 2.50", "new Ångström-77"):
        store.write("t", "k", pa.table({"html": [text, "nothing"], "x": [1.25, 2.5]}), layout=Layout.ROWS)
    with store.postgres.connect() as connection:
        spec = _spec(connection)
        versions = held_versions(connection, "t")

        def change(text: str) -> str:
            return text.replace(SECRET, "(gone)")

        dry = [rewrite_rows(connection, spec, version, change, dry_run=True) for version in versions]
        assert (dry, unsettled(connection)) == ([1, 1], [])
        assert [rewrite_rows(connection, spec, version, change) for version in versions] == [1, 1]
        settle(store.postgres)
        values = [found_values(connection, spec, version, "html", sql.SQL("true")) for version in versions]
    assert list(map(set, values)) == [{"old (gone) and 2.50", "nothing"}, {"new (gone)", "nothing"}]
    assert store.table("t", ["k"])["html"].to_pylist() == ["new (gone)", "nothing"]
    assert store.table("t", ["k"])["x"].to_pylist() == [1.25, 2.5]
    assert SECRET.encode() not in _bytes_of(store)


def test_what_is_in_use_stays_marked_until_the_next_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr("fraud_assets.postgres.storage.reclaiming.LOCK_TIMEOUT_MS", 50)
    _three_versions(store, Layout.PARTITIONS)
    _forget(store)
    child = partition_versions(store.postgres, "t", "k")[0].relation
    with store.connect() as reader, reader.transaction():
        reader.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(child.identifier))
        with pytest.raises(Exception, match="could not be rewritten for"):
            settle(store.postgres)
    assert child == Relation(SCHEMA, child.name)
    assert [v.version for v in settle(store.postgres)] == [3]
    assert SECRET.encode() not in _bytes_of(store)
