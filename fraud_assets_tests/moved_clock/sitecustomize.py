"""Loaded by every Python under a moved clock: a sleep that is a wait for nothing.

libfaketime leaves the steady clock alone, as timeouts need it, and then refuses the call that Python sleeps by.
"""

import select
import time
from typing import SupportsIndex


def sleep(seconds: float | SupportsIndex, /) -> None:
    wait = float(seconds)
    if wait < 0:
        raise ValueError("sleep length must be non-negative")
    select.select([], [], [], wait)


time.sleep = sleep
