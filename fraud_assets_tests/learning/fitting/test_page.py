"""docs/candidates.md says what the code does."""

import re

import pytest

from fraud_assets.learning import FAMILIES, SearchBudget
from fraud_assets.learning.fitting.ensemble import MOST_PICKS
from fraud_assets.learning.fitting.splits import INNER_FOLDS
from fraud_assets.settings import LearningSettings
from fraud_assets_tests.learning.fitting.listing import PAGE, listed_in, listing


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_every_configuration_is_listed_as_it_is(page: str) -> None:
    assert listed_in(page) == listing(), f"write it anew: python -m {listing.__module__}"
    assert len(re.findall(r"^\| \d+ \|", listing(), re.MULTILINE)) == sum(
        len(f.configurations) for f in FAMILIES.values()
    )


def test_the_numbers_in_its_text_are_the_codes(page: str) -> None:
    rounds = SearchBudget().rounds(INNER_FOLDS)
    fits = len(FAMILIES) * (rounds.fits + 1)
    text = " ".join(page.split())
    for sentence in (
        f"{rounds.first} configurations of each family are tried on the newest fold",
        f"The best {rounds.second} go on to the other {INNER_FOLDS - 1} folds",
        f"makes {fits} fits on a day with a search",
        f"`learning.max_fits` ({LearningSettings().max_fits})",
        f"`learning.search_every_days` ({LearningSettings().search_every_days})",
        f"`learning.configurations` ({LearningSettings().configurations})",
        f"{MOST_PICKS} picks",
        "of a day's candidates in all",
        "On top come the refit of the winner and, where the champion's recipe is no candidate's, its fit",
    ):
        assert sentence in text, sentence


def test_the_settings_defaults_are_the_budgets() -> None:
    learning, budget = LearningSettings(), SearchBudget()
    for name in ("configurations", "max_fits", "max_search_rows", "max_slow_rows", "seed"):
        assert getattr(learning, name) == getattr(budget, name), name
