"""What the assets of a day do from features and labels on, in memory: candidates, evaluation, winner, refit.

What lives here: the same calls in the same order as in `fraud_assets.assets`, on frames that hold more days than the
day may see, cut as storage would. What does not: features, storage, and a champion from days before.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from fraud_assets.assets.best_model import chosen, contest_of, promised, rules
from fraud_assets.assets.candidate_models import CANDIDATES, search_seed, training_rows
from fraud_assets.assets.evaluation_table import evaluation, validation_rows
from fraud_assets.assets.plan import Plan
from fraud_assets.learning import (
    BestModel,
    Candidate,
    SearchResult,
    baselines,
    decide,
    fit_candidates,
    learnable_rows,
    refit_best,
    score_candidates,
)
from fraud_assets.learning.choosing.tuned import TunedRecipe
from fraud_assets.learning.measuring.tables import Evaluation
from fraud_assets.partitions import Window
from fraud_assets_tests.benchmarks.handbook_data import Days


@dataclass(frozen=True)
class ModelOfDay:
    """The model to use of a day, the evaluation table that it was chosen by, and the candidates."""

    best: BestModel
    table: pd.DataFrame
    candidates: Mapping[str, Candidate]

    @property
    def promised(self) -> Mapping[str, float]:
        """The average precision of each candidate on the validation days."""
        measured = self.table.dropna(subset=["average_precision"]).set_index("candidate")["average_precision"]
        return {str(name): float(value) for name, value in measured.items()}


def model_of_day(plan: Plan, day: str, days: Days, found: Mapping[str, SearchResult] | None = None) -> ModelOfDay:
    """Everything that the pipeline does for a day: with a search, or with what an earlier one has `found`.

    Raises `LearningError`.
    """
    candidates = candidates_of_day(plan, day, days, found)
    measured = evaluated(plan, day, days, candidates)
    contest = contest_of(plan, day, measured.overall, measured.slices)
    decision = decide(contest, rules(plan))
    tuned = {name: TunedRecipe.of(candidate) for name, candidate in candidates.items() if candidate.failure is None}
    best = refit_best(
        chosen(decision, tuned, None),
        refit_rows(plan, day, days),
        decision,
        plan.budget,
        promised=promised(contest, decision.scored_as),
    )
    return ModelOfDay(best, measured.overall, candidates)


def candidates_of_day(
    plan: Plan, day: str, days: Days, found: Mapping[str, SearchResult] | None
) -> dict[str, Candidate]:
    """The fitted candidates; those of a family that fails among them."""
    features, labels = window_of(plan, day, days, plan.windows.training, plan.windows.training_horizon)
    rows = training_rows(plan, day, features, labels)
    budget = replace(plan.budget, search_seed=search_seed(plan, day))
    return fit_candidates(rows, CANDIDATES, plan.features, budget, found=found, searched_on=day)


def evaluated(plan: Plan, day: str, days: Days, candidates: Mapping[str, Candidate]) -> Evaluation:
    """The evaluation tables of a day."""
    rows = validation_rows(plan, day, *window_of(plan, day, days, plan.windows.validation, 0))
    scores = score_candidates(candidates, rows, jobs=plan.settings.learning.jobs) | baselines(rows)
    return evaluation(plan, day, candidates, rows, scores)


def refit_rows(plan: Plan, day: str, days: Days) -> pd.DataFrame:
    """The newest rows whose labels are known by the end of the day."""
    return learnable_rows(*window_of(plan, day, days, plan.windows.refit, 0), plan.end(day))


def window_of(plan: Plan, day: str, days: Days, window: Window, horizon: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The features of a window of days, and the labels that became known on the days that an asset loads for them."""
    first, last = plan.windows.labels_for(window, horizon)
    features = days.features_between(plan.end_of(day, window[0] - 1), plan.end_of(day, window[1]))
    return features, days.labels_between(plan.end_of(day, first - 1), plan.end_of(day, last))
