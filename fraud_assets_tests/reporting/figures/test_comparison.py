"""Candidates beside each other: order, the best of each metric, and values that are not there."""

import numpy as np
import pandas as pd
import pytest

from fraud_assets.reporting.figures.comparison import model_comparison
from fraud_assets_tests.reporting.frames import evaluated, realistic, said


def test_best_first_with_the_best_of_each_metric_in_bold() -> None:
    figure = model_comparison(evaluated())
    # Plotly draws from the bottom.
    assert figure.layout.yaxis.ticktext == ("Baseline: constant", "Logistic regression", "Gradient boosting")
    texts = {trace.name: trace.text for trace in figure.data}
    assert texts["Average precision"] == ("0.009", "0.620", "<b>0.712</b>")
    assert texts["ROC AUC"] == ("0.500", "<b>0.870</b>", "0.860")
    assert texts["Brier score"] == ("n/a", "0.005", "<b>0.0045</b>")


def test_accuracy_is_shown_only_when_asked_for() -> None:
    assert "Accuracy" not in {trace.name for trace in model_comparison(evaluated()).data}
    assert [trace.name for trace in model_comparison(evaluated(), ["accuracy"]).data] == ["Accuracy"]


def test_bars_start_at_zero_and_shares_share_one_scale() -> None:
    figure = model_comparison(evaluated())
    assert figure.layout.xaxis.range == figure.layout.xaxis2.range
    assert figure.layout.xaxis.range[0] == 0


def test_a_loss_is_a_bar_to_the_left() -> None:
    figure = model_comparison(evaluated().assign(saving_per_day=[-500.0, 900.0, 0.0]), ["saving_per_day"])
    low, high = figure.layout.xaxis.range
    assert low < -500
    assert high > 900
    assert figure.data[0].text == ("-500", "0", "<b>900</b>")


def test_a_stored_evaluation_has_five_panels_that_tell_most() -> None:
    figure = model_comparison(realistic(5_000).overall)
    shown = ["Average precision", "ROC AUC", "Precision at k", "Recall at k", "Saving per day"]
    assert [trace.name for trace in figure.data] == shown


def test_one_candidate_and_no_values() -> None:
    assert len(model_comparison(evaluated().iloc[:1]).data) == 3
    nothing = evaluated().assign(average_precision=np.nan, roc_auc=np.inf, brier_score=None)
    figure = model_comparison(nothing)
    assert "None of the metrics could be computed" in said(figure)
    assert all(set(trace.text) == {"n/a"} for trace in figure.data)


def test_no_candidate_is_said() -> None:
    for nothing in (evaluated().iloc[:0], evaluated()[["candidate"]], pd.DataFrame()):
        assert "No candidate has been evaluated yet" in said(model_comparison(nothing))


def test_a_metric_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="evaluation has no column 'f2'"):
        model_comparison(evaluated(), ["f2"])
