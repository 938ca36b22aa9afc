"""Making a data folder, and the settings that a server on a laptop runs with.

What does not live here: starting the server. Users tune with `ALTER SYSTEM`, which wins over the settings here.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from fraud_assets.local.postgres_account import EmbeddedPostgresError, run_as
from fraud_assets.local.postgres_binaries import Binaries
from fraud_assets.local.postgres_place import Place, write_file

SETTINGS: Mapping[str, str] = {
    "max_connections": "100",
    # A query over a table takes one lock for each of its daily partitions.
    "max_locks_per_transaction": "256",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "fsync": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Errors of statements quote data and go to the client anyway; the server's log is for the server.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
    "log_autovacuum_min_duration": "-1",
    "log_line_prefix": "%m [%p] ",
    "logging_collector": "off",
}

SAID_EACH_TIME = (
    "starting PostgreSQL",
    "listening on",
    "database system was shut down",
    "database system is shut down",
    "child process exited",
    "initdb: removing",
)


def write_settings(place: Place, settings: Mapping[str, str]) -> None:
    """Write the settings that the data folder includes, `settings` over our own."""
    lines = [f"{name} = {_quoted(value)}\n" for name, value in {**SETTINGS, **settings}.items()]
    write_file(place.settings_file, "".join(lines).encode(), mode=0o644)


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def make_cluster(place: Place, binaries: Binaries, user: str, password: str, *, sync: bool) -> None:
    """Make the data folder; it appears under its name only when it is complete.

    Encoding UTF8 and code point order on every machine. Raises `EmbeddedPostgresError` with initdb's last words.
    """
    for left in place.folder.glob("data.new-*"):
        shutil.rmtree(left, ignore_errors=True)
    fresh = Path(tempfile.mkdtemp(prefix="data.new-", dir=place.folder))
    password_file = fresh.with_name(fresh.name + ".pw")
    try:
        _give(fresh, place)
        write_file(password_file, password.encode() + b"\n")
        _give(password_file, place)
        initdb: list[str | Path] = [binaries.folder / "initdb", "-D", fresh, f"--username={user}"]
        initdb += [f"--pwfile={password_file}", *_options(binaries.major, sync=sync)]
        # As the account: root had better not write where another user could plant a link.
        line = f"include = '../{place.settings_file.name}'"
        include: list[str | Path] = ["/bin/sh", "-c", 'echo "$2" >> "$1"/postgresql.conf', "sh", fresh, line]
        for step in (initdb, include):
            said = run_as(place.account, step)
            if said.returncode != 0:
                why = last_words(said.stderr)
                raise EmbeddedPostgresError(f"PostgreSQL {binaries.major} could not make {place.data}: {why}")
        fresh.rename(place.data)
    finally:
        password_file.unlink(missing_ok=True)
        shutil.rmtree(fresh, ignore_errors=True)


def _give(path: Path, place: Place) -> None:
    if place.account.is_other:
        os.chown(path, place.account.uid, place.account.gid, follow_symlinks=False)


def _options(major: int, *, sync: bool) -> list[str]:
    options = ["--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", "--data-checksums", "--no-instructions"]
    if major >= 17:
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        # One call instead of a thousand: 0.5 s instead of more than 3.
        options += ["--sync-method=syncfs"] if sync and Path("/proc").is_dir() else []
    return options if sync else [*options, "--no-sync"]


def last_words(text: str) -> str:
    """The end of what PostgreSQL said, on one line, without time stamps and what it says each time."""
    lines = [re.sub(r"^\S+ \S+ \S+ \[\d+\] ", "", line.strip()) for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if not any(phrase in line for phrase in SAID_EACH_TIME)]
    return " / ".join(telling[-3:]) or "it did not say why"
