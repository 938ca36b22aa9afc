"""The report server as `doctor` sees it: where it is, and whether its role may do more than read."""

import psycopg

from fraud_assets.local.doctor.database import connected
from fraud_assets.local.doctor.findings import Remark
from fraud_assets.local.reader import READER
from fraud_assets.postgres.connection import checked
from fraud_assets.settings import Settings


def reports(settings: Settings) -> str:
    where = settings.reports.url or f"port {settings.reports.port} of this machine, or a free one"
    given = settings.reports.database_url
    if given is not None:
        url = given.get_secret_value()
        connected(url)
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
