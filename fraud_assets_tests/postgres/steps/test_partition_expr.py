"""One frame for all partitions of a run, split by the column that its asset's `partition_expr` names."""

import tracemalloc
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from fraud_assets.postgres.steps.belonging import belonging
from fraud_assets.postgres.steps.splitting import split
from fraud_assets.postgres.values.frames import incoming
from fraud_assets_tests.postgres.lab import DAYS, SINGLE_RUN, Lab, day

SHUFFLED = pd.DataFrame(
    {
        "n": range(8),
        "at": pd.to_datetime([f"2024-03-0{d} 0{h}:30" for h, d in enumerate([3, 1, 3, 1, 4, 3, 4, 1])]),
        "small": pd.array([1, 2, None, 4, 5, 6, 7, 8], dtype="Int8"),
        "kind": pd.Categorical(["a", "b", "a", "b", "a", "b", "a", None]),
        "seldom": [None, "x", None, "y", None, None, None, None],
    }
)
GROUPED = SHUFFLED.sort_values("at", kind="stable", ignore_index=True)


def _stream(frame: pd.DataFrame, rows: int = 3) -> pa.RecordBatchReader:
    return pa.Table.from_pandas(frame).to_reader(max_chunksize=rows)


def _arrow(frame: pd.DataFrame) -> pa.Table:
    table = pa.Table.from_pandas(frame)
    return pa.concat_tables([table.slice(0, 3), table.slice(3)])


def _events(value: Callable[[], object], expression: object = "at", **options: Any) -> dg.AssetsDefinition:
    return dg.asset(
        lambda: value(),
        name="events",
        partitions_def=options.pop("partitions", DAYS),
        io_manager_key="tables",
        backfill_policy=SINGLE_RUN,
        metadata={"partition_expr": expression, **options},
    )


@pytest.mark.parametrize("layout", ["partitions", "rows"])
@pytest.mark.parametrize(
    "value",
    [
        lambda: SHUFFLED,
        lambda: GROUPED,
        lambda: _arrow(SHUFFLED),
        lambda: _arrow(GROUPED),
        lambda: _stream(GROUPED),
        lambda: _stream(GROUPED, 1),
    ],
)
def test_a_frame_is_split_into_the_runs_partitions(lab: Lab, value: Callable[[], object], layout: str) -> None:
    result = lab.run(_events(value, layout=layout), day(1), day(5))
    events = result.get_asset_materialization_events()
    assert [event.partition for event in events] == [day(n) for n in range(1, 6)]
    rows = [event.materialization.metadata["dagster/row_count"].value for event in events]
    assert rows == [3, 0, 3, 2, 0]
    for number in range(1, 6):
        stored = lab.store.frame("events", [day(number)])
        expected = SHUFFLED[SHUFFLED["at"].dt.day == number].reset_index(drop=True)
        expected["kind"] = expected["kind"].astype(pd.StringDtype(na_value=np.nan))
        stored["seldom"] = stored["seldom"].astype(object)
        expected["seldom"] = expected["seldom"].astype(object)
        pd.testing.assert_frame_equal(stored, expected, check_dtype=bool(len(expected)))


OUTSIDE = GROUPED.assign(at=GROUPED["at"] + pd.to_timedelta([0, 0, 0, 0, 0, 0, 0, 72], unit="h"))
UNKNOWN = GROUPED.assign(at=GROUPED["at"].where(GROUPED["n"] != 6))


@pytest.mark.parametrize("form", [lambda frame: frame, _arrow, _stream])
@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (
            OUTSIDE,
            r"'at' has '2024-03-07 06:30.*does not belong to the run's 5 partitions, '2024-03-01' to '2024-03-05'",
        ),
        (UNKNOWN, r"'at', which tells.*NULL in 1 rows of the run's 5 partitions"),
        (SHUFFLED.drop(columns="at"), r"column 'at', and the frame has none of that name but n, small, kind, seldom"),
    ],
)
def test_rows_that_belong_nowhere_are_refused(
    lab: Lab, frame: pd.DataFrame, says: str, form: Callable[[pd.DataFrame], object]
) -> None:
    lab.run(_events(lambda: GROUPED), day(1), day(5))
    before = lab.store.ledger(), lab.store.relations()
    with pytest.raises(dg.Failure, match=says) as failure:
        lab.run(_events(lambda: form(frame)), day(1), day(5))
    assert not failure.value.allow_retries
    assert (lab.store.ledger(), lab.store.relations()) == before


@pytest.mark.parametrize("form", [lambda frame: frame, _arrow, _stream])
def test_one_partition_is_checked_too(lab: Lab, form: Callable[[pd.DataFrame], object]) -> None:
    lab.run(_events(lambda: form(GROUPED[:3])), day(1))
    before = lab.store.ledger(), lab.store.relations()
    for frame, says in (
        (GROUPED, "'2024-03-03 00:30.*does not belong to the partition '2024-03-01'"),
        (
            GROUPED[:3].assign(at=UNKNOWN["at"][UNKNOWN["at"].isna()].iloc[[0] * 3].to_numpy()),
            "NULL in [13] rows of the partition '2024-03-01'",
        ),
    ):
        with pytest.raises(dg.Failure, match=says):
            lab.run(_events(lambda frame=frame: form(frame)), day(1))  # type: ignore[misc]
    assert (lab.store.ledger(), lab.store.relations()) == before
    assert lab.store.frame("events", [day(1)])["n"].tolist() == [1, 3, 7]


def test_a_stream_that_comes_back_to_a_partition_is_refused(lab: Lab) -> None:
    with pytest.raises(dg.Failure, match=r"comes back to the partition '2024-03-03'.*'at'; sort it"):
        lab.run(_events(lambda: _stream(SHUFFLED)), day(1), day(5))
    assert lab.store.relations() == set()


def test_a_stream_that_fails_stores_nothing_of_any_partition(lab: Lab) -> None:
    lab.run(_events(lambda: GROUPED), day(1), day(5))
    before = lab.store.ledger()

    def failing() -> pa.RecordBatchReader:
        def batches() -> Iterator[pa.RecordBatch]:
            yield from pa.Table.from_pandas(GROUPED).to_batches(max_chunksize=5)
            raise ZeroDivisionError

        return pa.RecordBatchReader.from_batches(pa.Schema.from_pandas(GROUPED), batches())

    with pytest.raises(ZeroDivisionError):
        lab.run(_events(failing), day(1), day(5))
    assert lab.store.ledger() == before


def test_streams_with_a_dictionary_in_each_batch(lab: Lab) -> None:
    batches = [
        pa.record_batch(
            {"d": pa.array([day(n)] * 2).dictionary_encode(), "c": pa.array([text, None]).dictionary_encode()}
        )
        for n, text in ((1, "x"), (3, "y"), (2, "z"))
    ]
    lab.run(_events(lambda: pa.RecordBatchReader.from_batches(batches[0].schema, batches), "d"), day(1), day(3))
    assert lab.store.table("events", [day(n) for n in (1, 2, 3)])["c"].to_pylist() == ["x", None, "z", None, "y", None]


def test_frames_by_partition_are_checked(lab: Lab) -> None:
    good = {day(1): GROUPED[:3], day(2): GROUPED[:0], day(3): _stream(GROUPED[3:6])}
    lab.run(_events(lambda: good), day(1), day(3))
    assert lab.store.frame("events", [day(3)])["n"].tolist() == [0, 2, 5]
    before = lab.store.ledger()
    for bad in (good | {day(2): GROUPED[2:3]}, good | {day(2): _arrow(GROUPED[:1])}):
        with pytest.raises(dg.Failure, match="does not belong to the partition '2024-03-02'"):
            lab.run(_events(lambda bad=bad: bad), day(1), day(3))  # type: ignore[misc]
    assert lab.store.ledger() == before
    with pytest.raises(dg.Failure, match="not the run's partitions"):
        lab.run(_events(lambda: {day(1): GROUPED[:3]}), day(1), day(2))


@pytest.mark.parametrize("form", [lambda frame: frame, _arrow])
def test_two_dimensions(lab: Lab, form: Callable[[pd.DataFrame], object]) -> None:
    both = dg.MultiPartitionsDefinition({"time": DAYS, "kind": dg.StaticPartitionsDefinition(["b", "a"])})
    frame = SHUFFLED[:7].assign(at=SHUFFLED["at"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"))
    expression = {"time": "at", "kind": "kind"}
    lab.run(_events(lambda: form(frame), expression, partitions=both), f"b|{day(1)}", f"a|{day(4)}")
    counts = lab.store.postgres.stored_row_counts("events")
    filled = {f"a|{day(3)}": 2, f"a|{day(4)}": 2, f"b|{day(1)}": 2, f"b|{day(3)}": 1}
    assert counts == {f"{kind}|{day(n)}": filled.get(f"{kind}|{day(n)}", 0) for kind in "ab" for n in range(1, 5)}


def test_dates_numbers_and_dynamic_keys(lab: Lab) -> None:
    lab.instance.add_dynamic_partitions("shops", ["10", "9", "a b"])
    dynamic = dg.DynamicPartitionsDefinition(name="shops")
    lab.run(_events(lambda: pa.table({"shop": [9, 10, 9]}), "shop", partitions=dynamic), "10", "9")
    assert lab.store.postgres.stored_row_counts("events") == {"10": 1, "9": 2}
    lab.store.run("DROP TABLE data.events; TRUNCATE dagster_io.tables, dagster_io.versions CASCADE")
    frame = pd.DataFrame({"on": [date(2024, 3, 2), date(2024, 3, 1)]})
    lab.run(_events(lambda: frame, "on"), day(1), day(2))
    assert lab.store.postgres.stored_row_counts("events") == {day(1): 1, day(2): 1}


def test_an_expression_for_no_column(lab: Lab) -> None:
    with pytest.raises(dg.Failure, match=r"partition_expr=\['at'\].*name of a column"):
        lab.run(_events(lambda: GROUPED, ["at"]), day(1), day(5))


@pytest.mark.parametrize("kind", ["pandas", "arrow"])
def test_splitting_copies_no_more_than_a_batch_at_a_time(kind: str) -> None:
    rows = 600_000
    keys = [day(n) for n in range(1, 13)]
    at = np.datetime64("2024-03-01", "us") + np.arange(rows) * 7_919 % 12 * np.timedelta64(1, "D")
    frame = pd.DataFrame({"at": at, "n": np.arange(rows)} | {f"x{i}": np.zeros(rows) for i in range(8)})
    size = int(frame.memory_usage().sum())
    value = frame if kind == "pandas" else pa.Table.from_pandas(frame)
    started = pa.total_allocated_bytes()
    most, seen = 0, 0
    tracemalloc.start()
    try:
        with split(value, keys, lambda keys: belonging("at", DAYS, keys)) as frame_of:
            for key in keys:
                last = -1
                for batch in incoming(frame_of(key)).batches:
                    numbers = batch["n"].to_numpy()
                    assert np.all(np.diff(numbers, prepend=last) > 0)
                    last = int(numbers[-1])
                    seen += batch.num_rows
                    most = max(most, pa.total_allocated_bytes() - started)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert seen == rows
    assert most + peak < 0.75 * size
