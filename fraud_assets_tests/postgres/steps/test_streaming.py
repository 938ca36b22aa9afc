"""Frames larger than memory: batches of Arrow in and out of assets, and what holds on to the database meanwhile."""

import gc
from collections.abc import Callable, Iterator

import dagster as dg
import pyarrow as pa
import pytest

from fraud_assets_tests.postgres.lab import DAYS, Lab, day

SCHEMA = pa.schema({"x": pa.int64(), "text": pa.string()})


def _batches(count: int = 4) -> Iterator[pa.RecordBatch]:
    for start in range(count):
        yield pa.record_batch({"x": [start, start], "text": ["a", None]}, schema=SCHEMA)


def _sessions(lab: Lab) -> int:
    """How many others are connected to the database."""
    found = lab.store.query(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND backend_type = 'client backend'"
    )
    return int(found[0][0])


class _Exporter:
    """What any library's frame looks like that speaks Arrow."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return pa.Table.from_batches(_batches()).__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize(
    "value",
    [
        lambda: pa.RecordBatchReader.from_batches(SCHEMA, _batches()),
        _batches,
        lambda: list(_batches()),
        lambda: pa.Table.from_batches(_batches()).combine_chunks().to_batches()[0],
        _Exporter,
    ],
)
def test_forms_of_arrow_that_an_asset_may_return(lab: Lab, value: Callable[[], object]) -> None:
    lab.run(dg.asset(lambda: dg.Output(value()), name="numbers", io_manager_key="tables"))
    assert lab.store.table("numbers").to_pydict() == pa.Table.from_batches(_batches()).to_pydict()


def test_no_batches_have_no_columns_and_say_so(lab: Lab) -> None:
    asset = dg.asset(lambda: dg.Output(iter(())), name="numbers", io_manager_key="tables")
    with pytest.raises(dg.Failure, match=r"no batch at all.*RecordBatchReader\.from_batches"):
        lab.run(asset)
    empty = dg.asset(
        lambda: pa.RecordBatchReader.from_batches(SCHEMA, iter(())), name="numbers", io_manager_key="tables"
    )
    lab.run(empty)
    assert lab.store.table("numbers").schema.names == ["x", "text"]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "returned None, which is no table; return a DataFrame"),
        ({"x": [1]}, "has no partitions, and returned a dict; return one frame"),
        *((value, "takes a pandas DataFrame.*not") for value in (3, [3], (), "text")),
    ],
)
def test_what_is_no_frame(lab: Lab, value: object, says: str) -> None:
    asset = dg.asset(lambda: dg.Output(value), name="numbers", io_manager_key="tables")
    with pytest.raises(dg.Failure, match=says) as failure:
        lab.run(asset)
    assert not failure.value.allow_retries


def test_a_stream_goes_through_an_asset(lab: Lab) -> None:
    @dg.asset(partitions_def=DAYS, io_manager_key="tables")
    def numbers() -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(SCHEMA, _batches())

    @dg.asset(partitions_def=DAYS, io_manager_key="tables")
    def doubled(numbers: pa.RecordBatchReader) -> pa.RecordBatchReader:
        def batches() -> Iterator[pa.RecordBatch]:
            for batch in numbers:
                held.append(_sessions(lab))
                yield batch.set_column(0, "x", pa.compute.multiply(batch["x"], 2))

        return pa.RecordBatchReader.from_batches(numbers.schema, batches())

    held: list[int] = []
    lab.run(numbers, day(1))
    lab.run(doubled, day(1), others=[numbers])
    assert lab.store.table("doubled")["x"].to_pylist() == [0, 0, 2, 2, 4, 4, 6, 6]
    assert lab.seen("doubled", day(1)) == {f"numbers {day(1)} 1"}
    assert max(held) == 2
    assert _sessions(lab) == 0


@pytest.mark.parametrize("use", ["nothing", "one batch", "failure"])
def test_a_stream_that_is_not_used_up_lets_go(lab: Lab, use: str) -> None:
    @dg.asset(io_manager_key="tables")
    def numbers() -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(SCHEMA, _batches())

    @dg.asset
    def taker(numbers: pa.RecordBatchReader) -> None:
        if use != "nothing":
            numbers.read_next_batch()
        if use == "failure":
            raise ZeroDivisionError

    lab.run(numbers)
    if use == "failure":
        with pytest.raises(ZeroDivisionError):
            lab.run(taker, others=[numbers])
    else:
        lab.run(taker, others=[numbers])
    gc.collect()  # A failure's traceback holds what the asset was given.
    assert _sessions(lab) == 0
    lab.run(numbers)
    lab.store.check_consistent()


def test_a_generator_that_fails_leaves_the_version_before(lab: Lab) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield from _batches()
        if fails:
            raise ZeroDivisionError

    @dg.asset(io_manager_key="tables")
    def numbers() -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(SCHEMA, batches())

    fails: list[bool] = []
    lab.run(numbers)
    fails.append(True)
    before = lab.store.ledger(), lab.store.relations()
    with pytest.raises(ZeroDivisionError):
        lab.run(numbers)
    assert (lab.store.ledger(), lab.store.relations()) == before
    assert lab.store.table("numbers").num_rows == 8
    assert _sessions(lab) == 0
