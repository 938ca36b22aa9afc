"""While `up` runs, its embedded database does: one that has ended, for want of disk or memory, is started again.

What does not live here: how it is started (embedded.py). A database of the user's own is the user's to keep.
"""

import time

from fraud_assets.local.console import err
from fraud_assets.local.database import Workplace
from fraud_assets.local.embedded import EmbeddedPostgresError, ensure_running, has_process
from fraud_assets.local.errors import Refusal

PAUSE_SECONDS = 5.0
"""Between attempts: on a full disk each leaves a line in the server's log."""


class KeptDatabase:
    """The embedded database of a stack. `look` is called again and again, and costs next to nothing while all is well.

    Runs that meet the gap try their steps again; those that lost their process are launched again by Dagster's daemon.
    """

    def __init__(self, workplace: Workplace) -> None:
        self._workplace = workplace
        self._next_attempt = 0.0
        self._said: str | None = None

    def look(self) -> None:
        """Start it again where it has ended. Raises `Refusal` when another program has taken its port meanwhile."""
        home = self._workplace.settings.home
        if not self._workplace.is_embedded or time.monotonic() < self._next_attempt or has_process(home):
            return
        self._next_attempt = time.monotonic() + PAUSE_SECONDS
        self._say("The database has ended by itself; it is started again.")
        try:
            server = ensure_running(home)
        except EmbeddedPostgresError as error:
            self._say(str(error))
            return
        if server.url("fraud") != self._workplace.database_url:
            raise Refusal(
                f"The database has come back on another port, {server.port}: its own is taken. Start fraud-assets up "
                "again, which tells all of its services the new one."
            )
        self._say("The database is back.")
        self._said = None

    def _say(self, sentence: str) -> None:
        if sentence != self._said:
            err.print(sentence, markup=False)
        self._said = sentence
