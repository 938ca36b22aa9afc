"""A metric's history: its window, its gaps, what was in use, and what short and empty ones look like."""

import time
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fraud_assets.reporting.figures.history import ALONE, CHANGE, IN_USE, INTERVAL, metric_history
from fraud_assets.reporting.style import model_style
from fraud_assets_tests.reporting.frames import (
    SCORERS,
    evaluation_history,
    evaluation_of,
    lines,
    said,
    summaries,
    trace_named,
)

TWO_DAYS = {"2018-07-01": 0.5, "2018-07-02": 0.6}


def in_use(**columns: list[Any]) -> pd.DataFrame:
    return pd.DataFrame({"day": ["2018-07-01", "2018-07-02"], **columns})


def test_two_years_have_every_model_the_interval_and_the_changes() -> None:
    """What must be on the page: a line for each of eight models, all 730 days, the band, and 18 new champions."""
    evaluation, summary = evaluation_history(730), summaries(730)
    figure = metric_history(evaluation, summary)
    drawn = lines(figure)
    assert {model_style(name).name for name in SCORERS} | {IN_USE, INTERVAL, CHANGE} == set(drawn)
    assert all(len(drawn[model_style(name).name].x) == 730 for name in SCORERS)
    assert sorted(set(drawn[CHANGE].x) - {None}) == sorted(summary.loc[summary["is_promotion"], "day"])
    assert "1 May 2018 to 29 Apr 2020, 730 days" in said(figure)
    assert figure.layout.xaxis.range[0] < "2018-05-01" < "2020-04-29" < figure.layout.xaxis.range[1]


def test_two_years_take_no_time() -> None:
    evaluation, summary = evaluation_history(730), summaries(730)
    metric_history(evaluation, summary)
    taken = []
    for _ in range(3):
        started = time.process_time()
        metric_history(evaluation, summary)
        taken.append(time.process_time() - started)
    assert min(taken) < 0.15


def test_one_day_has_a_point_for_every_model_and_its_date() -> None:
    """What must be on the page: the points, the interval of the one in use, its value, and which day it is."""
    figure = metric_history(evaluation_history(1), summaries(1))
    alone = trace_named(figure, ALONE)
    assert len(alone.y) == len(SCORERS)
    assert figure.layout.xaxis.tickvals == ("2018-05-01",)
    assert "One day so far, 1 May 2018" in said(figure)
    band = trace_named(figure, INTERVAL)
    assert (band.x[0], band.x[1]) == ("2018-04-30 12:00", "2018-05-01 12:00")
    assert CHANGE not in lines(figure)


def test_an_empty_history_says_so() -> None:
    nan = evaluation_of({"ensemble": {"2018-07-01": float("nan")}})
    for history in (pd.DataFrame(), evaluation_of({}), nan, nan.assign(average_precision=np.inf)):
        figure = metric_history(history, pd.DataFrame())
        assert "Average precision over time" in said(figure)
        assert "No day has a value of average precision yet." in said(figure)


def test_the_last_days_end_with_the_newest() -> None:
    line = lines(metric_history(evaluation_history(200), days=90))["Gradient boosting"]
    assert (len(line.x), line.x[-1]) == (90, "2018-11-16")


def test_missing_days_are_gaps() -> None:
    days = {"2018-07-01": 0.5, "2018-07-02": 0.6, "2018-07-04": 0.7, "2018-07-05": 0.8}
    figure = metric_history(evaluation_of({"random_forest": days}))
    line = lines(figure)["Random forest"]
    np.testing.assert_array_equal(line.y, [0.5, 0.6, np.nan, 0.7, 0.8])
    assert line.connectgaps is False
    assert "4 days, 1 missing" in said(figure)
    assert line.name == "Random forest  0.800"


def test_a_day_between_gaps_is_a_point() -> None:
    days = {"2018-07-01": 0.5, "2018-07-02": 0.6, "2018-07-04": 0.7, "2018-07-06": float("nan")}
    figure = metric_history(evaluation_of({"ensemble": days, "random_forest": {"2018-07-06": 0.1}}))
    alone = trace_named(figure, ALONE)
    assert set(zip(alone.x, alone.y, strict=True)) == {("2018-07-04", 0.7), ("2018-07-06", 0.1)}
    assert lines(figure)["Ensemble"].name.endswith("n/a")


def test_what_is_in_use_is_marked_on_the_days_on_which_it_is_known() -> None:
    history = evaluation_of({"ensemble": TWO_DAYS, "random_forest": {"2018-07-01": 0.4, "2018-07-02": 0.7}})
    used = in_use(scored_as=["ensemble", "random_forest"], is_promotion=[False, True], decision=["Kept.", "New."])
    figure = metric_history(history, used)
    assert list(trace_named(figure, IN_USE).y) == [0.5, 0.7]
    assert INTERVAL not in lines(figure), "no bounds are known"
    change = trace_named(figure, CHANGE)
    assert (list(change.x), change.text[0]) == (["2018-07-02", "2018-07-02", None], "New.")
    assert change.y[0] == 0
    for unknown in (None, pd.DataFrame(), used.assign(scored_as=None, is_promotion=None)):
        assert IN_USE not in lines(metric_history(history, unknown))


def test_a_champion_that_is_no_candidate_has_the_summarys_numbers() -> None:
    history = evaluation_of({"ensemble": TWO_DAYS})
    used = in_use(scored_as=["champion", "ensemble"], score=[0.7, 0.1], score_low=[0.6, 0], score_high=[0.8, 0.2])
    figure = metric_history(history, used)
    assert list(trace_named(figure, IN_USE).y) == [0.7, 0.6]
    band = trace_named(figure, INTERVAL)
    assert {0.6, 0.8} <= set(band.y)
    other = history.rename(columns={"average_precision": "roc_auc"})
    figure = metric_history(other, used, "roc_auc")
    np.testing.assert_array_equal(trace_named(figure, IN_USE).y, [np.nan, 0.6])


def test_the_band_leaves_out_days_without_bounds() -> None:
    evaluation = evaluation_history(10)
    evaluation.loc[evaluation["day"] == "2018-05-05", "average_precision_low"] = np.nan
    band = trace_named(metric_history(evaluation, summaries(10)), INTERVAL)
    assert list(band.x).count(None) == 2, "two outlines"
    assert not [x for x in band.x if x is not None and "2018-05-04 12:00" < x < "2018-05-05 12:00"]


def test_the_lowest_brier_score_comes_first() -> None:
    history = evaluation_of({"ensemble": {"2018-07-01": 0.005}, "random_forest": {"2018-07-01": 0.004}}, "brier_score")
    figure = metric_history(history, metric="brier_score")
    assert figure.data[0].name.startswith("Random forest")


def test_days_may_be_dates_timestamps_or_text() -> None:
    for day in (date(2018, 7, 1), pd.Timestamp("2018-07-01"), "2018-07-01"):
        frame = pd.DataFrame({"day": [day], "candidate": ["ensemble"], "average_precision": [0.5]})
        assert list(lines(metric_history(frame))["Ensemble"].x) == ["2018-07-01"]


def test_the_later_of_two_rows_counts() -> None:
    history = evaluation_of({"ensemble": {"2018-07-01": 0.5}})
    later = history.assign(average_precision=0.6)
    assert list(lines(metric_history(pd.concat([history, later])))["Ensemble"].y) == [0.6]


def test_the_axis_starts_at_zero_and_a_share_ends_at_one() -> None:
    low, high = metric_history(evaluation_of({"ensemble": {"2018-07-01": 0.97}})).layout.yaxis.range
    assert (low, high) == (0, 1.02)
    losing = evaluation_of({"ensemble": {"2018-07-01": -50.0, "2018-07-02": 100.0}}, "saving_per_day")
    figure = metric_history(losing, metric="saving_per_day")
    low, high = figure.layout.yaxis.range
    assert low < -50
    assert high > 100
    assert "unit of the amounts" in said(figure)


def test_wrong_histories_are_refused_in_one_sentence() -> None:
    with pytest.raises(ValueError, match="day 'soon' is no date; write it YYYY-MM-DD"):
        metric_history(evaluation_of({"ensemble": {"soon": 0.5}}))
    with pytest.raises(ValueError, match="evaluation has no column 'roc_auc'"):
        metric_history(evaluation_history(2), metric="roc_auc")


def test_the_frames_stay_as_they_were() -> None:
    evaluation, summary = evaluation_history(3), summaries(3)
    metric_history(evaluation, summary)
    pd.testing.assert_frame_equal(evaluation, evaluation_history(3))
    pd.testing.assert_frame_equal(summary, summaries(3))
