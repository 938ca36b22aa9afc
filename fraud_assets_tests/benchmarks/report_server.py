"""What the report server costs with two years of days: run as `python -m fraud_assets_tests.benchmarks.report_server`.

730 made days of seven models in the tables of rows, and as many partitions of scores; the server as a process of its
own. How long `/` takes to answer, when nothing has changed and as the first after a change; how long Chromium takes to
draw it; what fifty clients at once get in a minute; and the server's memory after all that. `--seconds` shortens it.
"""

import argparse
import http.client
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg

from fraud_assets_tests.benchmarks.bench import new_server
from fraud_assets_tests.benchmarks.bounds import Bounds
from fraud_assets_tests.benchmarks.usage import MB, memory_of
from fraud_assets_tests.reporting.server.looks import watched_page
from fraud_assets_tests.reporting.server.made_history import SCHEMA, MadeHistory, store_reports
from fraud_assets_tests.reporting.server.made_tables import Tables

DAYS = 730
CLIENTS = 50
REQUESTS = 30
CHANGES = 5
DRAWINGS = 5
ANSWER_MS, DRAW_MS, MEMORY_MB = 300, 2_000, 250
SERVE = """
import sys
from fraud_assets.reporting.server import PostgresStore, create_app, serve
serve(create_app(PostgresStore(sys.argv[1], sys.argv[2])), "127.0.0.1", int(sys.argv[3]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the clients ask")
    seconds = parser.parse_args().seconds
    made, bounds = MadeHistory(DAYS), Bounds()
    with new_server() as (store, _):
        made.fill(store.url, scored=DAYS)
        store_reports(store.url, made.days[-3:])
        print(f"{DAYS} days of {len(made.models)} models, {DAYS} partitions of scores")
        with _served(store.url) as (process, port):
            changed = [_after_a_change(store.url, made, port) for _ in range(CHANGES)]
            kept = [_asked(port, "/")[0] for _ in range(REQUESTS)]
            bounds.at_most("/ answers, median", statistics.median(kept) * 1_000, ANSWER_MS, form=".1f", unit=" ms")
            median = statistics.median(changed) * 1_000
            bounds.at_most("/ answers first after a change, median", median, ANSWER_MS, unit=" ms")
            print(f"    the first answer for a day: {_day_ms(made, port):.0f} ms")
            bounds.at_most("/ is drawn, median", _drawn_ms(port), DRAW_MS, unit=" ms")
            clients = _crowd(made, port, seconds)
            print(f"    {clients.answers:,} answers, {clients.answers / seconds:.0f} a second", end=", ")
            print(f"the slowest in {clients.slowest:.2f} s")
            bounds.at_most(f"errors of {CLIENTS} clients in {seconds:g} s", sum(clients.errors.values()), 0)
            bounds.at_most("memory of the server", memory_of([process]) / MB, MEMORY_MB, unit=" MB")
    for error, count in clients.errors.items():
        print(f"    {count} x {error}")
    bounds.end()


@contextmanager
def _served(url: str) -> Iterator[tuple[psutil.Process, int]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "said").open("w+") as said:
        command = [sys.executable, "-c", SERVE, url, SCHEMA, str(port)]
        environment = os.environ | {"MALLOC_ARENA_MAX": "1"}  # as `up` and `reports` start it
        process = psutil.Popen(command, stdout=said, stderr=subprocess.STDOUT, env=environment)
        try:
            _wait_for(port)
            yield process, port
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
            said.seek(0)
            print(said.read(), end="")


def _wait_for(port: int) -> None:
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("The server did not start within 30 seconds.")


def _asked(port: int, path: str, connection: http.client.HTTPConnection | None = None) -> tuple[float, int]:
    """Seconds until the last byte, and the status."""
    used = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    started = time.perf_counter()
    used.request("GET", path, headers={"Accept-Encoding": "gzip"})
    answer = used.getresponse()
    answer.read()
    taken = time.perf_counter() - started
    if connection is None:
        used.close()
    return taken, answer.status


def _after_a_change(url: str, made: MadeHistory, port: int) -> float:
    with psycopg.connect(url, autocommit=True) as connection:
        Tables(connection, SCHEMA).replace("daily_summary", made.days[-1], made.summary()[-1:])
    return _asked(port, "/")[0]


def _day_ms(made: MadeHistory, port: int) -> float:
    return _asked(port, f"/days/{made.days[-2]}")[0] * 1_000


def _drawn_ms(port: int) -> float:
    """From asking for `/` until its last chart is drawn, in a browser that has plotly.js already."""
    taken = []
    with watched_page(f"http://127.0.0.1:{port}") as watched:
        for _ in range(DRAWINGS + 1):
            started = time.perf_counter()
            watched.open("/")
            taken.append((time.perf_counter() - started) * 1_000)
        watched.assert_quiet()
        watched.assert_charts_are_drawn(4)
    print(f"    the first time, with plotly.js: {taken[0]:.0f} ms")
    return statistics.median(taken[1:])


@dataclass
class _Crowd:
    answers: int = 0
    slowest: float = 0.0
    errors: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, taken: float, error: str | None) -> None:
        with self.lock:
            self.answers += 1
            self.slowest = max(self.slowest, taken)
            if error is not None:
                self.errors[error] += 1


def _crowd(made: MadeHistory, port: int, seconds: float) -> _Crowd:
    """Clients that ask for one page after another, each on a connection of its own."""
    crowd, ends = _Crowd(), time.monotonic() + seconds
    clients = [threading.Thread(target=_client, args=(crowd, port, _pages(made, n), ends)) for n in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return crowd


def _pages(made: MadeHistory, client: int) -> tuple[str, ...]:
    """Six pages in an order of the client's own; of the history one range is its own, and each has to be made."""
    pages = (
        "/",
        "/models",
        f"/days/{made.days[-2]}",
        f"/alerts/{made.days[-1]}",
        f"/?from={made.days[client * 10]}",
        "/healthz",
    )
    first = client % len(pages)
    return pages[first:] + pages[:first]


def _client(crowd: _Crowd, port: int, pages: tuple[str, ...], ends: float) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while time.monotonic() < ends:
        for page in pages:
            started = time.perf_counter()
            try:
                _, status = _asked(port, page, connection)
                error = None if status == 200 else f"{page} answered {status}"
            except (OSError, http.client.HTTPException) as problem:
                error = f"{page}: {problem!r}"
                connection.close()
            crowd.note(time.perf_counter() - started, error)
    connection.close()


if __name__ == "__main__":
    main()
