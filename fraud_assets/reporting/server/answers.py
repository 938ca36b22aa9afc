"""Pages as they are sent: kept in memory while nothing that they show has changed, compressed once, with a tag.

What does not live here: how a page is made, and when it has changed (the store's `state`).
"""

import gzip
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from fraud_assets.reporting.server.store import BUSY, TURN_SECONDS, StoreUnavailable

MOST_BYTES = 24_000_000
"""Of all pages that are kept, compressed copies included."""
FEWEST_BYTES_TO_COMPRESS = 1_000
MOST_AT_ONCE = 2
"""Pages that are made at a time: one is read while another is drawn."""

HTML = "text/html; charset=utf-8"
# Ask each time whether it is still the newest: the answer is then a tag and no page.
REVALIDATED = "private, no-cache"


@dataclass(frozen=True)
class Answer:
    """A body with its compressed copy, where that is worth it, and a tag that is equal for equal bodies only."""

    body: bytes
    compressed: bytes | None
    tag: str
    media_type: str

    @classmethod
    def of(cls, body: bytes, media_type: str, level: int = 5) -> "Answer":
        compressed = gzip.compress(body, level, mtime=0) if len(body) >= FEWEST_BYTES_TO_COMPRESS else None
        return cls(body, compressed, hashlib.sha256(body).hexdigest()[:32], media_type)

    @property
    def size(self) -> int:
        return len(self.body) + len(self.compressed or b"")

    def response(
        self, request: Request, *, status: int = 200, caching: str = REVALIDATED, headers: Mapping[str, str] = {}
    ) -> Response:
        """As this request is best answered: not again if it has it, compressed if it may be."""
        packed = self.compressed if "gzip" in request.headers.get("accept-encoding", "") else None
        tag = f'"{self.tag}{"" if packed is None else "-gzip"}"'
        own = {"ETag": tag, "Cache-Control": caching, "Vary": "Accept-Encoding", **headers}
        if status == 200 and tag in _tags(request.headers.get("if-none-match", "")):
            return Response(status_code=304, headers=own)
        if packed is not None:
            own["Content-Encoding"] = "gzip"
        return Response(packed or self.body, status, own, self.media_type)


def _tags(header: str) -> list[str]:
    return [tag.strip().removeprefix("W/") for tag in header.split(",")]


class KeptAnswers:
    """Answers by what was asked; of each the newest state only, and the least recently used leave first.

    A page that several ask for at once is made once, and what fails fails for all of them. A few pages are made at a
    time: each takes memory while it is made. Works from any thread.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        # Threads of its own: in each thread that makes a page, the memory that this takes stays taken.
        self._makers = ThreadPoolExecutor(MOST_AT_ONCE, "page")
        self._kept: OrderedDict[Hashable, tuple[str, Answer]] = OrderedDict()
        self._making: dict[tuple[Hashable, str], Future[Answer]] = {}
        self._bytes = 0

    def answer(self, asked: Hashable, state: str, make: Callable[[], Answer]) -> Answer:
        """The kept answer of that state; or what `make` makes, which must have been asked for after `state` was.

        Raises `StoreUnavailable` where it does not come for too long, as other pages are made.
        """
        with self._lock:
            kept = self._found(asked, state)
            if kept is not None:
                return kept
            making = self._making.get((asked, state))
            if making is None:
                making = self._making[asked, state] = self._makers.submit(self._made, asked, state, make)
        try:
            return making.result(TURN_SECONDS)
        except TimeoutError as error:
            raise StoreUnavailable(BUSY) from error

    def _made(self, asked: Hashable, state: str, make: Callable[[], Answer]) -> Answer:
        try:
            made = make()
        except BaseException:
            with self._lock:
                del self._making[asked, state]
            raise
        with self._lock:
            self._keep(asked, state, made)
            del self._making[asked, state]
        return made

    def _found(self, asked: Hashable, state: str) -> Answer | None:
        found = self._kept.get(asked)
        if found is None or found[0] != state:
            return None
        self._kept.move_to_end(asked)
        return found[1]

    def _keep(self, asked: Hashable, state: str, answer: Answer) -> None:
        self._forget(asked)
        self._kept[asked] = state, answer
        self._bytes += answer.size
        while self._bytes > self._most_bytes:
            self._forget(next(iter(self._kept)))

    def _forget(self, asked: Hashable) -> None:
        found = self._kept.pop(asked, None)
        self._bytes -= found[1].size if found else 0
