"""What a page says when it cannot be shown: why, what to do, where else to look, and whether it tries again.

What does not live here: which error is raised where.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import psycopg
from starlette.exceptions import HTTPException

from fraud_assets.reporting.server.asked import BadRequest
from fraud_assets.reporting.server.day_page import NOWHERE, Neighbours
from fraud_assets.reporting.server.store import StoreUnavailable

RETRY_SECONDS = 5


class NoSuchPage(Exception):
    """There is nothing at this address; `around` are days near it that there is something of."""

    def __init__(self, sentence: str, around: Neighbours = NOWHERE) -> None:
        super().__init__(sentence)
        self.around = around


@dataclass(frozen=True)
class Problem:
    """What a problem page is told. `retry` is in how many seconds it tries again by itself, or None."""

    status: int
    title: str
    sentence: str
    around: Neighbours = NOWHERE
    retry: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def problem_of(error: Exception) -> Problem:
    """What to say of a request that failed with this error."""
    match error:
        case NoSuchPage():
            return Problem(404, "There is nothing here", str(error), error.around)
        case BadRequest():
            return Problem(400, "That cannot be read", str(error))
        case StoreUnavailable():
            return _to_be_tried_again(str(error))
        case psycopg.OperationalError():
            return _to_be_tried_again("The database does not answer.")
        case HTTPException(status_code=404):
            return Problem(404, "There is nothing here", "No page has this address.")
        case HTTPException():
            sentence = "These pages are only read: ask with GET."
            return Problem(error.status_code, error.detail, sentence, headers=error.headers or {})
        case _:
            return Problem(500, "This page failed", "The server's log says why; other pages may work.")


def _to_be_tried_again(sentence: str) -> Problem:
    headers = {"Retry-After": str(RETRY_SECONDS)}
    return Problem(503, "The numbers cannot be read now", sentence, retry=RETRY_SECONDS, headers=headers)
