"""PostgreSQL's own programs on our databases: where those are and who we are, as lines for a shell.

No password is printed: the embedded server's is in a file of its owner's, and for a server of their own people have
~/.pgpass or PGPASSWORD. Nothing is made in the databases, so that a dump can be restored into new ones.
"""

import os
import shlex
from pathlib import Path

import psycopg

from fraud_assets.local.database import PGPASS, make_home
from fraud_assets.local.embedded import ensure_running
from fraud_assets.local.errors import Refusal
from fraud_assets.local.postgres_binaries import find_client
from fraud_assets.postgres import PostgresStorageError
from fraud_assets.postgres.connection import checked, database_name, unreachable
from fraud_assets.settings import Settings


def shell_lines(settings: Settings) -> list[str]:
    """Exports of libpq's variables, of both databases' names, of the home, and of a path with programs new enough.

    Starts the embedded server where there is no URL. Raises `Refusal` where Dagster's tables are on another server.
    """
    url, dagster_url, password_file = _addresses(settings)
    data, dagster = checked(url), checked(dagster_url)
    if any(data.get(part) != dagster.get(part) for part in ("host", "port", "user")):
        raise Refusal(
            "The data and Dagster's own tables are on different servers, or of different roles; dump each by its own "
            "URL."
        )
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "sslmode": "PGSSLMODE"}
    lines = {variable: str(data[part]) for part, variable in names.items() if data.get(part)}
    if password_file is not None:
        lines["PGPASSFILE"] = str(password_file)
    lines |= {"DATA_DATABASE": database_name(data), "DAGSTER_DATABASE": database_name(dagster)}
    lines["FRAUD_HOME"] = str(settings.home)
    programs = find_client(_server_major(url))
    if Path(os.environ.get("PATH", os.defpath).split(os.pathsep)[0]) != programs:
        lines["PATH"] = f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return [f"export {name}={shlex.quote(value)}" for name, value in lines.items()]


def _addresses(settings: Settings) -> tuple[str, str, Path | None]:
    """The URLs of both databases, and the file with the password where the server is ours."""
    own = None if settings.dagster_database_url is None else settings.dagster_database_url.get_secret_value()
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
        return url, own or url, None
    make_home(settings.home)
    server = ensure_running(settings.home)
    return server.url("fraud"), own or server.url("dagster"), settings.home / PGPASS


def _server_major(url: str) -> int:
    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            return connection.info.server_version // 10_000
    except psycopg.OperationalError as error:
        raise PostgresStorageError(unreachable(url, error)) from error
