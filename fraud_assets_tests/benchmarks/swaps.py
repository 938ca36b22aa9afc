"""What replacing partitions costs others: run as `python -m fraud_assets_tests.benchmarks.swaps`.

How long the swap takes, and the parent is locked, in a table with two years of daily partitions; what four writers of
different partitions cost each other when their rows come slowly; and how much write-ahead log a write makes.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta

import pyarrow as pa

from fraud_assets.postgres.storage import swap
from fraud_assets_tests.benchmarks.bench import ROWS, forget, mixed, new_server, numbers, psql, table_of
from fraud_assets_tests.postgres.material import Store

CHILDREN = 730
SWAPS = 30
WRITERS = 4
SECONDS_OF_ROWS = 4.0
ROUNDS = 5


def main() -> None:
    with new_server({"wal_level": "replica"}) as (store, home):
        _swaps(store)
        _writers(store)
        for name, frame in {"31 floats": numbers(), "8 mixed columns": mixed()}.items():
            ratios = [_log_ratio(store, str(home / "rows.bin"), pa.Table.from_pandas(frame)) for _ in range(ROUNDS)]
            median = statistics.median(ratios)
            print(f"WAL of a write of {ROWS:,} rows x {name} / of a plain COPY: {median:.3f} (at most 1.1)")


def _swaps(store: Store) -> None:
    """From the table's advisory lock to the commit, among many partitions."""
    frame = numbers(1_000, 8)
    days = [str(date(2024, 1, 1) + timedelta(days=number)) for number in range(CHILDREN)]
    for day in days:
        store.write("days", day, frame, keep=0)
    begun, ended = list[float](), list[float]()
    with _noting(begun, "lock_table_name"), _noting(ended, "prune_archived"):
        for number in range(SWAPS):
            store.write("days", days[number * 20], frame, keep=0)
    taken = [(end - begin) * 1_000 for begin, end in zip(begun, ended, strict=True)]
    print(f"Swap among {CHILDREN} partitions, median of {SWAPS}: {statistics.median(taken):.1f} ms (at most 50)")
    print(f"  slowest: {max(taken):.1f} ms")


@contextmanager
def _noting(times: list[float], function: str) -> Iterator[None]:
    """Note when a function of the swap is called: the first of it, and the first after it."""
    original = getattr(swap, function)

    def noted(*arguments: object) -> object:
        times.append(time.perf_counter())
        return original(*arguments)

    setattr(swap, function, noted)
    try:
        yield
    finally:
        setattr(swap, function, original)


def _writers(store: Store) -> None:
    """Writers of different partitions whose rows come slowly, as from a throttled source."""
    batch = pa.RecordBatch.from_pandas(numbers(5_000, 8))

    def slowly() -> Iterator[pa.RecordBatch]:
        for _ in range(40):
            time.sleep(SECONDS_OF_ROWS / 40)
            yield batch

    def write(key: str) -> None:
        store.write("slow", key, pa.RecordBatchReader.from_batches(batch.schema, slowly()), keep=0)

    def together() -> None:
        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(write, map(str, range(WRITERS))))

    write("first")
    ratios = []
    for _ in range(ROUNDS):
        alone = _seconds(lambda: write("0"))
        ratios.append(_seconds(together) / alone)
    print(f"{WRITERS} writers of slow rows / one: {statistics.median(ratios):.2f} of its time (at most 1.3)")


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def _log_ratio(store: Store, copied: str, table: pa.Table) -> float:
    """Bytes of log of one write, beside those of a COPY of the same stored columns, both after a checkpoint.

    Both have the same index, made after the rows as a careful person would.
    """
    column = table.column_names[0]
    forget(store, "logged")
    store.write("logged", "other", table.slice(0, 1), indexes=((column,),))
    ours = _logged(store, lambda: store.write("logged", "k", table, indexes=((column,),)))
    child = table_of(store, "logged")
    psql(store.url, f"\\copy {child} TO '{copied}' (FORMAT binary)")
    store.run(f"DROP TABLE IF EXISTS plain; CREATE TABLE plain AS SELECT * FROM {child} LIMIT 0")

    def plainly() -> None:
        psql(store.url, f"\\copy plain FROM '{copied}' (FORMAT binary)")
        store.run(f"CREATE INDEX ON plain ({column})")

    return ours / _logged(store, plainly)


def _logged(store: Store, run: Callable[[], object]) -> int:
    store.run("CHECKPOINT")
    ((before,),) = store.query("SELECT pg_current_wal_lsn()::text")
    run()
    ((written,),) = store.query("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), %s::pg_lsn)::bigint", before)
    return int(written)


if __name__ == "__main__":
    main()
