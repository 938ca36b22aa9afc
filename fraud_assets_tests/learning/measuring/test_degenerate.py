"""Nothing degenerate can ever win, whatever the labels are."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fraud_assets.learning import LearningError, choose_winner, evaluate
from fraud_assets.learning.measuring.degenerate import degeneracy
from fraud_assets_tests.learning.frames import at

FloatArray = NDArray[np.float64]
N = 60


def rows(labels: NDArray[np.bool_]) -> pd.DataFrame:
    times = [at("2024-01-01") + pd.Timedelta(hours=n) for n in range(len(labels))]
    return pd.DataFrame({"transaction_time": times, "amount": 10.0, "label": labels.astype(np.int8)})


def measured(labels: NDArray[np.bool_], scores: Mapping[str, FloatArray]) -> pd.DataFrame:
    frame = rows(labels)
    return pd.DataFrame(
        [
            {
                "candidate": name,
                "degenerate": degeneracy(values),
                **evaluate(values, frame, threshold=None, alerts_per_day=5, timezone="UTC"),
            }
            for name, values in scores.items()
        ]
    )


def winner(table: pd.DataFrame) -> str | None:
    try:
        return choose_winner(table)
    except LearningError:
        return None


def degenerate_scores(labels: NDArray[np.bool_], seed: int) -> dict[str, FloatArray]:
    """What a broken fit may hand in; some of it knows the labels, and must not win even so."""
    broken = labels.astype(np.float64)
    return {
        "constant": np.full(N, 0.3),
        "constant_but_for_rounding": 0.3 + labels * 1e-12,
        "not_a_number": np.where(np.arange(N) == seed % N, np.nan, broken),
        "infinite": np.where(labels, np.inf, 0.0),
        "minus_infinite": np.where(labels, 1.0, -np.inf),
        "inverted": 1 - broken,
        "inverted_with_ties": np.where(labels & (np.arange(N) % 2 == 0), 0.2, 0.6 - 0.2 * broken),
        "tied_at_the_top": np.where(~labels & (np.cumsum(~labels) <= 5), 0.1, 1.0),
    }


@settings(max_examples=40, deadline=None)
@given(share=st.sampled_from([0.0, 0.02, 0.1, 0.5, 0.98, 1.0]), seed=st.integers(0, 10_000))
def test_no_degenerate_candidate_wins_alone_or_beside_a_sound_one(share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.random(N) < share
    broken = degenerate_scores(y, seed)
    table = measured(y, broken | {"sound": 1 / (1 + np.exp(-(rng.normal(size=N) + y)))})
    for name in broken:
        assert winner(table[table["candidate"] == name]) is None, name
    assert winner(table) in {None, "sound"}


def test_a_sound_candidate_wins_among_them() -> None:
    """The counter-check: what forbids everything would pass the test above."""
    y = np.arange(N) % 6 == 0
    sound = np.where(y, 0.8, 0.2) + np.linspace(0, 0.1, N)
    assert winner(measured(y, degenerate_scores(y, 3) | {"sound": sound})) == "sound"


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        ([0.1, np.nan, np.inf], "2 of 3 scores are not finite"),
        ([0.25, 0.25], "all scores are 0.25"),
        ([0.25, 0.25 + 1e-9], "all scores are 0.25"),
        ([1.0, 1.0, 0.5], "66.7% of the transactions share the highest score"),
        ([1e-7, 3e-7, 2e-7], None),
        ([0.0, 0.0, 0.0, 0.7], None),
        ([0.9, 0.9, 0.1, 0.2], None),
        ([], None),
    ],
)
def test_the_reason_is_told(scores: list[float], reason: str | None) -> None:
    assert degeneracy(np.array(scores)) == reason


@pytest.mark.parametrize("impossible", [np.inf, -np.inf, 1.5, -0.2])
def test_an_impossible_metric_never_wins(impossible: float) -> None:
    table = pd.DataFrame({"candidate": ["odd", "sound"], "average_precision": [impossible, 0.1], "roc_auc": [0.9, 0.6]})
    assert choose_winner(table) == "sound"
    table = pd.DataFrame({"candidate": ["odd", "sound"], "average_precision": [0.9, 0.1], "roc_auc": [impossible, 0.6]})
    assert choose_winner(table) == "sound"
