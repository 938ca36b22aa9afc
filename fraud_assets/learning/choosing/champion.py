"""Champion and challenger: the recipe in use against the day's best other candidate, one test a day.

Recipes compete, not fitted objects: the champion's recipe, fitted on the candidates' training window, is measured on
the same validation rows as they are. What does not live here: the fit and the scores, metrics, and which recipe is in
charge as the day begins (incumbents.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import pandas as pd

from fraud_assets.learning.choosing.decisions import CHAMPION, Decision, DecisionKind
from fraud_assets.learning.choosing.incumbents import Champion, InCharge, days_between
from fraud_assets.learning.choosing.overrides import Override, last_takeover
from fraud_assets.learning.errors import LearningError
from fraud_assets.learning.measuring.intervals import paired_interval
from fraud_assets.learning.measuring.metrics import choose_winner

CONFIDENCE = 0.99
FEWEST_DAYS = 14


class Promotion(StrEnum):
    """Who lets a challenger take over: the rule, or somebody who approves of it."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"


@dataclass(frozen=True)
class Rules:
    """By how much average precision a challenger must surely be better, and for how many days a recipe may stay."""

    margin: float = 0.005
    max_age_days: int = 90
    promotion: Promotion = Promotion.AUTOMATIC


@dataclass(frozen=True)
class Contest:
    """What a day has measured.

    `evaluation` has a row a scorer, over all validation days: candidate (its name), average_precision, roc_auc.
    `daily` has a row a scorer and validation day: candidate, slice (the day) and average_precision, missing where it
    is not defined, and perhaps more. `scored_as` names the rows of the recipe in charge: a candidate that has the same
    recipe, or `CHAMPION`; None where there is none, or where it could not be fitted, and `failure` says why.
    """

    day: str
    validation_from: str
    validation_until: str
    evaluation: pd.DataFrame
    daily: pd.DataFrame
    scored_as: str | None = None
    failure: str | None = None

    @property
    def candidates(self) -> pd.DataFrame:
        """The evaluation of the day's own candidates."""
        return self.evaluation[self.evaluation["candidate"] != CHAMPION]

    @property
    def when(self) -> str:
        return f"from {self.validation_from} to {self.validation_until}"

    @property
    def has_fraud(self) -> bool:
        return bool(self.evaluation["average_precision"].notna().any())

    def score(self, name: str) -> float | None:
        """A scorer's average precision; None where it is not defined."""
        values = self.evaluation.loc[self.evaluation["candidate"] == name, "average_precision"].dropna()
        return None if values.empty else float(values.iloc[0])

    def is_sound(self, name: str) -> bool:
        """Whether a scorer ranks frauds better than chance."""
        return _best(self.evaluation[self.evaluation["candidate"] == name]) is not None

    def challenger(self, champion: str) -> str | None:
        """The best sound candidate but the champion; None where there is none."""
        return _best(self.candidates[self.candidates["candidate"] != champion])

    def differences(self, challenger: str, champion: str) -> pd.Series:
        """The challenger's average precision minus the champion's, on each day on which both have one."""
        by_day = self.daily.pivot(index="slice", columns="candidate", values="average_precision").astype("float64")
        both = by_day.reindex(columns=[challenger, champion])
        return (both[challenger] - both[champion]).dropna()


def decide(
    contest: Contest,
    rules: Rules,
    champion: Champion | None = None,
    incumbent: InCharge | None = None,
    overrides: Sequence[Override] = (),
) -> Decision:
    """Whose recipe is used from this day on. Raises `LearningError` when there is nothing to choose from.

    `champion` is the one of the days before, `incumbent` the recipe in charge (`in_charge`), `overrides` all there are.

    What people have decided comes first. A recipe that cannot be fitted any more, or is no better than chance, leaves.
    Then the best sound challenger is compared with the champion by the differences of their daily average precision:
    it takes over when the lower bound of the one-sided 99 % t-interval of their mean, over at least `FEWEST_DAYS`
    days, is above the margin. When the champion's term is over, the best candidate takes over as it is.
    """
    decision = _decide(contest, incumbent, rules)
    settled = last_takeover(overrides, contest.day)
    if champion is None:
        return replace(decision, last_override=settled.number if settled else None)
    return replace(
        decision,
        champion=champion.tuned.recipe.family,
        champion_day=champion.day,
        champion_hash=champion.content_hash,
        last_override=settled.number if settled else champion.last_override,
    )


def _decide(contest: Contest, incumbent: InCharge | None, rules: Rules) -> Decision:
    if incumbent is None:
        return _best_candidate(contest, rules, DecisionKind.FIRST, "there is no champion to compare it with")
    if incumbent.override is not None:
        return _as_people_say(contest, incumbent, incumbent.override, rules)
    family = incumbent.tuned.recipe.family
    if contest.scored_as is None:
        why = f"the recipe of the champion, {family}, cannot be fitted any more ({contest.failure})"
        return _best_candidate(contest, rules, DecisionKind.REPLACED, why)
    if not contest.has_fraud:
        return _kept(contest, incumbent, rules, f"no fraud is known {contest.when} by which to compare it")
    if not contest.is_sound(contest.scored_as):
        why = f"the champion, {family}, ranks no better than chance and does not stay"
        return _best_candidate(contest, rules, DecisionKind.REPLACED, why)
    challenger = contest.challenger(contest.scored_as)
    if challenger is None:
        return _kept(contest, incumbent, rules, "no other candidate ranks better than chance")
    return _tested(contest, incumbent, contest.scored_as, challenger, rules)


def _best_candidate(contest: Contest, rules: Rules, kind: DecisionKind, why: str) -> Decision:
    winner = choose_winner(contest.candidates)
    reason = f"{winner} has the highest average precision {contest.when}, {_number(contest.score(winner))}; {why}."
    return _decision(contest, rules, kind, winner, winner, contest.day, reason)


def _as_people_say(contest: Contest, incumbent: InCharge, override: Override, rules: Rules) -> Decision:
    family = incumbent.tuned.recipe.family
    if contest.scored_as is None:
        raise LearningError(
            f"{override}, but that recipe cannot be fitted any more ({contest.failure}); take a pin back with models "
            "unpin, or put another recipe in charge with models rollback."
        )
    until = "; it stays until models unpin" if incumbent.right is DecisionKind.PINNED else ""
    reason = f"{family} is used because {override}{until}."
    decision = _decision(contest, rules, incumbent.right, family, contest.scored_as, incumbent.since, reason)
    return replace(decision, override=str(override))


def _kept(contest: Contest, incumbent: InCharge, rules: Rules, why: str) -> Decision:
    family, scored_as = incumbent.tuned.recipe.family, str(contest.scored_as)
    reason = f"The champion, {family}, stays: {why}."
    kept = _decision(contest, rules, DecisionKind.KEPT, family, scored_as, incumbent.since, reason)
    return replace(kept, champion_score=kept.score)


def _tested(contest: Contest, incumbent: InCharge, scored_as: str, challenger: str, rules: Rules) -> Decision:
    """The one test of the day, and what follows from it."""
    interval = paired_interval(contest.differences(challenger, scored_as).to_numpy(), confidence=CONFIDENCE)
    kept = replace(
        _kept(contest, incumbent, rules, ""),
        challenger=challenger,
        challenger_score=contest.score(challenger),
        difference=interval.mean,
        lower_bound=interval.low,
        days=interval.days,
    )
    age = days_between(incumbent.since, contest.day)
    if age > rules.max_age_days:
        return _after_the_term(contest, incumbent, kept, age, rules)
    versus = (
        f"{challenger} ({_number(kept.challenger_score)}) against the champion, {kept.winner} "
        f"({_number(kept.champion_score)})"
    )
    if interval.low is None or interval.days < FEWEST_DAYS:
        advice = f"{interval.days} days have fraud, {FEWEST_DAYS} are needed: take more of them (validation_days)"
        return replace(kept, reason=f"The champion stays: {versus} cannot be tested, as only {advice}.")
    told = (
        f"{versus} gains {interval.mean:+.4f} of average precision a day over {interval.days} days, with 99 % "
        f"certainty more than {interval.low:+.4f}, and the margin is {rules.margin:g}"
    )
    if interval.low > rules.margin:
        return _takes_over(contest, kept, DecisionKind.PROMOTED, challenger, told, rules)
    return replace(kept, reason=f"The champion stays: {told}.")


def _after_the_term(contest: Contest, incumbent: InCharge, kept: Decision, age: int, rules: Rules) -> Decision:
    """The best sound candidate of the day, without a test: as it may be the champion's recipe, its term begins anew."""
    best = choose_winner(contest.candidates)
    old = f"the champion, {kept.winner}, was chosen {age} days ago, and {rules.max_age_days} are allowed"
    if best == kept.scored_as:
        reason = f"{best} is chosen anew as the best candidate {contest.when}: {old}."
        return replace(kept, kind=DecisionKind.TOO_OLD, since=contest.day, reason=reason)
    why = f"{best} is the best candidate {contest.when} ({_number(contest.score(best))}), and {old}"
    return _takes_over(contest, kept, DecisionKind.TOO_OLD, best, why, rules)


def _takes_over(
    contest: Contest, kept: Decision, kind: DecisionKind, challenger: str, why: str, rules: Rules
) -> Decision:
    if rules.promotion is Promotion.MANUAL:
        how = f"fraud-assets models approve --date {contest.day} lets it take over"
        reason = f"{challenger} waits for approval: {why}; {how}."
        return replace(kept, kind=DecisionKind.AWAITING_APPROVAL, reason=reason)
    return replace(
        kept,
        kind=kind,
        winner=challenger,
        scored_as=challenger,
        score=contest.score(challenger),
        since=contest.day,
        reason=f"{challenger} takes over: {why}.",
    )


def _decision(
    contest: Contest, rules: Rules, kind: DecisionKind, winner: str, scored_as: str, since: str, reason: str
) -> Decision:
    return Decision(
        day=contest.day,
        kind=kind,
        winner=winner,
        scored_as=scored_as,
        score=contest.score(scored_as),
        since=since,
        reason=reason,
        validation_from=contest.validation_from,
        validation_until=contest.validation_until,
        margin=rules.margin,
    )


def _best(evaluation: pd.DataFrame) -> str | None:
    """The best sound scorer; None where there is none."""
    try:
        return choose_winner(evaluation)
    except LearningError:
        return None


def _number(score: float | None) -> str:
    return "not measured" if score is None else f"{score:.4f}"
