"""Storage with Dagster, for tests: assets that write and read days, and runs of them."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa

from fraud_assets.postgres import PostgresTableIOManager
from fraud_assets_tests.postgres.material import Store

DAYS = dg.DailyPartitionsDefinition("2024-03-01", end_date="2024-03-31")
SINGLE_RUN = dg.BackfillPolicy.single_run()


class Lab:
    """Assets, an instance that remembers their runs, and a database."""

    def __init__(self, store: Store, instance: dg.DagsterInstance) -> None:
        self.store = store
        self.instance = instance
        self.resources = {"tables": PostgresTableIOManager(postgres=store.postgres)}

    def run(
        self,
        asset: dg.AssetsDefinition,
        day: str | None = None,
        until: str | None = None,
        others: Sequence[dg.AssetsDefinition] = (),
    ) -> dg.ExecuteInProcessResult:
        """Materialize one asset, for nothing, a day or a range of days."""
        tags = {"dagster/asset_partition_range_start": day, "dagster/asset_partition_range_end": until}
        return dg.materialize(
            [*others, asset],
            selection=[asset],
            instance=self.instance,
            resources=self.resources,
            partition_key=None if until else day,
            tags={name: tag for name, tag in tags.items() if tag} if until else None,
        )

    def seen(self, asset: str, key: str) -> set[str]:
        """The partitions that the current version of a partition was made from, as the ledger has it."""
        rows = self.store.query(
            "SELECT up.asset_key || ' ' || up.partition_key || ' ' || up.version FROM dagster_io.seen s"
            " JOIN dagster_io.versions v ON v.version_id = s.version_id"
            " JOIN dagster_io.versions up ON up.version_id = s.upstream_version_id"
            " WHERE v.asset_key = %s AND v.partition_key = %s AND v.status = 'current'",
            asset,
            key,
        )
        return {text for (text,) in rows}


def day(number: int) -> str:
    return f"2024-03-{number:02d}"


@dg.asset(partitions_def=DAYS, io_manager_key="tables", backfill_policy=SINGLE_RUN, code_version="7")
def days(context: dg.AssetExecutionContext) -> dict[str, pd.DataFrame]:
    """A row or more for each day: as many as its number."""
    return {
        key: pd.DataFrame({"day": [key] * int(key[-2:]), "n": range(int(key[-2:]))}) for key in context.partition_keys
    }


def reader(
    annotation: Any = pd.DataFrame,
    partitions: dg.PartitionsDefinition[str] | None = DAYS,
    mapping: dg.PartitionMapping | None = None,
    **metadata: Any,
) -> dg.AssetsDefinition:
    """An asset that stores, for each of its partitions, the days that it was given."""

    def loaded(context: dg.AssetExecutionContext, days: Any) -> Any:
        table = pa.Table.from_pandas(days) if isinstance(days, pd.DataFrame) else days
        if isinstance(days, pa.RecordBatchReader):
            table = days.read_all()
        given = table.select(["day"]) if "day" in table.column_names else pa.table({"day": pa.array([], pa.string())})
        return dict.fromkeys(context.partition_keys, given) if partitions else given

    loaded.__annotations__["days"] = annotation
    return dg.asset(
        loaded,
        partitions_def=partitions,
        io_manager_key="tables",
        backfill_policy=SINGLE_RUN,
        ins={"days": dg.AssetIn(metadata=metadata, partition_mapping=mapping)},
    )
