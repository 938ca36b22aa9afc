"""The layout `rows`: one table for all partitions, old versions as JSON."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from fraud_assets.postgres.archive import partition_versions, restore_version
from fraud_assets.postgres.errors import PostgresStorageError
from fraud_assets.postgres.storage import reading
from fraud_assets.postgres.storage.ledger import Layout, Version
from fraud_assets.postgres.storage.reading import Selection
from fraud_assets.postgres.transfer.sessions import ReadSession, RelationVanished
from fraud_assets_tests.postgres.material import Store

ROWS: dict[str, Any] = {"layout": Layout.ROWS}


def test_a_partition_is_replaced_and_order_is_kept(store: Store) -> None:
    for values in ([1, 2], [9, 3, 7, 3]):
        store.write("t", "b", pa.table({"x": values}), **ROWS)
    store.write("t", "a", pa.table({"x": [5]}), **ROWS)
    assert store.frame("t", ["b", "a"])["x"].tolist() == [9, 3, 7, 3, 5]
    assert store.frame("t", ["a", "b"])["x"].tolist() == [5, 9, 3, 7, 3]
    assert store.relations() == {("data", "t")}


_ALL = pa.table(
    {
        "f": [float("nan"), float("inf"), -float("inf"), 5e-324, None],
        "r": pa.array([0.1, float("nan"), 3.4e38, -0.0, None], pa.float32()),
        "i": [2**63 - 1, -(2**63), 0, 1, None],
        "b": [b"", b"\0\xff", b"\\x", b"a", None],
        "s": ["", "\\", '"', "\U0001f600\n", None],
        "t": pa.array([-62135596800000001, 2**60, 0, 1, None], pa.timestamp("us", "Europe/Berlin")),
        "n": pa.array([-210866803200000000, 0, 1, 2, None], pa.timestamp("us")),
        "d": [dt.date(1, 1, 1), dt.date(9999, 12, 31), dt.date(2024, 2, 29), dt.date(1970, 1, 1), None],
        "c": pa.array([dt.time(23, 59, 59, 999999), dt.time(0), dt.time(1), dt.time(2), None], pa.time64("us")),
        "l": pa.array([-1, 10**15, 0, 1, None], pa.duration("us")),
        "m": [Decimal("1.50"), Decimal("-0.01"), Decimal(0), Decimal(10), None],
        "a": [[1, None], [], None, [2], [3]],
        "u": pa.array([2**64 - 1, 0, 1, 2, None], pa.uint64()),
        "o": [True, False, True, False, None],
    }
)


def test_an_archived_version_comes_back_to_the_last_bit(store: Store) -> None:
    first = store.write("t", "k", _ALL, **ROWS)
    store.write("t", "k", _ALL.slice(0, 1), **ROWS)
    store.write("t", "other", _ALL.slice(1, 1), **ROWS)
    restored = restore_version(store.postgres, "t", "k", 1)
    assert restored.content_hash == first.content_hash
    assert [(v.version, v.status) for v in partition_versions(store.postgres, "t", "k")] == [
        (3, "current"), (2, "archived"), (1, "archived")
    ]  # fmt: skip
    back = store.table("t", ["k"])
    assert back.schema.equals(_ALL.schema)
    assert store.write("t", "k", back, **ROWS).content_hash == first.content_hash


def test_a_version_is_restored_after_columns_have_come_and_grown(store: Store) -> None:
    store.write("t", "k", pa.table({"x": pa.array([1], pa.int16())}), **ROWS)
    store.write("t", "k", pa.table({"new": ["n"], "x": [2**40]}), **ROWS)
    restore_version(store.postgres, "t", "k", 1)
    assert store.table("t", ["k"]).to_pylist() == [{"x": 1, "new": None}]


def test_pruned_rows_are_gone_and_say_so(store: Store) -> None:
    for x in range(4):
        store.write("t", "k", pa.table({"x": [x]}), keep=1, **ROWS)
    assert store.query("SELECT count(*) FROM dagster_io.archived_rows") == [(1,)]
    with pytest.raises(PostgresStorageError, match="Version 1 of t of 'k' has been pruned"):
        restore_version(store.postgres, "t", "k", 1)


def test_keys_and_indexes_of_the_asset(store: Store) -> None:
    frame = pa.table({"x": [1, 2], "y": [3, 3]})
    for key in ("a", "b"):
        store.write("t", key, frame, primary_key=("x",), indexes=(("y",),), **ROWS)
    definitions = store.query("SELECT indexdef FROM pg_indexes WHERE tablename = 't' ORDER BY indexdef")
    assert [d.partition(" btree ")[2] for (d,) in definitions] == [
        "(y)",
        "(partition_key, x)",
        "(partition_key, row_ordinal)",
    ]


def test_a_condition_and_columns(store: Store) -> None:
    store.write("t", "k", pa.table({"x": [1, 2, 3], "s": ["a", "it's", None]}), **ROWS)
    selection = Selection(columns=("x",), where="s = %s OR x > %s", where_params=("it's", 2))
    assert store.table("t", ["k"], selection).to_pydict() == {"x": [2, 3]}


def test_rows_of_a_version_that_was_replaced_between_lookup_and_reading_are_not_taken_for_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger must say which version was seen, and one table holds them all."""
    store.write("t", "k", pa.table({"x": [1]}), **ROWS)
    freeze = reading._freeze_rows
    raced: list[Version] = []

    def race(session: ReadSession, chosen: tuple[Version, ...]) -> None:
        if not raced:
            raced.append(store.write("t", "k", pa.table({"x": [2]}), **ROWS))
        try:
            freeze(session, chosen)
        except RelationVanished:
            raced.append(chosen[0])
            raise
        # What is written from here on is not seen any more.
        store.write("t", "k", pa.table({"x": [3]}), **ROWS)

    monkeypatch.setattr(reading, "_freeze_rows", race)
    loaded = reading.load(store.postgres, "t", ["k"], Selection())
    assert [v.version for v in loaded.versions] == [2]
    assert loaded.reader.read_all().to_pydict() == {"x": [2]}
    assert len(raced) == 2
