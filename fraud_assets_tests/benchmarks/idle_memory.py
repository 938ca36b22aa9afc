"""What the stack holds while nothing happens: `python -m fraud_assets_tests.benchmarks.idle_memory`.

Starts `up` in an empty home, waits until it has been ready for two minutes, with a browser's look at the lineage page
in between, and adds up the memory of its processes: proportional set sizes, so that a shared page counts once. The peer
is Dagster alone: the web server and the daemon of a code location with one asset, on the files that it keeps itself.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from fraud_assets.local.ports import LOOPBACK, any_port
from fraud_assets_tests.benchmarks.bounds import Bounds
from fraud_assets_tests.benchmarks.usage import MB, memory_of
from fraud_assets_tests.browser import open_page
from fraud_assets_tests.local.stack import stack_in, wait_for

IDLE_SECONDS = 120
BOUND_MB = 1_200
PARTS = {
    "code server": "fraud_assets.definitions",
    "web server": "dagster_webserver",
    "daemon": "dagster._daemon",
    "report server": "fraud_assets.local reports",
    "PostgreSQL": "postgres",
}
"""By part, a word of the command lines of its processes. The first that fits is the one."""
ONE_ASSET = """
import dagster as dg

@dg.asset
def one() -> None: ...

defs = dg.Definitions(assets=[one])
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        held = _of_the_stack(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        bare = _of_dagster_alone(Path(folder))
    print(f"Idle for {IDLE_SECONDS} s, megabytes (proportional set sizes):")
    for part, size in held.items():
        print(f"  {part:<56}{size / MB:>9.0f} MB")
    print(f"  {'Dagster alone, one asset, web server and daemon':<56}{bare / MB:>9.0f} MB")
    bounds = Bounds()
    without_reports = sum(size for part, size in held.items() if part != "report server")
    bounds.at_most("daemon, web server, code server and database", without_reports / MB, BOUND_MB, unit=" MB")
    bounds.at_most("with the report server", sum(held.values()) / MB, BOUND_MB, unit=" MB")
    bounds.end()


def _of_the_stack(folder: Path) -> dict[str, int]:
    with stack_in(folder) as stack:
        stack.up()
        with open_page() as page:
            page.goto(f"{stack.url}/asset-groups")
            page.get_by_text("raw_batch", exact=True).first.wait_for()
        time.sleep(IDLE_SECONDS)
        held = dict.fromkeys([*PARTS, "the command itself"], 0)
        for process in stack.processes():
            part = _part(process)
            # The server's sessions are children that do not name its folder.
            held[part] += memory_of([process]) if part == "PostgreSQL" else memory_of_one(process)
        stack.end(signal.SIGTERM)
    return held


def _part(process: psutil.Process) -> str:
    line = " ".join(process.cmdline())
    return next((part for part, word in PARTS.items() if word in line), "the command itself")


def memory_of_one(process: psutil.Process) -> int:
    full = process.memory_full_info()
    return int(getattr(full, "pss", full.rss))


def _of_dagster_alone(folder: Path) -> int:
    (folder / "one.py").write_text(ONE_ASSET)
    (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with _dagster_dev(folder) as process:
        time.sleep(IDLE_SECONDS)
        return memory_of([process])


@contextmanager
def _dagster_dev(folder: Path) -> Iterator[psutil.Process]:
    port = any_port(LOOPBACK)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FRAUD_", "DAGSTER_"))}
    process = psutil.Popen(
        [sys.executable, "-m", "dagster", "dev", "-f", "one.py", "--port", str(port)],
        cwd=folder,
        env=environment | {"DAGSTER_HOME": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: any(c.laddr.port == port for c in _listening(process)), "Dagster alone")
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


def _listening(process: psutil.Process) -> list[Any]:
    family = [process, *process.children(recursive=True)]
    return [connection for member in family for connection in member.net_connections() if connection.status == "LISTEN"]


if __name__ == "__main__":
    main()
