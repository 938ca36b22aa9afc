"""A metric's history: its window, its gaps, its winners, and what short and empty ones look like."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from fraud_assets.reporting.history import WINNER, metric_history
from fraud_assets_tests.reporting.frames import history_of, lines, realistic_history, said, trace_named


def test_the_last_ninety_days_end_with_the_newest() -> None:
    line = lines(metric_history(realistic_history(200)))["Gradient boosting"]
    assert len(line.x) == 90
    assert line.x[-1] == "2018-11-16"
    assert len(lines(metric_history(realistic_history(200), days=730))["Gradient boosting"].x) == 200


def test_missing_days_are_gaps() -> None:
    days = {"2018-07-01": 0.5, "2018-07-02": 0.6, "2018-07-04": 0.7, "2018-07-05": 0.8}
    figure = metric_history(history_of({"random_forest": days}))
    line = lines(figure)["Random forest"]
    np.testing.assert_array_equal(line.y, [0.5, 0.6, np.nan, 0.7, 0.8])
    assert line.connectgaps is False
    assert "4 days, 1 missing" in said(figure)
    assert line.name == "Random forest  0.800"


def test_a_day_between_gaps_is_a_point() -> None:
    days = {"2018-07-01": 0.5, "2018-07-02": 0.6, "2018-07-04": 0.7, "2018-07-06": float("nan")}
    figure = metric_history(history_of({"ensemble": days, "random_forest": {"2018-07-06": 0.1}}))
    alone = lines(figure)["One day alone"]
    assert set(zip(alone.x, alone.y, strict=True)) == {("2018-07-04", 0.7), ("2018-07-06", 0.1)}
    assert lines(figure)["Ensemble"].name.endswith("n/a")


def test_one_day_is_points() -> None:
    figure = metric_history(history_of({"ensemble": {"2018-07-01": 0.5}, "random_forest": {"2018-07-01": 0.4}}))
    assert sorted(lines(figure)["One day alone"].y) == [0.4, 0.5]
    assert figure.layout.xaxis.tickvals == ("2018-07-01",)
    assert "One day so far, 1 Jul 2018" in said(figure)


def test_the_best_of_each_day_wins_unless_the_history_says_who_did() -> None:
    history = history_of(
        {"ensemble": {"2018-07-01": 0.5, "2018-07-02": 0.6}, "random_forest": {"2018-07-01": 0.4, "2018-07-02": 0.7}}
    )
    assert list(trace_named(metric_history(history), WINNER).y) == [0.5, 0.7]
    history["is_winner"] = [True, True, False, None]
    assert list(trace_named(metric_history(history), WINNER).y) == [0.5, 0.6]
    history["is_winner"] = False
    assert WINNER not in lines(metric_history(history))


def test_the_lowest_brier_score_wins() -> None:
    history = history_of({"ensemble": {"2018-07-01": 0.005}, "random_forest": {"2018-07-01": 0.004}})
    figure = metric_history(history.rename(columns={"average_precision": "brier_score"}), "brier_score")
    assert trace_named(figure, WINNER).y == (0.004,)
    assert figure.data[0].name.startswith("Random forest")


def test_days_may_be_dates_timestamps_or_text() -> None:
    for day in (date(2018, 7, 1), pd.Timestamp("2018-07-01"), "2018-07-01"):
        frame = pd.DataFrame({"day": [day], "model": ["ensemble"], "average_precision": [0.5]})
        assert list(lines(metric_history(frame))["Ensemble"].x) == ["2018-07-01"]


def test_the_later_of_two_rows_counts() -> None:
    history = history_of({"ensemble": {"2018-07-01": 0.5}})
    later = history.assign(average_precision=0.6)
    assert list(lines(metric_history(pd.concat([history, later])))["Ensemble"].y) == [0.6]


def test_the_axis_starts_at_zero_and_a_share_ends_at_one() -> None:
    low, high = metric_history(history_of({"ensemble": {"2018-07-01": 0.97}})).layout.yaxis.range
    assert (low, high) == (0, 1.02)


def test_an_empty_history_says_so() -> None:
    empty = history_of({})
    for history in (empty, history_of({"ensemble": {"2018-07-01": float("nan")}})):
        figure = metric_history(history)
        assert "Average precision over time" in said(figure)
        assert "No day has a value of average precision yet." in said(figure)


def test_wrong_histories_are_refused_in_one_sentence() -> None:
    with pytest.raises(ValueError, match="day 'soon' is no date; write it YYYY-MM-DD"):
        metric_history(history_of({"ensemble": {"soon": 0.5}}))
    with pytest.raises(ValueError, match="history has no column 'roc_auc'"):
        metric_history(realistic_history(2), "roc_auc")


def test_the_history_stays_as_it_was() -> None:
    history = realistic_history(3)
    metric_history(history)
    pd.testing.assert_frame_equal(history, realistic_history(3))
