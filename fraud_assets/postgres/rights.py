"""What other roles may read of what is stored here: rights are given, and never more than reading needs.

Giving a right that is there already changes nothing: a writer of the same catalogue rows would be turned away.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import Connection, sql

from fraud_assets.postgres.bootstrap import create_schema
from fraud_assets.postgres.errors import PostgresStorageError
from fraud_assets.postgres.locks import lock_name

MODELS_VIEW = sql.Identifier("dagster_io", "current_models")
_MODELS = sql.SQL(
    "CREATE VIEW {} WITH (security_barrier) AS"
    " SELECT v.asset_key, v.partition_key, v.version, v.created_at, v.code_version,"
    " m.payload, m.sha256, m.signature, m.libraries, m.volatile"
    " FROM dagster_io.versions v JOIN dagster_io.models m USING (version_id) WHERE v.status = 'current'"
).format(MODELS_VIEW)


def grant_tables(connection: Connection[Any], schema: str, role: str) -> None:
    """Let a role read every table of a schema, today's and tomorrow's.

    Raises `PostgresStorageError` without the role.
    """
    check_role(connection, role)
    create_schema(connection, schema)
    with _given_away(connection, role), connection.transaction():
        lock_name(connection, "rights", role)
        if _reads_all(connection, schema, role):
            return
        names = {"schema": sql.Identifier(schema), "role": sql.Identifier(role)}
        for statement in (
            "GRANT USAGE ON SCHEMA {schema} TO {role}",
            "GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO {role}",
        ):
            connection.execute(sql.SQL(statement).format(**names))


def grant_models(connection: Connection[Any], role: str) -> None:
    """Let a role read the bytes and signatures of current models, by a view: no ledger, no superseded version.

    Raises `PostgresStorageError` without the role.
    """
    check_role(connection, role)
    reader = sql.Identifier(role)
    with _given_away(connection, role), connection.transaction():
        lock_name(connection, "rights", "models")
        if _reads_models(connection, role):
            return
        if connection.execute("SELECT to_regclass('dagster_io.current_models') IS NULL").fetchone() == (True,):
            connection.execute(_MODELS)
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA dagster_io TO {}").format(reader))
        connection.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(MODELS_VIEW, reader))


def grant_writing(connection: Connection[Any], schema: str, role: str) -> None:
    """Let a role store: tables of its own in `schema` and in the archive, and rows in a ledger that another one owns.

    Of a journal it may only add to the end. Raises `PostgresStorageError` without the role, and without the right to
    give any of it away.
    """
    check_role(connection, role)
    create_schema(connection, schema)
    names = {
        "schema": sql.Identifier(schema),
        "role": sql.Identifier(role),
        "database": sql.Identifier(connection.info.dbname),
    }
    # To give back what has been deleted takes a right that only PostgreSQL 17 can give.
    maintain = ", MAINTAIN" if connection.info.server_version >= 170_000 else ""
    with _given_away(connection, role), connection.transaction():
        lock_name(connection, "rights", role)
        for statement in (
            "GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {role}",
            "GRANT USAGE, CREATE ON SCHEMA {schema}, dagster_archive TO {role}",
            "GRANT USAGE ON SCHEMA dagster_io TO {role}",
            f"GRANT SELECT, INSERT, UPDATE, DELETE{maintain} ON ALL TABLES IN SCHEMA dagster_io TO {{role}}",
            "GRANT USAGE ON ALL SEQUENCES IN SCHEMA dagster_io TO {role}",
            "REVOKE UPDATE, DELETE ON dagster_io.journals FROM {role}",
        ):
            connection.execute(sql.SQL(statement).format(**names))


def grant_tables_of(connection: Connection[Any], schema: str, writer: str, role: str) -> None:
    """Let a role read every table that a writer has made in a schema, and will make: for the schema's owner to give.

    Raises `PostgresStorageError` where the owner is no member of the writer's role.
    """
    check_role(connection, role)
    names = {
        "schema": sql.Identifier(schema),
        "role": sql.Identifier(role),
        "writer": sql.Identifier(writer),
        "database": sql.Identifier(connection.info.dbname),
    }
    with _given_away(connection, role), connection.transaction():
        lock_name(connection, "rights", role)
        for statement in (
            "GRANT CONNECT ON DATABASE {database} TO {role}",
            "GRANT USAGE ON SCHEMA {schema} TO {role}",
            "GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}",
            "ALTER DEFAULT PRIVILEGES FOR ROLE {writer} IN SCHEMA {schema} GRANT SELECT ON TABLES TO {role}",
        ):
            connection.execute(sql.SQL(statement).format(**names))


def check_role(connection: Connection[Any], role: str) -> None:
    """Raises `PostgresStorageError` for a role that does not exist."""
    if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone() is None:
        info = connection.info
        raise PostgresStorageError(
            f"There is no role {role!r} at {info.host}:{info.port}/{info.dbname}; create it first."
        )


@contextmanager
def _given_away(connection: Connection[Any], role: str) -> Iterator[None]:
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        raise PostgresStorageError(
            f"The role {connection.info.user!r} may not give {role!r} what it needs to read "
            f"({error.diag.message_primary}); let the owner of the tables do it."
        ) from error


def _reads_models(connection: Connection[Any], role: str) -> bool:
    """Whether the view of current models is there, and the role may read it already."""
    row = connection.execute(
        "SELECT has_schema_privilege(%(role)s, n.oid, 'USAGE') AND has_table_privilege(%(role)s, c.oid, 'SELECT')"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = 'dagster_io' AND c.relname = 'current_models'",
        {"role": role},
    ).fetchone()
    return row == (True,)


def _reads_all(connection: Connection[Any], schema: str, role: str) -> bool:
    """Whether the role has been given every table that is there, and those that this role makes from now on."""
    row = connection.execute(
        "SELECT has_schema_privilege(r.oid, n.oid, 'USAGE')"
        " AND EXISTS (SELECT FROM pg_default_acl d JOIN pg_roles w ON w.oid = d.defaclrole, aclexplode(d.defaclacl) a"
        "   WHERE d.defaclnamespace = n.oid AND w.rolname = current_user AND d.defaclobjtype = 'r'"
        "   AND a.grantee = r.oid AND a.privilege_type = 'SELECT')"
        " AND NOT EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v')"
        "   AND NOT has_table_privilege(r.oid, c.oid, 'SELECT'))"
        " FROM pg_namespace n, pg_roles r WHERE n.nspname = %s AND r.rolname = %s",
        [schema, role],
    ).fetchone()
    return row == (True,)
