"""What a score distribution and a confusion matrix count."""

import numpy as np
import pytest

from fraud_assets.reporting.distributions import BINS, confusion, score_distribution
from fraud_assets.reporting.style import FRAUD, GENUINE
from fraud_assets_tests.reporting.frames import four_rows, lines, realistic_scores, said, scores_of


def test_every_transaction_is_in_a_bin_of_its_class() -> None:
    scores = realistic_scores()
    bars = lines(score_distribution(scores, "random_forest", 0.4))
    label = scores.loc[scores["model"] == "random_forest", "label"]
    assert (bars["Fraud"].y.sum(), bars["Genuine"].y.sum()) == (label.sum(), (1 - label).sum())
    assert (bars["Fraud"].marker.color, bars["Genuine"].marker.color) == (FRAUD, GENUINE)
    assert len(bars["Fraud"].x) == BINS


def test_counts_are_logarithmic_and_one_transaction_is_a_bar() -> None:
    axis = score_distribution(four_rows(), "random_forest").layout.yaxis
    assert axis.type == "log"
    assert axis.range[0] < 0


def test_the_threshold_is_a_line_with_its_value() -> None:
    figure = score_distribution(four_rows(), "random_forest", 0.25)
    assert (figure.layout.shapes[0].x0, figure.layout.shapes[0].x1) == (0.25, 0.25)
    assert "Alert from 0.250" in said(figure)
    assert not score_distribution(four_rows(), "random_forest", float("nan")).layout.shapes


@pytest.mark.parametrize("score", [[-3.0, 4.0, 2.5], [7.0, 7.0, 7.0], [1e9, -1e9, 0.0]])
def test_scores_that_are_no_probabilities_have_their_own_axis(score: list[float]) -> None:
    figure = score_distribution(scores_of("ensemble", [1, 0, 0], score), "ensemble", 5.0)
    low, high = figure.layout.xaxis.range
    assert low <= min(score)
    assert max(score) <= high
    assert sum(trace.y.sum() for trace in figure.data) == 3


def test_one_class_is_drawn() -> None:
    bars = lines(score_distribution(scores_of("ensemble", [0, 0], [0.1, 0.2]), "ensemble"))
    assert (bars["Genuine"].y.sum(), bars["Fraud"].y.sum()) == (2, 0)


def test_confusion_counts_with_shares() -> None:
    label = [1] * 4 + [0] * 16
    score = [0.9, 0.8, 0.7, 0.2] + [0.75] + [0.1] * 15
    figure = confusion(scores_of("gradient_boosting", label, score), "gradient_boosting", 0.7)
    cells = [annotation.text for annotation in figure.layout.annotations]
    for cell, expected in zip(
        cells,
        [("3", "caught", "75% of the fraud"), ("1", "missed", "25% of the fraud"),
         ("1", "false alarms", "6.25% of the genuine"), ("15", "let through", "93.8% of the genuine")],
        strict=True,
    ):  # fmt: skip
        count, name, part = expected
        assert f"<b>{count}</b>" in cell
        assert name in cell
        assert part in cell
    assert "4 alerts in 20 transactions, precision 75%, recall 75%" in said(figure)


def test_confusion_without_fraud_or_alerts() -> None:
    figure = confusion(scores_of("ensemble", [0, 0], [0.1, 0.2]), "ensemble", 0.5)
    assert "precision n/a, recall n/a" in said(figure)
    assert "there is none of the fraud" in said(figure)


@pytest.mark.parametrize("model", ["ensemble", "random_forest"])
def test_what_cannot_be_drawn_is_said(model: str) -> None:
    unknown = scores_of("random_forest", [np.nan], [0.4])
    for figure in (score_distribution(unknown, model), confusion(unknown, model, 0.5)):
        assert "no transaction with both a score and a known label" in said(figure)
    assert "No threshold has been chosen" in said(confusion(four_rows(), "random_forest", float("nan")))
