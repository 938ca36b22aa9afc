"""Forty made days in a real database, and the real server over them."""

from collections.abc import Iterator

import pytest

from fraud_assets.local.embedded import EmbeddedServer
from fraud_assets.reporting.server import PostgresStore, create_app
from fraud_assets_tests.reporting.server.made_history import SCHEMA, MadeHistory, store_reports
from fraud_assets_tests.reporting.server.site import NoModels, Site, running
from fraud_assets_tests.small_world import fresh_database

DAYS = 40


@pytest.fixture(scope="session")
def made() -> MadeHistory:
    return MadeHistory(DAYS)


@pytest.fixture(scope="session")
def made_url(postgres_server: EmbeddedServer, made: MadeHistory) -> Iterator[str]:
    """The URL of a database with the made days; the last but one has a stored report, the last has none yet."""
    with fresh_database(postgres_server) as url:
        made.fill(url)
        store_reports(url, made.days[-2:-1])
        yield url


@pytest.fixture(scope="session")
def site(made_url: str) -> Iterator[Site]:
    with running(create_app(PostgresStore(made_url, SCHEMA), NoModels())) as found:
        yield found


@pytest.fixture
def new_database(postgres_server: EmbeddedServer) -> Iterator[str]:
    with fresh_database(postgres_server) as url:
        yield url
