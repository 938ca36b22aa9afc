"""The speed of storage beside what else there is: run as `python -m fraud_assets_tests.benchmarks.storage [rounds]`.

1,000,000 rows of 31 floats, and of 8 columns with texts and times, without indexes. Each round times every way once,
one after the other, so that whatever else the machine does meets all alike; what is printed are medians over the
rounds, and medians of the ratios within a round. "Replacing" archives what was there; "and dropping" drops the two
versions before it as well. `to_sql` and `read_sql` are slow: they are timed on fewer rows, and scaled.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import sqlalchemy as sa

from fraud_assets.postgres.storage.reading import Selection
from fraud_assets_tests.benchmarks.bench import (
    ROWS,
    Seconds,
    forget,
    mixed,
    new_server,
    numbers,
    psql,
    speed_ratio,
    table_of,
)
from fraud_assets_tests.postgres.material import Store

SLOW_ROWS = 50_000
ROUNDS = 7


@dataclass(frozen=True)
class Bound:
    """How many times faster one way must at least be than another."""

    one: str
    other: str
    at_least: float


NUMBERS = [
    Bound("write, first", "write, psql binary \\copy", 0.85),
    Bound("write, first", "write, DataFrame.to_sql", 15),
    Bound("write, replacing", "write, first", 1 / 1.05),
    Bound("read, to pandas", "read, psql binary \\copy", 0.85),
    Bound("read, to pandas", "read, pandas.read_sql", 6),
    Bound("read, 3 columns", "read, to pandas", 2.5),
]
MIXED = [
    Bound("write, first", "write, psql binary \\copy", 0.75),
    Bound("write, first", "write, DataFrame.to_sql", 15),
    Bound("write, replacing", "write, first", 1 / 1.05),
    Bound("read, to pandas", "read, psql binary \\copy", 0.6),
    Bound("read, to pandas", "read, pandas.read_sql", 6),
]


def main(rounds: int) -> None:
    with new_server() as (store, home):
        _report("31 floats", _measure(store, home, numbers(), rounds), NUMBERS)
    with new_server() as (store, home):
        _report("8 mixed columns", _measure(store, home, mixed(), rounds), MIXED)


def _measure(store: Store, home: Path, frame: pd.DataFrame, rounds: int) -> Seconds:
    """Seconds for a million rows of each way, round by round."""
    url = store.url
    engine = sa.create_engine(url.replace("://", "+psycopg://", 1))
    few = frame.head(SLOW_ROWS)
    store.write("ours", "k", frame, keep=0)
    store.write("form", "k", frame.head(0), keep=0)
    names = ", ".join(frame.columns)
    copied = home / "rows.bin"
    psql(url, f"\\copy (SELECT {names} FROM {table_of(store, 'ours')}) TO '{copied}' (FORMAT binary)")

    def read_by_psql() -> None:
        psql(url, f"\\copy (SELECT {names} FROM {table_of(store, 'ours')}) TO '{os.devnull}' (FORMAT binary)")

    ways: dict[str, tuple[Callable[[], object], int]] = {
        "write, psql binary \\copy": (lambda: psql(url, f"\\copy plain FROM '{copied}' (FORMAT binary)"), ROWS),
        "write, first": (lambda: store.write("fresh", "k", frame, keep=0), ROWS),
        "write, replacing": (lambda: store.write("ours", "k", frame), ROWS),
        "write, and dropping": (lambda: store.write("ours", "k", frame, keep=0), ROWS),
        "write, DataFrame.to_sql": (lambda: few.to_sql("slow", engine, index=False, if_exists="replace"), SLOW_ROWS),
        "read, psql binary \\copy": (read_by_psql, ROWS),
        "read, to pandas": (lambda: store.frame("ours", ["k"]), ROWS),
        "read, pandas.read_sql": (lambda: pd.read_sql("SELECT * FROM slow", engine), SLOW_ROWS),
    }
    if len(frame.columns) == len(numbers(0).columns):
        three = Selection(columns=("c1", "c2", "c30"))
        ways["read, 3 columns"] = (lambda: store.frame("ours", ["k"], three), ROWS)
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        forget(store, "fresh")
        store.run(f"DROP TABLE IF EXISTS plain; CREATE TABLE plain AS SELECT {names} FROM data.form LIMIT 0")
        for way, (run, rows) in ways.items():
            store.run("CHECKPOINT")
            started = time.perf_counter()
            run()
            taken[way].append((time.perf_counter() - started) * ROWS / rows)
    engine.dispose()
    return taken


def _report(what: str, taken: Seconds, bounds: list[Bound]) -> None:
    rounds = len(next(iter(taken.values())))
    print(f"{ROWS:,} rows x {what}, medians of {rounds} rounds; to_sql and read_sql on {SLOW_ROWS:,} rows")
    for way, seconds in taken.items():
        median = statistics.median(seconds)
        print(f"  {way:<26} {median:8.2f} s {ROWS / median:12,.0f} rows/s")
    print("  Ratios of speed, paired within a round:")
    for bound in bounds:
        ratio = speed_ratio(taken, bound.one, bound.other)
        verdict = "" if ratio >= bound.at_least else "  MISSED"
        print(f"    {bound.one} / {bound.other}: {ratio:.2f} (at least {bound.at_least:.2f}){verdict}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
