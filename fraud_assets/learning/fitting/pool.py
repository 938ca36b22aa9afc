"""The pool that all fits and scorings run through, and the end of its processes when their owner is killed.

What lives here: one joblib pool, whatever its backend, its workers' watch, and the memory that they have done with.
What does not: what they compute.
"""

import ctypes
import os
import threading
import time
from pathlib import Path

from joblib import Parallel

SECONDS_BETWEEN_LOOKS = 1.0
# States of a process in /proc that has ended: a zombie, and one about to vanish.
DEAD = ("Z", "X")


def worker_pool(jobs: int) -> Parallel:
    """A joblib pool of `jobs` workers (-1: one a core) on the backend that `joblib.parallel_config` has set.

    As a context manager it keeps its workers, and what was shared with them, from call to call. Large arrays reach
    worker processes as memory maps of one file, which is gone when the context is left. Processes that this one starts
    for it end with it, also when it is killed.
    """
    return Parallel(n_jobs=jobs, initializer=end_with_owner, initargs=(os.getpid(),))


def give_back_freed_memory() -> None:
    """Have the C library give back what this process has freed: it keeps it, and a next fit is of another size."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it; others give memory back by themselves
    if trim is not None:
        trim(0)


def end_with_owner(owner: int) -> None:
    """Runs first in each worker process: end it within seconds of the death of the process `owner`.

    A pool's process waits on a pipe that it holds open itself, so it does not notice that nobody is left at the other
    end. Its parent changes at once; where the owner died before this runs, it is not there any more.
    """
    parent = os.getppid()
    threading.Thread(target=_watch, args=(owner, parent), name="end-with-owner", daemon=True).start()


def _watch(owner: int, parent: int) -> None:
    while os.getppid() == parent and _runs(owner):
        time.sleep(SECONDS_BETWEEN_LOOKS)
    # No clean-up: it could wait for locks and pipes of the process that is no more.
    os._exit(1)


def _runs(pid: int) -> bool:
    """Whether there is such a process, and it is not a dead one that nobody has collected yet."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in DEAD
