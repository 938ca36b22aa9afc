"""Wires every room into one code location: `build_defs(settings)` for any settings, `defs` for those of the process.

Dagster loads `defs`. Environments differ by settings alone; nothing is defined twice.
"""

import os
import warnings
from datetime import date
from typing import Any

import dagster as dg

from fraud_assets.assets import all_assets
from fraud_assets.assets.external import external_assets
from fraud_assets.assets.pictures import Pictures
from fraud_assets.assets.plan import MODELS, TABLES, Plan
from fraud_assets.automation import automation
from fraud_assets.cluster import dask_executor, require_dask
from fraud_assets.keys import with_keys
from fraud_assets.partitions import daily_partitions
from fraud_assets.postgres import PostgresModelIOManager, PostgresResource, PostgresTableIOManager
from fraud_assets.settings import Executor, Settings, load_settings
from fraud_assets.sources import open_source

DATABASE_URL = "FRAUD_DATABASE_URL"
DAGSTER_DATABASE_URL = "FRAUD_DAGSTER_DATABASE_URL"
SIGNING_KEY = "FRAUD_SIGNING_KEY"
FIRST_SIMULATED_DAY = date(2026, 1, 1)

# Dagster marks parts of what this project is built on, such as backfill policies, as beta. That is for whoever changes
# this project to know, not for whoever runs it.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)
# A backfill of the whole job goes a day at a time, which is what is wanted; a backfill of assets has their policies.
warnings.filterwarnings("ignore", message="Asset job .* materializes assets with varying BackfillPolicies")


def first_day(settings: Settings) -> date:
    """The first partition: as set, else the first day that the source has, else the first of the simulation."""
    if settings.start_date is not None:
        return settings.start_date
    return open_source(settings, pseudonym_key=settings.pseudonym_secret).first_day() or FIRST_SIMULATED_DAY


def build_plan(settings: Settings) -> Plan:
    return Plan(settings, daily_partitions(first_day(settings), settings.timezone))


def build_defs(settings: Settings) -> dg.Definitions:
    """The code location for these settings.

    Secrets are not taken from `settings` but from the environment when a step starts, by name: Dagster shows the
    configuration of resources in its UI. `export_secrets` puts them there.
    """
    plan = build_plan(settings)
    assets = all_assets(plan)

    def keep_house(instance: dg.DagsterInstance) -> str:
        return _keep_house(settings, plan, assets, instance)

    automatic = automation(settings, plan.partitions, plan.source, assets, keep_house)
    return dg.Definitions(
        assets=[*external_assets(plan), *assets],
        jobs=automatic.jobs,
        schedules=automatic.schedules,
        sensors=automatic.sensors,
        resources=build_resources(settings),
        executor=build_executor(settings),
    )


def build_executor(settings: Settings) -> dg.ExecutorDefinition:
    """How the steps of a launched run are carried out. Raises `ClusterError` where Dask is wanted and not installed."""
    if settings.learning.backend == "dask":
        require_dask()
    if settings.executor is Executor.DASK:
        return dask_executor(settings.dask)
    return dg.in_process_executor if settings.executor is Executor.IN_PROCESS else dg.multiprocess_executor


def _keep_house(settings: Settings, plan: Plan, assets: list[dg.AssetsDefinition], instance: dg.DagsterInstance) -> str:
    # Imported late: what is only for one job is not for every process.
    from fraud_assets.local.housekeeping import House, housekeeping

    url = os.environ[DATABASE_URL]
    postgres = PostgresResource(url=url, schema_=settings.storage.schema_)
    house = House(postgres, os.environ.get(DAGSTER_DATABASE_URL) or url, plan, assets)
    return housekeeping(house, instance).summary()


def build_resources(settings: Settings) -> dict[str, Any]:
    """Where tables, models and pictures go."""
    storage, file = settings.storage, settings.signing_key_file
    postgres = PostgresResource(url=dg.EnvVar(DATABASE_URL), schema_=storage.schema_)
    return {
        "storage": postgres,
        TABLES: PostgresTableIOManager(
            postgres=postgres,
            archived_versions=storage.archived_versions,
            max_rewrite_rows=storage.max_rewrite_rows,
        ),
        MODELS: PostgresModelIOManager(
            postgres=postgres,
            **({"signing_key": dg.EnvVar(SIGNING_KEY)} if file is None else {"signing_key_file": str(file)}),
            archived_versions=storage.archived_versions,
        ),
        "pictures": Pictures(enabled=settings.reports.pictures),
    }


def export_secrets(settings: Settings) -> None:
    """Put the database's URL and the signing key where resources look for them: in this process's environment.

    A key that is in a file stays there, and is read where it is needed.
    """
    key = settings.signing_key if settings.signing_key_file is None else None
    for variable, secret in ((DATABASE_URL, settings.database_url), (SIGNING_KEY, key)):
        if secret is not None:
            os.environ[variable] = secret.get_secret_value()


def process_settings() -> Settings:
    """The settings of this process, complete with keys, and their secrets where resources look for them."""
    settings = with_keys(load_settings())
    export_secrets(settings)
    return settings


settings = process_settings()
plan = build_plan(settings)
defs = build_defs(settings)
