"""What tests send to workers: functions that tell where they were called, and how."""

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray
from threadpoolctl import threadpool_info


def told(array: NDArray[np.float64], number: int, seconds: float = 0.0) -> dict[str, Any]:
    """A result that depends on both arguments, and the circumstances of its making."""
    time.sleep(seconds)
    return {
        "result": float(array.sum()) + number,
        "process": os.getpid(),
        "inner threads": max((library["num_threads"] for library in threadpool_info()), default=1),
        "jobs inside": effective_n_jobs(-1),
    }


def refused(number: int) -> None:
    raise ValueError(f"number {number} is not allowed")


def killed_at_first(shared: NDArray[np.float64], number: int, mark: Path, own: NDArray[np.float64]) -> float:
    """Ends its worker, as a lack of memory would, unless that has happened before."""
    time.sleep(0.2)
    if number == 1 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), 9)
    return float(shared.sum() + own.sum()) + number


def killed(number: int) -> None:
    os.kill(os.getpid(), 9)
