"""Loaded by every Python under a moved clock, for what libfaketime leaves as it was.

It leaves the steady clock alone, as timeouts need it, and then refuses the call that Python sleeps by. Whoever waits
until a time that the clock has been put beyond is done with waiting. And what is started with an environment of its
own, as the embedded PostgreSQL is, goes by the same clock.
"""

import os
import select
import subprocess
import threading
import time
from typing import Any, SupportsIndex

CLOCK = {
    name: value for name, value in os.environ.items() if name.startswith("FAKETIME_") and name != "FAKETIME_SHARED"
}
CLOCK |= {name: os.environ[name] for name in ("LD_PRELOAD", "NO_FAKE_STAT") if name in os.environ}


def sleep(seconds: float | SupportsIndex, /) -> None:
    wait = float(seconds)
    if wait < 0:
        raise ValueError("sleep length must be non-negative")
    select.select([], [], [], wait)


class Event(threading.Event):
    def wait(self, timeout: float | None = None) -> bool:
        if timeout is None:
            return super().wait()
        until = time.time() + timeout
        while (left := until - time.time()) > 1:
            if super().wait(1):
                return True
        return super().wait(max(0.0, left))


class Popen(subprocess.Popen[Any]):
    def __init__(self, *args: Any, env: Any = None, **options: Any) -> None:
        own = None if env is None else {**env, **CLOCK}
        super().__init__(*args, env=own, **options)  # type: ignore[call-overload]


time.sleep = sleep
threading.Event = Event  # type: ignore[misc]
subprocess.Popen = Popen  # type: ignore[misc]
