"""Whether a day's models have learned from what they should, and are as young as they should be. Pure."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date

import dagster as dg

from fraud_assets.checks.results import counted, listed, result
from fraud_assets.checks.specs import CHAMPION_IS_YOUNG, EVERY_FAMILY_FITTED, HISTORY_IS_COMPLETE


def history_is_complete(expected: Sequence[str], found: Collection[str]) -> dg.AssetCheckResult:
    """Warns when days are missing from the windows: the models of the day have then learned from less."""
    missing = [day for day in expected if day not in found]
    there = len(expected) - len(missing)
    return result(
        HISTORY_IS_COMPLETE,
        passed=not missing,
        seen=f"{there} of {counted(len(expected), 'day')} have their features"
        + (f"; missing are {listed(missing)}." if missing else "."),
        expected="The features of every day of the training and validation windows.",
        what_to_do="Backfill raw_batch, labels and cleaned_features for these days.",
        numbers={
            "days_expected": len(expected),
            "days_found": there,
            "days_missing": listed(missing) if missing else None,
        },
    )


def every_family_fitted(failures: Mapping[str, str]) -> dg.AssetCheckResult:
    """Warns when a family has left the day."""
    return result(
        EVERY_FAMILY_FITTED,
        passed=not failures,
        seen=f"Not fitted: {listed(list(failures))}." if failures else "Every family was fitted.",
        expected="Every family of candidates is fitted.",
        what_to_do="Read the reason; the day went on with the others, and the next one tries again.",
        numbers={f"failure of {family}": reason for family, reason in failures.items()},
    )


def champion_is_young_enough(
    day: str, since: str, max_age_days: int, newest_before: str | None, champion_day: str | None, champion_days: int
) -> dg.AssetCheckResult:
    """Warns when the recipe in use is over age, which a pin or a missing approval does, or had no champion to beat.

    `since` is the first day of its term; `newest_before` the last best model before the day, however old, and
    `champion_day` the one that counted as the champion: one of the last `champion_days` days.
    """
    age = (date.fromisoformat(day) - date.fromisoformat(since)).days
    is_old, is_lost = age > max_age_days, newest_before is not None and champion_day is None
    if is_lost:
        advice = (
            "Backfill the days between in their order, so that recipes are compared again; or set "
            "learning.champion_days higher."
        )
        seen = f"The last best model before {day} is of {newest_before}, too long ago to be the champion."
    else:
        advice = "Unpin or approve (fraud-assets models unpin, approve), or set learning.champion_max_age_days higher."
        seen = f"The recipe in use was chosen on {since}, {counted(age, 'day')} ago."
    return result(
        CHAMPION_IS_YOUNG,
        passed=not (is_old or is_lost),
        seen=seen,
        expected=(
            f"A recipe chosen at most {counted(max_age_days, 'day')} ago, against a champion of the last "
            f"{counted(champion_days, 'day')}."
        ),
        what_to_do=advice,
        numbers={"age_days": age},
    )
