"""How long a first day takes, and how much memory: `python -m fraud_assets_tests.benchmarks.first_day [HANDBOOK]`.

Runs the commands as a user does, each in an empty home of its own, and prints each figure beside its bound. HANDBOOK is
a folder with the daily Parquet files of the simulated handbook data; without it that part is left out.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from datetime import date, timedelta
from pathlib import Path
from statistics import median

import psutil

from fraud_assets.settings import Settings
from fraud_assets.sources import open_source

HANDBOOK = """
[source]
kind = "files"
folder = "{folder}"
[source.columns]
transaction_id = "TRANSACTION_ID"
timestamp = "TX_DATETIME"
timestamp_timezone = "UTC"
amount = "TX_AMOUNT"
label = "TX_FRAUD"
customer = "CUSTOMER_ID"
terminal = "TERMINAL_ID"
"""


def main() -> None:
    print(f"{'what':<44}{'measured':>12}{'bound':>12}")
    seconds = [_simulate_day(date(2026, 3, 1) + timedelta(days=n)) for n in range(20)]
    _print("simulate a day of 9,700 transactions", f"{median(seconds) * 1000:.0f} ms", "1 s")
    with tempfile.TemporaryDirectory() as folder:
        _demo_and_up(Path(folder))
    if len(sys.argv) > 1:
        with tempfile.TemporaryDirectory() as folder:
            _handbook(Path(folder), Path(sys.argv[1]).absolute())


def _simulate_day(day: date) -> float:
    source = open_source(Settings())
    started = time.perf_counter()
    with source.read_day(day):
        return time.perf_counter() - started


def _demo_and_up(folder: Path) -> None:
    environment = _environment(folder)
    try:
        for title, bound in (("demo, first time", "120 s"), ("demo, second time", "20 s")):
            took, peak = _measured(["demo"], environment, folder)
            _print(title, f"{took:.1f} s", bound)
        _print("demo, largest process", f"{peak / 2**20:.0f} MB", "1,500 MB")
        _print("up, until its addresses are printed", f"{_until_up(environment, folder):.1f} s", "20 s")
    finally:
        _call(["stop"], environment, folder)


def _handbook(folder: Path, data: Path) -> None:
    (folder / "fraud.toml").write_text(HANDBOOK.format(folder=data), encoding="utf-8")
    environment = _environment(folder)
    try:
        took, peak = _measured(["run", "--date", "2018-07-20"], environment, folder)
        _print("run 2018-07-20 of the handbook, with history", f"{took:.0f} s", "360 s")
        _print("the same, largest process", f"{peak / 2**20:.0f} MB", "1,500 MB")
    finally:
        _call(["stop"], environment, folder)


def _environment(folder: Path) -> dict[str, str]:
    outer = {name: value for name, value in os.environ.items() if not name.startswith("FRAUD_")}
    return outer | {"FRAUD_HOME": str(folder / "home")}


def _command(arguments: list[str]) -> list[str]:
    return [sys.executable, "-m", "fraud_assets.local", *arguments]


def _call(arguments: list[str], environment: dict[str, str], folder: Path) -> None:
    subprocess.run(_command(arguments), env=environment, cwd=folder, check=True, capture_output=True)


def _measured(arguments: list[str], environment: dict[str, str], folder: Path) -> tuple[float, int]:
    """Seconds, and the largest resident set of any one process of the command, in bytes, sampled ten times a second."""
    started = time.perf_counter()
    process = psutil.Popen(
        _command(arguments), env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    peak = [0]
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            try:
                family = [process, *process.children(recursive=True)]
                peak[0] = max([peak[0], *(member.memory_info().rss for member in family)])
            except psutil.NoSuchProcess:
                continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    over.set()
    watcher.join()
    if code:
        raise SystemExit(f"fraud-assets {' '.join(arguments)} ended with {code}.")
    return time.perf_counter() - started, peak[0]


def _until_up(environment: dict[str, str], folder: Path) -> float:
    started = time.perf_counter()
    with subprocess.Popen(
        _command(["up"]), env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Dagster"):
                break
        took = time.perf_counter() - started
        process.terminate()
        process.stdout.read()
    return took


def _print(what: str, measured: str, bound: str) -> None:
    print(f"{what:<44}{measured:>12}{bound:>12}", flush=True)


if __name__ == "__main__":
    main()
