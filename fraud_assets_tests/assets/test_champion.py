"""Champion and challenger over two days of the small simulation: which recipe is used, and what people change of it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Any

import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from fraud_assets.assets.best_model import Past
from fraud_assets.assets.candidate_models import training_rows
from fraud_assets.assets.evaluation_table import validation_rows
from fraud_assets.learning import (
    CHAMPION,
    BestModel,
    DecisionKind,
    InCharge,
    Recipe,
    TunedRecipe,
    fit_recipe,
    score,
)
from fraud_assets.local.embedded import EmbeddedServer
from fraud_assets.local.errors import Refusal, RunFailed
from fraud_assets.local.overrides import Request, approve, pin, roll_back, unpin
from fraud_assets.local.runs import Days, run_range
from fraud_assets.partitions import shifted
from fraud_assets_tests.small_world import DAY, World, fresh_database, small_settings, world

NEXT_DAY = "2026-03-16"
TRAINED = [["raw_batch", "rejected_rows"], ["labels"], ["cleaned_features"]]
FITTED = ["logistic_regression", "random_forest"]
"""Two families are enough to compete, and fitted sooner than all."""
EVALUATED = [
    [f"candidate_models/{name}" for name in FITTED],
    ["evaluation_table", "evaluation_slices", "calibration_bins", "operating_points"],
]
SHORT = {"label_delay_days": 1, "training_days": 7, "validation_days": 14}
WEAK = Recipe("logistic_regression", {"C": 1.0}, ("amount",))
"""Better than chance, and much worse than what knows of customers and terminals."""


@pytest.fixture(scope="module")
def done(postgres_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The world after two days were run up to their best model, with promotion by the rule."""
    home = tmp_path_factory.mktemp("home")
    with fresh_database(postgres_server) as url, world(small_settings(url, home, **SHORT)) as made:
        for day in (DAY, NEXT_DAY):
            made.bring_history(day)
            for assets in (*TRAINED, *EVALUATED, ["best_model"]):
                _run(made, assets, day)
        yield made


@pytest.fixture(autouse=True)
def _nobody_has_said_anything(done: World) -> Iterator[None]:
    """Entries of a journal cannot be removed: only the whole of it."""
    yield
    with done.workplace.postgres().connect() as connection:
        connection.execute("DROP TABLE dagster_io.journals")


def _run(made: World, assets: list[str], day: str) -> None:
    with made.environment():
        run_range(made.defs, made.instance, assets, Days(day, day))


def _chosen(made: World, day: str = NEXT_DAY) -> BestModel:
    """The day's best model, made again."""
    _run(made, ["best_model"], day)
    best = made.model("best_model", day)
    assert isinstance(best, BestModel)
    return best


@contextmanager
def _champion_is(made: World, recipe: Recipe, **facts: object) -> Iterator[None]:
    """As if another recipe had been stored for the first day."""
    change = "UPDATE dagster_io.versions SET facts = %s WHERE asset_key = 'best_model' AND partition_key = %s"
    before = made.versions("best_model")[0].facts
    _execute(made, change, json.dumps({**before, "recipe": recipe.as_json(), **facts}), DAY)
    try:
        yield
    finally:
        _execute(made, change, json.dumps(before), DAY)


def _execute(made: World, statement: str, *values: object) -> None:
    with made.workplace.postgres().connect() as connection:
        connection.execute(statement.encode(), list(values))


@contextmanager
def _manual(done: World) -> Iterator[World]:
    """The same database, where somebody has to approve of promotions."""
    settings = done.workplace.settings
    learning = settings.learning.model_copy(update={"promotion": "manual"})
    with world(settings.model_copy(update={"learning": learning})) as made:
        yield made


def _facts(made: World, day: str = NEXT_DAY) -> dict[str, Any]:
    return made.versions("best_model", day)[0].facts


def test_the_first_day_has_no_champion(done: World) -> None:
    table = done.table("evaluation_table").set_index("candidate")
    best = done.model("best_model")
    assert best.decision.kind is DecisionKind.FIRST
    assert best.decision.winner == table.loc[FITTED, "average_precision"].idxmax()
    assert best.recipe == done.model(f"candidate_models/{best.decision.winner}").recipe


def test_the_next_days_champion_is_the_first_days_recipe(done: World) -> None:
    """It is a candidate's too on a day without a search, so that candidate's numbers are the champion's."""
    first, best = done.versions("best_model")[0], done.model("best_model", NEXT_DAY)
    decision = best.decision
    assert (decision.champion_day, decision.champion_hash) == (DAY, first.content_hash)
    assert (best.champion_version, _facts(done)["champion_version"]) == (first.version, first.version)
    assert decision.champion is not None
    assert decision.champion == first.facts["winner"]
    assert decision.days == 14
    table = done.table("evaluation_table", NEXT_DAY).set_index("candidate")
    assert decision.champion_score == table["average_precision"][decision.champion]
    others = table.loc[[name for name in FITTED if name != decision.champion], "average_precision"]
    assert (decision.challenger, decision.challenger_score) == (others.idxmax(), others.max())
    slices = done.table("evaluation_slices", NEXT_DAY)
    days = slices[slices["slice_kind"] == "day"].pivot(index="slice", columns="candidate", values="average_precision")
    gains = days[decision.challenger] - days[decision.champion]
    assert decision.difference == pytest.approx(gains.mean(), abs=1e-12)
    assert best.promised["average_precision"] == table["average_precision"][decision.scored_as]
    assert best.promised["average_precision_low"] < best.promised["average_precision"]
    of_winner = slices[(slices["slice_kind"] == "day") & (slices["candidate"] == decision.scored_as)]
    for metric in ("average_precision", "roc_auc"):
        assert best.promised[f"daily_{metric}"] == pytest.approx(of_winner[metric].mean(), abs=1e-12)
        assert best.promised[f"daily_{metric}_low"] < of_winner[metric].mean() < best.promised[f"daily_{metric}_high"]
    assert _facts(done)["daily_average_precision"] == best.promised["daily_average_precision"]


def test_made_again_the_day_has_the_same_content_whatever_the_version_of_its_champion(done: World) -> None:
    first = _chosen(done)
    content = done.versions("best_model", NEXT_DAY)[0].content_hash
    _run(done, ["best_model"], DAY)
    again = _chosen(done)
    assert done.versions("best_model", NEXT_DAY)[0].content_hash == content
    assert first.champion_version is not None
    assert again.champion_version == first.champion_version + 1


def test_a_champion_that_is_no_candidate_is_fitted_on_their_window_and_beaten(done: World) -> None:
    with _champion_is(done, WEAK):
        decision = _chosen(done).decision
        facts = _facts(done)
    assert decision.kind is DecisionKind.PROMOTED
    assert (decision.champion, decision.since) == ("logistic_regression", NEXT_DAY)
    assert decision.lower_bound is not None
    assert decision.lower_bound > 0.005
    assert decision.champion_score == pytest.approx(_honest_score(done, WEAK), abs=1e-12)
    assert (facts["decision_kind"], facts["lower_bound"]) == ("promoted", decision.lower_bound)
    assert _recipe(facts) == done.model(f"candidate_models/{decision.winner}", NEXT_DAY).recipe


def _honest_score(made: World, recipe: Recipe) -> float:
    """Average precision of a recipe, fitted on the candidates' rows, on the rows that they are measured on."""
    windows = made.plan.windows
    labels = _all(made, "labels", (windows.training[0], 0))
    fitted = training_rows(made.plan, NEXT_DAY, _all(made, "cleaned_features", windows.training), labels)
    measured = validation_rows(made.plan, NEXT_DAY, _all(made, "cleaned_features", windows.validation), labels)
    scores = score(fit_recipe(recipe, fitted, made.plan.budget), measured)
    return float(average_precision_score(measured["label"], scores))


def _all(made: World, asset: str, window: tuple[int, int]) -> pd.DataFrame:
    days = [shifted(NEXT_DAY, offset).isoformat() for offset in range(window[0], window[1] + 1)]
    return pd.concat([made.table(asset, day) for day in days], ignore_index=True)


def _recipe(facts: Mapping[str, Any]) -> Recipe:
    return Recipe.from_json(facts["recipe"])


def test_a_champion_that_cannot_be_fitted_any_more_gives_way(done: World) -> None:
    with _champion_is(done, Recipe("logistic_regression", {"C": 1.0}, ("amount", "phase_of_the_moon"))):
        decision = _chosen(done).decision
    assert (decision.kind, decision.winner) == (DecisionKind.REPLACED, _best_of(done))
    assert "'phase_of_the_moon'" in decision.reason


def _best_of(made: World) -> str:
    table = made.table("evaluation_table", NEXT_DAY).set_index("candidate")
    return str(table.loc[FITTED, "average_precision"].idxmax())


def test_a_champion_whose_term_is_over_gives_way_to_the_best_candidate(done: World) -> None:
    with _champion_is(done, WEAK, champion_since="2025-01-01"):
        decision = _chosen(done).decision
    assert (decision.kind, decision.winner, decision.since) == (DecisionKind.TOO_OLD, _best_of(done), NEXT_DAY)


def test_a_best_model_of_long_ago_is_no_champion(done: World) -> None:
    storage = done.workplace.postgres()
    assert Past.of(storage, "2026-04-12", 28).champion is not None
    assert Past.of(storage, "2026-04-14", 28).champion is None
    assert Past.of(storage, DAY, 28).champion is None


def test_a_promotion_waits_until_somebody_approves_of_it(done: World) -> None:
    with _champion_is(done, WEAK), _manual(done) as made:
        waiting = _chosen(made)
        assert (waiting.decision.kind, waiting.recipe) == (DecisionKind.AWAITING_APPROVAL, WEAK)
        assert waiting.decision.challenger == _best_of(made)
        assert "models approve" in waiting.decision.reason
        said = approve(made.workplace, Request(date.fromisoformat(NEXT_DAY), reason="tried on paper"))
        assert said.tuned == TunedRecipe.of(made.model(f"candidate_models/{waiting.decision.challenger}", NEXT_DAY))
        with pytest.raises(Refusal, match="approved already"):
            approve(made.workplace, Request(date.fromisoformat(NEXT_DAY)))
        taken = _chosen(made)
    assert (taken.decision.kind, taken.decision.winner) == (DecisionKind.APPROVED, waiting.decision.challenger)
    assert (taken.decision.last_override, taken.decision.since) == (said.number, NEXT_DAY)
    assert "tried on paper" in taken.decision.reason
    with pytest.raises(Refusal, match="No challenger waits for approval on 2026-03-16"):
        approve(done.workplace, Request(date.fromisoformat(NEXT_DAY)))


def test_a_pinned_recipe_stays_until_it_is_unpinned(done: World) -> None:
    """It is measured like any other, and promises no more than it reached."""
    with _champion_is(done, WEAK):
        pinned_at = _facts(done, DAY)
        pin(done.workplace, Request(date.fromisoformat(DAY), date.fromisoformat(NEXT_DAY), "audit"))
        best = _chosen(done)
        assert (best.decision.kind, best.recipe, best.threshold) == (DecisionKind.PINNED, WEAK, pinned_at["threshold"])
        assert (best.decision.scored_as, best.decision.since) == (CHAMPION, pinned_at["champion_since"])
        assert best.promised["average_precision"] == pytest.approx(_honest_score(done, WEAK), abs=1e-12)
        with pytest.raises(Refusal, match=r"gives way to nobody.*models unpin"):
            roll_back(done.workplace, Request(date.fromisoformat(DAY)))
        unpin(done.workplace, Request(from_day=date.fromisoformat(NEXT_DAY)))
        assert _chosen(done).decision.kind is DecisionKind.PROMOTED


def test_a_rollback_counts_once_and_not_for_days_before(done: World) -> None:
    """By default from the day after the newest best model on."""
    with _champion_is(done, WEAK):
        later = roll_back(done.workplace, Request(date.fromisoformat(DAY)))
        assert later.from_day == "2026-03-17"
    assert _chosen(done).decision.kind is DecisionKind.KEPT
    past = Past.of(done.workplace.postgres(), "2026-03-17", 28)
    assert past.in_charge is not None
    assert (past.in_charge.right, past.in_charge.tuned.recipe) == (DecisionKind.ROLLED_BACK, WEAK)
    with _champion_is(done, WEAK):
        now = roll_back(done.workplace, Request(date.fromisoformat(DAY), date.fromisoformat(NEXT_DAY)))
    taken = _chosen(done)
    assert (taken.decision.kind, taken.recipe, taken.decision.last_override) == (
        DecisionKind.ROLLED_BACK, WEAK, now.number
    )  # fmt: skip
    assert Past.of(done.workplace.postgres(), "2026-03-17", 28).in_charge == InCharge(
        TunedRecipe.from_json(_facts(done)), NEXT_DAY
    )


def test_a_recipe_that_was_put_in_charge_and_cannot_be_fitted_fails_the_day_with_a_sentence(done: World) -> None:
    stored = done.versions("best_model", NEXT_DAY)[0].version
    with _champion_is(done, Recipe("perceptron", {}, ("amount",))):
        pin(done.workplace, Request(date.fromisoformat(DAY), date.fromisoformat(NEXT_DAY)))
    with pytest.raises(RunFailed, match=r"No best model for 2026-03-16: .*no family 'perceptron'.*models unpin"):
        _run(done, ["best_model"], NEXT_DAY)
    assert done.versions("best_model", NEXT_DAY)[0].version == stored
