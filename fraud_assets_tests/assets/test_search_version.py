"""What of a family, and of one run's wishes, decides whether candidates are up to date and what they are fitted on."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from fraud_assets.assets.candidate_models import SearchConfig, candidate_models_asset
from fraud_assets.assets.plan import Plan
from fraud_assets.learning import FAMILIES, SearchBudget
from fraud_assets.partitions import daily_partitions
from fraud_assets_tests.small_world import DAY, small_settings


def versions(plan: Plan) -> Iterable[str | None]:
    return set(candidate_models_asset(plan).code_versions_by_key.values())


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("random_forest", {"most_rows": 50_000}),
        ("gradient_boosting", {"is_slow": True}),
        ("support_vector_machine", {"configurations": FAMILIES["support_vector_machine"].configurations[:3]}),
    ],
)
def test_a_family_that_fits_other_rows_or_tries_other_parameters_is_another_version(
    family: str, changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = small_settings("postgresql://127.0.0.1/none", tmp_path)
    plan = Plan(settings, daily_partitions(date.fromisoformat(DAY), "UTC"))
    before = versions(plan)
    assert versions(plan) == before
    monkeypatch.setitem(FAMILIES, family, replace(FAMILIES[family], **changes))
    assert versions(plan) != before


def test_a_run_may_change_what_a_search_costs_and_not_what_is_fitted() -> None:
    """The refit of the winner and the champion's fit do not know of the run's wishes."""
    settings, numbers = SearchBudget(), dict.fromkeys(SearchConfig.model_fields, 77)
    budget = SearchConfig(**numbers).of(settings)
    assert (budget.configurations, budget.max_fits, budget.max_search_rows) == (77, 77, 77)
    assert budget.seed == settings.seed
    for family in FAMILIES:
        assert budget.rows_of_fit(family) == settings.rows_of_fit(family), family
