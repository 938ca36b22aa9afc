"""What a day costs by its size: `python -m fraud_assets_tests.benchmarks.sizes [CUSTOMERS ...]`.

For each number of simulated customers (5,000 and 50,000 unless said; each makes about 1.92 transactions a day) runs a
day with its history as a user does, in an empty home, with the settings' own windows; then the same day once more, as
each later day costs. Prints seconds by step, memory of all processes with the database, and bytes on disk; and
what it costs the database to draw a sample that keeps every fraud. There is no bound: docs/sizes.md rests on it.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import psutil
import psycopg

from fraud_assets.local.embedded import running, stop
from fraud_assets_tests.benchmarks.run_steps import steps_of_last_run
from fraud_assets_tests.benchmarks.usage import MB, measured

DAY = date(2026, 6, 1)
SHOWN_STEPS = 6
SAMPLE = """
    SELECT count(*), sum(coalesce(l.label, 0)) FROM fraud.raw_batch r LEFT JOIN fraud.labels l USING (transaction_id)
    WHERE l.label = 1 OR hashtextextended(r.transaction_id::text, 0) % 50 = 0
"""


def main() -> None:
    for customers in [int(word) for word in sys.argv[1:]] or [5_000, 50_000]:
        with tempfile.TemporaryDirectory() as folder:
            _measure(Path(folder), customers)


def _measure(folder: Path, customers: int) -> None:
    home = folder / "home"
    outer = {name: value for name, value in os.environ.items() if not name.startswith("FRAUD_")}
    environment = outer | {
        "FRAUD_HOME": str(home),
        "FRAUD_SOURCE__KIND": "simulated",
        "FRAUD_SOURCE__CUSTOMERS": str(customers),
        "FRAUD_SOURCE__TERMINALS": str(2 * customers),
        "FRAUD_START_DATE": "2026-01-01",
    }
    command = [sys.executable, "-m", "fraud_assets.local", "run", "--date", str(DAY)]

    def server() -> Iterable[psutil.Process]:
        found = running(home)
        if found is not None:
            pid = (found.data_folder / "postmaster.pid").read_text().split()[0]
            yield psutil.Process(int(pid))

    try:
        first = measured(command, folder=folder, environment=environment, others=server)
        again = measured(command, folder=folder, environment=environment, others=server)
        found = running(home)
        assert found is not None
        with psycopg.connect(found.url("fraud")) as connection:
            rows = _one(connection, f"SELECT count(*) FROM fraud.raw_batch WHERE partition_key = '{DAY}'")
            stored = _one(connection, "SELECT count(*) FROM fraud.raw_batch")
            size = _one(connection, "SELECT pg_database_size(current_database())")
            started = time.perf_counter()
            sampled = connection.execute(SAMPLE).fetchone()
            sampling = time.perf_counter() - started
        assert sampled is not None
        print(f"\n{rows:,} transactions a day ({customers:,} customers), windows of the settings", flush=True)
        for name, usage in (("first day with its history", first), ("the day once more", again)):
            memory = f"{usage.peak / MB:,.0f} MB in all processes, {usage.peak_with_others / MB:,.0f} with the database"
            print(f"  {name:<28}{usage.seconds:8.0f} s, {memory}")
        each = f"{stored:,} rows, {size / stored:.0f} bytes each with all that is made of it"
        print(f"  {'database':<28}{size / MB:8.0f} MB: {each}")
        print(f"  {'sample, genuine 1 in 50':<28}{sampling:8.1f} s: {sampled[0]:,} rows kept, {sampled[1]:,} frauds")
        steps = sorted(steps_of_last_run(found.url("dagster")), key=lambda step: -step.whole)
        for step in steps[:SHOWN_STEPS]:
            print(f"  {step.name:<28}{step.whole:8.1f} s: loading {step.loading:.1f}, storing {step.storing:.1f}")
    finally:
        subprocess.run([sys.executable, "-m", "fraud_assets.local", "stop"], env=environment, cwd=folder, check=False)
        stop(home)


def _one(connection: psycopg.Connection[tuple[int, ...]], query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


if __name__ == "__main__":
    main()
