"""Whether labels keep coming, and whether as many of them say fraud as before. Pure, of counts by day."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from math import sqrt
from statistics import median

import dagster as dg

from fraud_assets.checks.results import counted, listed, result
from fraud_assets.checks.specs import FRAUD_RATE_AS_USUAL, LABEL_FEED_ALIVE

WEEKS = 4
FEWEST_WEEKS = 2
FAR_FEWER = 0.25
"""The share of what is usual on such a weekday below which labels are far fewer."""
FEW = 20
"""Where fewer labels than that are usual, a day with none of them says little."""
WEEKS_OF_RATES = 28
FEWEST_DAYS = 7
SURE = 4.0
"""By how many standard deviations the share of frauds must differ: labels of a day are not independent."""
MUCH = 1.5
"""And by which factor: where there are many labels, small differences are sure, and no reason to look."""


def label_feed_is_alive(days: Sequence[str], labels: Mapping[str, int], quiet_days: int) -> dg.AssetCheckResult:
    """Warns when no label became known for so many days, or far fewer than on such weekdays before.

    `labels` is how many became known, by day, of these days and those before. With no label ever there is no feed yet.
    """
    odd = [f"{day}: {problem}" for day in days if (problem := _silence(day, labels, quiet_days))]
    heard = any(labels.values())
    last = days[-1]
    seen = f"{last}: {counted(labels.get(last, 0), 'label')} became known." if heard else "No label is known yet."
    return result(
        LABEL_FEED_ALIVE,
        passed=not odd,
        seen=f"{listed(odd)}." if odd else seen,
        expected=(
            f"A label within {counted(quiet_days, 'day')}, and at least {FAR_FEWER:.0%} of the median of the last "
            f"{WEEKS} same weekdays."
        ),
        what_to_do=(
            "Ask whoever delivers chargebacks and investigations; labels that come later enter the day on which they "
            "come, and models of the days between have learned from fewer."
        ),
        numbers={"labels": labels.get(last, 0)},
    )


def _silence(day: str, labels: Mapping[str, int], quiet_days: int) -> str | None:
    told = [earlier for earlier, count in labels.items() if count and earlier <= day]
    if not told:
        return None
    silent = (date.fromisoformat(day) - date.fromisoformat(max(told))).days
    if silent >= quiet_days:
        return f"no label for {counted(silent, 'day')}, the last on {max(told)}"
    earlier = ((date.fromisoformat(day) - timedelta(weeks=week)).isoformat() for week in range(1, WEEKS + 1))
    same = [labels[key] for key in earlier if key in labels]
    usual = median(same) if len(same) >= FEWEST_WEEKS else 0
    if usual >= FEW and labels.get(day, 0) < FAR_FEWER * usual:
        return f"{counted(labels.get(day, 0), 'label')}, where {usual:,.0f} are usual on such a weekday"
    return None


def fraud_rate_is_as_usual(
    days: Sequence[str], labels: Mapping[str, int], frauds: Mapping[str, int]
) -> dg.AssetCheckResult:
    """Warns when the share of frauds among a day's labels surely differs, and by much, from the four weeks before.

    The deviation is that of a binomial count, (x - n p) / sqrt(n p (1 - p)), p being the share of the weeks before.
    """
    judged = {day: rate for day in days if (rate := _rate_before(day, labels, frauds)) is not None}
    odd = [
        f"{day}: {frauds[day] / labels[day]:.2%} of {labels[day]:,} labels say fraud, {rate:.2%} in the weeks before"
        for day, rate in judged.items()
        if _differs(frauds[day], labels[day], rate)
    ]
    last = next(reversed(judged), None)
    seen = (
        f"{last}: {frauds[last] / labels[last]:.2%} of {labels[last]:,} labels say fraud, {judged[last]:.2%} in the "
        "weeks before."
        if last is not None
        else f"Nothing to judge by: labels of fewer than {FEWEST_DAYS} of the days before are stored, or none of today."
    )
    return result(
        FRAUD_RATE_AS_USUAL,
        passed=not odd,
        seen=f"{listed(odd)}." if odd else seen,
        expected=f"That of the {WEEKS_OF_RATES} days before, within {SURE:g} standard deviations or {MUCH:g} times.",
        what_to_do=(
            "Look at the new frauds by segment and amount: tell the team of an attack, and mend a changed "
            "meaning of the label at its source."
        ),
        numbers={
            "fraud_rate": frauds[last] / labels[last] if last else None,
            "usual_fraud_rate": judged[last] if last else None,
        },
    )


def _rate_before(day: str, labels: Mapping[str, int], frauds: Mapping[str, int]) -> float | None:
    first = (date.fromisoformat(day) - timedelta(days=WEEKS_OF_RATES)).isoformat()
    before = [key for key, count in labels.items() if first <= key < day and count]
    if len(before) < FEWEST_DAYS or not labels.get(day):
        return None
    return sum(frauds[key] for key in before) / sum(labels[key] for key in before)


def _differs(frauds: int, labels: int, rate: float) -> bool:
    deviation = sqrt(labels * rate * (1 - rate))
    expected = labels * rate
    if abs(frauds - expected) <= SURE * max(deviation, 1.0):
        return False
    return frauds > MUCH * expected or frauds < expected / MUCH
