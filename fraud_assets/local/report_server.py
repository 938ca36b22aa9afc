"""The report server by itself: a process that logs in with the reading role, and with no other.

What lives here: becoming that process, and serving. What does not: the pages (reporting), and the role (reader.py).
This module must stay light: the process that serves has neither Dagster nor any model in memory.
"""

import os
import sys
from typing import NoReturn
from urllib.parse import urlsplit

from fraud_assets.local.console import err, out
from fraud_assets.local.errors import Refusal
from fraud_assets.local.ports import address, choose_port, is_loopback, names_of
from fraud_assets.settings import Settings

NO_LOGIN = "whoever reaches {host} sees everything, since nobody is asked to log in; put a proxy that asks in front."


def run_reports(settings: Settings, host: str, port: int | None) -> None:
    """Serve the reports until the process is asked to end.

    Where the settings lead to more than reading, the rights are given first, and the process then starts itself anew
    without the rest. Raises what `open_workplace` and `choose_port` raise.
    """
    url = reading_url(settings)
    if url is None:
        _start_as_reader(settings)
    from fraud_assets.local.model_files import StoredModels
    from fraud_assets.reporting.server.app import create_app, serve
    from fraud_assets.reporting.server.postgres_store import PostgresStore

    chosen = choose_port(host, port, settings.reports.port)
    warn_of_no_login(host)
    out.print(f"Reports   {address(host, chosen)}")
    store = PostgresStore(url, settings.storage.schema_)
    public = settings.reports.url
    app = create_app(store, StoredModels(url), names_of(host, public), urlsplit(public or "").path)
    serve(app, host, chosen)


def reading_url(settings: Settings) -> str | None:
    """The URL to read with, where that is all the database that the settings know; None where they know more."""
    if settings.reports.database_url is None or settings.database_url not in {None, settings.reports.database_url}:
        return None
    return settings.reports.database_url.get_secret_value()


def warn_of_no_login(host: str) -> None:
    """One sentence where others than this machine can reach the server."""
    if not is_loopback(host):
        err.print("[yellow]Warning[/]:", NO_LOGIN.format(host=host))


def _start_as_reader(settings: Settings) -> NoReturn:
    """Become the same command in an environment that knows the reading role alone."""
    from fraud_assets.local.database import open_workplace
    from fraud_assets.local.reader import reader_environment

    environment = reader_environment(open_workplace(settings))
    sys.stdout.flush()
    try:
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)  # noqa: S606  no shell
    except OSError as error:
        raise Refusal(f"{sys.executable} cannot be started anew ({error.strerror}).") from error
