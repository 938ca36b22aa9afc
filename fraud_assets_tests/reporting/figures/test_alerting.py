"""Precision and recall by alerts per day, and savings by threshold: what is marked is where it is said to be."""

import numpy as np
import pandas as pd
import pytest

from fraud_assets.reporting.figures.alerting import by_alerts_per_day, saving_by_threshold
from fraud_assets_tests.reporting.frames import four_rows, measured, points_of, realistic, said


def test_curves_are_read_between_the_operating_points() -> None:
    label, score = [1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]
    figure = by_alerts_per_day(points_of(label, {"ensemble": score}, days=2), 1)
    precision, recall = (trace for trace in figure.data if trace.name.startswith("Ensemble"))
    assert (precision.x[0], precision.x[-1]) == (0.5, 2)
    assert (precision.y[0], precision.y[-1]) == (1, 0.5)
    assert (recall.y[0], recall.y[-1]) == (0.5, 1)
    assert precision.name == "Ensemble  50%", "one alert a day catches one of two frauds"
    assert recall.showlegend is False


def test_the_capacity_is_a_line_in_both_panels_and_its_recall_in_the_legend() -> None:
    points = realistic(20_000).points
    figure = by_alerts_per_day(points, 100)
    marks = [trace for trace in figure.data if trace.name == "Capacity: 100 a day"]
    assert [list(mark.x) for mark in marks] == [[100, 100]] * 2
    assert {mark.yaxis for mark in marks} == {"y", "y2"}
    assert figure.layout.legend.title.text == "Recall at 100 a day"
    own = points[(points["candidate"] == "ensemble") & points["is_chosen"]].iloc[0]
    without = by_alerts_per_day(points)
    assert without.layout.legend.title.text == "Recall at its threshold"
    assert f"Ensemble  {100 * own['recall']:.3g}%" in {trace.name for trace in without.data}
    assert not [trace for trace in without.data if trace.name.startswith("Capacity")]


def test_shares_have_their_whole_axis_and_alerts_a_logarithmic_one() -> None:
    layout = by_alerts_per_day(realistic(20_000).points, 100).layout
    assert layout.xaxis.type == layout.xaxis2.type == "log"
    assert layout.yaxis.range == layout.yaxis2.range == (0, 1.02)


def test_the_highest_saving_and_the_threshold_are_marked() -> None:
    found = realistic(20_000)
    points = found.points[found.points["candidate"] == "ensemble"]
    figure = saving_by_threshold(found.points, "ensemble")
    _, highest, own = figure.data
    best = points.loc[points["saving_per_day"].idxmax()]
    assert highest.name.startswith("Highest: ")
    assert (highest.x[0], highest.y[0]) == pytest.approx((best["threshold"], best["saving_per_day"]), abs=0.01)
    assert (own.name, own.x[0]) == ("Its threshold: 0.300", 0.3)
    assert own.y[0] == pytest.approx(points.loc[points["is_chosen"], "saving_per_day"].iloc[0], abs=0.01)
    assert figure.layout.xaxis.type == "log"
    low, high = figure.layout.yaxis.range
    assert -high < low < 0 < best["saving_per_day"] < high


def test_alerts_that_cost_nothing_are_told() -> None:
    free = measured([1, 0, 1, 0], {"ensemble": [0.9, 0.8, 0.7, 0.1]}, {"ensemble": 0.5})
    assert "Every further alert saves here" not in said(saving_by_threshold(free.points, "ensemble"))
    always = measured([1, 0, 1, 1], {"ensemble": [0.9, 0.8, 0.7, 0.1]})
    assert "(cost_per_alert) is not set" in said(saving_by_threshold(always.points, "ensemble"))


def test_scores_that_are_no_probabilities_have_an_axis_of_their_own() -> None:
    figure = saving_by_threshold(realistic(5_000).points, "baseline_amount")
    assert figure.layout.xaxis.type is None
    assert [trace.name.split(":")[0] for trace in figure.data] == ["Saving a day", "Highest"]


def test_what_cannot_be_drawn_is_said() -> None:
    assert "No transaction of the validation days" in said(by_alerts_per_day(pd.DataFrame(), 100))
    assert "is fraud, so there is nothing" in said(by_alerts_per_day(points_of([0, 0], {"ensemble": [0.1, 0.2]}), 5))
    assert "Ensemble has no transaction" in said(saving_by_threshold(four_rows(), "ensemble"))
    unknown = four_rows().assign(saving_per_day=np.nan)
    assert "No saving is known" in said(saving_by_threshold(unknown, "random_forest"))


def test_without_a_fraud_alerts_only_cost() -> None:
    points = measured([0, 0, 0], {"ensemble": [0.3, 0.2, 0.1]}, {"ensemble": 0.15}, cost=5.0).points
    figure = saving_by_threshold(points, "ensemble")
    assert figure.data[1].y[0] == -5
    assert figure.layout.yaxis.range[0] < -15
