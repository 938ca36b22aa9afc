"""The fast ranking metrics are scikit-learn's."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from fraud_assets.learning.measuring.ranking import ranking_metrics

SCORES = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(-1e6, 1e6))


@settings(deadline=None)
@given(rows=st.lists(st.tuples(st.booleans(), SCORES), min_size=1, max_size=60))
@example(rows=[(True, 0.5), (False, 0.5)])
@example(rows=[(False, 0.5), (True, 0.5), (False, 0.1), (True, 0.1), (False, 0.9)])
def test_they_are_those_of_scikit_learn_with_any_ties(rows: list[tuple[bool, float]]) -> None:
    y, scores = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    order = np.argsort(-scores, kind="stable")
    precision, auc = ranking_metrics(y[order], scores[order])
    assert precision == (pytest.approx(average_precision_score(y, scores)) if y.any() else None)
    assert auc == (pytest.approx(roc_auc_score(y, scores)) if y.any() and not y.all() else None)


@settings(deadline=None)
@given(rows=st.lists(st.tuples(st.booleans(), st.sampled_from([0.1, 0.5, 0.9])), min_size=1, max_size=40))
def test_the_order_of_equal_scores_means_nothing(rows: list[tuple[bool, float]]) -> None:
    def measured(ordered: list[tuple[bool, float]]) -> tuple[float | None, float | None]:
        return ranking_metrics(np.array([y for y, _ in ordered]), np.array([score for _, score in ordered]))

    frauds_first = sorted(rows, key=lambda row: (-row[1], not row[0]))
    frauds_last = sorted(rows, key=lambda row: (-row[1], row[0]))
    assert measured(frauds_first) == measured(frauds_last)
