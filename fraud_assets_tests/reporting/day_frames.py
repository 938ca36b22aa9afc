"""A made day: the frames of a day's report, as large as they can legally be if asked, and with any text in them."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd

from fraud_assets.reporting.document import DayFrames

DAY = "2018-07-21"
DELAY = 7
SCORERS = (
    "logistic_regression",
    "support_vector_machine",
    "k_nearest_neighbors",
    "random_forest",
    "gradient_boosting",
    "ensemble",
    "baseline_amount",
    "baseline_constant",
)
IN_USE = "gradient_boosting"
FAILED = "support_vector_machine"


def days_until(last: str, count: int) -> list[str]:
    end = date.fromisoformat(last)
    return [(end - timedelta(days=back)).isoformat() for back in reversed(range(count))]


def made_day(history: int = 5, points: int = 40, features: int = 8, drift_days: int = 5, text: str = "") -> DayFrames:
    """A complete day. `text` is put into every name and sentence that comes from data."""
    days = days_until(DAY, history)
    names = [*(f"{text}feature_{number}" for number in range(features)), "score", "fraud_rate"]
    return DayFrames(
        day=DAY,
        evaluation=pd.concat([_evaluation(day, text) for day in days], ignore_index=True),
        slices=_slices(text),
        points=pd.concat([_points(name, points, text) for name in SCORERS], ignore_index=True),
        bins=_bins(text),
        importance=_importance(names[:-2], text),
        drift=pd.concat([_drift(day, names) for day in days_until(DAY, drift_days)], ignore_index=True),
        live=pd.concat([_live(day, text) for day in days], ignore_index=True),
        maturity=_maturity(),
        summary=pd.DataFrame([_summary(day, place, text) for place, day in enumerate(days)]),
        alerts=_alerts(text),
        search=_search(text),
        alerts_per_day=100,
        label_delay_days=DELAY,
    )


def half_finished(frames: DayFrames) -> DayFrames:
    """The day before its models: transactions, drift and labels, and nothing that needs a model."""
    empty = pd.DataFrame()
    is_model = ["decision", "decision_kind", "scored_as", "family", "score", "score_low", "score_high", "alerts"]
    is_model += ["expected_saving", "alerted_amount", "lowest_alert_score", "searched_on", "challenger", "threshold"]
    summary = frames.summary.astype("object")
    summary.loc[summary["day"] == frames.day, is_model] = None
    before = frames.evaluation["day"] < frames.day
    return replace(
        frames,
        slices=empty,
        points=empty,
        bins=empty,
        importance=empty,
        alerts=empty,
        search=empty,
        summary=summary,
        evaluation=frames.evaluation[before],
    )


def _random(*seeds: object) -> np.random.Generator:
    return np.random.default_rng([ord(letter) for letter in "".join(map(str, seeds))])


def _evaluation(day: str, text: str) -> pd.DataFrame:
    random = _random(day)
    value = np.clip(0.7 + random.normal(scale=0.02, size=len(SCORERS)), 0, 1)
    frame = pd.DataFrame({"day": day, "candidate": [text + name for name in SCORERS]})
    shares = ("roc_auc", "precision_at_k", "recall_at_k", "card_precision_at_100", "brier_skill")
    frame = frame.assign(
        average_precision=value,
        average_precision_low=value - 0.04,
        average_precision_high=value + 0.04,
        **{name: np.clip(value + 0.1, 0, 1) for name in shares},
        expected_calibration_error=0.002,
        saving_per_day=9_000 * value,
        threshold=0.4,
        fit_seconds=random.uniform(1, 9),
        failure=None,
    )
    is_failed = frame["candidate"] == text + FAILED
    numbers = frame.columns.difference(["day", "candidate", "failure"])
    frame.loc[is_failed, numbers] = np.nan
    return frame.assign(failure=is_failed.map({True: f"{text} the solver did not converge", False: None}))


def _points(name: str, count: int, text: str) -> pd.DataFrame:
    threshold = np.linspace(0.999, 0.001, count)
    recall = (1 - threshold) ** 0.3
    caught = np.round(1_000 * recall).astype("int64")
    alarms = np.round(120_000 * (1 - threshold) ** 4).astype("int64")
    caught[-1], alarms[-1] = 1_000, 120_000
    alerts = caught + alarms
    frame = pd.DataFrame(
        {
            "day": DAY,
            "candidate": text + name,
            "threshold": threshold,
            "alerts": alerts,
            "frauds_caught": caught,
            "false_alarms": alarms,
            "alerts_per_day": alerts / 14,
            "precision": caught / alerts,
            "recall": caught / 1_000,
            "false_positive_rate": alarms / 120_000,
            "saving_per_day": caught * 9.0 - alarms * 0.5,
            "is_chosen": False,
        }
    )
    if not name.startswith("baseline"):
        frame.loc[count // 3, "is_chosen"] = True
    return frame


def _slices(text: str) -> pd.DataFrame:
    kinds = {
        "day": days_until("2018-07-14", 14),
        "amount_band": ["below 25", "from 25, below 100", "from 100"],
        f"{text}country": [f"{text}DE", f"{text}FR", f"{text}other"],
    }
    rows = [
        {"day": DAY, "candidate": text + name, "slice_kind": kind, "slice": value, "rows": 9_000, "frauds": 70}
        for name in SCORERS
        for kind, values in kinds.items()
        for value in values
    ]
    measured = {"average_precision": 0.7, "precision_at_k": 0.6, "recall": 0.5, "precision": 0.8, "saving_per_day": 8e3}
    return pd.DataFrame(rows).assign(**measured)


def _bins(text: str) -> pd.DataFrame:
    share = np.geomspace(0.001, 0.9, 12)
    high = np.minimum(share * 1.1, 1)
    rows = {"bin": range(1, 13), "rows": 2 ** np.arange(12, 0, -1), "frauds": 3, "mean_score": share}
    shares = {"fraud_share": share * 0.9, "fraud_share_low": share * 0.7, "fraud_share_high": high}
    edges = {"lowest_score": share * 0.8, "highest_score": np.minimum(share * 1.2, 1)}
    return pd.concat(
        [pd.DataFrame({"day": DAY, "candidate": text + name, **rows, **shares, **edges}) for name in SCORERS],
        ignore_index=True,
    )


def _importance(names: list[str], text: str) -> pd.DataFrame:
    falls = np.geomspace(0.2, 0.0001, len(names))
    frame = pd.DataFrame({"day": DAY, "recipe": text + IN_USE, "feature": names, "importance": falls})
    return frame.assign(standard_deviation=falls / 10)


def _drift(day: str, names: list[str]) -> pd.DataFrame:
    psi = _random(day).uniform(0.001, 0.3, len(names))
    frame = pd.DataFrame({"day": day, "subject": names, "psi": psi, "psi_by_chance": 0.004, "missing_rate": 0.0})
    levels = np.where(psi >= 0.25, "drift", np.where(psi >= 0.1, "watch", "ok"))
    frame = frame.assign(reference_missing_rate=0.0, rows=9_700, reference_rows=38_000, level=levels, note=None)
    is_rate = frame["subject"] == "fraud_rate"
    rate = {"value": 0.0085, "reference_value": 0.0088, "expected_low": 0.006, "expected_high": 0.012}
    for name, value in rate.items():
        frame[name] = np.where(is_rate, value, np.nan)
    frame.loc[is_rate, "psi"] = np.nan
    return frame


def _live(day: str, text: str) -> pd.DataFrame:
    scored = (date.fromisoformat(day) - timedelta(days=DELAY)).isoformat()
    value = 0.68 + float(_random(day).normal(scale=0.03))
    return pd.DataFrame(
        [
            {
                "day": day,
                "scored_date": scored,
                "later_versions": int(value * 100),
                "is_retrospective": False,
                "transactions": 9_700,
                "labels": 9_650,
                "frauds": 80,
                "alerts": 100,
                "alerts_labelled": 99,
                "alert_precision": 0.6,
                "alert_recall": 0.7,
                "average_precision": value,
                "promised_average_precision": 0.7,
                "promised_average_precision_low": 0.6,
                "promised_average_precision_high": 0.8,
                "is_average_precision_as_promised": 0.6 <= value <= 0.8,
                "saving_per_day": 7_900.0,
                "week_average_precision": value,
                "week_expected_low": 0.6,
                "week_expected_high": 0.8,
                "reason": f"{text} no more labels came" if text else None,
            }
        ]
    )


def _maturity() -> pd.DataFrame:
    ages = np.arange(29)
    known = np.minimum(1, ages / 20)
    return pd.DataFrame(
        {
            "age_days": ages,
            "labels_known": known,
            "frauds_known": known**0.5,
            "transactions": 67_000,
            "labels": 67_000,
            "frauds": 570,
        }
    )


def _summary(day: str, place: int, text: str) -> dict[str, object]:
    labelled = (date.fromisoformat(day) - timedelta(days=DELAY)).isoformat()
    return {
        "day": day,
        "transactions": 9_600 + place,
        "amount_total": 512_345.67,
        "rejected": 12,
        "learnable": 9_500,
        "alerts": 100,
        "alerted_amount": 21_000.0,
        "expected_saving": 8_456.0,
        "lowest_alert_score": 0.31,
        "labelled_day": labelled,
        "labelled_transactions": 9_500,
        "frauds": 81,
        "fraud_rate": 81 / 9_500,
        "fraud_amount": 12_345.0,
        "decision_kind": "kept",
        "decision": f"{text}The champion stays: nothing was surely better.",
        "scored_as": text + IN_USE,
        "family": text + IN_USE,
        "challenger": f"{text}random_forest",
        "threshold": 0.4,
        "score": 0.712,
        "score_low": 0.67,
        "score_high": 0.75,
        "is_promotion": place == 2,
        "searched_on": days_until(day, 8)[0],
        "trained_from": "2018-06-17T00:00:11+00:00",
        "trained_until": "2018-07-14T23:59:58+00:00",
        "model_version": place + 1,
        "drifted_features": 1,
        "watched_features": 2,
        "report_bytes": 300_000,
    }


def _alerts(text: str) -> pd.DataFrame:
    random = _random("alerts")
    count = 100
    reason = f"{text}amount 12 times what is typical of the customer over 30 days"
    return pd.DataFrame(
        {
            "transaction_id": np.arange(1_000_000, 1_000_000 + count),
            "transaction_time": pd.date_range("2018-07-21", periods=count, freq="10min", tz="UTC"),
            "customer_id": [f"{text}customer {number}" for number in range(count)],
            "terminal_id": np.arange(count),
            "amount": random.lognormal(4, 1, count).round(2),
            "score": np.sort(random.uniform(0.3, 1, count))[::-1],
            "rank": np.arange(1, count + 1),
            "is_alert": True,
            "review_sample": False,
            "reason_1": reason,
            "reason_2": "no transaction at this terminal before",
            "reason_3": None,
        }
    )


def _search(text: str) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "candidate": text + name,
                "configuration": f"{text}depth={depth}, learning_rate=0.1",
                "average_precision": 0.6 + depth / 100,
                "fold_1": 0.6,
                "fold_2": 0.61 if depth > 3 else None,
                "failure": None,
            }
            for name in SCORERS[:6]
            for depth in range(1, 7)
        ]
    )
