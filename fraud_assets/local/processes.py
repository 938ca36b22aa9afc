"""Processes by an identity that outlives a reused pid: the pid and when it started."""

import os
import socket
from pathlib import Path


def own_identity() -> str:
    """This process, as `host/pid/start`; where the system does not tell the start, it is left empty."""
    return f"{socket.gethostname()}/{os.getpid()}/{_started(os.getpid())}"


def is_alive(identity: str) -> bool:
    """Whether the process of an identity still runs. On another host there is no telling, so it counts as alive."""
    host, pid, start = identity.rsplit("/", 2)
    if host != socket.gethostname():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return _started(int(pid)) == start


def _started(pid: int) -> str:
    """Field 22 of /proc/<pid>/stat: the start time in clock ticks since boot. Empty for a process that is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]
