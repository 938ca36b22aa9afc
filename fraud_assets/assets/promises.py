"""What storage remembers of a day's scores: which were issued, what was promised for them, how promises were kept.

What lives here: looking it up behind the edge, for `live_performance` of a day and from days before it only. What does
not: what the scores turned out to be worth (learning/watching), and the table (live_performance.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pandas as pd

from fraud_assets.assets.plan import Plan, StoredFacts
from fraud_assets.learning.measuring.intervals import Interval
from fraud_assets.learning.watching.live import (
    DAYS_OF_WEEK,
    PROMISED,
    PROMISED_AS,
    coming_week,
    week_as_promised,
    week_mean,
    week_until,
    weekly_means,
)
from fraud_assets.partitions import shifted

LIVE = "live_performance"
JUDGED = "average_precision"
"""The metric that the check is about: the one that recipes compete on."""
PRUNED = "pruned"

_DRAWN = (
    "scored_date",
    JUDGED,
    f"promised_{JUDGED}",
    f"promised_{JUDGED}_low",
    f"promised_{JUDGED}_high",
    f"is_{JUDGED}_as_promised",
    f"week_{JUDGED}",
)

Record = dict[str, Any]


@dataclass(frozen=True)
class Issued:
    """The scores of a day as they were issued: their version, and the facts of the model that made them."""

    version: int
    later_versions: int
    is_pruned: bool
    is_retrospective: bool
    model: Mapping[str, Any]


def issued_scores(plan: Plan, storage: StoredFacts, scored_date: str) -> Issued | None:
    """The first version of a day's scores; None where there never was one."""
    versions = storage.stored_versions("scored_batch", scored_date)
    if not versions:
        return None
    first = versions[-1]
    models = [made for made in storage.upstream_versions(first.version_id) if made.asset_key == "best_model"]
    late = plan.end(scored_date) + timedelta(days=plan.settings.watching.issued_within_days)
    return Issued(
        version=first.version,
        later_versions=len(versions) - 1,
        is_pruned=first.status == PRUNED,
        is_retrospective=bool(first.created_at > late),
        model=models[0].facts if models else {},
    )


def promised(issued: Issued | None, live: Mapping[str, float | None]) -> Record:
    """What validation promised for a day of the scores, with its interval, and live minus promised."""
    record: Record = {}
    for name in PROMISED:
        promise, low, high = (_number(issued, f"{PROMISED_AS[name]}{end}") for end in ("", "_low", "_high"))
        record |= {f"promised_{name}": promise, f"promised_{name}_low": low, f"promised_{name}_high": high}
        value = live.get(name)
        record[f"difference_{name}"] = None if value is None or promise is None else value - promise
        is_kept = None if value is None or low is None or high is None else low <= value <= high
        record[f"is_{name}_as_promised"] = is_kept
    return record


def coming(storage: StoredFacts, day: str, today: Record) -> Record:
    """Where the mean of the seven days after `day` should lie, by how far live and promised were apart until now.

    Days that were scored in retrospect count too: their models had not seen them either.
    """
    record: Record = {}
    for name in PROMISED:
        differences = _until_today(storage, f"difference_{name}", day, today)
        promise = storage.stored_facts("best_model", PROMISED_AS[name]).get(day)
        prediction = coming_week(differences, promise, day)
        record[f"next_week_{name}_low"] = prediction.low if prediction else None
        record[f"next_week_{name}_high"] = prediction.high if prediction else None
        if name == JUDGED:
            record["history_weeks"] = len(weekly_means(differences, day))
    return record


def past_week(plan: Plan, storage: StoredFacts, day: str, today: Record) -> Record:
    """How the last seven scored days did together, and where that was expected to lie.

    Expected as was stated before the first of them; for as long as nothing was, by what validation promised for each.
    """
    mean = week_mean(_until_today(storage, JUDGED, day, today), day)
    record = {f"week_{JUDGED}": mean, "week_expected_low": None, "week_expected_high": None, "week_expected_by": None}
    if mean is None:
        return record
    eve = shifted(day, -plan.windows.label_delay_days - DAYS_OF_WEEK).isoformat()
    low, high = (storage.stored_facts(LIVE, f"next_week_{JUDGED}_{end}").get(eve) for end in ("low", "high"))
    if low is not None and high is not None:
        return record | {"week_expected_low": low, "week_expected_high": high, "week_expected_by": "history"}
    interval = week_as_promised(_promises(storage, day, today), plan.windows.validation_days)
    if interval is None:
        return record
    bounds = {"week_expected_low": interval.low, "week_expected_high": interval.high}
    return record | bounds | {"week_expected_by": "validation"}


def live_history(storage: StoredFacts, today: Record, history_days: int) -> pd.DataFrame:
    """What is drawn of the last days and of today: columns scored_date and those of `_DRAWN`, oldest first."""
    day = str(today["day"])
    first = shifted(day, 1 - history_days).isoformat()
    found = {name: storage.stored_facts(LIVE, name) for name in _DRAWN}
    days = [key for key in sorted(found["scored_date"]) if first <= key < day]
    before = [{name: facts.get(key) for name, facts in found.items()} for key in days]
    return pd.DataFrame([*before, {name: today.get(name) for name in _DRAWN}])


def _promises(storage: StoredFacts, day: str, today: Record) -> dict[str, tuple[float, Interval]]:
    """What was promised for each of the week's days whose worth is known."""
    live, value, low, high = (
        _until_today(storage, name, day, today)
        for name in (JUDGED, f"promised_{JUDGED}", f"promised_{JUDGED}_low", f"promised_{JUDGED}_high")
    )
    known = [one for one in week_until(day) if all(one in found for found in (live, value, low, high))]
    return {one: (value[one], Interval(low[one], high[one])) for one in known}


def _until_today(storage: StoredFacts, fact: str, day: str, today: Record) -> dict[str, float]:
    """A number of the days before, and of today where there is one: what is stored of today may be an earlier run's."""
    found = {key: float(value) for key, value in storage.stored_facts(LIVE, fact).items() if key < day}
    return found if today.get(fact) is None else {**found, day: today[fact]}


def _number(issued: Issued | None, fact: str) -> float | None:
    value = issued.model.get(fact) if issued is not None else None
    return None if value is None else float(value)
