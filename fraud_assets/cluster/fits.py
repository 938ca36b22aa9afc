"""Fits on the workers of a cluster: joblib's Dask backend, and what it lacks for a worker that dies.

What lives here: where the calls of a joblib pool go, and that they are sent again. What does not: what is called.

joblib's own backend shares an array by putting it on one worker. With that worker the array is gone, and with it the
calls of all others that need it; and the error of a call whose workers have died never reaches whoever waits. Inside a
call it leaves itself as the backend, so that a forest's trees would be sent around one by one. Small objects that hold
large arrays go through the scheduler.
"""

import asyncio
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

import distributed
import joblib
from distributed import Client
from distributed.scheduler import KilledWorker
from joblib._dask import DaskDistributedBackend

from fraud_assets.cluster.batches import TRAVELS_ALONE_BYTES, carry_out, packed
from fraud_assets.cluster.errors import ClusterError, ended_workers, lacks_module
from fraud_assets.cluster.versions import own_versions

SECONDS_BETWEEN_LOOKS = 2.0
MOST_LOSSES = 10
"""So often a call is sent again because what it needs, or what it gave, was lost with a worker."""
_CANCELLED = (asyncio.CancelledError, CancelledError)


@contextmanager
def sent_to(client: Client) -> Iterator[None]:
    """Within it, joblib's pools of this thread send what they are given to the client's workers."""
    with joblib.parallel_config(backend=DaskFits(client=client)):
        yield


class Lost(Exception):
    """A worker has died, and with it what a call needs or has returned."""


@dataclass(frozen=True)
class Raised:
    """In the place of results: the error instead of them."""

    error: BaseException


@dataclass(frozen=True)
class Shared:
    """An array that is on a worker, or on its way to one."""

    array: Callable[[], Any]
    sending: "asyncio.Task[distributed.Future]"

    @property
    def is_lost(self) -> bool:
        if not self.sending.done():
            return False
        failed = self.sending.cancelled() or self.sending.exception() is not None
        return failed or self.sending.result().status in ("cancelled", "lost", "error")


class DaskFits(DaskDistributedBackend):  # type: ignore[misc]
    """joblib's Dask backend, which sends a call again when a worker has died, until one has answered."""

    def __init__(self, client: Client | None = None, **options: Any) -> None:
        super().__init__(client=client, **options)
        self._shared: dict[int, Shared] = {}
        self._sent: set[distributed.Future] = set()

    def effective_n_jobs(self, n_jobs: int) -> int:
        """The threads of all workers; at least 2, as joblib computes a pool of 1 where it is."""
        threads: int = super().effective_n_jobs(n_jobs)
        return max(2, threads)

    def start_call(self) -> None:
        """Nothing that joblib's own backend would do: each call is waited for by itself."""

    def stop_call(self) -> None:
        """Likewise."""

    def submit(self, func: Any, callback: Callable[[Any], None]) -> "Future[Any]":
        """Send a batch of calls; `callback` is called with what `retrieve_result_callback` takes."""
        self.client.loop.add_callback(self._carried_out, list(func.items), callback)
        return Future()  # joblib keeps it, and asks the callback alone

    def retrieve_result_callback(self, out: Any) -> Any:
        if isinstance(out, Raised):
            raise out.error
        return out

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Take back what has not begun: nobody waits for it any more."""
        for future in list(self._sent):
            future.cancel()
        self._sent.clear()

    async def _carried_out(self, calls: list[Any], callback: Callable[[Any], None]) -> None:
        outcome: Any
        try:
            outcome = await self._outcome(calls)
        except BaseException as error:  # whoever waits in another thread is to hear of all of them
            outcome = Raised(error)
        # The callback makes the next calls' rows: in another thread, as this one keeps up the connections.
        await asyncio.get_running_loop().run_in_executor(None, callback, outcome)

    async def _outcome(self, calls: list[Any]) -> list[Any]:
        for _ in range(MOST_LOSSES):
            try:
                return await self._answer(calls)
            except Lost as error:
                lost = error
                await asyncio.sleep(SECONDS_BETWEEN_LOOKS / 10)
        raise ClusterError(
            f"A fit was lost with its Dask worker {MOST_LOSSES} times; see why the workers end ({lost})."
        ) from lost

    async def _answer(self, calls: list[Any]) -> list[Any]:
        """What the calls return. Raises `Lost`, `ClusterError`, and what a call raises."""
        self._require_scheduler()
        written, arrays = packed(calls)
        shared = [self._share(array) for array in arrays]
        body = self._share(written) if len(written) >= TRAVELS_ALONE_BYTES else None
        needed = shared if body is None else [*shared, body]
        try:
            there = [await asyncio.shield(one.sending) for one in needed]
        except (OSError, TimeoutError, *_CANCELLED) as error:
            raise Lost(f"{type(error).__name__}: {error}") from error
        future = self.client.submit(
            carry_out,
            dict(own_versions()),
            written if body is None else there[-1],
            there[: len(shared)],
            key=f"fits-{uuid4().hex}",
            pure=False,
        )
        self._sent.add(future)
        try:
            return await self._waited_for(future, needed)
        finally:
            self._sent.discard(future)

    async def _waited_for(self, future: distributed.Future, needed: list[Shared]) -> list[Any]:
        waiting = asyncio.ensure_future(future._result())
        try:
            while not waiting.done():
                await asyncio.wait({waiting}, timeout=SECONDS_BETWEEN_LOOKS)
                if not waiting.done() and any(one.is_lost for one in needed):
                    raise Lost("an array was lost with the worker that had it")
                self._require_scheduler()
            results: list[Any] = waiting.result()
        except _CANCELLED as error:
            raise Lost(f"{type(error).__name__}: {error}") from error
        except KilledWorker as error:
            raise ended_workers("the same fit", error.allowed_failures + 1) from error
        except ImportError as error:
            raise lacks_module(error) from error
        finally:
            waiting.cancel()
        return results

    def _share(self, value: Any) -> Shared:
        """An array or a body of calls on one of the workers, from where others take it; not through the scheduler."""
        known = self._shared.get(id(value))
        if known is not None and known.array() is value and not known.is_lost:
            return known
        sending = asyncio.ensure_future(self.client.scatter(value, direct=True, hash=False, asynchronous=True))
        if isinstance(value, bytes):
            return Shared(_nowhere, sending)
        self._shared[id(value)] = Shared(weakref.ref(value, partial(self._forget, id(value))), sending)
        return self._shared[id(value)]

    def _forget(self, key: int, gone: "weakref.ref[Any]") -> None:
        known = self._shared.get(key)
        if known is not None and known.array is gone:
            del self._shared[key]

    def _require_scheduler(self) -> None:
        if self.client.status not in ("running", "connecting"):
            raise ClusterError("The Dask scheduler was lost while it had fits to do; see that it runs, and run again.")


def _nowhere() -> None:
    return None
