"""The code location: what it consists of, for any settings, and what its UI may know."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from fraud_assets.assets.plan import Plan
from fraud_assets_tests.small_world import ALL_ASSETS, SMALL

HUSH = "hush-hush"


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
    assert {key.to_user_string() for key in graph.get_all_asset_keys()} == set(ALL_ASSETS)
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.owners, key
        assert node.kinds, key
        assert node.code_version, key
        assert isinstance(node.partitions_def, dg.DailyPartitionsDefinition)


def test_every_dependency_is_same_day(tmp_path: Path) -> None:
    """Anything else would make a backfill of N days another number of days of the assets upstream."""
    defs, _ = _built(tmp_path)
    graph = defs.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        for parent in graph.get(key).parent_keys:
            mapping = graph.get_partition_mapping(key, parent)
            assert isinstance(mapping, dg.TimeWindowPartitionMapping), (key, parent)
            assert (mapping.start_offset, mapping.end_offset) == (0, 0), (key, parent)


def test_the_schedule_is_off_until_it_is_switched_on(tmp_path: Path) -> None:
    defs, _ = _built(tmp_path)
    schedule = defs.resolve_schedule_def("daily_fraud_model")
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED


def test_no_secret_is_in_a_resource(tmp_path: Path) -> None:
    """The UI has a page with the configuration of each resource."""
    defs, _ = _built(tmp_path, database_url=f"postgresql://me:{HUSH}@host/fraud", signing_key=HUSH, pseudonym_key=HUSH)
    assert HUSH not in repr(defs.resources)


def test_a_changed_search_space_leaves_the_features_as_they_are(tmp_path: Path) -> None:
    before, after = (
        _built(tmp_path, learning={**SMALL["learning"], "configurations": count})[0].resolve_asset_graph()
        for count in (1, 2)
    )
    changed = {
        key.to_user_string()
        for key in before.get_all_asset_keys()
        if before.get(key).code_version != after.get(key).code_version
    }
    assert changed == {asset for asset in ALL_ASSETS if asset.startswith("candidate_models/")} | {"best_model"}


def test_sensitive_columns_need_no_first_day(tmp_path: Path) -> None:
    (tmp_path / "2024-05-01.parquet").touch()
    source = {"kind": "files", "folder": tmp_path, "columns": {"customer": "card", "sensitive": ["card"]}}
    _, plan = _built(tmp_path, source=source, pseudonym_key="a key")
    assert plan.partitions.start.date().isoformat() == "2024-05-01"
    assert plan.features.has_customer
