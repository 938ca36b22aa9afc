"""The code location: what it consists of, for any settings, and what its UI may know."""

import warnings
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph
from dagster._core.definitions.freshness import CronFreshnessPolicy
from dagster._core.execution.asset_backfill import AssetBackfillData
from dagster._utils.schedules import get_latest_completed_cron_tick, get_next_cron_tick

from fraud_assets.assets.plan import Plan
from fraud_assets_tests.small_world import ALL_ASSETS, EXTERNAL, NOT_LEARNED, SMALL

HUSH = "hush-hush"
SENSORS = ("failure_alerts", "quiet_labels", "landing_folder")


def _built(home: Path, **changes: Any) -> tuple[dg.Definitions, Plan]:
    from fraud_assets.definitions import build_defs, build_plan
    from fraud_assets.settings import Settings

    settings = Settings.model_validate({"home": home, **SMALL, **changes})
    return build_defs(settings), build_plan(settings)


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FRAUD_HOME", str(tmp_path / "home"))


def test_every_asset_says_what_it_is_who_owns_it_and_which_code_made_it(tmp_path: Path) -> None:
    defs, _ = _built(tmp_path)
    graph = defs.resolve_asset_graph()
    assert {key.to_user_string() for key in graph.get_all_asset_keys()} == {*ALL_ASSETS, *EXTERNAL}
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.owners, key
        assert node.kinds, key
    assert {key.to_user_string() for key in graph.materializable_asset_keys} == set(ALL_ASSETS)
    for key in graph.materializable_asset_keys:
        node = graph.get(key)
        assert node.code_version, key
        assert isinstance(node.partitions_def, dg.DailyPartitionsDefinition)


def test_every_asset_is_expected_each_day_and_none_before_the_schedule_has_made_it(tmp_path: Path) -> None:
    """Whatever the schedule's hour, and also when clocks change: made at its tick, the day is there in time.

    Before its tick nothing of it is, and an asset that was last made the day before is late once the deadline is over.
    """
    zone = ZoneInfo("Europe/Berlin")
    for hour in (0, 1, 6, 17, 18, 23):
        defs, _ = _built(tmp_path, timezone=zone.key, schedule={"hour": hour})
        graph = defs.resolve_asset_graph()
        policies = {graph.get(key).freshness_policy for key in graph.materializable_asset_keys}
        assert len(policies) == 1
        (policy,) = policies
        assert isinstance(policy, CronFreshnessPolicy)
        assert policy.timezone == zone.key
        # Clocks have gone forward, back, and not at all.
        for day in (date(2026, 3, 29), date(2026, 10, 25), date(2026, 7, 1)):
            tick = datetime.combine(day, time(hour), tzinfo=zone).timestamp()
            before, deadline = (
                find(policy.deadline_cron, datetime.fromtimestamp(tick, tz=zone), zone.key).timestamp()
                for find in (get_latest_completed_cron_tick, get_next_cron_tick)
            )
            begins = deadline - policy.lower_bound_delta.total_seconds()
            assert begins <= tick, (hour, day)
            assert deadline - tick >= 3600 * 5, (hour, day)
            assert before - begins < 3600 * 1.5, (hour, day, "what was made for the deadline before does not count")


def test_every_dependency_is_same_day(tmp_path: Path) -> None:
    """Anything else would make a backfill of N days another number of days of the assets upstream."""
    defs, _ = _built(tmp_path)
    graph = defs.resolve_asset_graph()
    for key in graph.materializable_asset_keys:
        for parent in graph.get(key).parent_keys & graph.materializable_asset_keys:
            mapping = graph.get_partition_mapping(key, parent)
            assert isinstance(mapping, dg.TimeWindowPartitionMapping), (key, parent)
            assert (mapping.start_offset, mapping.end_offset) == (0, 0), (key, parent)


def test_a_backfill_can_be_planned_in_whatever_order_dagster_walks(tmp_path: Path) -> None:
    """Of everything, and of what follows an asset. Dagster walks sets, whose order differs between processes.

    It refuses a backfill in which two outputs of a step are reached by different ways, even for the same days, and its
    UI then says "Launching..." for ever: outputs of one step have no inputs, or can be had one by one.
    """
    defs, _ = _built(tmp_path)
    graph, instance = defs.resolve_asset_graph(), dg.DagsterInstance.ephemeral()
    children = {asset: sorted(graph.get(asset).child_keys, key=str) for asset in graph.get_all_asset_keys()}
    first = dg.AssetSelection.assets("raw_batch", "rejected_rows")
    others = graph.materializable_asset_keys - first.resolve(graph)
    starts = [first, *(dg.AssetSelection.assets(asset) for asset in others)]
    selections = [sorted(start.downstream().resolve(graph), key=str) for start in starts]
    for seed in range(10):
        for asset, found in children.items():
            shuffled = Random(f"{seed} {asset}").sample(found, len(found))
            graph.get(asset).child_keys = shuffled  # type: ignore[assignment]
        for selected in selections:
            days = _planned(graph, selected, instance)
            assert days.keys() == set(selected)
            for asset in selected:
                for neighbour in graph.get(asset).execution_set_asset_keys:
                    assert not days[asset] != days[neighbour], (seed, asset, neighbour)  # noqa: SIM202  Dagster's own !=


def _planned(
    graph: BaseAssetGraph[Any], selected: list[dg.AssetKey], instance: dg.DagsterInstance
) -> Mapping[dg.AssetKey, object]:
    """The days of each asset that Dagster plans for a backfill of two days."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Dagster's own code
        planned = AssetBackfillData.from_asset_partitions(
            asset_graph=graph,
            partition_names=["2026-01-02", "2026-01-03"],
            asset_selection=selected,
            dynamic_partitions_store=instance,
            all_partitions=False,
            backfill_start_timestamp=datetime(2026, 1, 9, tzinfo=UTC).timestamp(),
        )
    return planned.target_subset.partitions_subsets_by_asset_key


def test_a_run_of_everything_leaves_alone_what_is_made_elsewhere(tmp_path: Path) -> None:
    defs, _ = _built(tmp_path)
    made = defs.resolve_job_def("daily_fraud_model").asset_layer.executable_asset_keys
    assert {key.to_user_string() for key in made} == set(ALL_ASSETS)


@pytest.mark.parametrize("name", ["daily_fraud_model", "housekeeping"])
def test_a_schedule_is_off_until_it_is_switched_on(tmp_path: Path, name: str) -> None:
    defs, _ = _built(tmp_path)
    assert defs.resolve_schedule_def(name).default_status is dg.DefaultScheduleStatus.STOPPED


def test_what_launches_nothing_is_on_and_what_launches_is_off(tmp_path: Path) -> None:
    (tmp_path / "2024-05-01.parquet").touch()
    defs, _ = _built(tmp_path, source={"kind": "files", "folder": tmp_path})
    running = {name: defs.resolve_sensor_def(name).default_status.value for name in SENSORS}
    assert running == {"failure_alerts": "RUNNING", "quiet_labels": "RUNNING", "landing_folder": "STOPPED"}


def test_no_secret_is_in_a_resource(tmp_path: Path) -> None:
    """The UI has a page with the configuration of each resource."""
    defs, _ = _built(tmp_path, database_url=f"postgresql://me:{HUSH}@host/fraud", signing_key=HUSH, pseudonym_key=HUSH)
    assert HUSH not in repr(defs.resources)


def test_a_changed_search_space_is_another_version_of_all_that_is_learned(tmp_path: Path) -> None:
    before, after = (
        _built(tmp_path, learning={**SMALL["learning"], "configurations": count})[0].resolve_asset_graph()
        for count in (1, 2)
    )
    changed = {
        key.to_user_string()
        for key in before.get_all_asset_keys()
        if before.get(key).code_version != after.get(key).code_version
    }
    assert changed == set(ALL_ASSETS) - NOT_LEARNED


def test_sensitive_columns_need_no_first_day(tmp_path: Path) -> None:
    (tmp_path / "2024-05-01.parquet").touch()
    source = {"kind": "files", "folder": tmp_path, "columns": {"customer": "card", "sensitive": ["card"]}}
    _, plan = _built(tmp_path, source=source, pseudonym_key="a key")
    assert plan.partitions.start.date().isoformat() == "2024-05-01"
    assert plan.features.has_customer
