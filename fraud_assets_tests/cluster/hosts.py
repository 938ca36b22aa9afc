"""A Dask scheduler and workers as processes of their own, as they would be on other hosts.

What lives here: starting and ending them. What does not: what is sent to them.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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
        """End all of it: there is nothing to be kept, and a worker would look for its scheduler first."""
        for name in list(self.processes):
            self.kill(name)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")


@contextmanager
def cluster(
    folder: Path,
    workers: int,
    environment: Mapping[str, str] | None = None,
    *,
    port: int | None = None,
    certificates: Sequence[str] = (),
) -> Iterator[Cluster]:
    """A scheduler, on a free port of this machine unless one is given, and so many workers.

    `certificates` are the options that name them to scheduler and workers alike, which then speak TLS.
    """
    port = port or free_port()
    scheme = "tls" if certificates else "tcp"
    address = f"{scheme}://127.0.0.1:{port}"
    made = Cluster(folder, {**clean_environment(), **(environment or {})}, address, certificates)
    try:
        where = ("--host", f"{scheme}://127.0.0.1", "--port", str(port), "--no-dashboard")
        made.start("scheduler", *SCHEDULER, *where, *certificates)
        for number in range(workers):
            made.start_worker(f"worker-{number + 1}")
        yield made
    finally:
        made.end()


def clean_environment() -> dict[str, str]:
    """What a process of another host has in its environment: nothing of the test's but the tree's modules."""
    foreign = ("FRAUD_", "DAGSTER_", "PYTEST_", "DASK_", "PG")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | {
        "PYTHONPATH": str(TREE)
    }


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
