"""What a day needs from the days before it, and which of that is missing."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta

from fraud_assets.assets.plan import Plan
from fraud_assets.assets.stored_batch import untrusted_batches
from fraud_assets.local.runs import Days
from fraud_assets.partitions import Window, shifted
from fraud_assets.postgres import PostgresResource


def missing_batches(plan: Plan, postgres: PostgresResource, day: str, reach: Window) -> list[Days]:
    """The days before `day` whose transactions the features of `reach` need, and storage does not have.

    And those whose stored batch a check has refused, while their labels or features are still to be made of it: only
    a batch that is read again, and passes, lets them be made.
    """
    missing = _missing(plan, postgres, ("raw_batch", "rejected_rows"), day, _with_history(plan, reach), plan.has_batch)
    unmade = {*_unlabelled(plan, postgres, day, reach), *_featureless(plan, postgres, day, reach)} - set(missing)
    refused = untrusted_batches(plan, postgres, sorted(one.isoformat() for one in unmade))
    return contiguous(sorted({*missing, *map(date.fromisoformat, refused)}))


def missing_labels(plan: Plan, postgres: PostgresResource, day: str, reach: Window) -> list[Days]:
    """The days before `day` whose labels the features of `reach` need, and storage does not have."""
    return contiguous(_unlabelled(plan, postgres, day, reach))


def missing_features(plan: Plan, postgres: PostgresResource, day: str, reach: Window) -> list[Days]:
    """The days of `reach` before `day` whose features storage does not have."""
    return contiguous(_featureless(plan, postgres, day, reach))


def _unlabelled(plan: Plan, postgres: PostgresResource, day: str, reach: Window) -> list[date]:
    return _missing(plan, postgres, ("labels",), day, _with_history(plan, reach), plan.has_labels)


def _featureless(plan: Plan, postgres: PostgresResource, day: str, reach: Window) -> list[date]:
    return _missing(plan, postgres, ("cleaned_features",), day, (reach[0], -1), plan.has_batch)


def _with_history(plan: Plan, reach: Window) -> Window:
    return reach[0] + plan.feature_history[0], -1


def _missing(
    plan: Plan,
    postgres: PostgresResource,
    assets: Sequence[str],
    day: str,
    window: Window,
    is_there: Callable[[date], bool],
) -> list[date]:
    stored = set.intersection(*(made_by_this_code(plan, postgres, asset) for asset in assets))
    first = max(shifted(day, window[0]), plan.partitions.start.date())
    last = shifted(day, window[1])
    wanted = (first + timedelta(days=offset) for offset in range((last - first).days + 1))
    return [d for d in wanted if d.isoformat() not in stored and is_there(d)]


def made_by_this_code(plan: Plan, postgres: PostgresResource, asset: str) -> set[str]:
    """The days of an asset that were made by today's code and settings: others do not count as being there."""
    current = plan.code_versions[asset]
    return {day for day, version in postgres.stored_code_versions(asset).items() if version == current}


def contiguous(days: Iterable[date]) -> list[Days]:
    """Ascending days as ranges without holes, since one run covers one range."""
    ranges: list[Days] = []
    for day in days:
        if ranges and date.fromisoformat(ranges[-1].last) + timedelta(days=1) == day:
            ranges[-1] = Days(ranges[-1].first, day.isoformat())
        else:
            ranges.append(Days(day.isoformat(), day.isoformat()))
    return ranges
