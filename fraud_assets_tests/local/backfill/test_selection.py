"""Which assets are asked for, and what a backfill knows of them."""

from pathlib import Path

import dagster as dg
import pytest

from fraud_assets.local.backfill.lineage import Lineage
from fraud_assets.local.backfill.selection import select
from fraud_assets.local.errors import Refusal
from fraud_assets_tests.small_world import ALL_ASSETS, small_settings

CANDIDATES = {name for name in ALL_ASSETS if name.startswith("candidate_models/")}


@pytest.fixture(scope="module")
def defs(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        # The folder of the module before is still the current one, and may have settings.
        patch.chdir(home)
        patch.setenv("FRAUD_HOME", str(home))
        from fraud_assets.definitions import build_defs

        return build_defs(small_settings("postgresql://nobody@127.0.0.1:1/none", Path(home)))


@pytest.mark.parametrize(
    ("asked", "chosen", "brought"),
    [
        ([], set(ALL_ASSETS), set[str]()),
        (["labels"], {"labels"}, set()),
        (["rejected_rows"], {"raw_batch", "rejected_rows"}, {"raw_batch"}),
        (["candidate_models/*"], CANDIDATES, set()),
        (["candidate_models/random_forest", "labels"], {"candidate_models/random_forest", "labels"}, set()),
        (["+labels"], {"labels", "raw_batch", "rejected_rows"}, {"rejected_rows"}),
        (["scored_batch", "*"], set(ALL_ASSETS), set()),
    ],
)
def test_assets_are_found_and_what_their_step_makes_with_them_comes_along(
    defs: dg.Definitions, asked: list[str], chosen: set[str], brought: set[str]
) -> None:
    found = select(defs, Lineage.of(defs), asked)
    assert (set(found.assets), set(found.brought)) == (chosen, brought)


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ("raw_bacth", "raw_batch"),
        ("forest", "candidate_models/random_forest"),
        ("models/*", "did you mean candidate_models/"),
    ],
)
def test_what_is_no_asset_is_refused_with_the_nearest(defs: dg.Definitions, asked: str, near: str) -> None:
    with pytest.raises(Refusal, match=near):
        select(defs, Lineage.of(defs), [asked])


def test_what_is_made_in_ranges_and_what_a_day_needs(defs: dg.Definitions) -> None:
    lineage = Lineage.of(defs)
    assert lineage.in_ranges == {"raw_batch", "rejected_rows", "labels", "cleaned_features"}
    # Labels of a day are those of earlier batches, and models learn from earlier days.
    assert lineage.needs["labels"] == set()
    assert lineage.needs["cleaned_features"] == {"raw_batch"}
    assert lineage.needs["candidate_models/ensemble"] == set()
    assert lineage.needs["scored_batch"] == {"cleaned_features", "best_model"}
    lost = lineage.without({"raw_batch", "rejected_rows"})
    assert {"cleaned_features", "scored_batch"} <= lost
    assert not lost & {"labels", "best_model", "live_performance", *CANDIDATES}
