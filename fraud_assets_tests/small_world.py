"""A code location over a small simulation: small enough that a whole day, with its history, takes seconds.

What lives here: settings and the way to run them against a database. What does not: anything that is asserted.
"""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import psycopg
import pytest
from psycopg import sql

from fraud_assets.assets.plan import Plan
from fraud_assets.local.daily import bring_history, code_location
from fraud_assets.local.database import Workplace
from fraud_assets.local.embedded import EmbeddedServer
from fraud_assets.local.runs import run_day
from fraud_assets.postgres import Version, partition_versions
from fraud_assets.postgres.storage.models import load_model
from fraud_assets.postgres.storage.reading import Selection, load
from fraud_assets.postgres.values.to_pandas import to_pandas
from fraud_assets.settings import Settings

DAY = "2026-03-15"
SIGNING_KEY = "a key for tests"
SMALL: Mapping[str, Any] = {
    "label_delay_days": 2,
    "training_days": 8,
    "validation_days": 4,
    "source": {"kind": "simulated", "customers": 600, "terminals": 600, "radius": 12.0},
    "learning": {"configurations": 1, "jobs": 1, "alerts_per_day": 10},
    "reports": {"pictures": False},
    "retries": {"attempts": 2, "first_delay_seconds": 0.2},
}
SMALL_TOML = """
label_delay_days = 2
training_days = 8
validation_days = 4
[source]
kind = "simulated"
customers = 600
terminals = 600
radius = 12.0
[learning]
configurations = 1
jobs = 1
alerts_per_day = 10
[reports]
pictures = false
[retries]
attempts = 2
first_delay_seconds = 0.2
"""
"""The same as a `fraud.toml`, for the command line."""
ALL_ASSETS = (
    "raw_batch",
    "rejected_rows",
    "labels",
    "cleaned_features",
    "candidate_models/logistic_regression",
    "candidate_models/support_vector_machine",
    "candidate_models/k_nearest_neighbors",
    "candidate_models/random_forest",
    "candidate_models/gradient_boosting",
    "candidate_models/ensemble",
    "evaluation_table",
    "evaluation_slices",
    "calibration_bins",
    "operating_points",
    "best_model",
    "feature_importance",
    "scored_batch",
    "live_performance",
    "label_maturity",
    "feature_drift",
    "performance_report",
    "daily_summary",
)

NOT_LEARNED = frozenset({"raw_batch", "rejected_rows", "labels", "cleaned_features", "label_maturity"})
"""What is the same whatever the models are."""
EXTERNAL = ("source_transactions",)
"""What the lineage graph shows besides: made elsewhere, and by no run of ours."""


@contextmanager
def fresh_database(server: EmbeddedServer) -> Iterator[str]:
    """The URL of an empty database, dropped afterwards: for fixtures that outlive a single test."""
    name = f"world_{uuid.uuid4().hex}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield server.url(name)
    finally:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def small_settings(url: str, home: Path, **changes: Any) -> Settings:
    return Settings.model_validate({"home": home, "database_url": url, "signing_key": SIGNING_KEY, **SMALL, **changes})


@dataclass(frozen=True)
class World:
    """A code location, its database, and Dagster's memory of what was run."""

    workplace: Workplace
    defs: dg.Definitions
    plan: Plan
    instance: dg.DagsterInstance

    def run(self, day: str = DAY) -> None:
        """A day with the history that it needs, as the command line runs it."""
        self.bring_history(day)
        with self.environment():
            run_day(self.defs, self.instance, day)

    def bring_history(self, day: str = DAY) -> None:
        with self.environment():
            bring_history(self.workplace, self.defs, self.plan, self.instance, day, self.plan.windows.history)

    @contextmanager
    def environment(self) -> Iterator[None]:
        """Where resources look for secrets. Each test starts with none of it."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FRAUD_HOME", str(self.workplace.settings.home))
            patch.setenv("FRAUD_DATABASE_URL", self.workplace.database_url)
            patch.setenv("FRAUD_SIGNING_KEY", SIGNING_KEY)
            yield

    def check(self, asset: str, name: str) -> dg.AssetCheckEvaluation:
        """The newest evaluation of an asset check."""
        key = dg.AssetCheckKey(dg.AssetKey(asset), name)
        record = self.instance.event_log_storage.get_asset_check_execution_history(key, limit=1)[0]
        assert record.event is not None
        assert record.event.dagster_event is not None
        evaluation = record.event.dagster_event.event_specific_data
        assert isinstance(evaluation, dg.AssetCheckEvaluation)
        return evaluation

    def table(self, asset: str, day: str = DAY) -> pd.DataFrame:
        return to_pandas(load(self.workplace.postgres(), asset, [day], Selection()).reader.read_all())

    def versions(self, asset: str, day: str = DAY) -> list[Version]:
        return partition_versions(self.workplace.postgres(), asset, day)

    def hashes(self, day: str = DAY) -> dict[str, str]:
        """The content hash of each asset's current version of a day."""
        return {asset: found[0].content_hash for asset in ALL_ASSETS if (found := self.versions(asset, day))}

    def model(self, asset: str, day: str = DAY) -> Any:
        with self.workplace.postgres().connect() as connection:
            return load_model(connection, asset, day, signing_key=self.workplace.signing_key)[1]

    def rows(self, query: str, *values: object) -> list[Any]:
        with psycopg.connect(self.workplace.database_url) as connection:
            return connection.execute(query.encode(), list(values)).fetchall()


@contextmanager
def world(settings: Settings) -> Iterator[World]:
    """The code location of these settings, with a Dagster instance of its own."""
    workplace = Workplace(settings, is_embedded=False)
    with dg.DagsterInstance.ephemeral() as instance:
        # Loading the definitions' module makes a key where there is none; a test's home is the place for it.
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FRAUD_HOME", str(settings.home))
            defs, plan = code_location(workplace)
        yield World(workplace, defs, plan, instance)
