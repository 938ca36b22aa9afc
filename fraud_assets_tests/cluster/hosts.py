"""A Dask scheduler and workers as processes of their own, as they would be on other hosts.

What lives here: starting and ending them. What does not: what is sent to them.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import fraud_assets

TREE = Path(fraud_assets.__file__).parents[1]
SCHEDULER = (sys.executable, "-W", "ignore", "-m", "distributed.cli.dask_scheduler")
WORKER = (sys.executable, "-W", "ignore", "-m", "distributed.cli.dask_worker")


@dataclass
class Cluster:
    """A scheduler and its workers; `folder` has a log of each."""

    folder: Path
    environment: Mapping[str, str]
    address: str
    options: Sequence[str] = ()
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start(self, name: str, *command: str, environment: Mapping[str, str] | None = None) -> None:
        """A process of the cluster, which logs to a file of its name."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                env={**self.environment, **(environment or {})},
                start_new_session=True,
            )

    def start_worker(self, name: str, *options: str, environment: Mapping[str, str] | None = None) -> None:
        """A worker of one thread, in one process."""
        self.start(
            name,
            *WORKER,
            self.address,
            *("--name", name, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0"),
            *("--local-directory", str(self.folder / name), *self.options, *options),
            environment=environment,
        )

    def kill(self, name: str) -> None:
        """End a process of it at once, as a power cut would."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def end(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=5)
                continue
            process.kill()
            process.wait()
        self.processes.clear()

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")


@contextmanager
def cluster(
    folder: Path,
    workers: int,
    environment: Mapping[str, str] | None = None,
    *,
    scheme: str = "tcp",
    options: Sequence[str] = (),
) -> Iterator[Cluster]:
    """A scheduler and so many workers, on free ports of this machine."""
    port = free_port()
    own = {name: value for name, value in os.environ.items() if not name.startswith(("FRAUD_", "DAGSTER_", "PYTEST_"))}
    own |= {"PYTHONPATH": str(TREE), "DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "info", **(environment or {})}
    made = Cluster(folder, own, f"{scheme}://127.0.0.1:{port}", options)
    try:
        made.start(
            "scheduler",
            *SCHEDULER,
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--protocol",
            scheme,
            "--no-dashboard",
            "--dashboard-address",
            ":0",
            *options,
        )
        for number in range(workers):
            made.start_worker(f"worker-{number + 1}")
        yield made
    finally:
        made.end()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def wait_until(seconds: float, is_so: "object", what: str) -> None:
    """Wait for something to become so."""
    assert callable(is_so)
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f"{what} took more than {seconds} seconds"
        time.sleep(0.1)
