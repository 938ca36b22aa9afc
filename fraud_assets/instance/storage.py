"""Dagster's own runs, events and schedules in PostgreSQL, by the same plain URL as the data.

dagster-postgres notifies through SQLAlchemy in a way that only psycopg2 understands, and SQLAlchemy 2.1 reads a plain
`postgresql://` as psycopg 3. Users should not have to know that, so the URL's driver is named here.
"""

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg2
from dagster import DagsterInstance, Field, StringSource
from dagster._serdes import ConfigurableClassData
from dagster._utils.concurrency import ConcurrencyClaimStatus
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage, PostgresRunStorage
from dagster_postgres.utils import create_pg_engine

KEPT_CONNECTIONS = 2
ASKING_SECONDS = 1.0
TABLES_LOCK = "fraud_assets/dagster_tables"
"""The advisory lock of whoever makes Dagster's tables."""


class PatientEventLogStorage(PostgresEventLogStorage):  # type: ignore[misc]
    """dagster-postgres's event log, for steps that wait until another run leaves their pool.

    Dagster's executor asks without a pause meanwhile, and so takes a core from the training that it waits for (the
    pause that it computes is the least of zero and the one that it wants). Here each refusal takes a second.
    """

    def claim_concurrency_slot(
        self, concurrency_key: str, run_id: str, step_key: str, priority: int | None = None
    ) -> ConcurrencyClaimStatus:
        claim: ConcurrencyClaimStatus = super().claim_concurrency_slot(concurrency_key, run_id, step_key, priority)
        if claim.is_claimed:
            return claim
        time.sleep(ASKING_SECONDS)
        refused: ConcurrencyClaimStatus = claim.with_sleep_interval(0.0)
        return refused


class PlainUrlPostgresStorage(DagsterPostgresStorage):  # type: ignore[misc]
    """dagster-postgres's storage. `override_env` names a variable whose URL, where set, is used instead."""

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        with _tables_made_by_one(postgres_url):
            super().__init__(postgres_url=postgres_url, inst_data=inst_data)
        self._event_log_storage = PatientEventLogStorage(postgres_url, should_autocreate_tables=False)

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {
            "postgres_url": Field(StringSource, is_required=True),
            "override_env": Field(str, is_required=False),
        }

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: dict[str, Any]
    ) -> "PlainUrlPostgresStorage":
        url = os.environ.get(config_value.get("override_env", "")) or config_value["postgres_url"]
        return cls(postgres_url=with_psycopg2(url), inst_data=inst_data)


@contextmanager
def _tables_made_by_one(postgres_url: str) -> Iterator[None]:
    """Where Dagster's tables are missing, let one process at a time look for them and make them.

    Two that start on an empty database would otherwise both make them, and one would fail. Where all is there, or
    nobody answers, nothing is waited for: Dagster has its own words for a server that does not answer.
    """
    try:
        connection = psycopg2.connect(postgres_url.replace("+psycopg2", "", 1))
    except psycopg2.OperationalError:
        yield
        return
    with closing(connection), connection.cursor() as cursor:
        cursor.execute(
            "SELECT to_regclass('runs') IS NULL OR to_regclass('event_logs') IS NULL OR to_regclass('jobs') IS NULL"
        )
        if cursor.fetchone() == (True,):
            cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [TABLES_LOCK])
        connection.commit()
        yield


def with_psycopg2(url: str) -> str:
    """The URL with psycopg2 named as its driver."""
    scheme, _, rest = url.partition("://")
    return f"postgresql+psycopg2://{rest}" if scheme in {"postgres", "postgresql"} else url


def keep_connections(instance: DagsterInstance) -> None:
    """Let this process keep its connections to Dagster's storage, which opens one for each event otherwise.

    An event takes a millisecond and a connection, whose password is checked at length, ten: in a run of many partitions
    that was a quarter of the time. Each connection is asked before it is used again, so that one that a restart of the
    server has ended is replaced. Storage that is not PostgreSQL is left as it is.
    """
    for storage in (instance.event_log_storage, instance.run_storage):
        if isinstance(storage, PostgresEventLogStorage | PostgresRunStorage):
            storage._engine = create_pg_engine(
                storage.postgres_url,
                None,
                isolation_level="AUTOCOMMIT",
                pool_size=KEPT_CONNECTIONS,
                max_overflow=-1,
                pool_pre_ping=True,
            )
