"""The role that the report server reads with: it sees tables and current models, and may change nothing.

What lives here: making the role where the server is ours, giving it its rights, and the environment of a process that
has no other. What does not: the report server (report_server.py).
"""

import os
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlsplit

from psycopg import Connection, sql

from fraud_assets.keys import reader_password
from fraud_assets.local.database import Workplace
from fraud_assets.local.embedded import ensure_running
from fraud_assets.local.errors import Refusal
from fraud_assets.postgres.connection import checked

READER = "fraud_reader"
"""The embedded server's role for it; on a server of the user's, the role is whatever its URL says."""

_READ_ONLY = "-c default_transaction_read_only=on"
_DATABASE_VARIABLES = ("FRAUD_DATABASE_URL", "FRAUD_REPORTS__DATABASE_URL")
_SECRETS = (
    "FRAUD_DAGSTER_DATABASE_URL",
    "FRAUD_OWNER_DATABASE_URL",
    "FRAUD_SIGNING_KEY",
    "FRAUD_SIGNING_KEY_FILE",
    "FRAUD_PSEUDONYM_KEY",
    "FRAUD_PSEUDONYM_KEY_FILE",
    "FRAUD_ALERTS__WEBHOOK",
    "FRAUD_ALERTS__WEBHOOK_FILE",
)


def reader_url(workplace: Workplace) -> str:
    """The URL to read reports with, its role given the rights that it needs and no more.

    It is `reports.database_url`; else the reader of the embedded server, made where it is missing; else the user's
    `database_url` with transactions that only read. Raises `Refusal` for a URL without a role, and
    `PostgresStorageError` for a role that does not exist.
    """
    given = workplace.settings.reports.database_url
    if given is not None:
        url = given.get_secret_value()
        role = checked(url).get("user")
        if not role:
            raise Refusal("reports.database_url names no role; write it as postgresql://role:password@host/database.")
        _grant(workplace, str(role))
        return url
    if not workplace.is_embedded:
        return read_only(workplace.database_url)
    home = workplace.settings.home
    password = reader_password(home)
    with workplace.postgres().connect() as connection:
        _make_role(connection, password)
    _grant(workplace, READER)
    return replace(ensure_running(home), user=READER, password=password).url("fraud")


def read_only(url: str) -> str:
    """The same URL, with transactions that only read unless they say otherwise."""
    parts = urlsplit(url)
    options = f"{checked(url).get('options', '')} {_READ_ONLY}".strip()
    # libpq reads no plus sign as a space, so what else there is stays as it is written.
    query = [part for part in parts.query.split("&") if part and not part.startswith("options=")]
    return parts._replace(query="&".join([*query, f"options={quote(options)}"])).geturl()


def reader_environment(workplace: Workplace) -> dict[str, str]:
    """This process's environment for a child that knows the reader alone, and none of our other secrets.

    The child is the report server, whose threads take turns: one heap of glibc's is faster than one for each, and less.
    """
    url = reader_url(workplace)
    kept = {name: value for name, value in os.environ.items() if name not in _SECRETS}
    return {"MALLOC_ARENA_MAX": "1", **kept} | dict.fromkeys(_DATABASE_VARIABLES, url)


def _grant(workplace: Workplace, role: str) -> None:
    postgres = workplace.postgres()
    postgres.grant_read(role)
    postgres.grant_read_models(role)


def _make_role(connection: Connection[Any], password: str) -> None:
    """The role, with this password. The server is told the password's verifier only: statements can end up in logs."""
    name = sql.Identifier(READER)
    verifier = connection.pgconn.encrypt_password(password.encode(), READER.encode(), b"scram-sha-256").decode()
    with connection.transaction():
        # Two processes that change one role at once would be turned away.
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"fraud_assets/{READER}"])
        if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [READER]).fetchone() is None:
            connection.execute(sql.SQL("CREATE ROLE {}").format(name))
        connection.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(name, sql.Literal(verifier)))
        connection.execute(sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(name))
