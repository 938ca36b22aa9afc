"""A small code location with nothing of fraud in it, for tests that need one in a process of its own.

It takes its settings from the environment, as a user's would.
"""

from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa

from fraud_assets.postgres import PostgresResource, PostgresTableIOManager

DAYS = dg.DailyPartitionsDefinition("2024-03-01", end_date="2024-03-31")
LINEAGE = dg.TableColumnLineage(
    {"total": [dg.TableColumnDep(asset_key=dg.AssetKey(["shop", "orders"]), column_name="price")]}
)


@dg.asset(
    key_prefix="shop",
    partitions_def=DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    metadata={
        "partition_expr": "ordered_at",
        "primary_key": ["order_id"],
        "column_comments": {"price": "in euros, with tax", "order_id": "as on the receipt"},
    },
)
def orders(context: dg.AssetExecutionContext) -> pd.DataFrame:
    """One row is an order: as many on a day as its number."""
    days = [key for key in context.partition_keys for _ in range(int(key[-2:]))]
    return pd.DataFrame({"order_id": range(len(days)), "ordered_at": pd.to_datetime(days), "price": 2.5})


@dg.asset(
    key_prefix="shop",
    partitions_def=DAYS,
    metadata={"dagster/column_lineage": LINEAGE, "layout": "rows"},
    ins={"orders": dg.AssetIn(["shop", "orders"], metadata={"window": [-2, 0], "columns": ["price"]})},
)
def sales(orders: pa.Table) -> pa.Table:
    """One row is what three days have brought."""
    return pa.table({"total": [sum(orders["price"].to_pylist())]})


def _defs() -> dg.Definitions:
    postgres = PostgresResource(
        url=dg.EnvVar("SHOP_URL"),
        schema_=dg.EnvVar("SHOP_SCHEMA"),
        connect_timeout_seconds=dg.EnvVar.int("SHOP_TIMEOUT"),
    )
    versions: Any = dg.EnvVar.int("SHOP_VERSIONS")
    tables = PostgresTableIOManager(postgres=postgres, archived_versions=versions)
    job = dg.define_asset_job("shop", [orders, sales])
    return dg.Definitions([orders, sales], jobs=[job], resources={"io_manager": tables, "postgres": postgres})


defs = _defs()
