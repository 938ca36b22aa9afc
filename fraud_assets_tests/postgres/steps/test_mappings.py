"""Partition mappings, of an asset to itself too: which rows come, in which order, and what was seen."""

from typing import Any

import dagster as dg
import pandas as pd
import pytest

from fraud_assets_tests.postgres.lab import DAYS, Lab, day, days, reader

WEEKS = dg.WeeklyPartitionsDefinition("2024-03-03", end_date="2024-03-31")
LETTERS = dg.StaticPartitionsDefinition(["z", "b", "a", "m"])


def _given(lab: Lab, key: str = "") -> list[str]:
    """What a reader was given, each once, in order."""
    return list(dict.fromkeys(lab.store.frame("loaded", [key])["day"]))


def _source(partitions: dg.PartitionsDefinition[Any]) -> dg.AssetsDefinition:
    return dg.asset(lambda: None, name="days", partitions_def=partitions, io_manager_key="tables")


def _store(lab: Lab, *keys: str) -> None:
    for key in keys:
        lab.store.write("days", key, pd.DataFrame({"day": [key, key]}))


def test_all_partitions_are_those_that_exist(lab: Lab) -> None:
    _store(lab, day(9), day(2), day(30))
    lab.run(reader(mapping=dg.AllPartitionMapping()), day(5), others=[days])
    assert _given(lab, day(5)) == [day(2), day(9), day(30)]
    assert lab.seen("loaded", day(5)) == {f"days {key} 1" for key in (day(2), day(9), day(30))}


@pytest.mark.parametrize("partitions", [DAYS, None])
def test_the_last_partition(lab: Lab, partitions: dg.PartitionsDefinition[str] | None) -> None:
    _store(lab, day(29))
    asset, key = reader(mapping=dg.LastPartitionMapping(), partitions=partitions), day(5) if partitions else None
    with pytest.raises(dg.Failure, match=f"'{day(30)}' of days has never been stored"):
        lab.run(asset, key, others=[days])
    _store(lab, day(30))
    lab.run(asset, key, others=[days])
    assert _given(lab, key or "") == [day(30)]


@pytest.mark.parametrize("partitions", [DAYS, LETTERS, dg.DynamicPartitionsDefinition(name="letters"), None])
def test_a_list_with_holes_comes_in_the_order_of_the_definition(lab: Lab, partitions: Any) -> None:
    lab.instance.add_dynamic_partitions("letters", ["z", "b", "a", "m"])
    upstream = partitions or LETTERS
    keys = [day(7), day(20), day(21), day(3)] if partitions is DAYS else ["z", "b", "a", "m"]
    _store(lab, *keys)
    mapping = dg.SpecificPartitionsPartitionMapping([keys[3], keys[1], keys[0]])
    lab.run(reader(mapping=mapping, partitions=None), others=[_source(upstream)])
    assert _given(lab) == ([day(3), day(7), day(20)] if partitions is DAYS else ["z", "b", "m"])
    _store(lab, day(2), day(15))
    lab.run(reader(mapping=mapping, partitions=None, window=[-1, 0], missing="empty"), others=[_source(upstream)])
    assert _given(lab) == ([day(2), day(3), day(7), day(20)] if partitions is DAYS else ["z", "b", "a", "m"])


def test_a_static_mapping(lab: Lab) -> None:
    _store(lab, "z", "b", "m")
    ends = dg.StaticPartitionsDefinition(["ends", "middle"])
    mapping = dg.StaticPartitionMapping({"z": "ends", "m": "ends", "b": "middle", "a": "middle"})
    lab.run(reader(mapping=mapping, partitions=ends), "ends", others=[_source(LETTERS)])
    assert _given(lab, "ends") == ["z", "m"]
    with pytest.raises(dg.Failure, match="'a' of days has never been stored"):
        lab.run(reader(mapping=mapping, partitions=ends), "middle", others=[_source(LETTERS)])
    lab.run(reader(mapping=mapping, partitions=ends, missing="empty"), "middle", others=[_source(LETTERS)])
    assert _given(lab, "middle") == ["b"]


def test_a_day_from_its_week(lab: Lab) -> None:
    _store(lab, day(3), day(10))
    lab.run(reader(), day(12), others=[_source(WEEKS)])
    assert _given(lab, day(12)) == [day(10)]
    lab.run(reader(window=[-1, 0]), day(12), others=[_source(WEEKS)])
    assert _given(lab, day(12)) == [day(3), day(10)]
    lab.run(reader(), day(9), day(11), others=[_source(WEEKS)])
    assert _given(lab, day(10)) == [day(3), day(10)]


def _chain(**metadata: Any) -> dg.AssetsDefinition:
    before = dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1, allow_nonexistent_upstream_partitions=True)

    @dg.asset(
        partitions_def=DAYS,
        io_manager_key="tables",
        ins={"chain": dg.AssetIn(partition_mapping=before, metadata=metadata)},
    )
    def chain(context: dg.AssetExecutionContext, chain: pd.DataFrame) -> pd.DataFrame:
        earlier = list(chain["day"]) if len(chain) else []
        return pd.DataFrame({"day": [*earlier, context.partition_key]})

    return chain


def test_an_asset_that_needs_its_own_day_before(lab: Lab) -> None:
    for number in (1, 2, 3):
        lab.run(_chain(), day(number))
    assert lab.store.frame("chain", [day(3)])["day"].tolist() == [day(1), day(2), day(3)]
    assert lab.seen("chain", day(3)) == {f"chain {day(2)} 1"}
    assert lab.seen("chain", day(1)) == set()
    with pytest.raises(dg.Failure, match=f"'{day(4)}' of chain has never been stored"):
        lab.run(_chain(), day(5))
    lab.run(_chain(missing="empty"), day(5))
    assert lab.store.frame("chain", [day(5)])["day"].tolist() == [day(5)]
