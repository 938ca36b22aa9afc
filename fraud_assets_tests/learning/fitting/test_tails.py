"""Tails become codes that binning keeps apart, and nothing else is touched."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import average_precision_score

from fraud_assets.learning.fitting.tails import MOST_EDGES, TailCodes


def heavy(n: int = 20_000, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).lognormal(0, 1.5, n)


def test_only_columns_with_an_extreme_tail_get_a_code() -> None:
    rng = np.random.default_rng(1)
    X = np.column_stack([rng.uniform(size=20_000), heavy(), rng.integers(0, 200, 20_000) ** 4, heavy(seed=2)])
    fitted = TailCodes(3).fit(X)
    assert [column for column, _, _ in fitted.edges_] == [1]  # uniform, few distinct values, beyond `columns`
    coded = fitted.transform(X)
    np.testing.assert_array_equal(coded[:, :4], X)
    assert coded.shape == (20_000, 5)


@pytest.mark.parametrize("sign", [1, -1])
def test_codes_rise_with_the_value_and_are_few(sign: int) -> None:
    X = (sign * heavy())[:, None]
    coded = TailCodes(1).fit(X).transform(X)
    order = np.argsort(X[:, 0])
    assert (np.diff(coded[order, 1]) >= 0).all()
    assert len(np.unique(coded[:, 1])) <= MOST_EDGES + 1
    assert (coded[:, 1] == 0).mean() == pytest.approx(0.95, abs=0.001)
    # The largest value has a code of its own: no edge is beyond it, and it has passed all.
    assert np.sum(coded[:, 1] == sign * np.abs(coded[:, 1]).max()) == 1


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), max_size=20))
def test_any_later_value_has_a_code_or_is_missing(values: list[float]) -> None:
    fitted = TailCodes(1).fit(heavy()[:, None])
    later = np.array(values, dtype=np.float64).reshape(-1, 1)
    codes = fitted.transform(later)[:, 1]
    np.testing.assert_array_equal(np.isnan(codes), np.isnan(later[:, 0]))
    assert ((codes >= 0) | np.isnan(codes)).all()


def test_missing_and_constant_columns_are_left_alone() -> None:
    X = np.column_stack([np.full(5_000, np.nan), np.full(5_000, 3.0)])
    coded = TailCodes(2).fit(X).transform(X)
    np.testing.assert_array_equal(coded, X)


def test_boosting_sees_a_step_in_the_tail_that_bins_blur() -> None:
    X = heavy(60_000)[:, None]
    step = np.sort(X[:, 0])[-100]  # inside the outermost of 255 bins, which holds 235 rows
    y = (X[:, 0] > step).astype(int)
    boosting = HistGradientBoostingClassifier(
        max_iter=30, max_leaf_nodes=7, l2_regularization=5.0, early_stopping=False, random_state=0
    )
    plain = average_precision_score(y, boosting.fit(X, y).predict_proba(X)[:, 1])
    coded = TailCodes(1).fit(X).transform(X)
    kept = average_precision_score(y, boosting.fit(coded, y).predict_proba(coded)[:, 1])
    assert plain < 0.5
    assert kept > 0.95
