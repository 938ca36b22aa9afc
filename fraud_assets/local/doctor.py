"""`doctor`: what is set, what works, and what to do about the rest. It changes nothing."""

import os
import platform
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import psycopg
from pydantic import BaseModel, SecretStr

from fraud_assets.local.console import out
from fraud_assets.local.embedded import EmbeddedPostgresError, running
from fraud_assets.local.reader import READER
from fraud_assets.postgres import PostgresStorageError
from fraud_assets.postgres.connection import checked, shown_place, unreachable
from fraud_assets.postgres.storage.unreferenced import MayNotLook, unreferenced_files
from fraud_assets.reporting.browser import BrowserError, find_browser
from fraud_assets.settings import (
    CreditcardSource,
    FilesSource,
    LabelFiles,
    Settings,
    SettingsError,
    SqlSource,
    config_file,
    load_settings,
)
from fraud_assets.sources import LabelFeed, SourceError, open_source

HIDDEN = "(hidden)"
SHOWN_FILES = 20


class Problem(Exception):
    """Something does not work; the message says what to do."""


class Advice(Exception):
    """Something optional is not there; the message says how to get it."""


class Remark(Exception):
    """Everything works, and something is worth knowing; the message says what to do about it."""


def examine() -> bool:
    """Print settings and findings; returns whether everything that is needed works."""
    out.print(
        f"fraud-assets {version('fraud-assets')}, Dagster {version('dagster')}, Python {platform.python_version()}"
    )
    try:
        settings = load_settings()
    except SettingsError as error:
        out.print("[red]settings[/]  ", end="")
        out.print(str(error), markup=False)
        return False
    file = config_file()
    out.print(f"\nSettings ({file or 'no fraud.toml'}, then FRAUD_* variables):")
    for name, value in shown_settings(settings):
        out.print(f"  {name} = {value}", markup=False)
    out.print("\nWhat works:")
    findings = [_report(name, check, settings) for name, check in CHECKS.items()]
    return all(findings)


def shown_settings(section: BaseModel, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every setting by its dotted name, secrets hidden."""
    for name, field in type(section).model_fields.items():
        value, key = getattr(section, name), prefix + (field.alias or name)
        if isinstance(value, BaseModel):
            yield from shown_settings(value, f"{key}.")
        elif isinstance(value, SecretStr):
            yield key, f"{shown_place(value.get_secret_value())} {HIDDEN}" if key.endswith("database_url") else HIDDEN
        else:
            yield key, "unset" if value is None else str(value)


def _report(name: str, check: Callable[[Settings], str], settings: Settings) -> bool:
    try:
        finding, mark, works = check(settings), "[green]ok[/]     ", True
    except Advice as advice:
        finding, mark, works = str(advice), "[yellow]missing[/]", True
    except Remark as remark:
        finding, mark, works = str(remark), "[yellow]note[/]   ", True
    except Problem as problem:
        finding, mark, works = str(problem), "[red]broken[/] ", False
    out.print(f"  {mark}  {name}: ", end="")
    out.print(finding, markup=False)
    return works


def _home(settings: Settings) -> str:
    nearest = next(folder for folder in (settings.home, *settings.home.parents) if folder.exists())
    if not nearest.is_dir():
        raise Problem(f"{nearest} is no folder; set FRAUD_HOME to one.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise Problem(f"{nearest} cannot be written; set FRAUD_HOME to a folder that can.")
    return str(settings.home)


def _database(settings: Settings) -> str:
    url = _database_url(settings)
    if url is None:
        return "embedded, not running; demo, run and up start it"
    return _connected(url) if settings.database_url else f"embedded, {_connected(url)}"


def _database_url(settings: Settings) -> str | None:
    """The database's URL; None where it is the embedded one and does not run."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    try:
        server = running(settings.home)
    except EmbeddedPostgresError as error:
        raise Problem(str(error)) from error
    return None if server is None else server.url("fraud")


def _connected(url: str) -> str:
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


def _files(settings: Settings) -> str:
    url = _database_url(settings)
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


def _source(settings: Settings) -> str:
    source = settings.source
    place: Path | None = None
    if isinstance(source, FilesSource):
        place = source.folder
    elif isinstance(source, CreditcardSource):
        place = source.path
    if place is not None and not place.exists():
        raise Problem(f"{source.kind}: {place} does not exist; correct it in fraud.toml.")
    try:
        opened = open_source(settings, pseudonym_key=b"only looking")
        first = opened.first_day()
        if isinstance(source, SqlSource):
            opened.has_day(datetime.now(settings.tzinfo).date() - timedelta(days=1))
        if isinstance(settings.labels, LabelFiles):
            LabelFeed(settings.labels, settings.tzinfo).first_day()
    except SourceError as error:
        raise Problem(str(error)) from error
    return source.kind + (f", from {first} on" if first else "")


def _reports(settings: Settings) -> str:
    where = settings.reports.url or f"port {settings.reports.port} of this machine, or a free one"
    given = settings.reports.database_url
    if given is not None:
        url = given.get_secret_value()
        _connected(url)
        if may_write(url, settings.storage.schema_):
            raise Remark(
                f"the role {checked(url).get('user')} of reports.database_url may do more than read; give it nothing "
                "but CREATE ROLE ... LOGIN, and fraud-assets up or reports grants what it needs."
            )
        return f"at {where}; reads as {checked(url).get('user')}"
    if settings.database_url is not None:
        raise Remark(
            f"at {where}; it reads with the role of database_url, in transactions that only read. A role of its own "
            "is safer: CREATE ROLE fraud_reader LOGIN PASSWORD '...', and set reports.database_url to its URL."
        )
    return f"at {where}; reads as {READER}, a role of the embedded server"


def may_write(url: str, schema: str) -> bool:
    """Whether the role of a URL can change a table of the schema, or make one."""
    with psycopg.connect(url, connect_timeout=5) as connection:
        row = connection.execute(
            "SELECT r.rolsuper OR EXISTS (SELECT FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid"
            "   AND c.relkind IN ('r', 'p') WHERE n.nspname IN (%s, 'dagster_io', 'dagster_archive')"
            "   AND (has_schema_privilege(n.oid, 'CREATE')"
            "     OR has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')))"
            " FROM pg_roles r WHERE r.rolname = current_user",
            [schema],
        ).fetchone()
    return row == (True,)


def _browser(settings: Settings) -> str:
    if not settings.reports.pictures:
        return "not wanted (reports.pictures = false)"
    try:
        return str(find_browser())
    except BrowserError as error:
        raise Advice(str(error)) from error


CHECKS: dict[str, Callable[[Settings], str]] = {
    "home folder": _home,
    "database": _database,
    "database files": _files,
    "source": _source,
    "browser for static pictures": _browser,
    "report server": _reports,
}
