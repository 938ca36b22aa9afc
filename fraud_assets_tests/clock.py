"""A clock that a test moves forward, for whole processes: Python's and PostgreSQL's, by libfaketime."""

import os
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
SITE = Path(__file__).with_name("moved_clock")
MISSING = "libfaketime is not installed (apt-get install libfaketime)"
needs_moved_clock = pytest.mark.skipif(not LIBRARIES, reason=MISSING)


def sweep() -> None:
    """Remove what libfaketime leaves in shared memory of processes that were killed: their numbers come again."""
    for file in Path("/dev/shm").glob("*faketime_s*_*"):
        if not Path("/proc", file.name.rpartition("_")[2]).exists():
            file.unlink(missing_ok=True)


class Clock:
    """The real clock, and how far ahead of it the processes are that have its environment."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.ahead = timedelta()
        self._write()

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to go by this clock; nothing where there is no libfaketime."""
        if not LIBRARIES:
            return {}
        paths = [str(SITE), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {
            "LD_PRELOAD": str(LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
            "PYTHONPATH": os.pathsep.join(paths),
        }

    def now(self) -> datetime:
        """The time that those processes see."""
        return datetime.fromtimestamp(time.time() + self.ahead.total_seconds()).astimezone()

    def move_to(self, instant: datetime) -> None:
        """Move forward to an instant; within a second, everybody is there."""
        # By instants: the difference of two times of a zone is an hour off where summer time begins between them.
        self.ahead = timedelta(seconds=instant.timestamp() - time.time())
        self._write()

    def _write(self) -> None:
        # Replaced whole, and not written in place: who reads half of it would be back in the present.
        draft = self._file.with_suffix(".new")
        draft.write_text(f"{self.ahead.total_seconds():+.3f}\n")
        draft.replace(self._file)
