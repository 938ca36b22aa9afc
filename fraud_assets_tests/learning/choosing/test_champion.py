"""Champion and challenger: each rule on frames of a few numbers, the interval by scipy, and equals among noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fraud_assets.learning import CHAMPION, DecisionKind, LearningError, OverrideKind, Promotion, Rules
from fraud_assets_tests.learning.choosing.material import DAY, RULES, champion, contest, decided, override

BASE = [0.50, 0.52, 0.48, 0.55, 0.47, 0.51, 0.53, 0.49, 0.50, 0.54, 0.46, 0.52, 0.50, 0.51]
GAINS = [0.03, 0.05, 0.01, 0.04, 0.06, 0.02, 0.03, 0.05, 0.04, 0.02, 0.03, 0.01, 0.06, 0.04]
BETTER = [base + gain for base, gain in zip(BASE, GAINS, strict=True)]
LOW = float(stats.ttest_1samp(GAINS, 0, alternative="greater").confidence_interval(0.99).low)
BOTH = {"random_forest": 0.50, "gradient_boosting": 0.54}
DAILY = {"random_forest": BASE, "gradient_boosting": BETTER}


def test_without_a_champion_the_best_candidate_is_the_first() -> None:
    found = decided(contest({**BOTH, "baseline_amount": 0.9}))
    assert (found.kind, found.winner, found.scored_as) == (DecisionKind.FIRST, "gradient_boosting", "gradient_boosting")
    assert (found.score, found.since, found.champion, found.challenger) == (0.54, DAY, None, None)
    assert "gradient_boosting has the highest average precision from 2026-02-01 to 2026-02-14, 0.5400" in found.reason


def test_a_challenger_that_is_surely_better_takes_over() -> None:
    found = decided(contest(BOTH, DAILY, scored_as="random_forest"), champion())
    assert found.kind is DecisionKind.PROMOTED
    assert (found.winner, found.scored_as, found.score) == ("gradient_boosting", "gradient_boosting", 0.54)
    assert (found.champion, found.champion_score, found.champion_day) == ("random_forest", 0.50, "2026-03-14")
    assert (found.challenger, found.challenger_score, found.days) == ("gradient_boosting", 0.54, 14)
    assert found.champion_hash == "a hash"
    assert found.difference == pytest.approx(np.mean(GAINS), abs=1e-12)
    assert found.lower_bound == pytest.approx(LOW, abs=1e-12)
    assert found.since == DAY
    for part in ("gradient_boosting takes over", "+0.0350", f"{LOW:+.4f}", "over 14 days", "0.005"):
        assert part in found.reason


@pytest.mark.parametrize(("beyond", "kind"), [(-1e-9, DecisionKind.PROMOTED), (1e-9, DecisionKind.KEPT)])
def test_the_lower_bound_must_be_above_the_margin(beyond: float, kind: DecisionKind) -> None:
    found = decided(contest(BOTH, DAILY, scored_as="random_forest"), champion(), rules=Rules(margin=LOW + beyond))
    assert found.kind is kind
    assert found.since == (DAY if kind is DecisionKind.PROMOTED else "2026-03-01")


def test_with_fewer_than_fourteen_days_the_champion_stays_and_the_reason_says_what_to_do() -> None:
    """A day on which one of the two has no average precision does not count."""
    undefined: list[dict[str, list[float | None]]] = [
        {"gradient_boosting": [*BETTER[:-1], None]},
        {"random_forest": [None, *BASE[1:]]},
    ]
    for instead in undefined:
        found = decided(contest(BOTH, {**DAILY, **instead}, scored_as="random_forest"), champion())
        assert (found.kind, found.winner, found.days) == (DecisionKind.KEPT, "random_forest", 13)
        assert "13 days have fraud, 14 are needed" in found.reason
        assert "validation_days" in found.reason


def test_without_any_common_day_nothing_is_compared() -> None:
    found = decided(contest(BOTH, scored_as="random_forest"), champion())
    assert (found.kind, found.difference, found.lower_bound, found.days) == (DecisionKind.KEPT, None, None, 0)


def test_only_the_single_best_challenger_is_tested() -> None:
    """The second best would pass, by its small variance; the best does not, and there is no second test."""
    erratic = [base + (0.9 if n == 0 else 0.0) for n, base in enumerate(BASE)]
    measured = contest(
        {**BOTH, "logistic_regression": 0.56}, {**DAILY, "logistic_regression": erratic}, scored_as="random_forest"
    )
    found = decided(measured, champion())
    assert (found.kind, found.challenger, found.winner) == (DecisionKind.KEPT, "logistic_regression", "random_forest")


def test_a_champion_that_is_no_candidate_has_rows_of_its_own() -> None:
    measured = contest({**BOTH, CHAMPION: 0.5}, {**DAILY, CHAMPION: BASE}, scored_as=CHAMPION)
    before = champion("logistic_regression")
    assert decided(measured, before).kind is DecisionKind.PROMOTED
    kept = decided(measured, before, rules=Rules(margin=0.5))
    assert (kept.winner, kept.scored_as, kept.score) == ("logistic_regression", CHAMPION, 0.5)
    assert kept.challenger == "gradient_boosting"


def test_the_champions_own_rows_are_no_challenger() -> None:
    found = decided(contest({"random_forest": 0.5, CHAMPION: 0.9}, scored_as=CHAMPION), champion("gradient_boosting"))
    assert (found.kind, found.challenger, found.score) == (DecisionKind.KEPT, "random_forest", 0.9)


@pytest.mark.parametrize("roc_auc", [0.5, 0.2])
def test_a_champion_that_is_no_better_than_chance_does_not_stay(roc_auc: float) -> None:
    measured = contest(BOTH, DAILY, scored_as="random_forest", roc_auc={"random_forest": roc_auc})
    found = decided(measured, champion())
    assert (found.kind, found.winner, found.since) == (DecisionKind.REPLACED, "gradient_boosting", DAY)
    assert "random_forest, ranks no better than chance" in found.reason


def test_a_champion_without_scores_does_not_stay() -> None:
    found = decided(contest({**BOTH, "random_forest": None}, scored_as="random_forest"), champion())
    assert (found.kind, found.winner) == (DecisionKind.REPLACED, "gradient_boosting")


def test_where_nothing_is_better_than_chance_nothing_can_be_chosen() -> None:
    chance = {"random_forest": 0.5, "gradient_boosting": 0.4}
    with pytest.raises(LearningError, match="better than chance"):
        decided(contest(BOTH, DAILY, scored_as="random_forest", roc_auc=chance), champion())


def test_a_sound_champion_stays_where_every_challenger_is_degenerate() -> None:
    measured = contest(BOTH, DAILY, scored_as="random_forest", roc_auc={"gradient_boosting": 0.5})
    found = decided(measured, champion(since="2024-01-01"))
    assert (found.kind, found.winner, found.challenger) == (DecisionKind.KEPT, "random_forest", None)
    assert "no other candidate ranks better than chance" in found.reason


def test_without_fraud_in_validation_the_champion_stays() -> None:
    nothing = contest({"random_forest": None, "gradient_boosting": None}, scored_as="random_forest")
    found = decided(nothing, champion(since="2024-01-01"))
    assert (found.kind, found.winner, found.score) == (DecisionKind.KEPT, "random_forest", None)
    assert "no fraud is known from 2026-02-01 to 2026-02-14" in found.reason


def test_without_fraud_and_without_a_champion_nothing_can_be_chosen() -> None:
    with pytest.raises(LearningError, match="no known fraud"):
        decided(contest({"random_forest": None, "gradient_boosting": None}))


def test_a_recipe_that_cannot_be_fitted_any_more_gives_way() -> None:
    found = decided(contest(BOTH, DAILY, failure="There is no family 'perceptron'."), champion("perceptron"))
    assert (found.kind, found.winner, found.champion) == (DecisionKind.REPLACED, "gradient_boosting", "perceptron")
    assert "cannot be fitted any more (There is no family 'perceptron'.)" in found.reason


@pytest.mark.parametrize(("since", "kind"), [("2025-12-15", DecisionKind.KEPT), ("2025-12-14", DecisionKind.TOO_OLD)])
def test_after_its_term_a_recipe_gives_way_to_the_best_candidate(since: str, kind: DecisionKind) -> None:
    """90 days are allowed; the 91st is too old, and no test is asked for."""
    hardly = {"random_forest": BASE, "gradient_boosting": [base + 1e-6 for base in BASE]}
    found = decided(contest(BOTH, hardly, scored_as="random_forest"), champion(since=since))
    assert found.kind is kind
    expected = ("gradient_boosting", DAY) if kind is DecisionKind.TOO_OLD else ("random_forest", since)
    assert (found.winner, found.since) == expected


def test_the_best_candidate_may_be_the_recipe_whose_term_is_over() -> None:
    """It is chosen anew, and its age counts from then on."""
    best = contest({"random_forest": 0.6, "gradient_boosting": 0.5}, DAILY, scored_as="random_forest")
    found = decided(best, champion(since="2025-01-01"))
    assert (found.kind, found.winner, found.since) == (DecisionKind.TOO_OLD, "random_forest", DAY)
    assert "chosen anew" in found.reason


MANUAL = Rules(promotion=Promotion.MANUAL)


@pytest.mark.parametrize("since", ["2026-03-01", "2025-01-01"])
def test_with_manual_promotion_the_challenger_waits(since: str) -> None:
    found = decided(contest(BOTH, DAILY, scored_as="random_forest"), champion(since=since), rules=MANUAL)
    assert (found.kind, found.winner, found.since) == (DecisionKind.AWAITING_APPROVAL, "random_forest", since)
    assert (found.scored_as, found.score) == ("random_forest", 0.50)
    assert (found.challenger, found.challenger_score) == ("gradient_boosting", 0.54)
    assert f"models approve --date {DAY}" in found.reason


def test_the_first_model_waits_for_nobody() -> None:
    assert decided(contest(BOTH), rules=MANUAL).kind is DecisionKind.FIRST


def test_a_recipe_chosen_anew_waits_for_nobody() -> None:
    best = contest({"random_forest": 0.6, "gradient_boosting": 0.5}, DAILY, scored_as="random_forest")
    assert decided(best, champion(since="2025-01-01"), rules=MANUAL).kind is DecisionKind.TOO_OLD


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (OverrideKind.PIN, DecisionKind.PINNED),
        (OverrideKind.ROLLBACK, DecisionKind.ROLLED_BACK),
        (OverrideKind.APPROVE, DecisionKind.APPROVED),
    ],
)
def test_what_people_say_comes_before_the_test(said: OverrideKind, kind: DecisionKind) -> None:
    measured = contest({**BOTH, CHAMPION: 0.1}, {**DAILY, CHAMPION: [0.1] * 14}, scored_as=CHAMPION)
    found = decided(measured, champion(), [override(7, said, DAY, "logistic_regression")])
    assert (found.kind, found.winner, found.scored_as) == (kind, "logistic_regression", CHAMPION)
    assert (found.score, found.challenger, found.champion) == (0.1, None, "random_forest")
    assert found.last_override == (None if said is OverrideKind.PIN else 7)
    for part in ("logistic_regression is used because ada", "of 2026-03-02", "it said so"):
        assert part in found.reason
    assert found.override is not None
    assert found.override in found.reason


def test_a_pinned_recipe_that_cannot_be_fitted_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(
        LearningError, match=r"ada pinned .* cannot be fitted any more \(no feature 'x'\).*models unpin"
    ):
        decided(contest(BOTH, failure="no feature 'x'"), champion(), [override(1, OverrideKind.PIN, DAY)])


def test_a_settled_override_is_carried_along() -> None:
    measured = contest(BOTH, DAILY, scored_as="random_forest")
    assert decided(measured, champion(last_override=7)).last_override == 7
    known = [override(7, OverrideKind.ROLLBACK, "2026-03-10")]
    again = decided(measured, champion(last_override=7), known)
    assert (again.kind, again.last_override) == (DecisionKind.PROMOTED, 7)


def test_a_decision_tells_all_but_what_is_not_defined() -> None:
    facts = decided(contest(BOTH, DAILY, scored_as="random_forest"), champion()).facts()
    assert facts["decision_kind"] == "promoted"
    assert type(facts["decision_kind"]) is str
    assert facts["champion_since"] == DAY
    assert facts["days_compared"] == 14
    assert facts["margin"] == RULES.margin
    assert not {"override", "last_override"} & set(facts)


def test_between_equal_recipes_noise_promotes_at_most_one_in_a_hundred() -> None:
    """Two scorers that differ by chance alone, and no margin: the test's own error is the rate."""
    rng = np.random.default_rng(0)
    trials, promoted = 200, 0
    for values in rng.normal(0.5, 0.1, size=(trials, 2, 14)):
        measured = contest(BOTH, dict(zip(DAILY, values.tolist(), strict=True)), scored_as="random_forest")
        promoted += decided(measured, champion(), rules=Rules(margin=0.0)).kind is DecisionKind.PROMOTED
    assert promoted / trials <= 0.01 + 3 * (0.01 * 0.99 / trials) ** 0.5


DAILY_VALUES = st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=14, max_size=20)


@settings(max_examples=30, deadline=None)
@given(first=DAILY_VALUES, second=DAILY_VALUES, seed=st.integers(0, 5))
def test_the_decision_is_scipys_whatever_the_order_of_the_rows(
    first: list[float | None], second: list[float | None], seed: int
) -> None:
    measured = contest(BOTH, {"random_forest": first, "gradient_boosting": second}, scored_as="random_forest")
    found = decided(measured, champion())
    pairs = zip(first, second, strict=False)
    gains = np.array([after - before for before, after in pairs if before is not None and after is not None])
    low = -np.inf
    if len(gains) >= 14:
        low = gains.mean() - stats.t.ppf(0.99, len(gains) - 1) * stats.sem(gains)
    if abs(low - RULES.margin) > 1e-9:
        assert (found.kind is DecisionKind.PROMOTED) == (low > RULES.margin)
    assert found.days == len(gains)
    shuffled = contest(BOTH, {"random_forest": first, "gradient_boosting": second}, scored_as="random_forest")
    shuffled.daily[:] = shuffled.daily.sample(frac=1, random_state=seed).to_numpy()
    assert decided(shuffled, champion()) == found
