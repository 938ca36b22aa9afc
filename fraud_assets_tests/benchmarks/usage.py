"""What a command costs: its seconds, and the memory of all its processes together.

What lives here: running a command as a child of this process while sampling. What does not: what is run, and bounds.
"""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

SECONDS_BETWEEN_SAMPLES = 0.25
MB = 1_000_000
TAIL_CHARACTERS = 2_000


@dataclass(frozen=True)
class Usage:
    """Wall time and processor time in seconds, the most bytes that the command's processes held, what it printed.

    The processor time is that of the command and of the processes that it has waited for; where others use the machine
    at the same time, it says more than the wall time.
    A page that several processes share counts once (proportional set size, Linux); elsewhere resident sizes add up.
    `peak_with_others` is the same with processes that belong to it without being its children, such as a server.
    """

    seconds: float
    processor_seconds: float
    peak: int
    peak_with_others: int
    printed: str
    began: float
    samples: Sequence[tuple[float, int]]

    def peak_between(self, begins: float, ends: float) -> int:
        """The most bytes, others included, between two moments (seconds since 1970, as `began`)."""
        return max((held for at, held in self.samples if begins <= at <= ends), default=0)


def measured(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    others: Callable[[], Iterable[psutil.Process]] = tuple,
) -> Usage:
    """Run a command to its end. Leaves this process with the end of what it said when it fails."""
    with (folder / "printed.txt").open("w+") as printed:
        began, started, spent = time.time(), time.perf_counter(), _children_seconds()
        process = psutil.Popen(
            list(command), env=environment, cwd=folder, stdout=printed, stderr=subprocess.STDOUT, text=True
        )
        sampler = _Sampler(process, others)
        sampler.start()
        code = process.wait()
        took = time.perf_counter() - started
        spent = _children_seconds() - spent
        sampler.end()
        printed.seek(0)
        said = printed.read()
    if code:
        raise SystemExit(f"{' '.join(command)} ended with {code}:\n{said[-TAIL_CHARACTERS:]}")
    return Usage(took, spent, sampler.peak, sampler.peak_with_others, said, began, sampler.samples)


def _children_seconds() -> float:
    times = os.times()
    return times.children_user + times.children_system


class _Sampler(threading.Thread):
    def __init__(self, process: psutil.Process, others: Callable[[], Iterable[psutil.Process]]) -> None:
        super().__init__(name="memory", daemon=True)
        self._process = process
        self._others = others
        self._over = threading.Event()
        self.peak = 0
        self.samples: list[tuple[float, int]] = []

    def run(self) -> None:
        while not self._over.wait(SECONDS_BETWEEN_SAMPLES):
            own = memory_of([self._process])
            self.peak = max(self.peak, own)
            self.samples.append((time.time(), own + memory_of(self._others())))

    @property
    def peak_with_others(self) -> int:
        return max((held for _, held in self.samples), default=0)

    def end(self) -> None:
        self._over.set()
        self.join()


def memory_of(roots: Iterable[psutil.Process]) -> int:
    """Bytes of these processes and all their descendants. One that ends meanwhile counts nothing."""
    total = 0
    for root in roots:
        try:
            family = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
        total += sum(map(_memory, family))
    return total


def _memory(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
        return int(getattr(full, "pss", full.rss))
    except psutil.NoSuchProcess:
        return 0
    except psutil.AccessDenied:
        return int(process.memory_info().rss)
