"""What learning costs: run as `python -m fraud_assets_tests.benchmarks.learning_cost [FOLDER]`.

Seconds and memory of all that a day does from features and labels on (candidates, evaluation, choice, refit), with a
search and without, over 28 days and over 12 weeks; and of each family alone as rows grow. Each case is a process of its
own with the workers that it starts; it reads features and labels from files, window by window, as it would from
storage. FOLDER has the handbook's daily files; without it the days are simulated. All settings but those that make a
case are those of the process (fraud.toml, FRAUD_*).
"""

import pickle
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fraud_assets.assets.plan import Plan
from fraud_assets.learning import FAMILIES, fit_candidates, learnable_rows
from fraud_assets_tests.benchmarks.bounds import Bounds
from fraud_assets_tests.benchmarks.handbook_data import (
    DaysInMemory,
    StoredDays,
    dates_in,
    handbook_plan,
    plan_of,
    read_days,
)
from fraud_assets_tests.benchmarks.pipeline import model_of_day
from fraud_assets_tests.benchmarks.usage import MB, Usage, measured

USUAL_DAYS, TWELVE_WEEKS = 28, 84
DAYS = 122
LAST_SIMULATED_DAY = date(2026, 7, 31)
SIZES = (100_000, 200_000, 400_000, 800_000)
MOST_MB = 2_500
FOUND = "found.pickle"


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        days = _days(Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else None)
        print(f"{len(days.features):,} transactions of {DAYS} days at most, {int(days.labels['label'].sum()):,} frauds")
        days.write(folder)
        _write_newest(days, folder)
        last = days.features["transaction_time"].max().date()
        del days
        bounds = Bounds()
        for title, case, most_seconds in (
            ("a day with a search, 28 days", f"search {USUAL_DAYS}", 360),
            ("a day without a search, 28 days", f"reuse {USUAL_DAYS}", 90),
            ("a day with a search, 12 weeks", f"search {TWELVE_WEEKS}", 720),
        ):
            used = _case(f"{case} {last}", folder)
            print(f"{title}: {used.printed.splitlines()[-1]}, {used.processor_seconds:.0f} processor seconds")
            bounds.at_most("seconds", used.seconds, most_seconds, unit=" s")
            bounds.at_most("memory, workers included", used.peak / MB, MOST_MB, unit=" MB")
        _families(folder)
        bounds.end()


def _days(folder: Path | None) -> DaysInMemory:
    if folder is not None:
        return read_days(handbook_plan(folder), dates_in(folder)[-DAYS:])
    first = LAST_SIMULATED_DAY - timedelta(days=DAYS - 1)
    return read_days(plan_of(source={"kind": "simulated"}), [first + timedelta(days=n) for n in range(DAYS)])


def _write_newest(days: DaysInMemory, folder: Path) -> None:
    """The newest labelled rows, a file for each size, so that a case reads no more than it learns from."""
    known = learnable_rows(days.features, days.labels, days.labels["known_at"].max() + timedelta(days=1))
    for size in SIZES:
        known.tail(size).to_parquet(folder / f"{size}.parquet", index=False)


def _families(folder: Path) -> None:
    """Each family's search and fit on the newest rows, ever more of them."""
    print("Search and fit of each family alone, by rows (seconds, MB); growth is the exponent of a power of the rows")
    print(f"  {'':<24}" + "".join(f"{size:>16,}" for size in SIZES) + f"{'growth':>14}")
    for family in FAMILIES:
        used = [_case(f"family {family} {size}", folder) for size in SIZES]
        seconds = [float(of_size.printed.split()[-1]) for of_size in used]
        peaks = [of_size.peak / MB for of_size in used]
        shown = "".join(f"{f'{s:.1f} s {mb:.0f} MB':>16}" for s, mb in zip(seconds, peaks, strict=True))
        print(f"  {family:<24}{shown}{growth(SIZES, seconds):>7.2f}{growth(SIZES, peaks):>7.2f}", flush=True)


def growth(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The exponent p of cost ~ size^p, by least squares over the logarithms. 1 is linear."""
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


def _case(case: str, folder: Path) -> Usage:
    return measured([sys.executable, "-m", __spec__.name, "--case", *case.split(), str(folder)], folder=folder)


def _day_with_search(folder: Path, training_days: str, last: str) -> None:
    made = model_of_day(_plan(training_days), last, StoredDays(folder))
    found = {name: candidate.result for name, candidate in made.candidates.items()}
    (folder / FOUND).write_bytes(pickle.dumps(found))
    _say_rows(made.candidates)


def _day_without_search(folder: Path, training_days: str, last: str) -> None:
    found = pickle.loads((folder / FOUND).read_bytes())
    _say_rows(model_of_day(_plan(training_days), last, StoredDays(folder), found).candidates)


def _say_rows(candidates: Any) -> None:
    rows = max(candidate.rows for candidate in candidates.values())
    fits = sum(candidate.fits for candidate in candidates.values())
    print(f"{rows:,} rows to train on, {fits} fits, {sum(c.failure is not None for c in candidates.values())} failed")


def _family(folder: Path, family: str, size: str) -> None:
    plan, rows = _plan(str(TWELVE_WEEKS)), pd.read_parquet(folder / f"{size}.parquet")
    started = time.perf_counter()
    fit_candidates(rows, [family], plan.features, plan.budget)
    print(f"{time.perf_counter() - started:.1f}")


def _plan(training_days: str) -> Plan:
    # The simulation and the handbook's files have the same columns: their features are the same.
    return plan_of(source={"kind": "simulated"}, training_days=int(training_days))


CASES: dict[str, Callable[..., None]] = {
    "search": _day_with_search,
    "reuse": _day_without_search,
    "family": _family,
}

if __name__ == "__main__":
    if "--case" in sys.argv:
        name, *arguments, where = sys.argv[sys.argv.index("--case") + 1 :]
        CASES[name](Path(where), *arguments)
    else:
        main()
