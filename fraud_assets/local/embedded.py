"""The embedded PostgreSQL: a server of our own for those who have none, one for each home.

`ensure_running` starts it or adopts the one that an earlier run left behind, `running` and `has_process` only look,
`stop` ends it. The server outlives whoever started it. It listens on 127.0.0.1 only and asks everyone for the password,
which is in no command line and no log. What does not live here: tables, and everything else that a server of the user's
has as well.
"""

import errno
import os
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from fraud_assets.local.postgres_account import EmbeddedPostgresError
from fraud_assets.local.postgres_binaries import Binaries, find_binaries
from fraud_assets.local.postgres_cluster import last_words, make_cluster, write_settings
from fraud_assets.local.postgres_place import Place, find_place, make_place, write_file
from fraud_assets.local.postgres_process import (
    choose_port,
    clear_stale_pid_file,
    end_orphans,
    find_postmaster,
    is_free,
    shut_down,
    start,
    wait_until_ready,
)

__all__ = ["EmbeddedPostgresError", "EmbeddedServer", "ensure_running", "has_process", "running", "stop"]

DATABASES = ("fraud", "dagster")
USER = "fraud"
TIMEOUT_SECONDS = 60.0
NO_SETTINGS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class EmbeddedServer:
    """A running server, and how to log in to it."""

    data_folder: Path
    port: int
    user: str
    password: str = field(repr=False)

    def url(self, database: str) -> str:
        """A plain `postgresql://` URL of one of its databases, password included."""
        user, password, name = (quote(part, safe="") for part in (self.user, self.password, database))
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{name}"


def ensure_running(home: Path, settings: Mapping[str, str] = NO_SETTINGS) -> EmbeddedServer:
    """The server of this home, started if it does not run, with the databases `fraud` and `dagster`.

    `settings` are of PostgreSQL, over our own; a server that runs already keeps those it has. Any number of processes
    may call this at once. Raises `EmbeddedPostgresError`.
    """
    home = _checked(home)
    with _clear_errors(home):
        place = find_place(home)
        server = _adopt(place) if place else None
        if server is None:
            place = make_place(home)
            with place.locked():
                server = _adopt(place) or _bring_up(place, settings)
        return server


def running(home: Path) -> EmbeddedServer | None:
    """The server of this home if it runs and accepts connections. Raises `EmbeddedPostgresError`."""
    home = _checked(home)
    with _clear_errors(home):
        place = find_place(home)
        postmaster = find_postmaster(place.data) if place else None
        if place is None or postmaster is None or not postmaster.is_ready:
            return None
        server = replace(_recall(place), port=postmaster.port)
        _databases(server, postmaster.started_on)
        return server


def has_process(home: Path) -> bool:
    """Whether the server of this home is there, ready or not; without logging in to it."""
    home = _checked(home)
    with _clear_errors(home):
        place = find_place(home)
        return place is not None and find_postmaster(place.data) is not None


def stop(home: Path) -> None:
    """Shut the server of this home down, disconnecting its clients; nothing happens if none runs.

    Raises `EmbeddedPostgresError` if it does not end.
    """
    home = _checked(home)
    with _clear_errors(home):
        place = find_place(home)
        if place is None:
            return
        with place.locked():
            postmaster = find_postmaster(place.data)
            if postmaster is not None:
                shut_down(postmaster, TIMEOUT_SECONDS)


def _checked(home: Path) -> Path:
    if "\n" in str(home):
        raise EmbeddedPostgresError(f"{str(home)!r} has a line break in its name; set FRAUD_HOME to another folder.")
    return home.expanduser().resolve()


def _adopt(place: Place) -> EmbeddedServer | None:
    """The running server if it lacks nothing; whatever is in the way of that is looked into under the lock."""
    postmaster = find_postmaster(place.data)
    if postmaster is None or not postmaster.is_ready:
        return None
    place.bound_log()
    server = replace(_recall(place), port=postmaster.port)
    try:
        complete = set(DATABASES) <= _databases(server, postmaster.started_on)
    except psycopg.OperationalError:
        return None
    return server if complete else None


def _bring_up(place: Place, settings: Mapping[str, str]) -> EmbeddedServer:
    """Whatever state an earlier run left: make, start, wait for, and complete what is missing. Call under the lock."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    postmaster = find_postmaster(place.data)
    if postmaster and wait_until_ready(place.data, postmaster.pid, deadline):
        server = replace(_recall(place), port=postmaster.port)
        _complete(server, deadline)
        return server
    server = _start(place, settings, deadline)
    try:
        _complete(server, deadline)
    except psycopg.Error:
        # Nobody will use what was started here for this call.
        started = find_postmaster(place.data)
        if started is not None:
            shut_down(started, TIMEOUT_SECONDS)
        raise
    return server


def _start(place: Place, settings: Mapping[str, str], deadline: float) -> EmbeddedServer:
    is_new = not place.data.exists()
    binaries = find_binaries(place.account, place.binaries, None if is_new else place.data)
    if is_new:
        server = EmbeddedServer(place.data, choose_port(), USER, secrets.token_urlsafe(24))
        _remember(place, server)
        sync = settings.get("fsync", "on") == "on"
        make_cluster(place, binaries, server.user, server.password, sync=sync)
    else:
        server = _recall(place)
    write_settings(place, settings)
    place.bound_log()
    clear_stale_pid_file(place.data)
    return _start_on_free_port(place, binaries, server, deadline)


def _start_on_free_port(place: Place, binaries: Binaries, server: EmbeddedServer, deadline: float) -> EmbeddedServer:
    port_is_taken = not is_free(server.port)
    while True:
        if port_is_taken:
            server = replace(server, port=choose_port())
            _remember(place, server)
        position = place.log.stat().st_size if place.log.exists() else 0
        pid = start(place, binaries, server.port)
        if wait_until_ready(place.data, pid, deadline):
            return server
        said = place.log_since(position)
        if "shared memory block" in said and time.monotonic() < deadline:
            end_orphans(place.data)
            time.sleep(0.1)
            continue
        port_is_taken = "Address already in use" in said
        if not port_is_taken or time.monotonic() > deadline:
            raise EmbeddedPostgresError(
                f"PostgreSQL {binaries.major} did not start on {place.data}: {last_words(said)} (log: {place.log})"
            )


def _complete(server: EmbeddedServer, deadline: float) -> None:
    """Create the databases that are missing."""
    existing = _databases_once_open(server, deadline)
    with _connect(server) as connection:
        for name in DATABASES:
            if name not in existing:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def _databases_once_open(server: EmbeddedServer, deadline: float) -> set[str]:
    while True:
        try:
            postmaster = find_postmaster(server.data_folder)
            return _databases(server, postmaster.started_on if postmaster else server.data_folder)
        except psycopg.OperationalError as error:
            # A server whose process crashed says for some seconds that it is in recovery.
            if "the database system is" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _databases(server: EmbeddedServer, started_on: Path) -> set[str]:
    """Log in, make sure that the server is the one that runs on this data folder, and list its databases.

    With SCRAM the server proves, too, that it knows the password: a stranger on the port does not get this far.
    """
    with _connect(server) as connection:
        row = connection.execute(
            "SELECT convert_to(current_setting('data_directory'), 'UTF8'), array_agg(datname::text) FROM pg_database"
        ).fetchone()
    if row is None or bytes(row[0]) != os.fsencode(started_on):
        raise EmbeddedPostgresError(
            f"The server on port {server.port} is not the one of {server.data_folder}; stop it and try again."
        )
    return set(row[1])


def _connect(server: EmbeddedServer) -> psycopg.Connection[TupleRow]:
    """A connection that the caller's `PG*` variables do not bend, and that never says the password in the clear."""
    return psycopg.connect(
        host="127.0.0.1",
        hostaddr="127.0.0.1",
        port=server.port,
        user=server.user,
        password=server.password,
        dbname="postgres",
        options="",
        sslmode="disable",
        gssencmode="disable",
        require_auth="scram-sha-256",
        connect_timeout=10,
        autocommit=True,
    )


def _remember(place: Place, server: EmbeddedServer) -> None:
    write_file(place.password_file, f"127.0.0.1:{server.port}:*:{server.user}:{server.password}\n".encode())


def _recall(place: Place) -> EmbeddedServer:
    file = place.password_file
    if not file.exists():
        raise EmbeddedPostgresError(
            f"{file}, which holds the password of {place.data}, is gone; bring it back, or move {place.data} away to "
            "start with an empty database."
        )
    match = re.fullmatch(r"127\.0\.0\.1:(\d+):\*:([^:]+):(.+)\n?", file.read_text())
    if match is None:
        raise EmbeddedPostgresError(f"{file} is not one line 127.0.0.1:port:*:user:password; correct it.")
    password = re.sub(r"\\(.)", r"\1", match[3])
    return EmbeddedServer(place.data, int(match[1]), match[2], password)


@contextmanager
def _clear_errors(home: Path) -> Iterator[None]:
    """What the system or the server refuses, as one sentence that names the place and the way out."""
    try:
        yield
    except OSError as error:
        where = error.filename or home
        raise EmbeddedPostgresError(_sentence(error, os.fsdecode(where), home)) from error
    except psycopg.Error as error:
        said = last_words(str(error))
        raise EmbeddedPostgresError(
            f"The embedded PostgreSQL of {home} refused: {said} (log: {home}/postgres/server.log)"
        ) from error


def _sentence(error: OSError, where: str, home: Path) -> str:
    if error.errno in {errno.ENOTDIR, errno.EEXIST}:
        return f"{where} is in the way of the folder {home}: it is not a folder; set FRAUD_HOME to another."
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return f"{where} may not be used ({error.strerror}); set FRAUD_HOME to a folder in which you may write."
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"No space is left for {where}; make some, or set FRAUD_HOME to a folder elsewhere."
    return f"{where} cannot hold the embedded PostgreSQL ({error.strerror}); set FRAUD_HOME to another folder."
