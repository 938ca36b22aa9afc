"""What a score distribution and a confusion matrix count."""

import numpy as np
import pandas as pd
import pytest

from fraud_assets.learning.measuring.operating import SCORE_BINS
from fraud_assets.reporting.figures.distributions import BINS, confusion, score_distribution
from fraud_assets.reporting.style import FRAUD, GENUINE
from fraud_assets_tests.reporting.frames import four_rows, lines, points_of, realistic, said


def test_every_transaction_is_in_the_bin_of_its_score_and_class() -> None:
    random = np.random.default_rng(1)
    label = (random.random(30_000) < 0.05).astype(int)
    score = 1 / (1 + np.exp(3 - random.normal(size=30_000) - 2 * label))
    figure = score_distribution(points_of(label, {"random_forest": score}, {"random_forest": 0.4}), "random_forest")
    bars = lines(figure)
    edges = np.linspace(0, 1, BINS + 1)
    np.testing.assert_array_equal(bars["Fraud"].y, np.histogram(score[label == 1], edges)[0])
    np.testing.assert_array_equal(bars["Genuine"].y, np.histogram(score[label == 0], edges)[0])
    assert (bars["Fraud"].marker.color, bars["Genuine"].marker.color) == (FRAUD, GENUINE)
    assert BINS == SCORE_BINS, "points are kept for these edges"


def test_a_score_on_an_edge_is_in_the_bin_above_it() -> None:
    bars = lines(score_distribution(points_of([0, 1, 0], {"ensemble": [0.25, 0.5, 1.0]}), "ensemble"))
    assert list(np.flatnonzero(bars["Genuine"].y)) == [BINS // 4, BINS - 1]
    assert list(np.flatnonzero(bars["Fraud"].y)) == [BINS // 2]


def test_counts_are_logarithmic_and_one_transaction_is_a_bar() -> None:
    axis = score_distribution(four_rows(), "random_forest").layout.yaxis
    assert axis.type == "log"
    assert axis.range[0] < 0


def test_the_threshold_is_a_line_with_its_value() -> None:
    figure = score_distribution(four_rows(threshold=0.25), "random_forest")
    assert (figure.layout.shapes[0].x0, figure.layout.shapes[0].x1) == (0.25, 0.25)
    assert "Alert from 0.250" in said(figure)
    assert not score_distribution(four_rows(), "random_forest").layout.shapes


@pytest.mark.parametrize("score", [[-3.0, 4.0, 2.5], [7.0, 7.0, 7.0], [1e9, -1e9, 0.0]])
def test_scores_that_are_no_probabilities_have_their_own_axis(score: list[float]) -> None:
    figure = score_distribution(points_of([1, 0, 0], {"ensemble": score}), "ensemble")
    low, high = figure.layout.xaxis.range
    assert low <= min(score)
    assert max(score) <= high
    assert sum(trace.y.sum() for trace in figure.data) == 3


def test_one_class_is_drawn() -> None:
    bars = lines(score_distribution(points_of([0, 0], {"ensemble": [0.1, 0.2]}), "ensemble"))
    assert (bars["Genuine"].y.sum(), bars["Fraud"].y.sum()) == (2, 0)


def test_confusion_counts_with_shares() -> None:
    label = [1] * 4 + [0] * 16
    score = [0.9, 0.8, 0.7, 0.2] + [0.75] + [0.1] * 15
    figure = confusion(points_of(label, {"gradient_boosting": score}, {"gradient_boosting": 0.7}), "gradient_boosting")
    cells = [annotation.text for annotation in figure.layout.annotations]
    for cell, expected in zip(
        cells,
        [("3", "caught", "75% of fraud"), ("1", "missed", "25% of fraud"),
         ("1", "false alarms", "6.25% of genuine"), ("15", "let through", "93.8% of genuine")],
        strict=True,
    ):  # fmt: skip
        count, name, part = expected
        assert f"<b>{count}</b>" in cell
        assert name in cell
        assert part in cell
    assert "4 alerts in 20 transactions, precision 75%, recall 75%" in said(figure)
    shades = [shape.opacity for shape in figure.layout.shapes]
    assert shades[0] > shades[1] > shades[2], "the larger the share, the stronger"


def test_confusion_without_fraud_or_alerts() -> None:
    figure = confusion(points_of([0, 0], {"ensemble": [0.1, 0.2]}, {"ensemble": 0.5}), "ensemble")
    assert "precision n/a, recall n/a" in said(figure)
    assert "there is none" in said(figure)


def test_what_cannot_be_drawn_is_said() -> None:
    for points in (pd.DataFrame(), four_rows()):
        for figure in (score_distribution(points, "ensemble"), confusion(points, "ensemble")):
            assert "no transaction with both a score and a known label" in said(figure)
    assert "No threshold has been chosen" in said(confusion(four_rows(), "random_forest"))
    assert "No threshold has been chosen" in said(confusion(realistic(3_000).points, "baseline_amount"))
