"""The database as `doctor` sees it: whether it answers, and files that nobody knows."""

import psycopg

from fraud_assets.local.doctor.findings import Problem, Remark
from fraud_assets.local.embedded import EmbeddedPostgresError, running
from fraud_assets.postgres import PostgresStorageError
from fraud_assets.postgres.connection import checked, shown_place, unreachable
from fraud_assets.postgres.storage.unreferenced import MayNotLook, unreferenced_files
from fraud_assets.settings import Settings

SHOWN_FILES = 20


def database(settings: Settings) -> str:
    url = database_url(settings)
    if url is None:
        return "embedded, not running; demo, run and up start it"
    return connected(url) if settings.database_url else f"embedded, {connected(url)}"


def database_url(settings: Settings) -> str | None:
    """The database's URL; None where it is the embedded one and does not run."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    try:
        server = running(settings.home)
    except EmbeddedPostgresError as error:
        raise Problem(str(error)) from error
    return None if server is None else server.url("fraud")


def connected(url: str) -> str:
    try:
        checked(url)
    except PostgresStorageError as error:
        raise Problem(str(error)) from error
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            row = connection.execute("SELECT current_setting('server_version')").fetchone()
    except psycopg.OperationalError as error:
        raise Problem(unreachable(url, error)) from error
    assert row is not None
    if int(row[0].split(".")[0]) < 15:
        raise Problem(f"{shown_place(url)} is PostgreSQL {row[0]}; 15 or newer is needed.")
    return f"PostgreSQL {row[0]} at {shown_place(url)}"


def files(settings: Settings) -> str:
    url = database_url(settings)
    if url is None:
        return "not looked at: the server does not run"
    try:
        checked(url)
        with psycopg.connect(url, connect_timeout=5, autocommit=True) as connection:
            left = unreferenced_files(connection)
    except MayNotLook as reason:
        return f"not looked at: {reason}"
    except (PostgresStorageError, psycopg.OperationalError):
        return "not looked at: the database cannot be reached"
    except psycopg.Error as error:
        return f"not looked at: {error.diag.message_primary}"
    if not left:
        return "the catalogue knows all of them"
    files = "1 file" if len(left) == 1 else f"{len(left)} files"
    names = ", ".join(file.path for file in left[:SHOWN_FILES]) + (", ..." if len(left) > SHOWN_FILES else "")
    raise Remark(
        f"{files} of {sum(file.size for file in left) / 1e6:,.1f} MB that no table owns, left by a server that was "
        f"stopped by force; they do no harm, and SQL cannot remove them: dump the database and restore it into a new "
        f"one, or stop the server, make a backup and remove them from its data folder by hand ({names})."
    )
