"""`prepare`: what the database's owner does once, and again after each upgrade, so that nobody else needs to be it.

What lives here: the ledger and Dagster's tables made or migrated, and the rights of the pipeline's, Dagster's and the
reports' roles. What does not: making roles and databases, which is an administrator's work (docs/deployment.md).
"""

import os
from collections.abc import Iterator

import dagster as dg
from dagster_postgres.utils import DagsterPostgresException
from sqlalchemy.exc import DBAPIError

from fraud_assets.local.database import dagster_yaml
from fraud_assets.local.errors import Refusal
from fraud_assets.postgres import PostgresResource, PostgresStorageError
from fraud_assets.postgres.connection import checked, shown_place
from fraud_assets.settings import Settings


def prepare(settings: Settings) -> Iterator[str]:
    """Do it, telling each part when it is done.

    Raises `Refusal` for a URL that is missing or names no role, `PostgresStorageError` for what a role may not do.
    """
    owner = _url(settings, "owner_database_url")
    writer_url, writer = _url(settings, "database_url"), _role(settings, "database_url")
    reader = None if settings.reports.database_url is None else _role(settings, "reports.database_url")
    if shown_place(owner) != shown_place(writer_url):
        raise Refusal(
            f"owner_database_url leads to {shown_place(owner)} and database_url to {shown_place(writer_url)}; "
            "both must lead to the same database."
        )
    PostgresResource(url=owner, schema_=settings.storage.schema_).prepare_for(writer, reader)
    yield f"{shown_place(owner)} is prepared: {writer} may store" + (f", {reader} may read." if reader else ".")
    dagster_url = writer_url
    if settings.dagster_database_url is not None:
        dagster_url = _url(settings, "dagster_database_url")
    _migrate_dagster(writer_url, dagster_url)
    yield f"Dagster's own tables are in {shown_place(dagster_url)}, of this version."


def _migrate_dagster(url: str, dagster_url: str) -> None:
    """Dagster's tables, made where they are missing and brought up to the installed version."""
    os.environ["FRAUD_DATABASE_URL"], os.environ["FRAUD_DAGSTER_DATABASE_URL"] = url, dagster_url
    try:
        with dg.DagsterInstance.from_config(str(dagster_yaml().parent)) as instance:
            instance.upgrade()
    except (DBAPIError, DagsterPostgresException) as error:
        # The driver's own words, without the statement.
        reason = " ".join(str(getattr(error, "orig", None) or error).split()).rstrip(".")
        raise PostgresStorageError(
            f"Dagster's tables could not be prepared in {shown_place(dagster_url)}: {reason}. The role of "
            "dagster_database_url must own that database."
        ) from error


def _url(settings: Settings, name: str) -> str:
    section = settings.reports if name.startswith("reports.") else settings
    secret = getattr(section, name.removeprefix("reports."))
    if secret is None:
        raise Refusal(
            f"{name} is not set; prepare needs owner_database_url and database_url, each with a role of its own "
            "(docs/deployment.md has the SQL that makes them)."
        )
    return str(secret.get_secret_value())


def _role(settings: Settings, name: str) -> str:
    role = checked(_url(settings, name)).get("user")
    if not role:
        raise Refusal(f"{name} names no role; write it as postgresql://role@host/database.")
    return str(role)
