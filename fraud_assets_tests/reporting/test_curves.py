"""The curves have the points that scikit-learn computes, few of them, and the names that people know."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_curve

from fraud_assets.reporting.curves import MOST_POINTS, FalsePositiveAxis, precision_recall, roc, thin_steps
from fraud_assets.reporting.style import model_style
from fraud_assets_tests.reporting.frames import (
    STRENGTH,
    four_rows,
    lines,
    realistic_scores,
    said,
    scores_of,
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
    np.testing.assert_allclose(line.y, [1, 1, 2 / 3])
    np.testing.assert_allclose(line.customdata, [[0.9, 1], [0.9, 1], [0.7, 3]])


def test_prevalence_is_the_chance_line() -> None:
    chance = lines(precision_recall(four_rows()))["Chance"]
    np.testing.assert_allclose(chance.y, [0.5, 0.5])
    assert chance.line.dash


labelled = st.lists(st.tuples(st.booleans(), st.integers(0, 30)), min_size=2, max_size=150)


@given(labelled)
def test_the_area_of_the_drawn_steps_is_the_average_precision(rows: list[tuple[bool, int]]) -> None:
    label, score = [float(is_fraud) for is_fraud, _ in rows], [value / 30 for _, value in rows]
    figure = precision_recall(scores_of("ensemble", label, score))
    if sum(label) == 0:
        assert "None of the labelled transactions is fraud" in said(figure)
        return
    line = lines(figure)["Ensemble"]
    assert area_of_steps(line.x, line.y) == pytest.approx(average_precision_score(label, score))


def test_long_curves_are_thinned_without_changing_shape() -> None:
    scores = realistic_scores(60_000)
    figure = precision_recall(scores)
    for model, rows in scores.groupby("model"):
        line = lines(figure)[model_style(model).name]
        assert 100 < len(line.x) <= MOST_POINTS
        average = average_precision_score(rows["label"], rows["score"])
        assert area_of_steps(line.x, line.y) == pytest.approx(average, abs=0.003)
        precision, recall, _ = precision_recall_curve(rows["label"], rows["score"])
        all_points = set(zip(recall.round(9), precision.round(9), strict=True))
        assert set(zip(line.x[1:].round(9), line.y[1:].round(9), strict=True)) <= all_points
        frauds = int(rows["label"].sum())
        for (threshold, alerts), x, y in zip(line.customdata[1:], line.x[1:], line.y[1:], strict=True):
            flagged = rows["label"][rows["score"] >= threshold]
            assert (len(flagged), flagged.sum() / frauds) == (alerts, pytest.approx(x))
            assert flagged.mean() == pytest.approx(y)


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=400), st.integers(10, 60))
def test_thinning_keeps_the_ends_and_few_points(heights: list[float], most: int) -> None:
    kept = thin_steps(np.array(heights), most)
    assert len(kept) <= max(most, 2)
    assert kept[0] == 0
    assert kept[-1] == len(heights) - 1
    assert (np.diff(kept) > 0).all()


@given(st.lists(st.floats(0, 1), min_size=100, max_size=400), st.integers(10, 60))
def test_a_monotone_step_function_is_thinned_evenly(heights: list[float], most: int) -> None:
    falling = np.sort(np.array(heights))[::-1]
    kept = thin_steps(falling, most)
    drawn = falling[kept[np.searchsorted(kept, np.arange(len(falling)))]]
    assert np.abs(drawn - falling).max() <= np.ptp(falling) / (most - 2) + 2e-4


def test_best_first_in_colours_of_their_own() -> None:
    figure = precision_recall(realistic_scores(3_000))
    names = [model_style(model).name for model in STRENGTH]
    assert list(lines(figure)) == [*names, "Chance"]
    assert lines(figure)["Gradient boosting"].line.color == "#0072B2"
    assert figure.layout.xaxis.tickformat == figure.layout.yaxis.tickformat == ".0%"


def test_thresholds_are_marked_where_they_fall() -> None:
    figure = precision_recall(four_rows(), {"random_forest": 0.75, "unknown": 0.5})
    marks = trace_named(figure, "At the threshold")
    assert (list(marks.x), list(marks.y)) == ([0.5], [0.5])
    figure = roc(four_rows(), {"random_forest": 0.75})
    marks = trace_named(figure, "At the threshold")
    assert (list(marks.x), list(marks.y)) == ([0.5], [0.5])


@pytest.mark.parametrize("threshold", [2.0, float("nan")])
def test_a_threshold_that_flags_nothing_has_no_precision_and_no_mark(threshold: float) -> None:
    figure = precision_recall(four_rows(), {"random_forest": threshold})
    assert not [trace for trace in figure.data if trace.mode == "markers"]


def test_roc_reads_the_whole_curve_at_few_rates() -> None:
    scores = realistic_scores(60_000)
    figure = roc(scores)
    for model, rows in scores.groupby("model"):
        line = lines(figure)[model_style(model).name]
        assert len(line.x) <= MOST_POINTS
        false_positive, true_positive, _ = roc_curve(rows["label"], rows["score"], drop_intermediate=False)
        np.testing.assert_allclose(line.y, np.interp(line.x, false_positive, true_positive), atol=1e-9)
    assert "ROC AUC" in figure.layout.legend.title.text


def test_roc_of_four_rows_steps_where_it_should() -> None:
    line = lines(roc(four_rows()))["Random forest"]
    assert line.name == "Random forest  0.750"
    assert set(line.y[line.x < 0.5]) == {0.5}
    assert set(line.y[line.x > 0.51]) == {1.0}


def test_a_constant_score_lies_on_the_chance_line() -> None:
    figure = roc(scores_of("baseline_constant", [1, 0, 0, 0], [0.5] * 4))
    drawn = lines(figure)
    np.testing.assert_allclose(drawn["Baseline: constant"].y, drawn["Chance"].y)


def test_the_false_positive_axis_shows_rare_alarms_unless_asked_otherwise() -> None:
    figure = roc(realistic_scores(20_000))
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.xaxis.ticktext == ("0.001%", "0.01%", "0.1%", "1%", "10%", "100%")
    linear = roc(realistic_scores(20_000), axis=FalsePositiveAxis.LINEAR)
    assert linear.layout.xaxis.type is None
    assert linear.layout.xaxis.tickformat == ".0%"


@pytest.mark.parametrize("draw", [precision_recall, roc])
def test_what_cannot_be_drawn_is_said(draw: Callable[[pd.DataFrame], go.Figure]) -> None:
    nothing = "No transaction has both a score and a known label yet."
    assert nothing in said(draw(scores_of("ensemble", [], [])))
    assert nothing in said(draw(scores_of("ensemble", [1, np.nan], [np.nan, 0.5])))
    assert "is fraud, so there is nothing" in said(draw(scores_of("ensemble", [0, 0], [0.1, 0.2])))


def test_fraud_only_has_precision_but_no_false_alarms() -> None:
    frame = scores_of("ensemble", [1, 1], [0.1, 0.2])
    assert "Ensemble" in lines(precision_recall(frame))
    assert "there can be no false alarm" in said(roc(frame))


def test_rows_without_label_or_score_are_left_out_and_counted() -> None:
    frame = pd.concat([four_rows(), scores_of("random_forest", [np.nan, 1], [0.99, np.inf])])
    figure = precision_recall(frame.astype({"label": "Int8"}))
    assert lines(figure)["Random forest"].name == "Random forest  0.833"
    assert "4 labelled transactions, 50% fraud (2 without label or score left out)" in said(figure)


def test_a_model_without_fraud_leaves_the_others() -> None:
    frame = pd.concat([four_rows(), scores_of("ensemble", [0, 0], [0.5, 0.6])])
    assert list(lines(precision_recall(frame))) == ["Random forest", "Chance"]


def test_the_frame_stays_as_it_was() -> None:
    frame = four_rows()
    precision_recall(frame)
    roc(frame)
    pd.testing.assert_frame_equal(frame, four_rows())


def test_wrong_frames_are_refused_in_one_sentence() -> None:
    with pytest.raises(ValueError, match="has no column 'score'; it needs model, label, score"):
        precision_recall(four_rows().drop(columns="score"))
    with pytest.raises(ValueError, match="'ensemble' hold 2; a label is 0, 1 or null"):
        roc(scores_of("ensemble", [0, 2], [0.5, 0.6]))
