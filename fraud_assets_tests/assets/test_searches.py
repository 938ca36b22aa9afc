"""A search serves the days after it, says so, and serves no day before it, also when days come in another order."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from fraud_assets.learning import SearchResult
from fraud_assets.local.embedded import EmbeddedServer
from fraud_assets.partitions import shifted
from fraud_assets_tests.small_world import DAY, World, fresh_database, small_settings, world

FAMILIES = ("logistic_regression",)
LEARNING = {"configurations": 1, "jobs": 1, "alerts_per_day": 10, "search_every_days": 3}


def day(offset: int) -> str:
    return shifted(DAY, offset).isoformat()


def fit(made: World, offset: int, **config: Any) -> dict[str, Any]:
    """A family of a day, fitted in a run of its own."""
    job = made.defs.resolve_implicit_global_asset_job_def()
    selection = [dg.AssetKey(["candidate_models", family]) for family in FAMILIES]
    with made.environment():
        job.get_subset(asset_selection=set(selection)).execute_in_process(
            instance=made.instance,
            partition_key=day(offset),
            run_config={"ops": {"candidate_models": {"config": config}}},
        )
    return {family: made.model(f"candidate_models/{family}", day(offset)) for family in FAMILIES}


def content(made: World, offset: int) -> list[str]:
    return [made.versions(f"candidate_models/{family}", day(offset))[0].content_hash for family in FAMILIES]


@pytest.fixture(scope="module")
def made(postgres_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The history of the days from DAY - 3 to DAY + 3, and the candidates of DAY."""
    home = tmp_path_factory.mktemp("home")
    with fresh_database(postgres_server) as url, world(small_settings(url, home, learning=LEARNING)) as made:
        for offset in (-3, 3):
            made.bring_history(day(offset))
        fit(made, 0)
        yield made


def test_the_days_after_a_search_only_fit_until_it_is_too_old(made: World) -> None:
    first = {family: made.model(f"candidate_models/{family}") for family in FAMILIES}
    for offset in (1, 2):
        for family, candidate in fit(made, offset).items():
            assert (candidate.searched_on, candidate.fits, candidate.search) == (DAY, 1, [])
            assert candidate.recipe.parameters == first[family].recipe.parameters
            assert (candidate.threshold, candidate.calibrator) == (first[family].threshold, first[family].calibrator)
            assert candidate.trained_until > first[family].trained_until
    for candidate in fit(made, 3).values():
        assert (candidate.searched_on, len(candidate.search)) == (day(3), 1)


def test_a_day_before_a_search_does_not_use_it(made: World) -> None:
    for candidate in fit(made, -3).values():
        assert (candidate.searched_on, len(candidate.search)) == (day(-3), 1)


def test_a_day_computed_again_has_the_same_content(made: World) -> None:
    """DAY - 3 has been searched meanwhile, and is too old for DAY; what came later is not looked at."""
    fit(made, 1)
    before = content(made, 0), content(made, 1)
    fit(made, 0)
    fit(made, 1)
    assert (content(made, 0), content(made, 1)) == before


def test_another_budget_or_a_wish_makes_a_day_search(made: World) -> None:
    for config in ({"search_every_days": 1}, {"max_fits": 30}):
        candidates = fit(made, 2, **config)
        assert {candidate.searched_on for candidate in candidates.values()} == {day(2)}


def test_the_metadata_says_what_was_searched_when(made: World) -> None:
    fit(made, 2)
    for offset, shown in ((0, True), (2, False)):
        version = made.versions("candidate_models/logistic_regression", day(offset))[0]
        candidate = made.model("candidate_models/logistic_regression", day(offset))
        assert version.facts["searched_on"] == DAY
        assert version.facts["fits"] == candidate.fits == (4 if shown else 1)
        stored = SearchResult.from_text(version.facts["search_result"])
        assert (stored.parameters, stored.threshold) == (candidate.result.parameters, candidate.threshold)
        event = made.instance.fetch_materializations(
            dg.AssetRecordsFilter(
                asset_key=dg.AssetKey(["candidate_models", "logistic_regression"]), asset_partitions=[day(offset)]
            ),
            limit=1,
        ).records[0]
        assert event.asset_materialization is not None
        metadata = event.asset_materialization.metadata
        assert ("search" in metadata) == ("folds" in metadata) == shown
        if shown:
            table = metadata["search"]
            assert isinstance(table, dg.TableMetadataValue)
            assert [column.name for column in table.schema.columns] == [
                "parameters",
                "average_precision",
                "fold_1",
                "fold_2",
                "fold_3",
                "failure",
            ]
            assert len(table.records) == 1
