"""The curves go through the operating points, have the areas that scikit-learn computes, and names that people know."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from fraud_assets.reporting.figures.curves import FalsePositiveAxis, precision_recall, roc
from fraud_assets.reporting.style import model_style
from fraud_assets_tests.reporting.frames import (
    SCORERS,
    STRENGTH,
    four_rows,
    lines,
    points_of,
    realistic,
    said,
    trace_named,
)


def area_of_steps(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.sum(np.diff(x) * y[1:]))


def test_precision_and_recall_of_four_rows() -> None:
    figure = precision_recall(four_rows())
    line = lines(figure)["Random forest"]
    assert line.name == "Random forest  0.833"
    assert line.line.shape == "vh"
    np.testing.assert_allclose(line.x, [0, 0.5, 1])
    np.testing.assert_allclose(line.y, [1, 1, 2 / 3], atol=1e-5)
    np.testing.assert_allclose(line.customdata, [[0.9, 1], [0.9, 1], [0.7, 3]])
    assert "4 labelled transactions of 1 day, 50% fraud" in said(figure)


def test_prevalence_is_the_chance_line() -> None:
    chance = lines(precision_recall(four_rows()))["Chance"]
    np.testing.assert_allclose(chance.y, [0.5, 0.5])
    assert chance.line.dash


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30)), min_size=2, max_size=100))
def test_the_area_of_the_drawn_steps_is_the_average_precision(rows: list[tuple[bool, int]]) -> None:
    label, score = [float(is_fraud) for is_fraud, _ in rows], [value / 30 for _, value in rows]
    points = points_of(label, {"ensemble": score})
    if sum(label) == 0:
        assert "None of the labelled transactions is fraud" in said(precision_recall(points))
        return
    line = lines(precision_recall(points))["Ensemble"]
    average = average_precision_score(label, score)
    assert area_of_steps(line.x, line.y) == pytest.approx(average, abs=1e-4)
    if sum(label) < len(label):
        assert float(lines(roc(points))["Ensemble"].name.split("  ")[1]) == pytest.approx(
            roc_auc_score(label, score), abs=1e-3
        )


def test_the_legend_has_the_evaluations_own_numbers() -> None:
    measured = realistic(6_000)
    exact = measured.overall.assign(average_precision=0.4321, roc_auc=0.9876)
    assert lines(precision_recall(measured.points, exact))["Ensemble"].name == "Ensemble  0.432"
    assert lines(roc(measured.points, exact))["Ensemble"].name == "Ensemble  0.988"
    unknown = exact.assign(average_precision=np.nan)
    drawn = lines(precision_recall(measured.points, unknown))["Ensemble"].name
    assert float(drawn.split("  ")[1]) == pytest.approx(
        measured.overall.set_index("candidate")["average_precision"]["ensemble"], abs=0.006
    )


def test_best_first_in_colours_of_their_own() -> None:
    figure = precision_recall(realistic(20_000).points)
    drawn = lines(figure)
    names = [model_style(name).name for name in SCORERS]
    assert set(drawn) == {*names, "Chance", "At its threshold"}
    values = [float(drawn[name].name.split("  ")[1]) for name in drawn if name in names]
    assert values == sorted(values, reverse=True)
    assert drawn["Gradient boosting"].line.color == "#0072B2"
    assert figure.layout.xaxis.tickformat == figure.layout.yaxis.tickformat == ".0%"
    assert all(len(trace.x) <= 202 for trace in figure.data)


def test_own_thresholds_are_marked_where_they_fall() -> None:
    for draw in (precision_recall, roc):
        marks = trace_named(draw(four_rows(threshold=0.75)), "At its threshold")
        assert (list(marks.x), list(marks.y)) == ([0.5], [0.5])
    figure = roc(realistic(20_000).points)
    assert len(trace_named(figure, "At its threshold").x) == len(STRENGTH)


def test_a_threshold_that_flags_nothing_has_no_precision_and_no_mark() -> None:
    figure = precision_recall(four_rows(threshold=2.0))
    assert not [trace for trace in figure.data if trace.mode == "markers"]
    assert lines(figure)["Random forest"].name == "Random forest  0.833"


def test_roc_of_four_rows_steps_where_it_should() -> None:
    line = lines(roc(four_rows()))["Random forest"]
    assert line.name == "Random forest  0.750"
    assert set(line.y[line.x < 0.5]) == {0.5}
    assert set(line.y[line.x > 0.51]) == {1.0}


def test_a_constant_score_lies_on_the_chance_line() -> None:
    drawn = lines(roc(points_of([1, 0, 0, 0], {"baseline_constant": [0.5] * 4})))
    np.testing.assert_allclose(drawn["Baseline: constant"].y, drawn["Chance"].y, atol=1e-5)


def test_the_false_positive_axis_shows_rare_alarms_unless_asked_otherwise() -> None:
    points = realistic(20_000).points
    figure = roc(points)
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.xaxis.ticktext == ("0.001%", "0.01%", "0.1%", "1%", "10%", "100%")
    linear = roc(points, axis=FalsePositiveAxis.LINEAR)
    assert linear.layout.xaxis.type is None
    assert linear.layout.xaxis.tickformat == ".0%"


@pytest.mark.parametrize("draw", [precision_recall, roc])
def test_what_cannot_be_drawn_is_said(draw: Callable[[pd.DataFrame], go.Figure]) -> None:
    nothing = "No transaction of the validation days has both a score and a known label yet."
    assert nothing in said(draw(pd.DataFrame()))
    assert nothing in said(draw(four_rows().iloc[:0]))
    assert nothing in said(draw(four_rows().assign(threshold=None)))
    assert "is fraud, so there is nothing" in said(draw(points_of([0, 0], {"ensemble": [0.1, 0.2]})))


def test_fraud_only_has_precision_but_no_false_alarms() -> None:
    points = points_of([1, 1], {"ensemble": [0.1, 0.2]})
    assert "Ensemble" in lines(precision_recall(points))
    assert "there can be no false alarm" in said(roc(points))


def test_the_order_of_the_rows_means_nothing_and_they_stay_as_they_were() -> None:
    points = realistic(5_000).points
    before = points.copy()
    shuffled = points.sample(frac=1, random_state=1)
    assert precision_recall(shuffled) == precision_recall(points)
    assert roc(shuffled) == roc(points)
    pd.testing.assert_frame_equal(points, before)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ValueError, match="operating points has no column 'alerts'; it needs candidate, threshold"):
        precision_recall(four_rows().drop(columns="alerts"))
