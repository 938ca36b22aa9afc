"""Recipes, champions, overrides and contests for the tests of this room, each in a line."""

from collections.abc import Mapping, Sequence

import pandas as pd

from fraud_assets.learning import (
    Champion,
    Contest,
    Decision,
    InCharge,
    Override,
    OverrideKind,
    Recipe,
    Rules,
    TunedRecipe,
    decide,
    in_charge,
)
from fraud_assets.learning.fitting.calibration import Calibrator

DAY = "2026-03-15"
RULES = Rules(margin=0.005, max_age_days=90)
CHAMPION_DAYS = 28
DAYS = pd.date_range("2026-02-01", periods=28).strftime("%Y-%m-%d").tolist()


def tuned(family: str = "random_forest", **parameters: float) -> TunedRecipe:
    recipe = Recipe(family, parameters or {"C": 1.0}, ("amount", "channel"), ("channel",))
    return TunedRecipe(recipe, 0.25, Calibrator(1.5, -0.5), "2026-03-08")


def champion(
    family: str = "random_forest",
    *,
    day: str = "2026-03-14",
    since: str = "2026-03-01",
    last_override: int | None = None,
) -> Champion:
    return Champion(tuned(family), day, "a hash", since, last_override)


def override(number: int, kind: OverrideKind, from_day: str, family: str = "gradient_boosting") -> Override:
    recipe = None if kind is OverrideKind.UNPIN else tuned(family)
    day = None if recipe is None else "2026-03-02"
    return Override(number, kind, day, from_day, recipe, "ada", "2026-03-14T09:00:00+00:00", "it said so")


def contest(
    scores: Mapping[str, float | None],
    daily: Mapping[str, Sequence[float | None]] | None = None,
    *,
    scored_as: str | None = None,
    failure: str | None = None,
    roc_auc: Mapping[str, float] | None = None,
    day: str = DAY,
) -> Contest:
    """Scorers with their average precisions over all days, and day by day from 2026-02-01 on."""
    measured = [
        (name, value, None if value is None else (roc_auc or {}).get(name, 0.9)) for name, value in scores.items()
    ]
    evaluation = pd.DataFrame(measured, columns=["candidate", "average_precision", "roc_auc"])
    by_day = [(name, DAYS[n], value) for name, values in (daily or {}).items() for n, value in enumerate(values)]
    return Contest(
        day=day,
        validation_from="2026-02-01",
        validation_until="2026-02-14",
        evaluation=evaluation.astype({"average_precision": "float64", "roc_auc": "float64"}),
        daily=pd.DataFrame(by_day, columns=["candidate", "slice", "average_precision"]).astype(
            {"average_precision": "float64"}
        ),
        scored_as=scored_as,
        failure=failure,
    )


def decided(
    measured: Contest, before: Champion | None = None, overrides: Sequence[Override] = (), rules: Rules = RULES
) -> Decision:
    """The decision of a day, from what was measured, the champion before it and what people have said."""
    incumbent: InCharge | None = in_charge(before, overrides, measured.day, CHAMPION_DAYS)
    return decide(measured, rules, before, incumbent, overrides)
