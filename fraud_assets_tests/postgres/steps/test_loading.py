"""Which partitions are loaded for whom, and what the ledger says that they have seen."""

from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest

from fraud_assets_tests.postgres.lab import DAYS, Lab, day, days, reader

pytestmark = [
    pytest.mark.filterwarnings("ignore::dagster.BetaWarning"),
    pytest.mark.filterwarnings("ignore::dagster.PreviewWarning"),
]


def _given(lab: Lab, key: str = "") -> list[int]:
    """The days that a reader was given, each once, in order."""
    found = lab.store.frame("loaded", [key])["day"]
    return [int(day[-2:]) for day in dict.fromkeys(found)]


@pytest.mark.parametrize("annotation", [pd.DataFrame, pa.Table, pa.RecordBatchReader, Any])
def test_each_reader_gets_what_it_asks_for(lab: Lab, annotation: Any) -> None:
    got: list[object] = []

    def taker(days: Any) -> None:
        got.append(days.read_all() if isinstance(days, pa.RecordBatchReader) else days)
        got.append(type(days))

    taker.__annotations__["days"] = annotation
    lab.run(days, day(2))
    lab.run(dg.asset(taker, partitions_def=DAYS), day(2), others=[days])
    frame, kind = got
    assert kind is (pd.DataFrame if annotation is Any else annotation)
    assert len(frame) == 2  # type: ignore[arg-type]


def test_a_window_brings_what_exists_of_the_days_before(lab: Lab) -> None:
    asset = reader(window=[-3, 0])
    for number in (1, 4, 5):
        lab.run(days, day(number))
    lab.run(asset, day(5), others=[days])
    assert _given(lab, day(5)) == [4, 5]
    assert lab.seen("loaded", day(5)) == {f"days {day(4)} 1", f"days {day(5)} 1"}


@pytest.mark.parametrize("annotation", [pd.DataFrame, pa.RecordBatchReader])
def test_the_day_itself_is_required(lab: Lab, annotation: Any) -> None:
    for number in (4, 6):
        lab.run(days, day(number))
    asked: list[dict[str, Any]] = [{"window": [-3, 0]}, {}]
    for metadata in asked:
        with pytest.raises(dg.Failure, match=f"'{day(5)}' of days has never been stored") as failure:
            lab.run(reader(annotation, **metadata), day(5), others=[days])
        assert not failure.value.allow_retries


def test_the_day_itself_may_be_missing_where_it_is_said(lab: Lab) -> None:
    for metadata in ({"missing": "empty"}, {"missing": "empty", "columns": ["day"]}):
        lab.run(reader(**metadata), day(5), others=[days])
        assert _given(lab, day(5)) == []
    lab.run(days, day(4))
    lab.run(reader(missing="empty", window=[-1, 0]), day(5), others=[days])
    assert _given(lab, day(5)) == [4]
    lab.run(reader(missing="empty"), day(6), others=[days])
    assert _given(lab, day(6)) == []


def test_a_window_that_leaves_the_day_out(lab: Lab) -> None:
    lab.run(days, day(2), day(6))
    lab.run(reader(window=[-3, -2]), day(6), others=[days])
    assert _given(lab, day(6)) == [3, 4]
    assert lab.seen("loaded", day(6)) == {f"days {day(3)} 1", f"days {day(4)} 1"}
    lab.run(reader(window=[-30, -20]), day(6), others=[days])
    assert _given(lab, day(6)) == []
    lab.run(reader(window=[1, 40]), day(4), others=[days])
    assert _given(lab, day(4)) == [5, 6]


def test_a_range_run_loads_once_and_records_each_days_own_window(lab: Lab) -> None:
    lab.run(days, day(1), day(8))
    lab.run(days, day(4))
    lab.run(reader(window=[-2, -1]), day(4), day(6), others=[days])
    assert _given(lab, day(4)) == [2, 3, 4, 5]
    assert lab.seen("loaded", day(4)) == {f"days {day(2)} 1", f"days {day(3)} 1"}
    assert lab.seen("loaded", day(5)) == {f"days {day(3)} 1", f"days {day(4)} 2"}
    assert lab.seen("loaded", day(6)) == {f"days {day(4)} 2", f"days {day(5)} 1"}


def test_a_range_run_without_a_window_records_each_days_own(lab: Lab) -> None:
    lab.run(days, day(1), day(3))
    lab.run(reader(), day(1), day(3), others=[days])
    assert _given(lab, day(1)) == [1, 2, 3]
    assert [lab.seen("loaded", day(n)) for n in (1, 2, 3)] == [{f"days {day(n)} 1"} for n in (1, 2, 3)]


def test_a_missing_day_of_a_range_is_named(lab: Lab) -> None:
    lab.run(days, day(1), day(3))
    with pytest.raises(dg.Failure, match=f"'{day(4)}' and 1 more of days"):
        lab.run(reader(), day(1), day(5), others=[days])


@pytest.mark.parametrize("in_a_partitioned_run", [True, False])
def test_a_reader_without_partitions_gets_those_that_exist(lab: Lab, in_a_partitioned_run: bool) -> None:
    for number in (5, 2):
        lab.run(days, day(number))
    asset = reader(partitions=None)
    if in_a_partitioned_run:
        dg.materialize([days, asset], instance=lab.instance, resources=lab.resources, partition_key=day(9))
    else:
        lab.run(asset, others=[days])
    assert _given(lab) == ([2, 5, 9] if in_a_partitioned_run else [2, 5])


def test_assets_without_partitions(lab: Lab) -> None:
    @dg.asset(io_manager_key="tables")
    def days_() -> pd.DataFrame:
        return pd.DataFrame({"day": [day(7)]})

    days_ = days_.with_attributes(asset_key_replacements={dg.AssetKey("days_"): dg.AssetKey("days")})
    asset = reader(partitions=None)
    with pytest.raises(dg.Failure, match=r"^days has never been stored"):
        lab.run(asset, others=[days_])
    lab.run(days_)
    lab.run(asset, others=[days_])
    assert _given(lab) == [7]


def test_other_mappings(lab: Lab) -> None:
    lab.run(days, day(1), day(20))
    offset = reader(mapping=dg.TimeWindowPartitionMapping(start_offset=-2, end_offset=-1))
    lab.run(offset, day(5), others=[days])
    assert _given(lab, day(5)) == [3, 4]
    weekly = reader(partitions=dg.WeeklyPartitionsDefinition("2024-03-03", end_date="2024-03-31"))
    lab.store.run("DROP TABLE data.loaded; DELETE FROM dagster_io.tables WHERE asset_key = 'loaded'")
    lab.run(weekly, day(10), others=[days])
    assert _given(lab, day(10)) == [10, 11, 12, 13, 14, 15, 16]
    # Which of the days belongs to which week is not known here, so both weeks count as made from all of them.
    lab.run(weekly, day(3), day(10), others=[days])
    assert len(lab.seen("loaded", day(3))) == 14


def test_static_and_dynamic_partitions_have_windows_too(lab: Lab) -> None:
    lab.instance.add_dynamic_partitions("letters", ["c", "a", "b"])
    for partitions in (dg.StaticPartitionsDefinition(["c", "a", "b"]), dg.DynamicPartitionsDefinition(name="letters")):
        name = type(partitions).__name__.lower()

        @dg.asset(name=name, partitions_def=partitions, io_manager_key="tables")
        def letter(context: dg.AssetExecutionContext) -> pd.DataFrame:
            return pd.DataFrame({"letter": [context.partition_key]})

        got: list[str] = []

        @dg.asset(name=f"take_{name}", partitions_def=partitions, ins={name: dg.AssetIn(metadata={"window": [-1, 0]})})
        def take(got: dg.ResourceParam[list[str]], **frames: pd.DataFrame) -> None:
            got.extend(frame["letter"].tolist()[0] + frame["letter"].tolist()[-1] for frame in frames.values())

        for key in "cab":
            lab.run(letter, key)
            dg.materialize(
                [letter, take], selection=[take], instance=lab.instance, partition_key=key,
                resources=lab.resources | {"got": dg.ResourceDefinition.hardcoded_resource(got)},
            )  # fmt: skip
        assert got == ["cc", "ca", "ab"]


@pytest.mark.parametrize("window", [[0], [1, 0], ["-1", 0], 3, [-1.5, 0]])
def test_windows_that_are_none(lab: Lab, window: Any) -> None:
    with pytest.raises(dg.Failure, match=r"such as \[-37, 0\]"):
        lab.run(reader(window=window), day(5), others=[days])
