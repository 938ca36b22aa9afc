"""Dagster's own runs, events and schedules in PostgreSQL, by the same plain URL as the data.

dagster-postgres notifies through SQLAlchemy in a way that only psycopg2 understands, and SQLAlchemy 2.1 reads a plain
`postgresql://` as psycopg 3. Users should not have to know that, so the URL's driver is named here.
"""

import os
from typing import Any

from dagster import Field, StringSource
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage


class PlainUrlPostgresStorage(DagsterPostgresStorage):  # type: ignore[misc]
    """dagster-postgres's storage. `override_env` names a variable whose URL, where set, is used instead."""

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


def with_psycopg2(url: str) -> str:
    """The URL with psycopg2 named as its driver."""
    scheme, _, rest = url.partition("://")
    return f"postgresql+psycopg2://{rest}" if scheme in {"postgres", "postgresql"} else url
