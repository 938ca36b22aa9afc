"""Material of one made day: operating points, calibration, importance, maturity and scores.

What does not live here: what goes on over the days (`made_history`).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

ALERTS = 100
_LEVEL = {
    "logistic_regression": 0.71,
    "support_vector_machine": 0.69,
    "k_nearest_neighbors": 0.6,
    "random_forest": 0.775,
    "gradient_boosting": 0.785,
    "ensemble": 0.79,
    "baseline_amount": 0.16,
}
_REASONS = (
    "no transaction at this terminal since its last known fraud",
    "5 earlier amounts of at least 3 times the customer's habit in 7 days",
    "amount 1.7 times what is typical of the customer over 30 days",
    "=cmd|' /C calc'!A1 is what a hostile value looks like",
)


def typical(model: str) -> float:
    """The average precision that a scorer has when nothing happens."""
    return _LEVEL.get(model, 0.65)


def points(day: str, models: Sequence[str]) -> pd.DataFrame:
    """Rows of operating_points: sixty thresholds of each scorer."""
    frames = [_points(day, model) for model in models]
    return pd.concat(frames, ignore_index=True)


def _points(day: str, model: str) -> pd.DataFrame:
    frauds, genuine, days = 1_170, 132_830, 14
    shares = np.linspace(0, 1, 60)[1:]
    alerts_false = (genuine * shares**6).astype(int)
    caught = np.maximum.accumulate((frauds * shares ** (1.2 - typical(model))).astype(int))
    caught[-1] = frauds
    alerts = caught + alerts_false
    return pd.DataFrame(
        {
            "day": day,
            "candidate": model,
            "threshold": 1 - shares * 0.999,
            "alerts": alerts,
            "frauds_caught": caught,
            "false_alarms": alerts_false,
            "alerts_per_day": alerts / days,
            "precision": caught / alerts,
            "recall": caught / frauds,
            "false_positive_rate": alerts_false / genuine,
            "saving_per_day": (caught * 150.0 - alerts * 5.0) / days,
            "is_chosen": [n == 30 and not model.startswith("baseline") for n in range(len(shares))],
        }
    )


def bins(day: str, models: Sequence[str]) -> pd.DataFrame:
    mean = np.linspace(0.001, 0.9, 8)
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "day": day,
                    "candidate": model,
                    "bin": range(1, 9),
                    "rows": 16_000,
                    "frauds": (mean * 160).astype(int),
                    "lowest_score": mean * 0.9,
                    "highest_score": mean * 1.1,
                    "mean_score": mean,
                    "fraud_share": mean,
                    "fraud_share_low": mean * 0.9,
                    "fraud_share_high": np.minimum(mean * 1.1, 1),
                }
            )
            for model in models
        ],
        ignore_index=True,
    )


def importance(day: str, recipe: str, features: Sequence[str]) -> pd.DataFrame:
    weights = 0.05 / np.arange(1, len(features) + 1)
    table = pd.DataFrame({"feature": features, "importance": weights, "standard_deviation": 0.002})
    return table.assign(day=day, recipe=recipe)


def maturity() -> pd.DataFrame:
    ages = np.arange(29)
    shares = np.clip((ages - 5) / 3, 0, 1)
    return pd.DataFrame({"age_days": ages, "labels_known": shares, "frauds_known": shares}).assign(
        transactions=67_000, labels=67_000, frauds=570
    )


def scores(day: str, seed: int, transactions: int = 400) -> pd.DataFrame:
    """`ALERTS` alerts, ten of the review sample, and the rest."""
    rng = np.random.default_rng(seed)
    places = range(transactions)
    score = np.sort(rng.beta(0.3, 6, transactions))[::-1]
    is_alert = np.arange(transactions) < ALERTS
    reasons = [_REASONS[n % len(_REASONS)] if n < ALERTS else None for n in places]
    return pd.DataFrame(
        {
            "transaction_id": 1_000_000 + np.arange(transactions),
            "transaction_time": pd.Timestamp(day, tz="UTC") + pd.to_timedelta(np.arange(transactions) * 97, "s"),
            "customer_id": rng.integers(0, 5_000, transactions),
            "terminal_id": rng.integers(0, 9_000, transactions),
            "amount": np.round(rng.gamma(2, 40, transactions), 2),
            "score": score,
            "rank": np.arange(1, transactions + 1),
            "is_alert": is_alert,
            "review_sample": (np.arange(transactions) >= ALERTS) & (np.arange(transactions) < ALERTS + 10),
            "reason_1": reasons,
            "reason_2": [f"{n} frauds at this terminal in 14 days" if n < ALERTS else None for n in places],
            "reason_3": None,
        }
    )
