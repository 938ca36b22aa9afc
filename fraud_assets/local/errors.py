"""What a command says when it cannot do what was asked: one sentence for every error that was foreseen."""

import os
import re
from pathlib import Path

LOG_TAIL_BYTES = 20_000


class Refusal(Exception):
    """A command cannot do what was asked; the message is the sentence to print."""


class RunFailed(Exception):
    """A run did not succeed; the message says what failed and why, in the words of whatever refused."""


def sentence(error: Exception) -> str | None:
    """What to tell the user about an error; None for one that nobody foresaw."""
    # Imported when something has gone wrong, and not with every command.
    from fraud_assets.cluster import ClusterError
    from fraud_assets.learning import LearningError
    from fraud_assets.local.embedded import EmbeddedPostgresError
    from fraud_assets.postgres import PostgresStorageError
    from fraud_assets.settings import SettingsError
    from fraud_assets.sources import SourceError

    known = (
        ClusterError,
        LearningError,
        EmbeddedPostgresError,
        RunFailed,
        PostgresStorageError,
        SettingsError,
        SourceError,
        Refusal,
    )
    if isinstance(error, known):
        return str(error)
    return _lost_database() if is_lost_database(error) else None


def is_lost_database(error: Exception) -> bool:
    """Whether a connection broke, on our own path or on Dagster's."""
    import psycopg
    import psycopg2
    from dagster_postgres.utils import DagsterPostgresException
    from sqlalchemy.exc import OperationalError

    broken = (psycopg.OperationalError, psycopg2.OperationalError, OperationalError, DagsterPostgresException)
    return isinstance(error, broken)


def _lost_database() -> str:
    from fraud_assets.postgres.connection import shown_place

    said = _server_said()
    place = shown_place(os.environ.get("FRAUD_DATABASE_URL", ""))
    return (
        f"The database {place} stopped answering{said}. Put that right and run the command again; what was stored "
        "before is as it was."
    )


def _server_said() -> str:
    """The embedded server's own last words, where there is one."""
    from fraud_assets.local.postgres_cluster import last_words

    log = Path(os.environ.get("FRAUD_HOME", "")) / "postgres" / "server.log"
    try:
        text = log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")
    except OSError:
        return ""
    worst = [line for line in text.splitlines() if re.search(r"PANIC|FATAL|No space left", line)]
    return f"; it said: {last_words(worst[-1] if worst else text)}"
