"""Made tables that the tests of this folder draw, as storage has them, and how they look into a figure."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from fraud_assets.learning import AlertPolicy, evaluate_scorers

HOSTILE = "<script>alert(1)</script> & %{x} [name](http://x)"

STRENGTH = {
    "ensemble": 4.3,
    "gradient_boosting": 4.2,
    "random_forest": 4.0,
    "logistic_regression": 3.2,
    "support_vector_machine": 3.0,
    "k_nearest_neighbors": 2.2,
}
SCORERS = (*STRENGTH, "baseline_amount", "baseline_constant")
DAY = "2018-07-21"
FIRST_DAY = "2018-05-01"


def measured(
    label: ArrayLike,
    scores: Mapping[str, ArrayLike],
    thresholds: Mapping[str, float | None] | None = None,
    days: int = 1,
    cost: float = 0.0,
) -> Any:
    """What the evaluation makes of labels and scores: the tables of one day."""
    is_fraud = np.asarray(label, dtype="int8")
    step = pd.Timedelta(days=days) / max(len(is_fraud), 1)
    rows = pd.DataFrame(
        {
            "transaction_time": pd.date_range("2018-07-01", periods=len(is_fraud), freq=step, tz="UTC"),
            "amount": np.random.default_rng(3).gamma(2, 30, size=len(is_fraud)).round(2),
            "label": is_fraud,
        }
    )
    arrays = {name: np.asarray(score, dtype=float) for name, score in scores.items()}
    policy = AlertPolicy(cost_per_alert=cost)
    return evaluate_scorers(rows, arrays, thresholds or {}, policy=policy, timezone="UTC")


def points_of(
    label: ArrayLike,
    scores: Mapping[str, ArrayLike],
    thresholds: Mapping[str, float | None] | None = None,
    days: int = 1,
) -> pd.DataFrame:
    points: pd.DataFrame = measured(label, scores, thresholds, days).points
    return points


def four_rows(candidate: str = "random_forest", threshold: float | None = None) -> pd.DataFrame:
    """Points of which the average precision is 1/2 * 1 + 1/2 * 2/3, and ROC AUC 3/4."""
    return points_of([1, 0, 1, 0], {candidate: [0.9, 0.8, 0.7, 0.1]}, {candidate: threshold})


def realistic(rows: int = 40_000, fraud_rate: float = 0.009, days: int = 14) -> Any:
    """An evaluation of all families and baselines, an alert at 5 units of money."""
    random = np.random.default_rng(7)
    label = (random.random(rows) < fraud_rate).astype("int8")
    is_seen = label & (random.random(rows) < 0.85)
    scores: dict[str, ArrayLike] = {}
    for name, strength in STRENGTH.items():
        odds = random.normal(size=rows) * 1.2 - 6 + (0.5 + random.random(rows)) * 1.8 * strength * is_seen
        scores[name] = 1 / (1 + np.exp(-odds))
    scores["baseline_amount"] = np.random.default_rng(3).gamma(2, 30, size=rows).round(2)
    scores["baseline_constant"] = np.zeros(rows)
    return measured(label, scores, dict.fromkeys(STRENGTH, 0.3), days, cost=5.0)


def evaluation_of(values: dict[str, dict[str, float]], metric: str = "average_precision") -> pd.DataFrame:
    """Rows of `evaluation_table` from {candidate: {day: value}}."""
    rows = [(day, name, value) for name, days in values.items() for day, value in days.items()]
    return pd.DataFrame(rows, columns=["day", "candidate", metric])


def days_of(days: int, first: str = FIRST_DAY) -> list[str]:
    return list(pd.date_range(first, periods=days).strftime("%Y-%m-%d"))


def evaluation_history(days: int = 90) -> pd.DataFrame:
    """`evaluation_table` of so many days, with intervals."""
    random = np.random.default_rng(7)
    strength = {**STRENGTH, "baseline_amount": 1.3, "baseline_constant": 0.05}
    frames = []
    for name, level in strength.items():
        value = np.clip(level / 5.5 + random.normal(size=days).cumsum() / 150, 0.008, 0.98)
        frames.append(
            pd.DataFrame(
                {
                    "day": days_of(days),
                    "candidate": name,
                    "average_precision": value,
                    "average_precision_low": np.clip(value - 0.03, 0, 1),
                    "average_precision_high": np.clip(value + 0.025, 0, 1),
                    "saving_per_day": value * 12_000,
                }
            )
        )
    return pd.concat(frames, ignore_index=True).sort_values("day", kind="stable")


def summaries(days: int = 90) -> pd.DataFrame:
    """`daily_summary` of so many days: a new champion each 40 days, labels seven days late."""
    random = np.random.default_rng(5)
    day = days_of(days)
    changes = np.arange(days) % 40 == 20
    families = ["ensemble", "gradient_boosting", "champion", "random_forest"]
    transactions = (9_500 + 400 * np.sin(np.arange(days) * 2 * np.pi / 7) + random.normal(size=days) * 90).round()
    score = 0.75 + random.normal(size=days) / 60
    return pd.DataFrame(
        {
            "day": day,
            "transactions": transactions.astype("int64"),
            "alerts": 100,
            "alerted_amount": 14_000 + random.normal(size=days) * 1_500,
            "labelled_day": days_of(days, str((pd.Timestamp(FIRST_DAY) - pd.Timedelta(days=7)).date())),
            "fraud_rate": 0.0088 + random.normal(size=days) * 0.0007,
            "fraud_amount": 12_500 + random.normal(size=days) * 1_700,
            "scored_as": [families[(i + 20) // 40 % 4] for i in range(days)],
            "score": score,
            "score_low": score - 0.03,
            "score_high": score + 0.03,
            "is_promotion": changes,
            "decision": [
                f"Recipe {i} is surely better than the champion's." if c else "Kept." for i, c in enumerate(changes)
            ],
        }
    )


def drift_history(days: int = 90, subjects: int = 37) -> pd.DataFrame:
    random = np.random.default_rng(11)
    names = [*(f"customer_mean_amount_{i}d" for i in range(subjects - 2)), "score", "fraud_rate"]
    psi = np.abs(random.normal(size=(days, subjects))) * 0.03
    psi[-(days // 3) :, :2] += 0.15
    psi[-(days // 5) :, 1] += 0.2
    level = np.where(psi > 0.25, "drift", np.where(psi > 0.1, "watch", "ok")).astype(object)
    level[:3, -1] = "unknown"
    return pd.DataFrame(
        {
            "day": np.repeat(days_of(days), subjects),
            "subject": np.tile(names, days),
            "psi": psi.ravel(),
            "level": level.ravel(),
        }
    )


def live_history(days: int = 90) -> pd.DataFrame:
    random = np.random.default_rng(13)
    promised = 0.77 + random.normal(size=days) / 150
    value = promised - 0.01 + random.normal(size=days) / 25
    value[-days // 6 :] -= 0.1
    week = pd.Series(value).rolling(7, min_periods=4).mean()
    return pd.DataFrame(
        {
            "scored_date": days_of(days),
            "average_precision": value,
            "promised_average_precision": promised,
            "promised_average_precision_low": promised - 0.03,
            "promised_average_precision_high": promised + 0.03,
            "is_average_precision_as_promised": np.abs(value - promised) < 0.08,
            "week_average_precision": week,
        }
    )


def searched(configurations: int = 10) -> pd.DataFrame:
    random = np.random.default_rng(17)
    rows = []
    for name, strength in STRENGTH.items():
        for number in range(configurations):
            folds = strength / 5.5 - random.random() * 0.08 + random.normal(size=3) * 0.015
            mean = float(folds.mean()) if number else np.nan
            rows.append((name, f"depth={number}, rate={number / 10:g}", mean, *folds))
    return pd.DataFrame(rows, columns=["candidate", "configuration", "average_precision", "fold_1", "fold_2", "fold_3"])


def maturity_ages(days: int = 28) -> pd.DataFrame:
    age = np.arange(days + 1)
    known = 1 - np.exp(-age / 4)
    return pd.DataFrame(
        {"age_days": age, "labels_known": known * 0.97, "frauds_known": known**2, "transactions": 67_138, "frauds": 574}
    )


def importances(features: int = 35) -> pd.DataFrame:
    value = 0.06 * np.exp(-np.arange(features) / 4) - 0.0004
    return pd.DataFrame(
        {
            "recipe": "gradient_boosting",
            "feature": [f"amount_over_customer_typical_{i}d" for i in range(features)],
            "importance": value,
            "standard_deviation": np.abs(value) * 0.15 + 0.0004,
        }
    )


def scored_day(alerts: int = 100) -> pd.DataFrame:
    random = np.random.default_rng(19)
    rows = alerts * 3
    return pd.DataFrame(
        {
            "transaction_id": np.arange(rows) + 1_054_747,
            "amount": random.gamma(1.2, 90, size=rows).round(2) + 0.01,
            "score": np.sort(random.beta(0.7, 1.0, size=rows))[::-1],
            "is_alert": np.arange(rows) < alerts,
            "reason_1": "amount 220 is 4 times the customer's typical",
            "reason_2": None,
            "reason_3": None,
        }
    )


def evaluated() -> pd.DataFrame:
    """Three rows of `evaluation_table`."""
    return pd.DataFrame(
        {
            "candidate": ["logistic_regression", "gradient_boosting", "baseline_constant"],
            "average_precision": [0.62, 0.712, 0.009],
            "roc_auc": [0.87, 0.86, 0.5],
            "accuracy": [0.99, 0.99, 0.991],
            "brier_score": [0.005, 0.0045, np.nan],
        }
    )


def trace_named(figure: go.Figure, name: str) -> Any:
    """The first trace with exactly this name: the marks, where a legend entry of the same name follows."""
    return next(trace for trace in figure.data if trace.name == name)


def lines(figure: go.Figure) -> dict[str, Any]:
    """The traces by the name before the number in their legend, the first of each."""
    found: dict[str, Any] = {}
    for trace in figure.data:
        found.setdefault(str(trace.name).split("  ")[0], trace)
    return found


def texts(node: Any) -> Iterator[str]:
    """Every string in a figure."""
    if isinstance(node, go.Figure):
        yield from texts({"data": node.to_dict()["data"], "layout": node.to_dict()["layout"]})
    elif isinstance(node, dict):
        for value in node.values():
            yield from texts(value)
    elif isinstance(node, list | tuple | np.ndarray):
        for value in node:
            yield from texts(value)
    elif isinstance(node, str):
        yield node


def said(figure: go.Figure) -> str:
    """All that the figure says, as one text; a sentence may stand in several lines."""
    return "\n".join(text.replace("<br>", " ") for text in texts(figure))
