"""PostgreSQL for Dagster: IO managers for tables and models, the versions that they keep, and Dagster's own storage.

This folder knows PostgreSQL and Dagster and nothing of fraud; it can be lifted into any project. What lives here: how
a frame becomes a partition of a table, and comes back. What does not: which tables there are, and what is in them.
"""

from fraud_assets.postgres.archive import partition_versions, prune_versions, restore_version
from fraud_assets.postgres.connection import PostgresResource
from fraud_assets.postgres.errors import (
    ModelRefused,
    PartitionMissing,
    PostgresStorageError,
    SchemaChangeRefused,
    UnstorableColumn,
)
from fraud_assets.postgres.model_io_manager import PostgresModelIOManager
from fraud_assets.postgres.steps.restored import report_restored
from fraud_assets.postgres.steps.untold import report_untold
from fraud_assets.postgres.storage.ledger import Status, StoredByRun, Version
from fraud_assets.postgres.table_io_manager import PostgresTableIOManager

__all__ = [
    "ModelRefused",
    "PartitionMissing",
    "PostgresModelIOManager",
    "PostgresResource",
    "PostgresStorageError",
    "PostgresTableIOManager",
    "SchemaChangeRefused",
    "Status",
    "StoredByRun",
    "UnstorableColumn",
    "Version",
    "partition_versions",
    "prune_versions",
    "report_restored",
    "report_untold",
    "restore_version",
]
