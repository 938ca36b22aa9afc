"""The three tables of an evaluation: their shape, that parts add up, and what labels may and may not change."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from fraud_assets.learning import BOUNDS, METRICS, AlertKind, AlertPolicy, Evaluation, evaluate, evaluate_scorers
from fraud_assets.learning.measuring.calibration import BIN_COLUMNS
from fraud_assets.learning.measuring.intervals import jackknife_interval
from fraud_assets_tests.learning.frames import labelled_rows

POLICY = AlertPolicy(alerts_per_day=9, cost_per_alert=2.0, recovered_share=0.8)
THRESHOLDS = {"good": 0.5, "poor": 0.2}


def rows() -> pd.DataFrame:
    return labelled_rows().assign(customer_id=np.arange(1_500) % 211)


def scores_of(frame: pd.DataFrame) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    strength = frame["strength"].to_numpy()
    noise = np.random.default_rng(3).normal(size=len(frame))
    return {
        "good": 1 / (1 + np.exp(4 - 2 * strength)),
        "poor": (1 / (1 + np.exp(3 - strength - noise))).round(1),
        "broken": np.where(np.arange(len(frame)) == 7, np.nan, strength),
        "baseline_amount": frame["amount"].to_numpy(),
    }


def evaluated(
    frame: pd.DataFrame, policy: AlertPolicy = POLICY, segments: Sequence[str] = ("channel",), timezone: str = "UTC"
) -> Evaluation:
    return evaluate_scorers(
        frame, scores_of(frame), THRESHOLDS, policy=policy, timezone=timezone, segments=segments, bands=(20.0, 100.0)
    )


def test_there_is_a_row_for_each_scorer_with_every_metric_and_bound() -> None:
    found = evaluated(rows())
    overall = found.overall.set_index("candidate")
    assert list(overall.columns) == [*METRICS, *BOUNDS, "threshold", "degenerate"]
    assert overall.loc["good"].drop("degenerate").notna().all()
    assert overall.loc["broken", [*METRICS, *BOUNDS]].isna().all()
    assert overall.loc["broken", "degenerate"] == "1 of 1,500 scores are not finite"
    assert overall["degenerate"].drop("broken").isna().all()
    for metric in ("average_precision", "roc_auc", "precision_at_k", "saving_per_day"):
        held = overall[metric].between(overall[f"{metric}_low"], overall[f"{metric}_high"])
        assert held.drop("broken").all(), metric


def test_days_bands_and_segments_are_slices_of_every_scorer() -> None:
    found = evaluated(rows()).slices
    assert list(found.columns) == ["candidate", "slice_kind", "slice", "rows", "frauds", *METRICS]
    names = found[found["candidate"] == "good"].groupby("slice_kind")["slice"].agg(list)
    assert names["amount_band"] == ["below 20", "20 to 100", "100 and more"]
    assert names["channel"] == ["(missing)", "shop", "web"]
    assert names["day"] == [f"2024-03-0{day}" for day in range(1, 9)]
    assert found.groupby("candidate").size().nunique() == 1
    assert found.loc[found["candidate"] == "broken", list(METRICS)].isna().all().all()


@pytest.mark.parametrize("kind", ["amount_band", "channel"])
def test_savings_and_frauds_of_the_slices_add_up_to_the_whole(kind: str) -> None:
    frame = rows()
    found = evaluated(frame)
    parts = found.slices[found.slices["slice_kind"] == kind].groupby("candidate")
    overall = found.overall.set_index("candidate")
    assert (parts["rows"].sum() == len(frame)).all()
    assert (parts["frauds"].sum() == frame["label"].sum()).all()
    for metric in ("saving_per_day", "expected_saving_per_day"):
        sums = parts[metric].sum()
        for name in ("good", "poor"):
            assert sums[name] == pytest.approx(overall[metric][name])


@pytest.mark.parametrize("metric", ["precision_at_k", "recall_at_k", "card_precision_at_100", "saving_per_day"])
def test_what_is_a_mean_over_days_is_the_mean_of_the_days(metric: str) -> None:
    found = evaluated(rows())
    daily = found.slices[found.slices["slice_kind"] == "day"].groupby("candidate")[metric].mean()
    overall = found.overall.set_index("candidate")[metric]
    for name in ("good", "poor", "baseline_amount"):
        assert daily[name] == pytest.approx(overall[name])


def test_a_days_metrics_are_those_of_the_day_alone() -> None:
    frame = rows()
    found = evaluated(frame, AlertPolicy(alerts_per_day=9)).slices
    day = frame["transaction_time"].dt.strftime("%Y-%m-%d") == "2024-03-04"
    alone = evaluate(scores_of(frame)["good"][day], frame[day], threshold=0.5, alerts_per_day=9, timezone="UTC")
    stored = found[(found["candidate"] == "good") & (found["slice"] == "2024-03-04")].iloc[0]
    # Cards that were detected on an earlier day are not looked for again, so theirs is another number.
    for metric in set(METRICS) - {"card_precision_at_100"}:
        assert stored[metric] == pytest.approx(alone[metric]), metric


def test_alerts_of_a_slice_are_those_of_the_day_that_fall_into_it() -> None:
    frame = rows()
    scores = scores_of(frame)["good"]
    days = frame["transaction_time"].dt.date
    highest = pd.Series(scores).groupby(days.to_numpy()).rank(ascending=False, method="first") <= 9
    web = (frame["channel"] == "web").to_numpy()
    expected = frame["label"][highest & web].groupby(days).mean().mean()
    found = evaluated(frame).slices.set_index(["candidate", "slice"])
    assert found["precision_at_k"]["good", "web"] == pytest.approx(expected)


def test_a_card_counts_in_the_slice_of_the_transaction_that_put_it_on_the_list() -> None:
    frame = (
        rows()
        .head(4)
        .assign(
            channel=["web", "shop", "web", "shop"],
            customer_id=[1, 1, 2, 3],
            label=np.array([1, 0, 0, 1], dtype=np.int8),
        )
    )
    scores = {"good": np.array([0.2, 0.9, 0.5, 0.4])}
    found = evaluate_scorers(frame, scores, {}, policy=POLICY, timezone="UTC", segments=["channel"]).slices
    by_channel = found[found["slice_kind"] == "channel"].set_index("slice")["card_precision_at_100"]
    assert by_channel.to_dict() == {"shop": 1, "web": 0}, "card 1 by its shop transaction, and as fraudulent as a whole"


def test_intervals_come_from_the_metric_without_each_day() -> None:
    frame = rows()
    scores, days = scores_of(frame)["poor"], frame["transaction_time"].dt.date
    overall = evaluated(frame).overall.set_index("candidate").loc["poor"]
    for metric, of_scikit_learn in (("average_precision", average_precision_score), ("roc_auc", roc_auc_score)):
        without = [of_scikit_learn(frame["label"][days != day], scores[days != day]) for day in sorted(set(days))]
        expected = jackknife_interval(of_scikit_learn(frame["label"], scores), without, is_share=True)
        assert expected is not None
        assert (overall[f"{metric}_low"], overall[f"{metric}_high"]) == pytest.approx((expected.low, expected.high))


def test_calibration_bins_are_there_for_probabilities_only() -> None:
    bins = evaluated(rows()).bins
    assert list(bins.columns) == ["candidate", *BIN_COLUMNS]
    assert set(bins["candidate"]) == {"good", "poor"}
    assert (bins.groupby("candidate")["rows"].sum() == 1_500).all()
    error = (bins["mean_score"] - bins["fraud_share"]).abs().mul(bins["rows"]).groupby(bins["candidate"]).sum() / 1_500
    overall = evaluated(rows()).overall.set_index("candidate")["expected_calibration_error"]
    assert error["good"] == pytest.approx(overall["good"])


def test_alerts_by_cost_need_probabilities() -> None:
    policy = AlertPolicy(AlertKind.COST, cost_per_alert=5.0)
    found = evaluated(rows(), policy).overall.set_index("candidate")
    savings = found[["saving_per_day", "expected_saving_per_day", "saving_per_day_low"]]
    assert savings.loc["good"].notna().all()
    assert found["expected_saving_per_day"]["good"] > 0
    assert savings.loc["baseline_amount"].isna().all()
    assert found["average_precision"]["baseline_amount"] > 0


def test_labels_change_what_was_reached_and_nothing_of_what_was_handed_in_or_decided() -> None:
    """Thresholds, alerts, expected savings, slices and bins would be leaks if they moved with the labels."""
    frame = rows()
    shuffled = frame.assign(label=frame["label"].sample(frac=1, random_state=1).to_numpy())
    honest, fooled = evaluated(frame), evaluated(shuffled)
    label_free = ["candidate", "threshold", "expected_saving_per_day", "degenerate"]
    pd.testing.assert_frame_equal(honest.overall[label_free], fooled.overall[label_free])
    label_free = ["candidate", "slice_kind", "slice", "rows", "expected_saving_per_day"]
    pd.testing.assert_frame_equal(honest.slices[label_free], fooled.slices[label_free])
    label_free = ["candidate", "bin", "rows", "lowest_score", "highest_score", "mean_score"]
    pd.testing.assert_frame_equal(honest.bins[label_free], fooled.bins[label_free])
    for metric in ("average_precision", "precision_at_k", "recall", "brier_score", "saving_per_day"):
        assert honest.overall[metric][0] > 0
        assert honest.overall[metric][0] != fooled.overall[metric][0], metric


def test_the_order_of_the_rows_means_nothing_without_ties() -> None:
    frame = rows()
    shuffled = frame.sample(frac=1, random_state=2).reset_index(drop=True)
    scores = {"good": scores_of(frame)["good"]}
    there = evaluate_scorers(frame, scores, THRESHOLDS, policy=POLICY, timezone="UTC", bands=(20.0,))
    moved = {"good": scores["good"][shuffled["transaction_id"].to_numpy()]}
    here = evaluate_scorers(shuffled, moved, THRESHOLDS, policy=POLICY, timezone="UTC", bands=(20.0,))
    pd.testing.assert_frame_equal(there.overall, here.overall)
    pd.testing.assert_frame_equal(there.slices, here.slices)
    pd.testing.assert_frame_equal(there.bins, here.bins)


def test_without_a_fraud_there_are_rows_and_no_ranking() -> None:
    found = evaluated(rows().assign(label=np.int8(0)))
    assert len(found.overall) == 4
    undefined = ["average_precision", "average_precision_low", "roc_auc", "recall_at_k", "recall", "brier_skill"]
    assert found.overall[undefined].isna().all().all()
    assert (found.overall["precision_at_k"].drop(2) == 0).all()
    assert found.slices["average_precision"].isna().all()


def test_without_a_row_there_are_scorers_and_nothing_measured() -> None:
    found = evaluated(rows().iloc[:0])
    assert list(found.overall["candidate"]) == ["good", "poor", "broken", "baseline_amount"]
    assert found.overall[[*METRICS, *BOUNDS]].isna().all().all()
    assert (len(found.slices), len(found.bins)) == (0, 0)
    assert list(found.slices.columns) == list(evaluated(rows()).slices.columns)


def test_a_single_day_has_metrics_and_no_interval() -> None:
    frame = rows()
    found = evaluated(frame[frame["transaction_time"] < "2024-03-02"])
    assert found.overall["average_precision"][0] > 0
    assert found.overall[list(BOUNDS)].isna().all().all()
