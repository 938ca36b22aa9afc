"""Many at once: writers that race for a table, a partition, a ledger, and readers who notice nothing of it."""

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier
from typing import Any

import pyarrow as pa
import pytest

from fraud_assets.postgres.archive import partition_versions
from fraud_assets.postgres.ledger import Layout
from fraud_assets.postgres.reading import Selection, load
from fraud_assets_tests.postgres.material import Store

PROCESSES = 8
ROWS = 20_000
WRITES = 4

_start: Barrier


def _begin(barrier: Barrier) -> None:
    global _start
    _start = barrier


def _write(url: str, writer: int, keys: list[str], layout: Layout, rows: int) -> None:
    """Write each of the partitions, its rows all with one number; all writers begin together."""
    _start.wait(60)
    for turn, key in enumerate(keys):
        number = writer * 1_000 + turn
        Store(url).write("t", key, pa.table({"number": [number] * rows}), layout=layout)


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    """Processes that share nothing with this one, as Dagster's do."""
    spawned = multiprocessing.get_context("spawn")
    barrier = spawned.Barrier(PROCESSES)
    with ProcessPoolExecutor(PROCESSES, spawned, _begin, (barrier,)) as executor:
        yield executor


@contextmanager
def _all_the_while(*looks: Callable[[], None]) -> Iterator[None]:
    """Look again and again, each in a thread of its own, until the block ends; raises what a look raises."""
    done = threading.Event()
    failures: list[BaseException] = []
    counts = [0] * len(looks)

    def keep_looking(place: int, look: Callable[[], None]) -> None:
        try:
            while not done.is_set():
                look()
                counts[place] += 1
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=keep_looking, args=item) for item in enumerate(looks)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join(60)
    if failures:
        raise failures[0]
    assert all(counts)


def _submit(
    pool: ProcessPoolExecutor, store: Store, keys: Callable[[int], list[str]], layout: Layout, rows: int
) -> list[Future[Any]]:
    return [pool.submit(_write, store.url, i, keys(i), layout, rows) for i in range(PROCESSES)]


@pytest.mark.parametrize(("layout", "rows"), [(Layout.PARTITIONS, ROWS), (Layout.ROWS, 50)])
def test_different_partitions_of_a_table_that_does_not_exist_yet(
    store: Store, pool: ProcessPoolExecutor, layout: Layout, rows: int
) -> None:
    """Not even the ledger exists when they begin."""
    for future in _submit(pool, store, lambda i: [f"{i}-{turn}" for turn in range(2)], layout, rows):
        future.result(120)
    counts = store.query("SELECT partition_key, count(*), count(DISTINCT number) FROM data.t GROUP BY 1")
    assert sorted(counts) == sorted((f"{i}-{turn}", rows, 1) for i in range(PROCESSES) for turn in range(2))
    assert all(version == 1 and status == "current" for _, _, _, version, status, *_ in store.ledger())


@pytest.mark.parametrize(("layout", "rows"), [(Layout.PARTITIONS, ROWS), (Layout.ROWS, 50)])
def test_the_same_partition_under_readers(store: Store, pool: ProcessPoolExecutor, layout: Layout, rows: int) -> None:
    store.write("t", "same", pa.table({"number": [-1] * rows}), layout=layout)

    def through_the_parent() -> None:
        with store.connect() as connection:
            for _ in range(20):
                found = connection.execute("SELECT count(*), count(DISTINCT number) FROM data.t").fetchall()
                assert found == [(rows, 1)]

    def by_load() -> None:
        loaded = load(store.postgres, "t", ["same"], Selection(), frozenset(["same"]))
        numbers = loaded.reader.read_all()["number"]
        assert (len(numbers), len(numbers.unique()), loaded.versions[0].row_count) == (rows, 1, rows)

    def by_an_old_snapshot() -> None:
        with store.connect() as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            connection.execute("SELECT pg_sleep(0.01)")
            found = connection.execute("SELECT count(*), count(DISTINCT number) FROM data.t").fetchall()
            assert found == [(rows, 1)]

    with _all_the_while(through_the_parent, by_load, by_an_old_snapshot):
        for future in _submit(pool, store, lambda _: ["same"] * WRITES, layout, rows):
            future.result(120)
    versions = partition_versions(store.postgres, "t", "same")
    assert [v.version for v in versions] == list(range(PROCESSES * WRITES + 1, 0, -1))
    assert [v.status for v in versions] == ["current", *["archived"] * 3, *["pruned"] * (PROCESSES * WRITES - 3)]
    if layout is Layout.PARTITIONS:
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
