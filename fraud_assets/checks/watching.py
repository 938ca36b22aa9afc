"""Whether scores, labels and features turned out to be what they were expected to be. Pure, of plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import dagster as dg

from fraud_assets.checks.results import counted, listed, result
from fraud_assets.checks.specs import FEATURES_ARE_STABLE, LABELS_ARE_MATURE, LIVE_AS_PROMISED, SCORES_ARE_CALIBRATED

FEWEST_FRAUDS = 10
"""With fewer expected and fewer seen, there is no telling whether scores are right."""
SURE = 4.0
"""By how many standard deviations the number of frauds must differ: those of a day are not independent."""
MUCH = 1.25
"""And by which factor."""


def live_performance_is_as_promised(
    week: float | None, low: float | None, high: float | None, expected_by: str
) -> dg.AssetCheckResult:
    """Warns when the week's mean average precision is outside of [low, high]; without these there is nothing to say."""
    is_low = week is not None and low is not None and week < low
    is_high = week is not None and high is not None and week > high
    advice = (
        "Look at feature_drift and label_maturity of these days, and at evaluation_slices for where it is lost."
        if is_low
        else "Look whether labels of missed frauds are late (label_maturity), or fraud has changed."
    )
    return result(
        LIVE_AS_PROMISED,
        passed=not (is_low or is_high),
        seen="Nothing to judge yet." if week is None else f"Average precision {week:.3f} over the last scored week.",
        expected="Nothing yet: there are too few days."
        if low is None or high is None
        else f"From {low:.3f} to {high:.3f}, by the {expected_by}.",
        what_to_do=advice,
        numbers={
            "average_precision_of_the_week": week,
            "expected_from": low,
            "expected_to": high,
            "expected_by": expected_by,
        },
    )


@dataclass(frozen=True)
class ScoreSum:
    """Labelled, scored transactions: how many are frauds, and how many the scores add up to.

    `variance` is the sum of p (1 - p) over the scores: that of a sum of independent events (Poisson binomial).
    """

    frauds: int
    expected: float
    variance: float

    @property
    def is_enough(self) -> bool:
        """Whether there is any telling from so few."""
        return max(self.frauds, self.expected) >= FEWEST_FRAUDS

    @property
    def is_off(self) -> bool:
        """Whether the two numbers surely differ, and by much."""
        is_sure = abs(self.frauds - self.expected) > SURE * sqrt(max(self.variance, 1.0))
        return is_sure and not self.expected / MUCH <= self.frauds <= self.expected * MUCH


def scores_are_calibrated(live: ScoreSum, days: int, validation: ScoreSum | None = None) -> dg.AssetCheckResult:
    """Warns when the frauds among labelled, scored transactions surely differ, and by much, from the sum of the scores.

    `live` is of the issued scores of the last `days` scored days. Where these are too few to judge by, it is
    `validation` that is judged: the best candidate's scores of the day's validation days.
    """
    by_validation = validation is not None and validation.is_enough and not live.is_enough
    judged = validation if validation is not None and by_validation else live
    span = "the validation days, as too few live ones are labelled" if by_validation else counted(days, "scored day")
    seen = f"{judged.frauds:,} frauds where scores add up to {judged.expected:,.1f}, over {span}."
    return result(
        SCORES_ARE_CALIBRATED,
        passed=not (judged.is_enough and judged.is_off),
        seen=seen if judged.is_enough else f"Too few frauds to judge by: {seen}",
        expected=f"As many frauds as the scores add up to, within {SURE:g} standard deviations or {MUCH:g} times.",
        what_to_do=(
            "Look at calibration_bins and feature_drift of these days; the order of the scores may still be right, but "
            "thresholds and expected savings are not, until models have learned from these days."
        ),
        numbers={"frauds": judged.frauds, "expected_frauds": judged.expected, "days": days},
    )


def labels_are_mature(
    summary: str, known: float | None, wanted: float, delay_days: int, enough_days: int | None
) -> dg.AssetCheckResult:
    """Warns when less than `wanted` of the frauds were known after the label delay; None is nothing to judge by."""
    advice = (
        f"Set label_delay_days from {delay_days} to {enough_days}, by which so many were known."
        if enough_days is not None
        else "Look whether the label feed is complete, or set watching.maturity_days higher to see how long it is."
    )
    return result(
        LABELS_ARE_MATURE,
        passed=known is None or known >= wanted,
        seen=summary,
        expected=f"At least {wanted:.0%} of the frauds are known after {counted(delay_days, 'day')}.",
        what_to_do=advice,
        numbers={"expected_share": wanted, "share_of_frauds_known": known},
    )


def features_are_stable(judged: int, watched: Sequence[str], drifted: Mapping[str, str]) -> dg.AssetCheckResult:
    """Warns when a subject has drifted; `drifted` says of each what was seen and what was expected."""
    others = f"; {listed(watched)} to be watched" if watched else ""
    return result(
        FEATURES_ARE_STABLE,
        passed=not drifted,
        seen=f"{len(drifted)} of {counted(judged, 'subject')} drifted"
        + (f": {listed(list(drifted))}{others}." if drifted else f"{others}."),
        expected="A population stability index below watching.psi_drift, or no more than chance would make.",
        what_to_do=(
            "Compare the day's raw_batch with an earlier one: a changed source is to be mended and the day run again, "
            "a changed world to be learned from, which takes as long as labels do."
        ),
        numbers={
            "judged": judged,
            "watched": ", ".join(watched) or None,
            **{f"drift of {subject}": seen for subject, seen in drifted.items()},
        },
    )
