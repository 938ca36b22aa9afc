"""Drift, volume, and promise against live: what must be on the page of none, one and two years of days."""

import numpy as np
import pandas as pd
import pytest

from fraud_assets.reporting.figures.days import MANY_DAYS
from fraud_assets.reporting.figures.drift import MOST_SUBJECTS, drift_heat_map
from fraud_assets.reporting.figures.live import LIVE, MISS, PROMISE, WEEK, promise_and_live
from fraud_assets.reporting.figures.volume import volume
from fraud_assets_tests.reporting.frames import drift_history, lines, live_history, said, summaries, trace_named


def drift_of(levels: dict[str, list[str | None]]) -> pd.DataFrame:
    """From {subject: level by day}."""
    return pd.DataFrame(
        [
            {"day": f"2018-07-0{day}", "subject": subject, "psi": 0.01, "level": level}
            for subject, days in levels.items()
            for day, level in enumerate(days, start=1)
        ]
    )


def test_a_cell_has_its_level_and_worst_subjects_come_first() -> None:
    figure = drift_heat_map(
        drift_of(
            {"calm": ["ok", "ok"], "broken": ["ok", "drift"], "strange": ["watch", "unknown"], "new": [None, "ok"]}
        )
    )
    heat = figure.data[0]
    assert list(heat.y) == ["broken", "strange", "calm", "new"]
    np.testing.assert_array_equal(heat.z, [[0, 2], [1, np.nan], [0, 0], [np.nan, 0]])
    named = lines(figure)
    assert [trace.name for trace in figure.data if trace.x[0] is None] == [
        "As in training  4", "To watch  1", "Drift  1", "Not known  2"
    ]  # fmt: skip
    assert named["Drift"].marker.symbol != named["To watch"].marker.symbol
    marks = [trace for trace in figure.data[1:] if trace.x[0] is not None]
    assert [(mark.x[0], mark.y[0]) for mark in marks] == [("2018-07-01", "strange"), ("2018-07-02", "broken")]


def test_levels_differ_in_lightness() -> None:
    colors = [color for _, color in drift_heat_map(drift_history(3)).data[0].colorscale[::2]]
    light = [sum(int(color[i : i + 2], 16) * w for i, w in ((1, 0.2), (3, 0.7), (5, 0.1))) for color in colors]
    assert light[0] > light[1] + 50 > light[2] + 100


def test_two_years_of_drift_have_all_days_and_the_start_of_each_run() -> None:
    """What must be on the page: 730 days of the worst subjects, how many are left out, and where drift began."""
    history = drift_history(730)
    figure = drift_heat_map(history)
    assert figure.data[0].z.shape == (MOST_SUBJECTS, 730)
    assert "7 calmer subjects not shown" in said(figure)
    crosses = next(trace for trace in figure.data if trace.name == "Drift")
    assert len(crosses.x) < 10 < (history["level"] == "drift").sum()
    assert crosses.x[0] == history.loc[history["level"] == "drift", "day"].min()


def test_one_day_and_no_day_of_drift() -> None:
    one = drift_heat_map(drift_history(1))
    assert one.data[0].z.shape == (MOST_SUBJECTS, 1)
    assert "One day so far, 1 May 2018" in said(one)
    for nothing in (pd.DataFrame(), drift_history(1).iloc[:0]):
        assert "No day has been compared" in said(drift_heat_map(nothing))


def test_subjects_with_one_beginning_stay_apart() -> None:
    long = "a" * 60
    figure = drift_heat_map(drift_of({f"{long}1": ["ok"], f"{long}2": ["drift"]}))
    assert len(set(figure.data[0].y)) == 2


def test_drift_of_the_last_days() -> None:
    assert drift_heat_map(drift_history(90), days=30).data[0].z.shape[1] == 30


def test_volume_has_three_panels_that_share_their_days() -> None:
    summary = summaries(30)
    figure = volume(summary)
    drawn = lines(figure)
    assert set(drawn) == {"Transactions", "Fraud rate", "Known fraud", "Alerted"}
    assert figure.layout.xaxis.range == figure.layout.xaxis2.range == figure.layout.xaxis3.range
    assert (
        dict(zip(drawn["Transactions"].x, drawn["Transactions"].y, strict=True))["2018-05-30"]
        == (summary["transactions"].iloc[-1])
    )
    rate = dict(zip(drawn["Fraud rate"].x, drawn["Fraud rate"].y, strict=True))
    assert rate[summary["labelled_day"].iloc[-1]] == summary["fraud_rate"].iloc[-1]
    assert np.isnan(rate["2018-05-30"]), "no label is known of the newest days"
    assert all(axis.rangemode == "tozero" for axis in (figure.layout.yaxis, figure.layout.yaxis2, figure.layout.yaxis3))


def test_two_years_of_volume_are_lines_and_a_few_days_bars() -> None:
    """What must be on the page: all 730 days in every panel."""
    long = lines(volume(summaries(730)))
    assert {trace.type for trace in long.values()} == {"scatter"}
    assert np.isfinite(long["Transactions"].y).sum() == np.isfinite(long["Fraud rate"].y).sum() == 730
    assert {trace.type for trace in volume(summaries(MANY_DAYS - 7)).data} == {"bar", "scatter"}


def test_one_day_and_no_day_of_volume() -> None:
    one = summaries(1)
    assert "One day so far, 1 May 2018" in said(volume(one))
    unlabelled = one.assign(labelled_day=None, fraud_rate=None, fraud_amount=None, alerted_amount=None)
    figure = volume(unlabelled)
    assert [trace.name for trace in figure.data] == ["Transactions"]
    assert "No label is known yet." in said(figure)
    assert "No day has been summarised yet." in said(volume(pd.DataFrame()))
    assert len(volume(one[["day", "transactions"]]).data) == 1


def test_the_later_of_two_tellings_of_a_day_counts() -> None:
    twice = summaries(2).assign(labelled_day="2018-04-24", fraud_rate=[0.1, 0.2])
    assert lines(volume(twice))["Fraud rate"].y[0] == 0.2


def test_a_day_without_fraud_has_a_rate_of_zero() -> None:
    rate = lines(volume(summaries(3).assign(fraud_rate=0.0)))["Fraud rate"]
    assert list(rate.y[:3]) == [0, 0, 0]


def test_live_is_drawn_over_the_band_of_its_promise_and_misses_are_marked() -> None:
    live = live_history(30)
    figure = promise_and_live(live)
    drawn = lines(figure)
    assert set(drawn) == {"Its 95 % interval", PROMISE, LIVE, WEEK, MISS}
    np.testing.assert_allclose(drawn[LIVE].y, live["average_precision"], atol=1e-6)
    missed = live[~live["is_average_precision_as_promised"] & (live["average_precision"] < 0.7)]
    assert list(drawn[MISS].x) == list(missed["scored_date"])
    assert f"{len(missed)} days below the promise" in said(figure)
    assert figure.layout.yaxis.range[0] == 0


def test_a_day_above_its_promise_is_no_miss() -> None:
    above = live_history(1).assign(average_precision=0.95, is_average_precision_as_promised=False)
    assert MISS not in lines(promise_and_live(above))
    unknown = live_history(1).assign(average_precision=0.1, is_average_precision_as_promised=None)
    assert MISS not in lines(promise_and_live(unknown))


def test_two_years_of_live_have_every_day() -> None:
    """What must be on the page: 730 days live and promised, the weeks, the misses."""
    figure = promise_and_live(live_history(730))
    drawn = lines(figure)
    assert len(drawn[LIVE].x) == len(drawn[PROMISE].x) == 730
    assert len(drawn[MISS].x) > 50
    assert "730 days; " in said(figure)


def test_days_before_the_first_scores_are_not_missing() -> None:
    live = live_history(20)
    early = live.index[:8]
    live.loc[early, [name for name in live.columns if live[name].dtype == "float64"]] = np.nan
    figure = promise_and_live(live)
    assert "12 days" in said(figure)
    assert "missing" not in said(figure)
    assert live["scored_date"].iloc[8] in {str(day) for day in lines(figure)[LIVE].x}
    assert live["scored_date"].iloc[7] not in {str(day) for day in lines(figure)[LIVE].x}


def test_one_day_live_is_a_point_over_a_band_of_a_day() -> None:
    figure = promise_and_live(live_history(1))
    drawn = lines(figure)
    assert "markers" in drawn[LIVE].mode
    assert tuple(drawn["Its 95 % interval"].x[:2]) == ("2018-04-30 12:00", "2018-05-01 12:00")


def test_live_without_labels_or_without_days_is_said() -> None:
    unknown = live_history(2).assign(average_precision=None, promised_average_precision=None)
    for nothing in (pd.DataFrame(), live_history(2).iloc[:0], unknown):
        assert "No scored day has labels yet" in said(promise_and_live(nothing))
    promised_only = promise_and_live(live_history(3).assign(average_precision=None))
    assert LIVE not in lines(promised_only)


def test_savings_are_amounts() -> None:
    live = live_history(5)
    renamed = live.rename(columns=lambda name: name.replace("average_precision", "saving_per_day"))
    figure = promise_and_live(renamed, "saving_per_day")
    assert "unit of the amounts" in said(figure)
    assert WEEK not in lines(figure)


@pytest.mark.parametrize("metric", ["average_precision", "roc_auc"])
def test_a_missing_column_is_named(metric: str) -> None:
    with pytest.raises(ValueError, match=f"live performance has no column '{metric}'"):
        promise_and_live(live_history(2).drop(columns="average_precision"), metric)
    with pytest.raises(ValueError, match="daily summary has no column 'transactions'"):
        volume(summaries(2).drop(columns="transactions"))
    assert trace_named(promise_and_live(live_history(3)), LIVE) is not None
