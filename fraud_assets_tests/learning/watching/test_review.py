"""The review sample: the same for the same rows, none of them an alert, and every one as likely as another."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chisquare

from fraud_assets.learning.watching.review import review_sample


@given(
    ids=st.lists(st.integers(-(2**40), 2**40), unique=True, max_size=60),
    size=st.integers(0, 70),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_the_sample_is_of_the_size_outside_of_the_alerts_and_the_same_in_any_order(
    ids: list[int], size: int, seed: int, data: st.DataObject
) -> None:
    alerts = np.array(data.draw(st.lists(st.booleans(), min_size=len(ids), max_size=len(ids))), dtype=bool)
    sample = review_sample(np.array(ids, dtype=np.int64), alerts, size, seed)
    assert not (sample & alerts).any()
    assert sample.sum() == min(size, (~alerts).sum())
    order = np.array(data.draw(st.permutations(range(len(ids)))), dtype=np.int64)
    again = review_sample(pd.Series(ids, dtype="int64").iloc[order], alerts[order], size, seed)
    assert (again == sample[order]).all()


@given(ids=st.lists(st.text(max_size=8), unique=True, min_size=1, max_size=40), size=st.integers(1, 9))
def test_one_row_more_takes_the_place_of_one_at_most(ids: list[str], size: int) -> None:
    series = pd.Series(ids, dtype="str")
    everyone = set(series[review_sample(series, np.zeros(len(ids), dtype=bool), size, 0)])
    fewer = series.iloc[1:]
    without = set(fewer[review_sample(fewer, np.zeros(len(fewer), dtype=bool), size, 0)])
    assert len(everyone - without) <= 1


@pytest.mark.parametrize("kind", [int, str])
def test_every_row_is_as_likely_as_another(kind: type[int | str]) -> None:
    """Over many seeds, and over many days of one seed: counts of rows, of neighbours, and by place."""
    rows, size, seeds = 60, 12, 1_000
    ids = np.array([kind(number) for number in range(10_000, 10_000 + rows)])  # neighbours, as ids of a day are
    alerts = np.arange(rows) % 5 == 0
    drawn = np.array([review_sample(ids, alerts, size, seed) for seed in range(seeds)])
    counts = drawn[:, ~alerts].sum(axis=0)
    # Drawn without replacement, the counts spread less than multinomial ones by the share that is left out.
    spread = chisquare(counts).statistic / (1 - size / len(counts))
    assert 15 < spread < 95, "about 47 degrees of freedom"
    pairs = (drawn[:, 1] & drawn[:, 2]).sum()
    assert binomtest(int(pairs), seeds, size * (size - 1) / (48 * 47)).pvalue > 1e-4
    days = np.array([review_sample(np.arange(day * rows, (day + 1) * rows), alerts, size, 7) for day in range(seeds)])
    places = days[:, ~alerts].sum(axis=0)
    assert 15 < chisquare(places).statistic / (1 - size / len(places)) < 95


def test_another_seed_is_another_sample() -> None:
    ids, nobody = np.arange(500), np.zeros(500, dtype=bool)
    assert (review_sample(ids, nobody, 20, 1) != review_sample(ids, nobody, 20, 2)).any()
    assert set(np.flatnonzero(review_sample(ids, nobody, 20, 1))) < set(
        np.flatnonzero(review_sample(ids, nobody, 40, 1))
    )
