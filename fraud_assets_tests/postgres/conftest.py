"""A store for each test, in one database for all of them: emptying it is faster than making another.

Storage is tested on the embedded server, or on the one whose superuser's URL is in FRAUD_TEST_DATABASE_URL: any
PostgreSQL from 15 on that may be thrown away afterwards. Its databases stay as they are; roles are made and dropped.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import dagster as dg
import psycopg
import pytest
from psycopg import sql

from fraud_assets_tests.postgres.lab import Lab
from fraud_assets_tests.postgres.material import Store

SERVER_VARIABLE = "FRAUD_TEST_DATABASE_URL"

# Read once, now: a test itself sees none of the variables that begin like this.
_given_server = os.environ.get(SERVER_VARIABLE)


@pytest.fixture(scope="session")
def maintenance_url(request: pytest.FixtureRequest) -> str:
    """A superuser's URL of a database that is not ours, on the server that storage is tested on."""
    return _given_server or str(request.getfixturevalue("postgres_server").url("postgres"))


@contextmanager
def _new_database(maintenance_url: str) -> Iterator[str]:
    name = f"storage_{uuid.uuid4().hex}"
    database = sql.Identifier(name)
    with psycopg.connect(maintenance_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(database))
    try:
        yield urlsplit(maintenance_url)._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(maintenance_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))


@pytest.fixture(scope="session")
def storage_url(maintenance_url: str) -> Iterator[str]:
    """A database of this session."""
    with _new_database(maintenance_url) as url:
        yield url


@pytest.fixture
def database_url(maintenance_url: str) -> Iterator[str]:
    """URL of an empty database that is this test's alone, and gone after it."""
    with _new_database(maintenance_url) as url:
        yield url


@pytest.fixture
def store(storage_url: str) -> Iterator[Store]:
    """Nothing has been stored in it. A test that leaves a lock behind fails when everything is dropped."""
    yield Store(storage_url)
    with psycopg.connect(storage_url, autocommit=True) as connection:
        connection.execute("SET client_min_messages = warning")
        connection.execute("SET lock_timeout = '5s'")
        schemas = connection.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
        ).fetchall()
        names = sql.SQL(", ").join(sql.Identifier(name) for (name,) in schemas)
        connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(names))
        connection.execute("CREATE SCHEMA public")


@pytest.fixture
def lab(store: Store) -> Iterator[Lab]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Lab(store, instance)
