"""What must be true after a month, whatever has happened: each day once, nothing lost or doubled, nothing left over."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import date
from itertools import pairwise

import dagster as dg
from dagster._core.instance import DagsterInstance

from fraud_assets_tests.operation.deliveries import Deliveries
from fraud_assets_tests.operation.house import UNFINISHED, House
from fraud_assets_tests.small_world import ALL_ASSETS

_ROW_COUNTS = "SELECT partition_key, row_count FROM dagster_io.versions WHERE asset_key = %s AND status = 'current'"
_CONTENTS = "SELECT asset_key, partition_key, content_hash FROM dagster_io.versions ORDER BY 1, 2, version"


def nothing_under_way(instance: DagsterInstance) -> None:
    """No run waits or runs, and no step holds or waits for a place in a pool."""
    assert instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)) == []
    pools = instance.event_log_storage.get_concurrency_keys()
    assert pools
    for pool in pools:
        found = instance.event_log_storage.get_concurrency_info(pool)
        assert (found.claimed_slots, found.pending_steps) == ([], []), pool


def one_current_version_each(house: House, days: Sequence[date]) -> None:
    """Every asset of every day is stored, and its table has the rows that the ledger says."""
    rows = house.rows(
        "SELECT asset_key, partition_key, count(*) FROM dagster_io.versions WHERE status = 'current' GROUP BY 1, 2"
    )
    current = {(asset, day): count for asset, day, count in rows}
    wanted = {(asset, str(day)) for asset in ALL_ASSETS for day in days}
    assert wanted <= current.keys()
    assert set(current.values()) == {1}


def rows_as_the_ledger_says(house: House) -> None:
    """No table has a row more or less than the current versions of its partitions."""
    tables = house.rows("SELECT asset_key, schema_name, table_name FROM dagster_io.tables WHERE schema_name = 'fraud'")
    for asset, schema, table in tables:
        stored = dict(house.rows(f'SELECT partition_key, count(*) FROM "{schema}"."{table}" GROUP BY 1'))
        ledger = house.rows(_ROW_COUNTS, asset)
        assert stored == {day: count for day, count in ledger if count}, asset


def every_transaction_once(
    house: House, deliveries: Deliveries, days: Sequence[date], corrected: Collection[date]
) -> None:
    """The stored batches are the files, the corrected ones as they were corrected; scores are of the same rows."""
    for day in days:
        frame = deliveries.transactions(day)
        if day in corrected:
            frame = deliveries.as_corrected(frame)
        bad = deliveries.unreadable(day)
        good = frame.drop(index=bad)
        stored = house.rows("SELECT transaction_id, amount FROM fraud.raw_batch WHERE partition_key = %s", str(day))
        assert Counter(stored) == Counter(zip(good["id"], good["eur"], strict=True)), day
        rejected = house.rows("SELECT count(*) FROM fraud.rejected_rows WHERE partition_key = %s", str(day))
        assert rejected == [(len(bad),)], day


def every_score_once(house: House, deliveries: Deliveries, days: Sequence[date]) -> None:
    for day in days:
        good = deliveries.transactions(day).drop(index=deliveries.unreadable(day))
        scored = house.rows("SELECT transaction_id FROM fraud.scored_batch WHERE partition_key = %s", str(day))
        assert Counter(name for (name,) in scored) == Counter(good["id"]), day


def every_label_once(house: House, deliveries: Deliveries, days: Sequence[date]) -> None:
    """Each label is stored on the day on which it became known, and on no other."""
    for day in days:
        told = deliveries.labels(day)
        stored = house.rows("SELECT transaction_id, label FROM fraud.labels WHERE partition_key = %s", str(day))
        assert Counter(stored) == Counter(zip(told["id"], told["fraud"], strict=True)), day


def versions_with_a_reason(
    house: House, days: Sequence[date], corrected: Collection[date], made_anew: Collection[date]
) -> Iterator[tuple[date, int]]:
    """Each asset of a day has one version, and one more for a correction that has reached it.

    Days that had to be run again, because a run had been cut short, may have made the same content twice: `made_anew`.
    Yields each day, and how many versions there are beyond the first of each asset.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for asset, day, content in house.rows(_CONTENTS):
        found.setdefault((asset, day), []).append(content)
    reached = reached_by(house, corrected)
    for (asset, day), contents in found.items():
        changes = sum(before != after for before, after in pairwise(contents))
        is_reached = (asset, day) in reached
        assert changes <= (1 if is_reached else 0), (asset, day, contents)
        if date.fromisoformat(day) not in made_anew:
            assert len(contents) <= (2 if is_reached else 1), (asset, day, contents)
    for when in days:
        yield when, sum(len(contents) - 1 for (_, day), contents in found.items() if day == str(when))


def reached_by(house: House, corrected: Collection[date]) -> set[tuple[str, str]]:
    """The assets and days that were made from a corrected day, or from what was."""
    rows = house.rows(
        "SELECT v.asset_key, v.partition_key, u.asset_key, u.partition_key FROM dagster_io.seen s"
        " JOIN dagster_io.versions v USING (version_id)"
        " JOIN dagster_io.versions u ON u.version_id = s.upstream_version_id"
    )
    reached = {(asset, str(day)) for asset in ("raw_batch", "rejected_rows") for day in corrected}
    size = 0
    while size != len(reached):
        size = len(reached)
        reached |= {(asset, day) for asset, day, seen, seen_day in rows if (seen, seen_day) in reached}
    return reached
