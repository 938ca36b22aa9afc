"""The model to use: the recipe that champion and challenger are decided by, refitted on the newest labelled days."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any

import dagster as dg
import pandas as pd

from fraud_assets.assets.candidate_models import CANDIDATES, PREFIX, training_rows
from fraud_assets.assets.evaluation_table import evaluation, validation_rows
from fraud_assets.assets.links import report_link
from fraud_assets.assets.pictures import Pictures
from fraud_assets.assets.plan import (
    DAY_BY_DAY,
    GROUP,
    LABEL_COLUMNS,
    MODELS,
    OWNERS,
    TRAINING_POOL,
    Plan,
    StoredFacts,
    Written,
    code_version,
)
from fraud_assets.checks import champion_is_young_enough, specs_of
from fraud_assets.learning import (
    CHAMPION,
    METRICS,
    BestModel,
    Candidate,
    Champion,
    Contest,
    Decision,
    DecisionKind,
    InCharge,
    LearningError,
    Override,
    Promotion,
    Rules,
    TunedRecipe,
    champion_facts,
    decide,
    fit_recipe,
    in_charge,
    learnable_rows,
    refit_best,
    score_candidates,
)
from fraud_assets.learning.measuring.daily import DAILY, daily_means
from fraud_assets.partitions import Window, shifted
from fraud_assets.reporting.figures.comparison import model_comparison
from fraud_assets.reporting.figures.history import metric_history

BEST_MODEL = "best_model"
JOURNAL = "best_model"
"""The journal of what people decide instead of the rule."""


def best_model_asset(plan: Plan) -> dg.AssetsDefinition:
    """`best_model`: the value is the model to use, its threshold, and the decision that chose it."""
    windows = plan.windows
    learned = windows.history[0], windows.refit[1]
    history_days = plan.settings.reports.history_days

    @dg.asset(
        name=BEST_MODEL,
        partitions_def=plan.partitions,
        io_manager_key=MODELS,
        ins={
            "evaluation_table": dg.AssetIn(metadata={"window": [1 - history_days, 0]}),
            "evaluation_slices": dg.AssetIn(metadata={"columns": ["candidate", "slice_kind", "slice", *DAILY]}),
            **{family: dg.AssetIn(key=[PREFIX, family], metadata={"missing": "empty"}) for family in CANDIDATES},
            "cleaned_features": dg.AssetIn(metadata={"window": list(learned)}),
            "labels": dg.AssetIn(metadata={"window": list(windows.labels_for(learned, 0)), "columns": LABEL_COLUMNS}),
        },
        description="The model to use: the recipe of champion or challenger, refitted on the newest labelled days.",
        kinds={"scikitlearn", "postgres"},
        owners=list(OWNERS),
        group_name=GROUP,
        freshness_policy=plan.freshness,
        code_version=code_version("4", vars(windows), _ingredients(plan)),
        metadata={"volatile": ["fit_seconds", "champion_version"]},
        check_specs=specs_of(BEST_MODEL),
        pool=TRAINING_POOL,
        backfill_policy=DAY_BY_DAY,
        retry_policy=plan.retries,
    )
    def best_model(
        context: dg.AssetExecutionContext,
        storage: dg.ResourceParam[StoredFacts],
        pictures: Pictures,
        evaluation_table: pd.DataFrame,
        evaluation_slices: pd.DataFrame,
        cleaned_features: pd.DataFrame,
        labels: pd.DataFrame,
        **families: Any,
    ) -> Iterator[dg.Output[BestModel] | dg.AssetCheckResult]:
        day = context.partition_key
        today = evaluation_table[evaluation_table["day"] == day]
        candidates = {n: TunedRecipe.of(c) for n, c in families.items() if c is not None and c.failure is None}
        rows = Rows(plan, day, cleaned_features, labels)
        past = Past.of(storage, day, plan.settings.learning.champion_days)
        try:
            contest = contest_of(plan, day, today, evaluation_slices)
            if past.in_charge is not None:
                contest = with_champion(contest, past.in_charge.tuned, candidates, rows)
            decision = decide(contest, rules(plan), past.champion, past.in_charge, past.overrides)
            with plan.fits_run():
                best = refit_best(
                    chosen(decision, candidates, past.in_charge),
                    rows.refit,
                    decision,
                    plan.budget,
                    promised=promised(contest, decision.scored_as),
                    champion_version=past.champion_version,
                )
        except LearningError as error:
            raise dg.Failure(f"No best model for {day}: {error}", allow_retries=False) from error
        context.log.info(decision.reason)
        figures = {
            "average precision over time": metric_history(
                evaluation_table, choices_until(storage, decision), days=history_days
            ),
            "candidates compared": model_comparison(today),
        }
        drawn = pictures.metadata(context.log, figures)
        yield dg.Output(best, metadata={**report_link(plan, day), **_metadata(best, candidates, drawn)})
        learning = plan.settings.learning
        yield champion_is_young_enough(
            day,
            decision.since,
            learning.champion_max_age_days,
            past.newest,
            decision.champion_day,
            learning.champion_days,
        )

    return best_model


def _ingredients(plan: Plan) -> dict[str, Any]:
    """The settings that decide a model: not how many fits run at a time, nor where."""
    return plan.settings.learning.model_dump(mode="json", exclude={"jobs", "backend"})


@dataclass(frozen=True)
class Past:
    """What storage knows of before the day, read without unpickling anything."""

    overrides: list[Override]
    champion: Champion | None
    champion_version: int | None
    in_charge: InCharge | None
    newest: str | None
    """The day of the last best model before the day, however old it is."""

    @classmethod
    def of(cls, storage: StoredFacts, day: str, champion_days: int) -> "Past":
        """The champion is the best model stored for the last day before `day`, if that is at most so many days ago."""
        overrides = recorded_overrides(storage)
        stored = storage.last_stored_before(BEST_MODEL, day)
        champion = None
        if stored is not None and stored.partition_key >= shifted(day, -champion_days).isoformat():
            champion = Champion.from_facts(stored.partition_key, stored.content_hash, stored.facts)
        version = stored.version if stored is not None and champion is not None else None
        newest = stored.partition_key if stored is not None else None
        return cls(overrides, champion, version, in_charge(champion, overrides, day, champion_days), newest)


def recorded_overrides(storage: StoredFacts) -> list[Override]:
    """What people have decided instead of the rule, oldest first."""
    return [override_of(entry) for entry in storage.journal(JOURNAL)]


def override_of(entry: Written) -> Override:
    """What an entry of the journal says."""
    written_at = entry.written_at.astimezone(UTC).isoformat(timespec="seconds")
    return Override.from_json(entry.number, entry.author, written_at, entry.content)


@dataclass(frozen=True)
class Rows:
    """The rows of a day's windows, with the labels that each may know."""

    plan: Plan
    day: str
    features: pd.DataFrame
    labels: pd.DataFrame

    @property
    def refit(self) -> pd.DataFrame:
        return learnable_rows(self._of(self.plan.windows.refit), self.labels, self.plan.end(self.day))

    @property
    def training(self) -> pd.DataFrame:
        return training_rows(self.plan, self.day, self._of(self.plan.windows.training), self.labels)

    @property
    def validation(self) -> pd.DataFrame:
        return validation_rows(self.plan, self.day, self._of(self.plan.windows.validation), self.labels)

    def _of(self, window: Window) -> pd.DataFrame:
        times = self.features["transaction_time"]
        start, end = self.plan.end_of(self.day, window[0] - 1), self.plan.end_of(self.day, window[1])
        is_inside = ((times >= start) & (times < end)).to_numpy()
        # Where one day is all there is, a copy of it would be the largest object.
        return self.features if is_inside.all() else self.features[is_inside]


def contest_of(plan: Plan, day: str, evaluation: pd.DataFrame, slices: pd.DataFrame) -> Contest:
    """The day's candidates as they were measured."""
    first, last = (shifted(day, offset).isoformat() for offset in plan.windows.validation)
    return Contest(day, first, last, evaluation, daily(slices))


def with_champion(contest: Contest, tuned: TunedRecipe, candidates: Mapping[str, TunedRecipe], rows: Rows) -> Contest:
    """The contest with the recipe in charge: a candidate's numbers where one has the same recipe, else its own.

    Its own are those of a fit on the candidates' training window, measured on the same validation rows.
    """
    for name, candidate in candidates.items():
        if candidate.recipe == tuned.recipe:
            return replace(contest, scored_as=name)
    training = rows.training
    try:
        with rows.plan.fits_run():
            model = fit_recipe(tuned.recipe, training, rows.plan.budget, calibrator=tuned.calibrator)
    except LearningError as error:
        return replace(contest, failure=str(error))
    champion = Candidate(
        recipe=tuned.recipe,
        model=model,
        threshold=tuned.threshold,
        calibrator=tuned.calibrator,
        searched_on=tuned.searched_on,
        search=[],
        trained_from=training["transaction_time"].min(),
        trained_until=training["transaction_time"].max(),
        rows=len(training),
        frauds=int(training["label"].sum()),
        warnings=(),
        failure=None,
        fit_seconds=0.0,
    )
    validation, jobs = rows.validation, rows.plan.settings.learning.jobs
    scores = score_candidates({CHAMPION: champion}, validation, jobs=jobs)
    measured = evaluation(rows.plan, rows.day, {CHAMPION: champion}, validation, scores)
    return replace(
        contest,
        evaluation=pd.concat([contest.evaluation, measured.overall], ignore_index=True),
        daily=pd.concat([contest.daily, daily(measured.slices)], ignore_index=True),
        scored_as=CHAMPION,
    )


def daily(slices: pd.DataFrame) -> pd.DataFrame:
    """Of the evaluation's slices those that are days: a row a scorer and day, with its `DAILY` metrics."""
    return slices.loc[slices["slice_kind"] == "day", ["candidate", "slice", *DAILY]]


def rules(plan: Plan) -> Rules:
    """The settings that champion and challenger go by."""
    learning = plan.settings.learning
    return Rules(learning.promotion_margin, learning.champion_max_age_days, Promotion(learning.promotion))


def chosen(decision: Decision, candidates: Mapping[str, TunedRecipe], incumbent: InCharge | None) -> TunedRecipe:
    """The recipe that won; of one that is a candidate's too, with the calibrator and threshold that are newest."""
    if decision.scored_as in candidates:
        return candidates[decision.scored_as]
    assert incumbent is not None
    return incumbent.tuned


def promised(contest: Contest, scored_as: str) -> dict[str, float]:
    """What the winner reached on the validation days: metrics, and the ends of their intervals, where defined.

    Beside those of the evaluation, over all days, are the means of daily values: what a live day is compared with.
    """
    row = contest.evaluation.set_index("candidate").loc[scored_as]
    names = [name for name in row.index if str(name).removesuffix("_low").removesuffix("_high") in METRICS]
    overall = {str(name): float(row[name]) for name in names if pd.notna(row[name])}
    return overall | daily_means(contest.daily[contest.daily["candidate"] == scored_as])


def choices_until(storage: StoredFacts, decision: Decision) -> pd.DataFrame:
    """`choices` as they are stored; of the day itself the one that was just made."""
    day = decision.day
    return choices(
        day,
        {**storage.stored_facts(BEST_MODEL, "scored_as"), day: decision.scored_as},
        {**storage.stored_facts(BEST_MODEL, "score"), day: decision.score},
        {**storage.stored_facts(BEST_MODEL, "champion_since"), day: decision.since},
    )


def choices(
    until: str, scored_as: Mapping[str, str], scores: Mapping[str, float | None], since: Mapping[str, str]
) -> pd.DataFrame:
    """By day up to `until`, which row of its evaluation the best model's recipe was scored as.

    Columns: day, scored_as, score, and is_promotion, where the recipe's term begins.
    """
    days = sorted(key for key in scored_as if key <= until)
    return pd.DataFrame(
        {
            "day": pd.Series(days, dtype="str"),
            "scored_as": pd.Series([scored_as[key] for key in days], dtype="str"),
            "score": pd.Series([scores.get(key) for key in days], dtype="float64"),
            "is_promotion": [since.get(key) == key for key in days],
        }
    )


def _metadata(best: BestModel, candidates: Mapping[str, TunedRecipe], drawn: Mapping[str, Any]) -> dict[str, Any]:
    decision = best.decision
    tuned = TunedRecipe(best.recipe, best.threshold, best.calibrator, best.searched_on)
    facts = {**decision.facts(), **champion_facts(tuned, decision)}
    if decision.kind is DecisionKind.AWAITING_APPROVAL and decision.challenger is not None:
        facts["challenger_recipe"] = candidates[decision.challenger].as_json()
    if best.champion_version is not None:
        facts["champion_version"] = best.champion_version
    return {
        "decision": decision.reason,
        **{name: dg.MetadataValue.json(value) if isinstance(value, dict) else value for name, value in facts.items()},
        **drawn,
        "parameters": dg.MetadataValue.json(dict(best.recipe.parameters)),
        "trained_from": best.trained_from.isoformat(),
        "trained_until": best.trained_until.isoformat(),
        "training_rows": best.rows,
        "training_frauds": best.frauds,
        "fit_seconds": best.fit_seconds,
        **best.promised,
    }
