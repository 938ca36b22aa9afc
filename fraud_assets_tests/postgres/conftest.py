"""A store for each test, in one database for all of them: emptying it is faster than making another."""

import uuid
from collections.abc import Iterator

import dagster as dg
import psycopg
import pytest
from psycopg import sql

from fraud_assets.local.embedded import EmbeddedServer
from fraud_assets_tests.postgres.lab import Lab
from fraud_assets_tests.postgres.material import Store


@pytest.fixture(scope="session")
def storage_url(postgres_server: EmbeddedServer) -> str:
    """A database of this session; it goes with its server."""
    name = f"storage_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    return postgres_server.url(name)


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
