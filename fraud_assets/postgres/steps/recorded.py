"""What Dagster has on record of a partition."""

from collections.abc import Iterator

import dagster as dg

PAGE = 50


def recorded_materializations(
    instance: dg.DagsterInstance, asset_key: str, partition_key: str
) -> Iterator[dg.AssetMaterialization]:
    """The recorded materializations of a partition, newest first; `partition_key` is empty where there are none."""
    records = dg.AssetRecordsFilter(
        asset_key=dg.AssetKey.from_user_string(asset_key),
        asset_partitions=[partition_key] if partition_key else None,
    )
    cursor: str | None = None
    while True:
        page = instance.fetch_materializations(records, limit=PAGE, cursor=cursor)
        for record in page.records:
            if record.asset_materialization is not None:
                yield record.asset_materialization
        cursor = page.cursor
        if not page.has_more:
            return
