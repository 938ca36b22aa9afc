"""Every kind of partition that Dagster has: written and read by runs of one partition, and of a range."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from fraud_assets_tests.postgres.lab import SINGLE_RUN, Lab

ODD_KEYS = ["z|y", "a b", "it's", '"; DROP TABLE data.pieces; --', "ключ 🔑", "%s", "\\", "x" * 200, "A", "a"]
DAYS = dg.DailyPartitionsDefinition("2024-01-30", end_date="2024-02-03")
COLOURS = dg.StaticPartitionsDefinition(["red", "green", "dark blue"])


TWO_DAYS = dg.DailyPartitionsDefinition("2024-01-31", end_date="2024-02-02")


def _berlin(start: str, end: str) -> dg.HourlyPartitionsDefinition:
    return dg.HourlyPartitionsDefinition(start, end_date=end, timezone="Europe/Berlin")


KINDS: dict[str, dg.PartitionsDefinition[Any]] = {
    "static": dg.StaticPartitionsDefinition(ODD_KEYS),
    "hourly": _berlin("2024-05-01-21:00", "2024-05-02-01:00"),
    "the hour that is there twice": _berlin("2024-10-27-01:00", "2024-10-27-04:00"),
    "the hour that is missing": _berlin("2024-03-31-00:00", "2024-03-31-05:00"),
    "daily": dg.DailyPartitionsDefinition("2024-03-29", end_date="2024-04-02", timezone="Europe/Berlin"),
    "weekly": dg.WeeklyPartitionsDefinition("2024-01-07", end_date="2024-02-11"),
    "days as Americans write them": dg.DailyPartitionsDefinition("12/30/2023", end_date="01/03/2024", fmt="%m/%d/%Y"),
    "dynamic": dg.DynamicPartitionsDefinition(name="found"),
    "time first": dg.MultiPartitionsDefinition({"a time": TWO_DAYS, "colour": COLOURS}),
    "time last": dg.MultiPartitionsDefinition({"time": TWO_DAYS, "colour": COLOURS}),
    "no time": dg.MultiPartitionsDefinition({"shape": dg.StaticPartitionsDefinition(["o", "^"]), "colour": COLOURS}),
    "a dynamic dimension": dg.MultiPartitionsDefinition(
        {"who": dg.DynamicPartitionsDefinition(name="people"), "time": TWO_DAYS}
    ),
}


def _asset(
    name: str, partitions: dg.PartitionsDefinition[Any], **options: Any
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    made: Callable[[Callable[..., Any]], dg.AssetsDefinition] = dg.asset(
        name=name, partitions_def=partitions, io_manager_key="tables", backfill_policy=SINGLE_RUN, **options
    )
    return made


@pytest.fixture(params=KINDS)
def partitions(request: pytest.FixtureRequest, lab: Lab) -> dg.PartitionsDefinition[Any]:
    lab.instance.add_dynamic_partitions("found", ODD_KEYS[:4])
    lab.instance.add_dynamic_partitions("people", ["zoe", "Ada", "bo b"])
    return KINDS[request.param]


def test_partitions_are_written_and_read(lab: Lab, partitions: dg.PartitionsDefinition[Any]) -> None:
    keys = [str(key) for key in partitions.get_partition_keys(dynamic_partitions_store=lab.instance)]
    assert len(keys) > 3
    sizes = {key: size for size, key in enumerate(keys, 1)}

    @_asset("pieces", partitions)
    def pieces(context: dg.AssetExecutionContext) -> dict[str, pd.DataFrame]:
        return {str(key): pd.DataFrame({"key": [str(key)] * sizes[key]}) for key in context.partition_keys}

    @_asset("copies", partitions)
    def copies(context: dg.AssetExecutionContext, pieces: pa.Table) -> dict[str, pa.Table]:
        given.append(pc.unique(pieces["key"]).to_pylist())
        return {str(key): pieces.filter(pc.field("key") == str(key)) for key in context.partition_keys}

    given: list[list[str]] = []
    for asset in (pieces, copies):
        result = lab.run(asset, keys[1], others=[pieces][: asset is copies])
        assert [event.partition for event in result.get_asset_materialization_events()] == [keys[1]]
        result = lab.run(asset, keys[0], keys[-1], others=[pieces][: asset is copies])
        counts = {
            str(event.partition): event.materialization.metadata["dagster/row_count"].value
            for event in result.get_asset_materialization_events()
        }
        assert counts == sizes
    assert given == [[keys[1]], keys]
    for key in keys:
        assert lab.store.frame("copies", [key])["key"].tolist() == [key] * sizes[key]
        assert lab.seen("copies", key) == {f"pieces {key} {1 + (key == keys[1])}"}
    lab.store.check_consistent()


def test_a_reader_without_partitions_gets_them_in_the_order_of_the_definition(
    lab: Lab, partitions: dg.PartitionsDefinition[Any]
) -> None:
    keys = [str(key) for key in partitions.get_partition_keys(dynamic_partitions_store=lab.instance)]
    for key in (keys[3], keys[0], keys[2], "of an earlier definition"):
        lab.store.write("pieces", key, pd.DataFrame({"key": [key]}))

    @dg.asset
    def take(pieces: pa.Table) -> None:
        given.extend(pieces["key"].to_pylist())

    given: list[str] = []
    lab.run(take, others=[_asset("pieces", partitions)(lambda: None)])
    assert given == [keys[0], keys[2], keys[3]]
    defs = dg.Definitions([_asset("pieces", partitions)(lambda: None)], resources=lab.resources)
    for key in keys[2:4]:
        value = defs.load_asset_value("pieces", instance=lab.instance, python_type=pa.Table, partition_key=key)
        assert isinstance(value, pa.Table)
        assert value.to_pydict() == {"key": [key]}
    assert defs.load_asset_value("pieces", instance=lab.instance)["key"].tolist() == given  # type: ignore[index]


@pytest.mark.parametrize("time", ["time", "a time"])
def test_windows_of_two_dimensions_run_along_time(lab: Lab, time: str) -> None:
    partitions = dg.MultiPartitionsDefinition({time: DAYS, "colour": COLOURS})
    for stored in partitions.get_partition_keys():
        lab.store.write("pieces", str(stored), pd.DataFrame({"key": [str(stored)]}))

    @_asset("take", partitions, ins={"pieces": dg.AssetIn(metadata={"window": [-2, 0]})})
    def take(context: dg.AssetExecutionContext, pieces: pa.Table) -> dict[str, pa.Table]:
        given.append(sorted("|".join(sorted(key.split("|"))) for key in pieces["key"].to_pylist()))
        return {str(key): pieces for key in context.partition_keys}

    def at(day: str, colour: str) -> str:
        return str(dg.MultiPartitionKey({time: day, "colour": colour}))

    given: list[list[str]] = []
    source = _asset("pieces", partitions)(lambda: None)
    lab.run(take, at("2024-02-01", "red"), others=[source])
    lab.run(take, at("2024-01-31", "green"), at("2024-02-02", "dark blue"), others=[source])
    assert given[0] == ["2024-01-30|red", "2024-01-31|red", "2024-02-01|red"]
    days = ["2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02"]
    assert given[1] == [f"{day}|{colour}" for day in days for colour in ("dark blue", "green")]
    assert lab.seen("take", at("2024-02-01", "green")) == {f"pieces {at(day, 'green')} 1" for day in days[:3]}


def test_a_window_of_two_dimensions_without_a_time_is_refused(lab: Lab) -> None:
    partitions = KINDS["no time"]
    source = _asset("pieces", partitions)(lambda: None)
    take = _asset("take", partitions, ins={"pieces": dg.AssetIn(metadata={"window": [-1, 0]})})(lambda pieces: pieces)
    with pytest.raises(dg.Failure, match="exactly one dimension is time"):
        lab.run(take, "red|o", others=[source])


def test_one_dimension_of_two(lab: Lab) -> None:
    both = dg.MultiPartitionsDefinition({"time": DAYS, "colour": COLOURS})
    for both_keys in both.get_partition_keys():
        lab.store.write("pieces", str(both_keys), pd.DataFrame({"key": [str(both_keys)]}))
    given: dict[str, list[str]] = {}
    for name, own, key in (("by_day", DAYS, "2024-01-31"), ("by_colour", COLOURS, "dark blue")):

        @_asset(name, own, ins={"pieces": dg.AssetIn(partition_mapping=dg.MultiToSingleDimensionPartitionMapping())})
        def take(context: dg.AssetExecutionContext, pieces: pa.Table) -> pa.Table:
            given[context.asset_key.path[0]] = pieces["key"].to_pylist()
            return pieces

        lab.run(take, key, others=[_asset("pieces", both)(lambda: None)])
    assert given["by_day"] == [f"{colour}|2024-01-31" for colour in COLOURS.get_partition_keys()]
    assert given["by_colour"] == [f"dark blue|{day}" for day in DAYS.get_partition_keys()]

    @_asset("back", both, ins={"by_colour": dg.AssetIn(partition_mapping=dg.MultiToSingleDimensionPartitionMapping())})
    def back(by_colour: pa.Table) -> pa.Table:
        return by_colour

    lab.run(back, "dark blue|2024-01-31", others=[_asset("by_colour", COLOURS)(lambda: None)])
    assert lab.seen("back", "dark blue|2024-01-31") == {"by_colour dark blue 1"}
