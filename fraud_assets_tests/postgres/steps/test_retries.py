"""What a step may try again, and what it remembers of the time before."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest

from fraud_assets.local.embedded import ensure_running
from fraud_assets.local.embedded import stop as stop_fast
from fraud_assets.postgres import PostgresResource, PostgresTableIOManager
from fraud_assets_tests.conftest import FAST
from fraud_assets_tests.postgres.lab import DAYS, SINGLE_RUN, Lab, day, days
from fraud_assets_tests.postgres.material import Store
from fraud_assets_tests.postgres.stops import stop_immediately

# Whose commits survive its own end, if not the machine's.
DURABLE = {**FAST, "synchronous_commit": "on"}

pytestmark = [
    pytest.mark.filterwarnings("ignore::dagster.BetaWarning"),
    pytest.mark.filterwarnings("ignore::dagster.PreviewWarning"),
]


def test_a_step_that_is_tried_again_has_seen_nothing_yet(lab: Lab) -> None:
    lab.run(days, day(5))
    tries: list[int] = []

    @dg.asset(partitions_def=DAYS, io_manager_key="tables", retry_policy=dg.RetryPolicy(max_retries=1))
    def stubborn(days: pd.DataFrame) -> pd.DataFrame:
        tries.append(len(days))
        if len(tries) == 1:
            lab.run(globals()["days"], day(5))
            raise RuntimeError
        return days

    lab.run(stubborn, day(5), others=[days])
    assert len(tries) == 2
    assert lab.seen("stubborn", day(5)) == {f"days {day(5)} 2"}


def test_a_full_disk_may_pass(lab: Lab) -> None:
    tries: list[int] = []

    @dg.asset(partitions_def=DAYS, io_manager_key="tables", retry_policy=dg.RetryPolicy(max_retries=1))
    def roomy() -> pa.RecordBatchReader:
        tries.append(1)

        def batches() -> Iterator[pa.RecordBatch]:
            if len(tries) == 1:
                lab.store.query("DO $$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = 'disk_full'; END $$")
            yield pa.record_batch({"n": [1]})

        return pa.RecordBatchReader.from_batches(pa.schema([("n", pa.int64())]), batches())

    lab.run(roomy, day(5))
    assert len(tries) == 2


@pytest.mark.parametrize("midway", ["write", "read"])
def test_a_connection_that_breaks_is_tried_again(lab: Lab, midway: str) -> None:
    broken: list[bool] = []

    def break_connections() -> None:
        if not broken:
            broken.append(True)
            lab.store.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                            " AND pid <> pg_backend_pid()")  # fmt: skip

    retry = dg.RetryPolicy(max_retries=1)

    @dg.asset(io_manager_key="tables", retry_policy=retry)
    def numbers() -> pa.RecordBatchReader:
        def batches() -> Iterator[pa.RecordBatch]:
            for start in range(0, 1_000_000, 50_000):
                yield pa.record_batch({"x": range(start, start + 50_000)})
                if midway == "write" and start > 300_000:
                    break_connections()

        return pa.RecordBatchReader.from_batches(pa.schema({"x": pa.int64()}), batches())

    counts: list[int] = []

    @dg.asset(retry_policy=retry)
    def count(numbers: pa.RecordBatchReader) -> None:
        rows = 0
        for batch in numbers:
            rows += batch.num_rows
            if midway == "read":
                break_connections()
        counts.append(rows)

    lab.run(numbers)
    lab.run(count, others=[numbers])
    assert broken
    assert counts == [1_000_000]
    lab.store.check_consistent()


@pytest.mark.parametrize("stop", [stop_fast, stop_immediately])
def test_a_backfill_goes_on_when_the_server_has_been_restarted(
    new_home: Callable[[str], Path], stop: Callable[[Path], None]
) -> None:
    """It is stopped once while a day is being written, and once while days are being read; it comes back later."""
    home = new_home("home")
    server = ensure_running(home, DURABLE)
    stops: dict[str, threading.Timer] = {}

    def restart(where: str) -> None:
        if where not in stops:
            stop(home)
            stops[where] = threading.Timer(0.5, ensure_running, [home, DURABLE])
            stops[where].start()

    policy = dg.RetryPolicy(max_retries=50, delay=0.2)

    @dg.asset(partitions_def=DAYS, io_manager_key="tables", backfill_policy=SINGLE_RUN, retry_policy=policy)
    def written(context: dg.AssetExecutionContext) -> dict[str, pa.RecordBatchReader]:
        def batches(key: str) -> Iterator[pa.RecordBatch]:
            for place in range(10):
                if key == day(3) and place == 7:
                    restart("writing")
                yield pa.record_batch({"day": [key] * 5_000, "n": range(place * 5_000, (place + 1) * 5_000)})

        schema = pa.schema({"day": pa.string(), "n": pa.int64()})
        return {key: pa.RecordBatchReader.from_batches(schema, batches(key)) for key in context.partition_keys}

    @dg.asset(partitions_def=DAYS, io_manager_key="tables", backfill_policy=SINGLE_RUN, retry_policy=policy)
    def read(context: dg.AssetExecutionContext, written: pa.RecordBatchReader) -> dict[str, pd.DataFrame]:
        sums = dict.fromkeys(context.partition_keys, 0)
        for batch in written:
            frame = batch.to_pandas()
            for key, total in frame.groupby("day")["n"].sum().items():
                sums[str(key)] += total
            restart("reading")
        return {key: pd.DataFrame({"total": [total]}) for key, total in sums.items()}

    store = Store(server.url("fraud"))
    with dg.DagsterInstance.ephemeral() as instance:
        lab = Lab(store, instance)
        tags = {"dagster/asset_partition_range_start": day(1), "dagster/asset_partition_range_end": day(4)}
        result = dg.materialize([written, read], instance=instance, resources=lab.resources, tags=tags)
    for timer in stops.values():
        timer.join()
    assert result.success
    assert list(stops) == ["writing", "reading"]
    retried = {event.step_key for event in result.all_events if event.is_step_up_for_retry}
    assert retried == {"written", "read"}
    whole = sum(range(50_000))
    assert store.query("SELECT partition_key, total::bigint FROM data.read ORDER BY 1") == [
        (day(number), whole) for number in range(1, 5)
    ]
    assert store.query("SELECT partition_key, count(*), sum(n) FROM data.written GROUP BY 1 ORDER BY 1") == [
        (day(number), 50_000, whole) for number in range(1, 5)
    ]
    store.check_consistent()


def test_what_cannot_pass_is_not_tried_again_and_what_can_is(lab: Lab) -> None:
    def failure(postgres: PostgresResource, frame: pd.DataFrame) -> dg.Failure:
        tables = PostgresTableIOManager(postgres=postgres)
        asset = dg.asset(lambda: frame, name="it", io_manager_key="tables")
        with pytest.raises(dg.Failure) as failed:
            dg.materialize([asset], resources={"tables": tables})
        return failed.value

    good, bad = pd.DataFrame({"x": [1]}), pd.DataFrame({"x": ["\0"]})
    assert not failure(lab.store.postgres, bad).allow_retries
    assert failure(PostgresResource(url="postgresql://u:p@127.0.0.1:1/d"), good).allow_retries
    assert not failure(PostgresResource(url="nonsense"), good).allow_retries
