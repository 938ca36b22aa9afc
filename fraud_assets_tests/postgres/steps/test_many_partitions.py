"""Hundreds and thousands of partitions in one run, on a server with PostgreSQL's own settings for locks."""

import time
from collections.abc import Iterator

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest

from fraud_assets.local.embedded import ensure_running
from fraud_assets_tests.conftest import FAST, discard
from fraud_assets_tests.postgres.lab import SINGLE_RUN, Lab
from fraud_assets_tests.postgres.material import Store

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def plain_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that has as few locks as one that nobody has configured; the embedded one has more otherwise."""
    home = tmp_path_factory.mktemp("plain")
    try:
        yield ensure_running(home, FAST | {"max_locks_per_transaction": "64"}).url("fraud")
    finally:
        discard(home)


@pytest.mark.parametrize(("count", "indexes"), [(400, [["n"]]), (2_000, [])])
def test_many_partitions_at_once(plain_url: str, count: int, indexes: list[list[str]]) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        _write_and_read(Lab(Store(plain_url), instance), count, indexes)


def _write_and_read(lab: Lab, count: int, indexes: list[list[str]]) -> None:
    partitions = dg.StaticPartitionsDefinition([f"k{place * 7_919 % count}" for place in range(count)])
    keys = list(partitions.get_partition_keys())

    @dg.asset(
        name=f"pieces_{count}",
        partitions_def=partitions,
        io_manager_key="tables",
        backfill_policy=SINGLE_RUN,
        metadata={"partition_expr": "key", "indexes": indexes},
    )
    def pieces() -> pd.DataFrame:
        return pd.DataFrame({"key": keys[::-1] * 2, "n": range(2 * count)})

    @dg.asset(partitions_def=partitions, backfill_policy=SINGLE_RUN, ins={"pieces": dg.AssetIn(f"pieces_{count}")})
    def take(pieces: pa.RecordBatchReader) -> None:
        given.extend(pieces.read_all()["key"].to_pylist())

    given: list[str] = []
    assert lab.store.query("SHOW max_locks_per_transaction") == [("64",)]
    started = time.perf_counter()
    lab.run(pieces, keys[0], keys[-1])
    written = time.perf_counter()
    lab.run(take, keys[0], keys[-1], others=[pieces])
    print(f"{count} partitions: {written - started:.1f} s in, {time.perf_counter() - written:.1f} s out")
    assert given == [key for key in keys for _ in range(2)]
    lab.store.check_consistent()
