"""Fits on a Dask cluster beside a local pool: run as `python -m fraud_assets_tests.benchmarks.cluster_fits`.

Calls that only wait show what the way there and back costs, and that more workers do more at a time, whatever this
machine has; real searches show what is left of that on its cores, which workers and a local pool share here. Workers
are processes of this machine with one thread each.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from joblib import delayed
from numpy.typing import NDArray

from fraud_assets.cluster import fits_on_dask
from fraud_assets.learning import SearchBudget, fit_candidates
from fraud_assets.learning.fitting.pool import worker_pool
from fraud_assets.settings import DaskSettings
from fraud_assets_tests.cluster.hosts import Cluster, cluster
from fraud_assets_tests.learning.frames import NUMERIC_SPEC, labelled_rows

WORKERS = (1, 2, 3)
CALLS = 24
WAITED = 0.5
ROWS = 60_000
ROUNDS = 3
LARGE = np.random.default_rng(0).random((100_000, 25))
"""What every call that waits has in common: 20 MB, as a window of half a million transactions with ten features."""


def main() -> None:
    print(f"{len(os.sched_getaffinity(0))} cores; medians of {ROUNDS} rounds, the first of them left out")
    rows = labelled_rows(ROWS, days=28, frauds=600)
    for title, work in (
        (f"{CALLS} calls that wait {WAITED} s ({CALLS * WAITED:.0f} s in all)", waits),
        (f"a search and the last fits of five families on {ROWS:,} rows", lambda jobs: searches(rows, jobs)),
    ):
        print(f"\n{title}")
        alone: dict[str, float] = {}
        for number in WORKERS:
            for name, seconds in (("Dask", on_dask(number, work)), ("local pool", measured(work, number))):
                alone.setdefault(name, seconds)
                print(f"  {name}, {number} at a time: {seconds:.2f} s, {alone[name] / seconds:.2f} times as fast as 1")


def waits(jobs: int) -> None:
    with worker_pool(jobs) as pool:
        pool(delayed(waited)(LARGE, number) for number in range(CALLS))


def waited(array: NDArray[np.float64], number: int) -> int:
    """A fit as far as the cluster is concerned, that needs no core."""
    time.sleep(WAITED)
    return number + len(array)


def searches(rows: Any, jobs: int) -> None:
    families = ("logistic_regression", "k_nearest_neighbors", "support_vector_machine", "random_forest")
    budget = SearchBudget(configurations=3, max_fits=50, jobs=jobs)
    fit_candidates(rows, (*families, "gradient_boosting"), NUMERIC_SPEC, budget)


def on_dask(workers: int, work: Callable[[int], None]) -> float:
    """Seconds of the work on a cluster of so many workers."""
    with tempfile.TemporaryDirectory() as folder, cluster(Path(folder), workers) as made:
        _wait_for(made, workers)
        return measured(work, workers, DaskSettings(scheduler=made.address))


def measured(work: Callable[[int], None], jobs: int, dask: DaskSettings | None = None) -> float:
    """The median, with processes that are there already and have imported what they need."""
    with fits_on_dask(dask) if dask is not None else nullcontext():
        seconds = []
        for _ in range(ROUNDS + 1):
            started = time.perf_counter()
            work(jobs)
            seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:])


def _wait_for(made: Cluster, workers: int) -> None:
    from distributed import Client

    with Client(made.address, set_as_default=False) as client:
        client.wait_for_workers(workers, timeout=60)


if __name__ == "__main__":
    main()
