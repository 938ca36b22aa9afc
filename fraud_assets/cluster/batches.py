"""What a worker does with fits that it is sent: the calls, one after the other, each with one inner thread.

What lives here: the form in which calls travel, and carrying them out. What does not: sending them (fits.py).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
from distributed import get_worker
from distributed.protocol import pickle
from threadpoolctl import threadpool_limits

from fraud_assets.cluster.versions import require_same

Call = tuple[Callable[..., Any], Sequence[Any], Mapping[str, Any]]
TRAVELS_ALONE_BYTES = 10_000
"""From this size on, an argument is not written into its call: calls that have it in common share one copy a worker."""


@dataclass(frozen=True)
class Place:
    """Stands in a call for an array that travels by itself: which of them."""

    number: int


def packed(calls: Sequence[Call]) -> tuple[bytes, list[Any]]:
    """The calls as bytes without their large arrays, and these arrays."""
    arrays: dict[int, Any] = {}

    def place(value: Any) -> Any:
        if type(value) is not np.ndarray or value.nbytes < TRAVELS_ALONE_BYTES:
            return value
        arrays.setdefault(id(value), value)
        return Place(list(arrays).index(id(value)))

    written = [(f, [place(v) for v in args], {k: place(v) for k, v in named.items()}) for f, args, named in calls]
    return pickle.dumps(written), list(arrays.values())


def carry_out(versions: Mapping[str, str], written: bytes, arrays: Sequence[Any]) -> list[Any]:
    """What each call returns. Raises `ClusterError` for other versions, and whatever a call raises."""
    require_same(versions, get_worker().address)
    one_inner_thread()
    calls = pickle.loads(written)

    def placed(value: Any) -> Any:
        return arrays[value.number] if isinstance(value, Place) else value

    # What a fit does in parallel by itself, such as a forest's trees, must not go to the cluster as well.
    with joblib.parallel_config(backend="sequential"):
        return [f(*map(placed, args), **{k: placed(v) for k, v in named.items()}) for f, args, named in calls]


def one_inner_thread() -> None:
    """Hold this thread, and the libraries of this process, to one inner thread for good.

    Fits in several threads of one worker would take each other's limits off, when they are done.
    """
    threadpool_limits(1)
