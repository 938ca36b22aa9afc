"""Jobs of several steps: in one process and in many, graphs and multi-assets, and outputs that are no asset's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from fraud_assets_tests.postgres import shops
from fraud_assets_tests.postgres.lab import DAYS, Lab, day
from fraud_assets_tests.postgres.material import SCHEMA, Store


def shop_job() -> dg.JobDefinition:
    return shops.defs.resolve_job_def("shop")


@pytest.fixture
def shop(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    for name, value in {"URL": store.url, "SCHEMA": SCHEMA, "TIMEOUT": "5", "VERSIONS": "1"}.items():
        monkeypatch.setenv(f"SHOP_{name}", value)
    return store


@pytest.mark.slow
def test_steps_in_processes_of_their_own(shop: Store, tmp_path: Path) -> None:
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        result = dg.execute_job(
            dg.reconstructable(shop_job),
            instance,
            run_config={"execution": {"config": {"multiprocess": {"max_concurrent": 1}}}},
            tags={"dagster/partition": day(3)},
        )
        assert result.success
    assert shop.frame("shop/sales", [day(3)])["total"].tolist() == [7.5]
    seen = shop.query("SELECT version_id, upstream_version_id FROM dagster_io.seen")
    assert len(seen) == 1


def test_the_same_steps_in_one_process(shop: Store) -> None:
    result = shop_job().execute_in_process(partition_key=day(3))
    assert result.success
    assert shop.frame("shop/sales", [day(3)])["total"].tolist() == [7.5]
    value = result.asset_value(["shop", "sales"])
    assert value["total"].to_pylist() == [7.5]


def test_a_multi_asset_and_a_subset_of_it(lab: Lab) -> None:
    @dg.multi_asset(
        specs=[
            dg.AssetSpec(name, metadata={"column_comments": {"x": name}}, skippable=True).with_io_manager_key("tables")
            for name in ("first", "second")
        ],
        partitions_def=DAYS,
        can_subset=True,
    )
    def both(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[pd.DataFrame]]:
        for key in sorted(context.selected_asset_keys):
            yield dg.MaterializeResult(asset_key=key, value=pd.DataFrame({"x": [len(key.path[0])]}), metadata={"a": 1})

    lab.run(both, day(1))
    assert lab.store.frame("first", [day(1)])["x"].tolist() == [5]
    assert lab.store.frame("second", [day(1)])["x"].tolist() == [6]
    assert lab.store.postgres.stored_facts("second", "a") == {day(1): 1}
    result = dg.materialize(
        [both], selection=["second"], instance=lab.instance, resources=lab.resources, partition_key=day(2)
    )
    (event,) = result.get_asset_materialization_events()
    (column,) = event.materialization.metadata["dagster/column_schema"].value.columns  # type: ignore[union-attr]
    assert column.description == "second"
    assert lab.store.postgres.stored_row_counts("first") == {day(1): 1}


@dg.op
def numbers() -> pd.DataFrame:
    return pd.DataFrame({"x": [1, 2]})


@dg.op(out=dg.Out(io_manager_key="tables"))
def doubled(given: pd.DataFrame) -> pd.DataFrame:
    return given * 2


@dg.graph_asset
def total() -> Any:
    return doubled(numbers())


def test_a_graph_asset_stores_its_last_output(lab: Lab) -> None:
    dg.materialize([total], instance=lab.instance, resources=lab.resources | {"io_manager": dg.mem_io_manager})
    assert lab.store.frame("total")["x"].tolist() == [2, 4]


def test_outputs_and_inputs_that_are_no_assets_are_named(lab: Lab) -> None:
    with pytest.raises(dg.Failure, match=r"^The output 'result' of the op 'numbers' is no asset's.*io_manager_key"):
        dg.materialize(
            [total], instance=lab.instance, resources=lab.resources | {"io_manager": lab.resources["tables"]}
        )

    @dg.job(resource_defs={"tables": lab.resources["tables"]})
    def plain() -> None:
        doubled(numbers())

    with pytest.raises(dg.Failure, match="The output 'result' of the op 'doubled' is no asset's"):
        plain.execute_in_process(instance=lab.instance)

    @dg.op(ins={"given": dg.In(input_manager_key="tables")})
    def taker(given: pd.DataFrame) -> None: ...

    @dg.job(resource_defs={"tables": lab.resources["tables"]})
    def taking() -> None:
        taker(numbers())

    with pytest.raises(dg.Failure, match="The input 'given' of the op 'taker' is no asset's"):
        taking.execute_in_process(instance=lab.instance)


def test_an_op_may_read_an_asset(lab: Lab) -> None:
    lab.run(dg.asset(lambda: pd.DataFrame({"x": [5]}), name="stored", io_manager_key="tables"))
    got: list[int] = []

    @dg.op
    def taker(given: pd.DataFrame) -> None:
        got.extend(given["x"])

    @dg.job(resource_defs={"tables": lab.resources["tables"]})
    def reading() -> None:
        taker(dg.AssetSpec("stored").with_io_manager_key("tables"))

    reading.execute_in_process(instance=lab.instance)
    assert got == [5]
