"""The server as a process: finding the one of a data folder, starting and stopping it, and the port it listens on.

A process is ours only if its command line says that it is a `postgres` on our data folder: numbers in pid files get
stale and are reused. What does not live here: logging in.
"""

import errno
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fraud_assets.local.postgres_account import EmbeddedPostgresError, run_as
from fraud_assets.local.postgres_binaries import Binaries
from fraud_assets.local.postgres_place import Place

# Below the range from which systems take the ports of outgoing connections, so that ours stays free between runs.
PORTS = range(20_000, 32_000)
POLL_SECONDS = 0.01


@dataclass(frozen=True)
class Postmaster:
    """The main process of a running server, as it says itself in `postmaster.pid`."""

    pid: int
    port: int
    is_ready: bool
    started_on: Path


def find_postmaster(data: Path) -> Postmaster | None:
    """The living server of this data folder, or None."""
    lines = _pid_file(data)
    pid = _pid(lines)
    arguments = process_arguments(pid) if pid else None
    if not pid or not arguments or Path(arguments[0]).name != "postgres" or "-D" not in arguments[:-1]:
        return None
    started_on = Path(arguments[arguments.index("-D") + 1])
    # A folder that was moved under a running server is still the server's; a copy of one is not.
    if started_on.exists() and not started_on.samefile(data):
        return None
    port = int(lines[3]) if len(lines) > 3 and lines[3].isdigit() else 0
    return Postmaster(pid, port, len(lines) > 7 and lines[7].strip() == "ready", started_on)


def process_arguments(pid: int) -> Sequence[str] | None:
    """The command line of a process; empty if it may not be read; None if there is no such process, or a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    if not Path("/proc/self/stat").exists():
        return _arguments_from_ps(pid)
    try:
        state = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ()
    return None if state in "ZX" else [os.fsdecode(part) for part in line.split(b"\0")[:-1]]


def _arguments_from_ps(pid: int) -> Sequence[str] | None:
    """For systems without /proc. Splits only the command line of our own servers, whose arguments `start` orders."""
    said = subprocess.run(  # noqa: S603
        ["ps", "-ww", "-o", "stat=", "-o", "command=", "-p", str(pid)],  # noqa: S607
        check=False,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
    ).stdout
    state, _, command = said.strip().partition(" ")
    if not state or state.startswith("Z"):
        return None
    program, _, rest = command.strip().partition(" -D ")
    data, _, _ = rest.partition(" -c listen_addresses=")
    return [program, "-D", data] if rest else [program]


def clear_stale_pid_file(data: Path) -> None:
    """Remove a pid file that would keep PostgreSQL from starting although its server is gone.

    Only what PostgreSQL cannot see for itself: a zombie's number, a number that another program has now, and a file cut
    short. Call under the lock, when `find_postmaster` has found nothing.
    """
    file = data / "postmaster.pid"
    lines = _pid_file(data)
    pid = _pid(lines)
    # Unreadable command lines (empty) prove nothing: PostgreSQL decides.
    if pid is None or process_arguments(pid) != ():
        file.unlink(missing_ok=True)


def _pid_file(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text(errors="surrogateescape").splitlines()
    except FileNotFoundError:
        return []


def _pid(lines: Sequence[str]) -> int | None:
    return int(lines[0]) if lines and lines[0].strip().isdigit() and int(lines[0]) > 0 else None


def start(place: Place, binaries: Binaries, port: int) -> int:
    """Start a server that belongs to no terminal and to no parent, and return its pid at once.

    A shell starts it in the background and ends, so that the system, not this process, is its parent; arguments are
    handed through, never interpreted. (pg_ctl would build a shell command with the path in it.)
    """
    where = ["-c", "listen_addresses=127.0.0.1", "-c", f"port={port}", "-c", "unix_socket_directories="]
    program = binaries.folder / "postgres"
    log = place.open_log()
    try:
        shell = ["/bin/sh", "-c", '"$@" >&2 & echo $!', "sh"]
        said = run_as(place.account, [*shell, program, "-D", place.data, *where], log=log)
    finally:
        os.close(log)
    return int(said.stdout)


def wait_until_ready(data: Path, pid: int, deadline: float) -> bool:
    """Whether the server accepts connections; False once its process is gone.

    Raises `EmbeddedPostgresError` at the deadline, and leaves the server to its work: recovery may take long.
    """
    while True:
        postmaster = find_postmaster(data)
        if postmaster and postmaster.pid == pid and postmaster.is_ready:
            return True
        if process_arguments(pid) is None:
            return False
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(
                f"The server on {data} is not ready yet, perhaps recovering after a crash; wait and try again."
            )
        time.sleep(POLL_SECONDS)


def shut_down(postmaster: Postmaster, timeout_seconds: float) -> None:
    """PostgreSQL's fast shutdown: clients are disconnected, everything is written out."""
    try:
        os.kill(postmaster.pid, signal.SIGINT)
    except ProcessLookupError:
        return
    deadline = time.monotonic() + timeout_seconds
    while process_arguments(postmaster.pid) is not None:
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(
                f"The server on {postmaster.started_on} (process {postmaster.pid}) has not stopped within "
                f"{timeout_seconds:.0f} s; wait and try again."
            )
        time.sleep(POLL_SECONDS)


def end_orphans(data: Path) -> None:
    """Ask the processes that a killed server left at work in its data folder to end."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            works_here = (folder / "cwd").readlink() == data and (folder / "exe").readlink().name == "postgres"
            if works_here:
                os.kill(int(folder.name), signal.SIGTERM)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1 at this port now."""
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind(("127.0.0.1", port))
            candidate.listen(1)
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
    return True


def choose_port() -> int:
    """A free port that this machine's outgoing connections do not use."""
    for port in random.sample(PORTS, 200):
        if is_free(port):
            return port
    raise EmbeddedPostgresError(f"No port between {PORTS[0]} and {PORTS[-1]} is free; end what listens there.")
