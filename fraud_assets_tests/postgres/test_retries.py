"""What a step may try again, and what it remembers of the time before."""

from collections.abc import Iterator

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest

from fraud_assets.postgres import PostgresResource, PostgresTableIOManager
from fraud_assets_tests.postgres.lab import DAYS, Lab, day, days

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
