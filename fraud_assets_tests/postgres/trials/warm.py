"""Imported by the process that writers fork from, and by nobody else: one Dagster run, for all that it imports.

A writer is there in a twentieth of the time then. Neither threads nor connections outlive the run.
"""

import logging

import dagster as dg

from fraud_assets_tests.postgres.trials import writers

logging.disable(logging.CRITICAL)


@dg.asset(partitions_def=writers.KEYS)
def nothing() -> None:
    """Stores nothing."""


with dg.DagsterInstance.ephemeral() as _instance:
    dg.materialize([nothing], partition_key="spared", instance=_instance)
