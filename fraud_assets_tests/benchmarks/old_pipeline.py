"""The old pipeline's job, done by ours: run as `python -m fraud_assets_tests.benchmarks.old_pipeline [FOLDER]`.

One CSV file of 1,139,228 rows x 31 columns (old_file.py; made in FOLDER and kept there, else in a temporary folder) is
run end to end as a user runs it, in an empty home: `fraud-assets run` for the file's one day. With label_delay_days 0,
training_days 1 and validation_days 0 its last fifth is held out, and the winner is refitted on all of it. The search is
shorter than the default one: 25 fits on at most 10,000 rows each, of all five families.

The old pipeline took 992 s for this job (its own steps without their scheduler, measured elsewhere on as many rows):
541 s before the final fit, of which 310 s passed CSV files between steps and 228 s searched. How it picked its model is
repeated here on the same rows (old_way.py), and measured on the same held-out ones.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import psutil
import psycopg
import pyarrow.csv
from sklearn.metrics import average_precision_score

from fraud_assets.learning import split_last_fifth
from fraud_assets.local.embedded import ensure_running, stop
from fraud_assets.settings import CreditcardSource
from fraud_assets_tests.benchmarks import run_steps
from fraud_assets_tests.benchmarks.bounds import Bounds
from fraud_assets_tests.benchmarks.old_file import ROWS, write_file
from fraud_assets_tests.benchmarks.old_way import pick_by_recall
from fraud_assets_tests.benchmarks.usage import MB, Usage, measured

OLD_SECONDS = 992
TIMES_FASTER = 10
MOST_MB = 2_000
DAY = CreditcardSource.model_fields["first_day"].default
SETTINGS = {
    "FRAUD_SOURCE__KIND": "creditcard",
    "FRAUD_LABEL_DELAY_DAYS": "0",
    "FRAUD_TRAINING_DAYS": "1",
    "FRAUD_VALIDATION_DAYS": "0",
    "FRAUD_LEARNING__MAX_FITS": "25",
    "FRAUD_LEARNING__MAX_SEARCH_ROWS": "10000",
    "FRAUD_LEARNING__MAX_SLOW_ROWS": "3000",
}


@dataclass(frozen=True)
class Stored:
    """What the run has left in the database."""

    raw_rows: int
    predictions: int
    evaluation: pd.DataFrame


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        file = _file(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(temporary))
        usage, stored = _our_run(file, Path(temporary))
        bounds = Bounds()
        print(f"Ours beside the old {OLD_SECONDS} s (measured elsewhere, without its scheduler)")
        bounds.at_most("seconds end to end", usage.seconds, OLD_SECONDS / TIMES_FASTER, unit=" s")
        print(f"  {'processor seconds of the command':<56}{usage.processor_seconds:>10.0f} s")
        bounds.at_most("memory of the command", usage.peak / MB, MOST_MB, unit=" MB")
        bounds.at_most("memory with the PostgreSQL server", usage.peak_with_others / MB, MOST_MB, unit=" MB")
        bounds.at_least("raw rows stored", stored.raw_rows, ROWS, form=",.0f")
        print(f"  {'rows of scored_batch with a score':<56}{stored.predictions:>12,}")
        _compare(file, stored.evaluation, bounds)
        bounds.end()


def _file(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder.absolute() / f"creditcard_{ROWS}.csv"
    if not path.exists():
        started = time.perf_counter()
        write_file(path)
        print(
            f"Made {path.name}, {path.stat().st_size / MB:.0f} MB, in {time.perf_counter() - started:.0f} s", flush=True
        )
    return path


def _our_run(file: Path, folder: Path) -> tuple[Usage, Stored]:
    outer = {name: value for name, value in os.environ.items() if not name.startswith("FRAUD_")}
    home = folder / "home"
    environment = {**outer, **SETTINGS, "FRAUD_HOME": str(home), "FRAUD_SOURCE__PATH": str(file)}
    command = [sys.executable, "-m", "fraud_assets.local", "run", "--date", str(DAY)]
    with _stopped_afterwards(home):
        usage = measured(command, folder=folder, environment=environment, others=lambda: _server(home))
        server = ensure_running(home)
        print("Where our time and memory went (the server's included)")
        print(run_steps.printed(run_steps.steps_of_last_run(server.url("dagster")), usage), flush=True)
        with psycopg.connect(server.url("fraud")) as connection:
            return usage, _stored(connection)


def _stored(connection: psycopg.Connection) -> Stored:
    (raw_rows, predictions) = connection.execute(
        "SELECT (SELECT count(*) FROM fraud.raw_batch), (SELECT count(score) FROM fraud.scored_batch)"
    ).fetchall()[0]
    cursor = connection.execute("SELECT * FROM fraud.evaluation_table")
    names = [column.name for column in cursor.description or ()]
    return Stored(raw_rows, predictions, pd.DataFrame(cursor.fetchall(), columns=names))


@contextmanager
def _stopped_afterwards(home: Path) -> Iterator[None]:
    try:
        yield
    finally:
        place = home / "postgres"
        stop(home)
        # A home that the server's user cannot reach has its data elsewhere, behind a link.
        if place.is_symlink():
            shutil.rmtree(place.resolve(), ignore_errors=True)


def _server(home: Path) -> list[psutil.Process]:
    """The embedded server's first process, once it is there."""
    try:
        return [psutil.Process(int((home / "postgres" / "data" / "postmaster.pid").read_text().split()[0]))]
    except (OSError, IndexError, ValueError, psutil.NoSuchProcess):
        return []


def _compare(file: Path, evaluation: pd.DataFrame, bounds: Bounds) -> None:
    """Our candidates on the held-out rows, and on the same rows the model that recall picks."""
    measured_ours = evaluation.dropna(subset=["average_precision"]).sort_values("average_precision", ascending=False)
    ours = measured_ours.iloc[0]
    for row in measured_ours.to_dict("records"):
        print(f"  average precision, {row['candidate']:<37}{row['average_precision']:>12.3f}")
    learned, held_out = _split(file)
    assert len(held_out) == ours["validation_rows"], "both are to be measured on the same rows"
    names = [name for name in learned.columns if name.startswith("V") or name == "Amount"]
    started = time.perf_counter()
    picked = pick_by_recall(learned[names], learned["Class"])
    theirs = float(average_precision_score(held_out["Class"], picked.scores(held_out[names])))
    print(f"Picked by recall on an under-sampled set: {picked.family}, recall {picked.recall:.3f} in its folds")
    print(f"  average precision on the same held-out rows {theirs:.3f} ({time.perf_counter() - started:.0f} s)")
    bounds.at_least(
        f"average precision of ours, {ours['candidate']}, minus that",
        float(ours["average_precision"]) - theirs,
        0.001,
        form="+.3f",
    )


def _split(file: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The file's rows as (learned from, held out), as the pipeline splits them."""
    rows = pyarrow.csv.read_csv(file).to_pandas()
    moments = pd.Timestamp(DAY) + pd.to_timedelta(rows["Time"], unit="s")
    return split_last_fifth(rows.assign(transaction_time=moments, transaction_id=rows.index))


if __name__ == "__main__":
    main()
