"""Each feature is decided by the columns that it says, and by no other: the lineage that people see is made of this."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pytest

from fraud_assets.learning import FeatureSpec, compute_features, feature_reads
from fraud_assets_tests.learning.frames import at

START = at("2024-05-01")
DAYS, ROWS, ROUNDS, STRETCH = 50, 400, 4, 4
SPEC = FeatureSpec(
    has_customer=True,
    has_terminal=True,
    numeric=("distance",),
    categorical=("channel",),
    segments=("country",),
    label_delay=timedelta(days=2),
    declined_outcomes=("declined",),
)
PLAIN = FeatureSpec(has_customer=False, has_terminal=False, numeric=("distance",))
Changed: TypeAlias = "Callable[[np.random.Generator, pd.Series], pd.Series]"


def _frames(random: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    # Distinct times, so that a row keeps its place whatever becomes of its id.
    minutes = np.sort(random.choice(DAYS * 1440, ROWS, replace=False))
    times = START + pd.to_timedelta(minutes, unit="min")
    transactions = pd.DataFrame(
        {
            "transaction_id": np.arange(ROWS),
            "transaction_time": times.as_unit("us"),
            "customer_id": random.integers(0, 4, ROWS),
            "terminal_id": random.integers(0, 4, ROWS),
            "amount": random.choice([-5.0, 10.0, 20.0, 90.0], ROWS),
            "outcome": random.choice(["approved", "declined"], ROWS),
            "distance": random.random(ROWS),
            "channel": random.choice(["web", "shop"], ROWS),
            "country": random.choice(["de", "fr"], ROWS),
            "label": random.integers(0, 2, ROWS),
        }
    )
    known_at = transactions["transaction_time"] + pd.to_timedelta(random.integers(1, 6, ROWS), unit="D")
    labels = pd.DataFrame(
        {"transaction_id": np.arange(ROWS), "label": random.integers(0, 2, ROWS), "known_at": known_at}
    )
    return transactions, labels


def _shuffled(random: np.random.Generator, values: pd.Series) -> pd.Series:
    return pd.Series(random.permutation(values.to_numpy()), index=values.index)


def _stretched(_: np.random.Generator, values: pd.Series) -> pd.Series:
    """The same order, with more between."""
    return (START + (values - START) * STRETCH).dt.as_unit("us")


def _known_later(random: np.random.Generator, values: pd.Series) -> pd.Series:
    later: pd.Series = values + pd.to_timedelta(random.integers(0, 9, len(values)), unit="D")
    return later


CHANGES: Mapping[tuple[str, str], Changed] = {
    **{("transactions", str(name)): _shuffled for name in _frames(np.random.default_rng(0))[0]},
    ("transactions", "transaction_time"): _stretched,
    ("labels", "transaction_id"): _shuffled,
    ("labels", "label"): _shuffled,
    ("labels", "known_at"): _known_later,
}


@pytest.mark.parametrize("spec", [SPEC, PLAIN], ids=["all", "plain"])
def test_a_feature_is_decided_by_the_columns_that_it_says_and_by_no_other(spec: FeatureSpec) -> None:
    decided: dict[str, set[tuple[str, str]]] = {name: set() for name in spec.columns}
    for seed in range(ROUNDS):
        random = np.random.default_rng(seed)
        frames = dict(zip(("transactions", "labels"), _frames(random), strict=True))
        before = _computed(frames, spec)
        for (frame, column), change in CHANGES.items():
            changed = {**frames, frame: frames[frame].assign(**{column: change(random, frames[frame][column])})}
            after = _computed(changed, spec)
            for name in spec.columns:
                if not before[name].equals(after[name]):
                    decided[name].add((frame, column))
    assert decided == {name: _as_pairs(reads) for name, reads in feature_reads(spec).items()}


def _computed(frames: Mapping[str, pd.DataFrame], spec: FeatureSpec) -> pd.DataFrame:
    end = START + timedelta(days=STRETCH * DAYS + 1)
    return compute_features(frames["transactions"], frames["labels"], spec, start=START, end=end)


def _as_pairs(reads: Any) -> set[tuple[str, str]]:
    return {("transactions", name) for name in reads.transactions} | {("labels", name) for name in reads.labels}
