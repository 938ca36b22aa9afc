"""Calibration, importance, search, slices, label maturity and alerts: what must be on the page of a day."""

import numpy as np
import pandas as pd
import pytest

from fraud_assets.reporting.figures.alerts import MOST_ALERTS, alerts_of_day
from fraud_assets.reporting.figures.calibration import reliability
from fraud_assets.reporting.figures.importance import MOST_FEATURES, feature_importance
from fraud_assets.reporting.figures.maturity import label_maturity
from fraud_assets.reporting.figures.search import search_results
from fraud_assets.reporting.figures.slices import MOST_SLICES, by_slice
from fraud_assets.reporting.style import model_style
from fraud_assets_tests.reporting.frames import (
    STRENGTH,
    importances,
    lines,
    maturity_ages,
    realistic,
    said,
    scored_day,
    searched,
)


def test_calibration_has_a_line_with_intervals_for_each_candidate_and_the_diagonal() -> None:
    bins = realistic(20_000).bins
    drawn = lines(reliability(bins))
    assert set(drawn) == {"As promised", *(model_style(name).name for name in STRENGTH)}
    line = drawn["Ensemble"]
    rows = bins[bins["candidate"] == "ensemble"].sort_values("mean_score")
    np.testing.assert_allclose(line.x, rows["mean_score"])
    np.testing.assert_allclose(line.y, rows["fraud_share"].clip(lower=1e-4))
    upper = np.asarray(line.y) + np.asarray(line.error_y.array)
    np.testing.assert_allclose(upper, rows["fraud_share_high"].clip(lower=1e-4))
    assert line.error_y.visible


def test_calibration_of_one_candidate_makes_the_others_stand_back() -> None:
    drawn = lines(reliability(realistic(20_000).bins, "ensemble"))
    assert (drawn["Ensemble"].error_y.visible, drawn["Ensemble"].opacity) == (True, 1)
    assert (drawn["Random forest"].error_y.visible, drawn["Random forest"].opacity) == (False, 0.45)


def test_calibration_without_probabilities_is_said() -> None:
    nothing = "No candidate gives probabilities"
    bins = realistic(2_000).bins
    for frame in (pd.DataFrame(), bins.iloc[:0], bins[bins["candidate"] == "baseline_constant"]):
        assert nothing in said(reliability(frame))
    assert nothing in said(reliability(bins.assign(mean_score=None)))


def test_importance_shows_the_highest_first_with_their_spread() -> None:
    figure = feature_importance(importances(35).sample(frac=1, random_state=1))
    bar = figure.data[0]
    assert len(bar.x) == MOST_FEATURES
    assert list(bar.x) == sorted(bar.x), "Plotly draws from the bottom"
    assert figure.layout.yaxis.ticktext[-1] == "amount over customer typical 0d"
    assert figure.layout.xaxis.range[0] <= 0
    assert bar.marker.color == model_style("gradient_boosting").color
    assert bar.error_x.array[-1] == pytest.approx(0.06 * 0.15 + 0.0004, abs=1e-4)
    assert "Gradient boosting: fall of average precision" in said(figure)
    assert "20 lesser features not shown" in said(figure)


def test_importance_of_nothing_or_of_one_feature() -> None:
    for nothing in (pd.DataFrame(), importances(3).iloc[:0], importances(3).assign(importance=np.nan)):
        assert "No importance has been measured" in said(feature_importance(nothing))
    one = feature_importance(importances(1).assign(importance=-0.01, standard_deviation=None, recipe=None))
    assert one.layout.xaxis.range[0] < -0.01
    assert "not shown" not in said(one)


def test_a_search_has_a_mark_for_every_configuration_and_rings_the_best() -> None:
    frame = searched(10)
    figure = search_results(frame)
    assert [trace.name for trace in figure.data][-1] == "Ensemble", "the best at the top"
    assert sum(len(trace.x) for trace in figure.data) == len(frame) - len(STRENGTH)
    assert "60 configurations tried, 6 of them failed" in said(figure)
    best = lines(figure)["Ensemble"]
    ringed = int(np.argmax(best.marker.line.width))
    assert best.x[ringed] == frame.loc[frame["candidate"] == "ensemble", "average_precision"].max()
    row = frame[frame["average_precision"] == best.x[ringed]].iloc[0]
    folds = row[["fold_1", "fold_2", "fold_3"]].astype(float)
    assert best.x[ringed] + best.error_x.array[ringed] == pytest.approx(folds.max())
    assert best.customdata[ringed] == row["configuration"]


def test_a_search_of_one_without_folds_or_without_success() -> None:
    one = search_results(pd.DataFrame({"candidate": ["ensemble"], "average_precision": [0.5]}))
    assert (list(one.data[0].x), one.data[0].error_x.array[0]) == ([0.5], 0)
    for nothing in (pd.DataFrame(), searched(1)):
        assert "No configuration has been tried" in said(search_results(nothing))


def test_slices_have_a_row_each_in_their_order_with_how_much_there_is() -> None:
    slices = realistic(20_000).slices
    figure = by_slice(slices, "amount_band", "ensemble")
    rows = slices[(slices["candidate"] == "ensemble") & (slices["slice_kind"] == "amount_band")]
    labels = figure.layout.yaxis.ticktext
    assert [label.split("  ")[0] for label in labels] == list(rows["slice"])[::-1]
    assert f"{rows['frauds'].iloc[0]} of {rows['rows'].iloc[0]:,}" in labels[-1]
    assert [trace.name for trace in figure.data] == ["Average precision", "Recall", "Saving per day"]
    np.testing.assert_allclose(figure.data[0].x, rows["average_precision"][::-1])
    assert {color for trace in figure.data for color in trace.marker.color} == {model_style("ensemble").color}
    assert figure.layout.xaxis.range == (0, 1.45)


def test_many_slices_are_cut_to_those_with_most_transactions() -> None:
    many = pd.DataFrame(
        {
            "candidate": "ensemble",
            "slice_kind": "channel",
            "slice": [f"channel {i}" for i in range(50)],
            "rows": np.arange(50),
            "frauds": 1,
            "average_precision": 0.5,
        }
    )
    figure = by_slice(many, "channel", "ensemble")
    assert len(figure.data[0].x) == MOST_SLICES
    assert "20 smaller parts not shown" in said(figure)
    assert "channel 49" in said(figure)
    assert "channel 7 " not in said(figure)


def test_slices_without_rows_or_frauds_are_said() -> None:
    slices = realistic(2_000).slices
    for frame, kind in ((pd.DataFrame(), "day"), (slices, "channel"), (slices.iloc[:0], "day")):
        assert "No labelled transaction has been measured by" in said(by_slice(frame, kind, "ensemble"))
    unknown = slices.assign(average_precision=np.nan, recall=None, saving_per_day=np.inf)
    assert "None of the parts has a known fraud" in said(by_slice(unknown, "day", "ensemble"))


def test_maturity_has_both_curves_and_the_delay() -> None:
    figure = label_maturity(maturity_ages(), 7)
    assert [trace.name for trace in figure.data] == ["Frauds", "All labels"]
    assert (figure.layout.shapes[0].x0, figure.layout.yaxis.range) == (7, (0, 1.02))
    assert "Label delay: 7 days" in said(figure)
    assert "Of 67,138 transactions and 574 frauds; after 7 days, 68.3% of the frauds are known" in said(figure)
    assert not label_maturity(maturity_ages()).layout.shapes


def test_maturity_of_several_days_is_the_newest_one() -> None:
    ages = maturity_ages()
    both = pd.concat([ages.assign(partition_key="2018-07-21"), ages.assign(partition_key="2018-07-20", labels_known=0)])
    assert list(lines(label_maturity(both))["All labels"].y) == list(lines(label_maturity(ages))["All labels"].y)


def test_maturity_without_frauds_or_transactions() -> None:
    assert [trace.name for trace in label_maturity(maturity_ages().assign(frauds_known=np.nan)).data] == ["All labels"]
    unknown = maturity_ages().assign(frauds_known=None, labels_known=None)
    for nothing in (pd.DataFrame(), maturity_ages().iloc[:0], unknown):
        assert "No transaction is old enough" in said(label_maturity(nothing, 7))
    assert len(label_maturity(maturity_ages(0), 7).data[0].x) == 1


def test_alerts_are_marks_by_amount_and_score_with_their_reasons() -> None:
    scored = scored_day(100)
    figure = alerts_of_day(scored)
    alerts = scored[scored["is_alert"]].sort_values("score", ascending=False)
    np.testing.assert_array_equal(figure.data[0].x, alerts["amount"])
    np.testing.assert_array_equal(figure.data[0].y, alerts["score"])
    assert figure.data[0].customdata[0].startswith("Transaction 1054747<br>score ")
    assert figure.data[0].customdata[0].endswith("amount 220 is 4 times the customer's typical")
    assert "100 alerts from score" in said(figure)
    assert (figure.layout.xaxis.type, figure.layout.yaxis.range) == ("log", (0, 1.02))


def test_alerts_of_nothing_of_one_and_of_very_many() -> None:
    for nothing in (pd.DataFrame(), scored_day(0), scored_day(5).assign(score=np.nan)):
        assert "No transaction of the day is an alert." in said(alerts_of_day(nothing))
    one = alerts_of_day(scored_day(1).assign(amount=0.0))
    assert (len(one.data[0].x), one.layout.xaxis.type) == (1, None)
    many = alerts_of_day(scored_day(MOST_ALERTS + 5))
    assert len(many.data[0].x) == MOST_ALERTS
    assert "5 with lower scores not shown" in said(many)
