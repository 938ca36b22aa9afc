"""One clock for every process of a stack, PostgreSQL's too, that a test moves: libfaketime, from Debian's packages.

What moves is the time of day: timeouts and the times of files are real. Who waits in Python for a time that the clock
has been put beyond is done with waiting. What does not live here: what a test does meanwhile.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import fraud_assets

LIBRARIES = "/usr/lib/*/faketime/libfaketime.so.1"
MISSING = f"There is no libfaketime ({LIBRARIES}): apt-get install libfaketime"
CACHE_SECONDS = 1
"""For how long a process believes what it has last read of the clock."""

NAMES = (
    "LD_PRELOAD",
    "NO_FAKE_STAT",
    "FAKETIME_TIMESTAMP_FILE",
    "FAKETIME_CACHE_DURATION",
    "FAKETIME_DONT_FAKE_MONOTONIC",
)

# Python's own sleep names an instant of the monotonic clock, which libfaketime refuses; a daemon that sleeps until the
# next full minute would sleep through the clock's being moved; and a process that is started with an environment of
# its own, as the database is, would leave the clock.
_SITECUSTOMIZE = f"""
import os
import select
import subprocess
import threading
import time

CLOCK = {{name: os.environ[name] for name in {NAMES!r}}}


def sleep(seconds):
    select.select([], [], [], seconds)


class Event(threading.Event):
    def wait(self, timeout=None):
        until = None if timeout is None else time.time() + timeout
        while until is not None and until - time.time() > 1:
            if super().wait(1):
                return True
        return super().wait(None if until is None else max(0, until - time.time()))


class Popen(subprocess.Popen):
    def __init__(self, *args, env=None, **options):
        super().__init__(*args, env=None if env is None else {{**env, **CLOCK}}, **options)


time.sleep = sleep
threading.Event = Event
subprocess.Popen = Popen
"""


def find_library() -> Path | None:
    """libfaketime as Debian's package has it; None where it is not installed."""
    return next(Path("/").glob(LIBRARIES.removeprefix("/")), None)


class Clock:
    """A clock that goes as fast as any other, and is put forward by `move_to`. Its times are in `zone`."""

    def __init__(self, library: Path, folder: Path, start: datetime) -> None:
        self.folder = folder
        self.zone = ZoneInfo(str(start.tzinfo))
        self._library = library
        self._file = folder / "offset"
        self._ahead = timedelta()
        (folder / "sitecustomize.py").write_text(_SITECUSTOMIZE)
        self._set(start)

    def environment(self) -> Mapping[str, str]:
        """What a process needs to be started with in order to live by this clock."""
        packages = Path(fraud_assets.__file__).parents[1]
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": str(CACHE_SECONDS),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
            "PYTHONPATH": f"{self.folder}:{packages}",
        }

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time() + self._ahead.total_seconds(), self.zone)

    def move_to(self, instant: datetime) -> None:
        """Put the clock forward, and wait until every process has seen it."""
        assert instant >= self.now(), f"{instant} is before {self.now()}"
        self._set(instant)
        time.sleep(CACHE_SECONDS + 0.2)

    def _set(self, instant: datetime) -> None:
        # Instants, not the wall's times: with daylight saving, the difference of two of those may be an hour off.
        self._ahead = timedelta(seconds=instant.timestamp() - time.time())
        written = self._file.with_suffix(".new")
        written.write_text(f"{self._ahead.total_seconds():+.3f}\n")
        written.rename(self._file)


@contextmanager
def moved_clock(library: Path, start: datetime) -> Iterator[Clock]:
    """A clock whose files every user can read: the database's is another than ours where we are root."""
    folder = Path(tempfile.mkdtemp(prefix="clock-"))
    folder.chmod(0o755)
    try:
        yield Clock(library, folder, start)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _sweep()


def _sweep() -> None:
    """Remove what libfaketime leaves in shared memory of processes that have ended: a later one may have the number."""
    for file in Path("/dev/shm").glob("*faketime_s*_*"):
        if not Path("/proc", file.name.rpartition("_")[2]).exists():
            file.unlink(missing_ok=True)
