"""Many at once: writers that race for a table, a partition, a ledger, and readers who notice nothing of it."""

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier
from typing import Any

import pyarrow as pa
import pytest

from fraud_assets.postgres.archive import partition_versions
from fraud_assets.postgres.storage.ledger import Layout
from fraud_assets.postgres.storage.reading import Selection, load
from fraud_assets_tests.postgres.material import Store
from fraud_assets_tests.postgres.readers import FIGURES, Readers, all_the_while, numbered

STRANGERS = 16
RIVALS = 8
ROWS = 5_000
WRITES = 3

_starts: dict[int, Barrier]


def _begin(starts: dict[int, Barrier]) -> None:
    global _starts
    _starts = starts


def _write(url: str, crowd: int, writer: int, keys: list[str], layout: Layout, rows: int) -> None:
    """Write each of the partitions, its rows all with one number; all writers of a crowd begin together."""
    _starts[crowd].wait(60)
    for turn, key in enumerate(keys):
        Store(url).write("t", key, numbered(writer * 1_000 + turn, rows), layout=layout)


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    """Processes that share nothing with this one, as Dagster's do; they fork from one that has imported everything."""
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload([__name__])
    starts = {crowd: forking.Barrier(crowd) for crowd in (STRANGERS, RIVALS)}
    with ProcessPoolExecutor(STRANGERS, forking, _begin, (starts,)) as executor:
        yield executor


def _submit(
    pool: ProcessPoolExecutor, crowd: int, store: Store, keys: Callable[[int], list[str]], layout: Layout, rows: int
) -> list[Future[Any]]:
    return [pool.submit(_write, store.url, crowd, i, keys(i), layout, rows) for i in range(crowd)]


@contextmanager
def _no_deadlock(store: Store) -> Iterator[None]:
    """By the server's own count: a writer that met one tries again, and does not tell."""
    counted = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    before = store.query(counted)
    yield
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    deadline = time.monotonic() + 30
    while store.query(others) != [(0,)]:  # A session counts at its end, at the latest.
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert store.query(counted) == before


LAYOUTS = pytest.mark.parametrize(("layout", "rows"), [(Layout.PARTITIONS, ROWS), (Layout.ROWS, 50)])


@LAYOUTS
def test_different_partitions_of_a_table_that_does_not_exist_yet(
    store: Store, pool: ProcessPoolExecutor, layout: Layout, rows: int
) -> None:
    """Not even the ledger exists when they begin, and somebody waits for the first rows."""
    seen: set[str] = set()

    def wholes() -> None:
        """Every partition is there wholly or not at all, and stays."""
        if store.query("SELECT to_regclass('data.t') IS NULL") == [(True,)]:
            return
        found = store.query(f"SELECT partition_key, {FIGURES} FROM data.t GROUP BY 1")
        assert {(count, numbers, total) for _, count, numbers, total in found} <= {(rows, 1, rows * (rows - 1) // 2)}
        assert seen <= {key for key, *_ in found}
        seen.update(key for key, *_ in found)

    with _no_deadlock(store), all_the_while([wholes]):
        for future in _submit(pool, STRANGERS, store, lambda i: [str(i)], layout, rows):
            future.result(120)
    wholes()
    assert seen == {str(i) for i in range(STRANGERS)}
    assert all(version == 1 and status == "current" for _, _, _, version, status, *_ in store.ledger())
    store.check_consistent()


@LAYOUTS
def test_the_same_partition_under_readers(store: Store, pool: ProcessPoolExecutor, layout: Layout, rows: int) -> None:
    store.write("t", "same", numbered(-1, rows), layout=layout)
    readers = Readers(store, "same", rows).all(has_children=layout is Layout.PARTITIONS)
    with _no_deadlock(store), all_the_while(readers):
        for future in _submit(pool, RIVALS, store, lambda _: ["same"] * WRITES, layout, rows):
            future.result(120)
    # Archived versions that were being read when they were due stay until the next write.
    store.write("t", "same", numbered(-2, rows), layout=layout)
    versions = partition_versions(store.postgres, "t", "same")
    written = RIVALS * WRITES + 2
    assert [v.version for v in versions] == list(range(written, 0, -1))
    assert [v.status for v in versions] == ["current", *["archived"] * 3, *["pruned"] * (written - 4)]
    store.check_consistent()


def test_a_snapshot_older_than_the_swap_sees_rows_after_it(store: Store) -> None:
    """Without FREEZE it would find the partition empty: its old rows are gone, its new ones are in its future."""
    store.write("t", "k", pa.table({"x": [1, 1]}))
    with store.connect() as reader, reader.transaction():
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT 1")
        store.write("t", "k", pa.table({"x": [2, 2, 2]}))
        assert reader.execute("SELECT x FROM data.t").fetchall() == [(2,)] * 3


def test_a_long_reader_of_one_day_holds_up_that_day_alone(store: Store) -> None:
    store.write("t", "long", pa.table({"x": range(500_000)}))
    store.write("t", "other", pa.table({"x": [1]}))
    reader = load(store.postgres, "t", ["long"], Selection()).reader
    read = reader.read_next_batch().num_rows
    # Comes back while the reader holds its lock: it would wait for ever otherwise.
    store.write("t", "other", pa.table({"x": [2]}))
    same_day = threading.Thread(target=store.write, args=("t", "long", pa.table({"x": [3]})))
    same_day.start()
    # People who read through the parent get through between its attempts, to the other day's rows and to this one's.
    for _ in range(20):
        assert store.query("SELECT count(*) FROM data.t") == [(500_001,)]
    assert same_day.is_alive()
    assert read + reader.read_all().num_rows == 500_000
    same_day.join(60)
    assert not same_day.is_alive()
    assert store.frame("t", ["other", "long"])["x"].tolist() == [2, 3]


@pytest.mark.parametrize("query", ["COPY {} TO STDOUT", "COPY (SELECT x FROM {}) TO STDOUT"])
def test_a_long_export_of_one_day_holds_up_that_day_alone(store: Store, query: str) -> None:
    """People who export one day with psql do it from that day's own table."""
    long = store.write("t", "long", pa.table({"x": range(500_000)}))
    store.write("t", "other", pa.table({"x": [1]}))
    with store.connect() as exporter, exporter.cursor().copy(query.format(long.relation).encode()) as copy:
        lines = bytes(copy.read()).count(b"\n")
        locked = "SELECT mode FROM pg_locks WHERE relation = %s::regclass"
        assert store.query(locked, str(long.relation)) == [("AccessShareLock",)]
        store.write("t", "other", pa.table({"x": [2]}))
        lines += sum(bytes(part).count(b"\n") for part in copy)
    assert lines == 500_000
    assert store.frame("t", ["other"])["x"].tolist() == [2]


@pytest.mark.parametrize("read", [0, 1])
def test_an_abandoned_reader_lets_go(store: Store, read: int) -> None:
    store.write("t", "k", pa.table({"x": range(500_000)}))
    reader = load(store.postgres, "t", ["k"], Selection()).reader
    for _ in range(read):
        reader.read_next_batch()
    held = "SELECT count(*) FROM pg_locks WHERE relation = 'data.t__k__1'::regclass"
    assert store.query(held) == [(1,)]
    del reader
    store.write("t", "k", pa.table({"x": [1]}))
    assert store.frame("t")["x"].tolist() == [1]
