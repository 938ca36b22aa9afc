"""Small frames for the tests of this room."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from fraud_assets.learning import FeatureSpec

SHARED_DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"

NUMERIC_SPEC = FeatureSpec(
    has_customer=False,
    has_terminal=False,
    numeric=("strength", "noise"),
    categorical=("channel",),
    label_delay=timedelta(days=1),
)


def at(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz="UTC").as_unit("us")


def labelled_rows(n: int = 1_500, *, days: int = 8, frauds: int = 60, seed: int = 1) -> pd.DataFrame:
    """Rows as `learnable_rows` gives them for NUMERIC_SPEC; `strength` tells most frauds, `channel` some."""
    rng = np.random.default_rng(seed)
    y = np.zeros(n, dtype=np.int8)
    y[np.linspace(n // 20, n - 1 - n // 20, frauds).astype(int)] = 1
    times = at("2024-03-01") + pd.to_timedelta(np.linspace(0, days * 86_399, n).astype(np.int64), unit="s")
    channel = np.where(rng.random(n) < 0.1 + 0.5 * y, "web", "shop").astype(object)
    channel[rng.random(n) < 0.05] = None
    noise = rng.normal(size=n)
    noise[rng.random(n) < 0.1] = np.nan
    return pd.DataFrame(
        {
            "transaction_id": np.arange(n),
            "transaction_time": times.as_unit("us"),
            "is_learnable": True,
            "amount": rng.gamma(2, 30, size=n).round(2),
            "is_weekend": np.int8(0),
            "is_night": (rng.random(n) < 0.2).astype(np.int8),
            "hour_of_day": rng.uniform(0, 24, size=n),
            "strength": rng.normal(size=n) + 2.5 * y,
            "noise": noise,
            "channel": pd.Series(channel, dtype="str"),
            "label": y,
        }
    )


def handbook(first: str, last: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Transactions and labels (known seven days later) of the handbook's days, both included."""
    days = [pd.read_parquet(SHARED_DATA / "handbook" / f"{day:%Y-%m-%d}.parquet") for day in pd.date_range(first, last)]
    rows = pd.concat(days, ignore_index=True)
    transactions = pd.DataFrame(
        {
            "transaction_id": rows["TRANSACTION_ID"].astype("int64"),
            "transaction_time": rows["TX_DATETIME"].dt.as_unit("us").dt.tz_localize("UTC"),
            "amount": rows["TX_AMOUNT"],
            "customer_id": rows["CUSTOMER_ID"].astype("int64"),
            "terminal_id": rows["TERMINAL_ID"].astype("int64"),
        }
    )
    labels = pd.DataFrame(
        {
            "transaction_id": transactions["transaction_id"],
            "label": rows["TX_FRAUD"],
            "known_at": transactions["transaction_time"] + timedelta(days=7),
        }
    )
    return transactions, labels
