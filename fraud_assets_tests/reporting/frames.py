"""Frames that the tests of this folder draw, and how they look into a figure."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

HOSTILE = "<script>alert(1)</script> & %{x} [name](http://x)"

STRENGTH = {"gradient_boosting": 4.0, "random_forest": 3.5, "logistic_regression": 2.5, "baseline_amount": 1.0}


def scores_of(model: str, label: Sequence[float], score: Sequence[float]) -> pd.DataFrame:
    return pd.DataFrame({"model": model, "label": label, "score": score})


def four_rows(model: str = "random_forest") -> pd.DataFrame:
    """Average precision is 1/2 * 1 + 1/2 * 2/3, ROC AUC is 3/4."""
    return scores_of(model, [1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1])


def realistic_scores(rows: int = 20_000, fraud_rate: float = 0.03) -> pd.DataFrame:
    random = np.random.default_rng(7)
    label = (random.random(rows) < fraud_rate).astype("int8")
    is_seen = label & (random.random(rows) < 0.8)
    frames = []
    for model, strength in STRENGTH.items():
        score = 1 / (1 + np.exp(4 - random.normal(size=rows) - strength * is_seen))
        frames.append(pd.DataFrame({"model": model, "label": label, "score": score}))
    return pd.concat(frames, ignore_index=True)


def history_of(values: dict[str, dict[str, float]]) -> pd.DataFrame:
    """From {model: {day: average precision}}."""
    rows = [(day, model, value) for model, days in values.items() for day, value in days.items()]
    return pd.DataFrame(rows, columns=["day", "model", "average_precision"])


def realistic_history(days: int = 90) -> pd.DataFrame:
    random = np.random.default_rng(7)
    dates = pd.date_range("2018-05-01", periods=days).strftime("%Y-%m-%d")
    return history_of({m: {d: 0.1 + s / 6 + random.normal() / 50 for d in dates} for m, s in STRENGTH.items()})


def evaluation() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "model": ["logistic_regression", "gradient_boosting", "baseline_constant"],
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
    """The traces by the name before the number in their legend."""
    return {trace.name.split("  ")[0]: trace for trace in figure.data if trace.name}


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
    """All that the figure says, as one text."""
    return "\n".join(texts(figure))
