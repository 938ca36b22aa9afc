"""Reading frames as figures take them: columns that must be there, numbers, names.

What does not live here: anything that draws.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
# Texts are walked through one by one, which is several times slower in Arrow's buffers.
TEXT = pd.StringDtype("python", na_value=np.nan)


def require_columns(frame: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    """Raises `ValueError` that names the first missing column; a frame without rows may lack any."""
    missing = [column for column in columns if column not in frame.columns]
    if missing and len(frame):
        raise ValueError(f"the frame of {what} has no column {missing[0]!r}; it needs {', '.join(columns)}.")


def numbers(frame: pd.DataFrame, column: str) -> Floats:
    """The column as numbers, NaN where there is none, it is infinite, or the frame has no such column."""
    if column not in frame.columns:
        return np.full(len(frame), np.nan)
    values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def flags(frame: pd.DataFrame, column: str) -> npt.NDArray[np.bool_]:
    """The column as booleans, False where it is missing."""
    if column not in frame.columns:
        return np.zeros(len(frame), dtype=np.bool_)
    return frame[column].astype("boolean").fillna(False).to_numpy(dtype=np.bool_)


def names(frame: pd.DataFrame, column: str) -> list[str]:
    """The column as text, empty where there is none."""
    if column not in frame.columns:
        return [""] * len(frame)
    values = frame[column]
    return [str(value) if known else "" for value, known in zip(values.tolist(), values.notna().tolist(), strict=True)]


def rows_of(frame: pd.DataFrame, candidate: str) -> pd.DataFrame:
    """The rows of one candidate, in their order."""
    if "candidate" not in frame.columns:
        return frame.iloc[:0]
    rows: pd.DataFrame = frame[(frame["candidate"].astype("string") == candidate).fillna(False).to_numpy(dtype=bool)]
    return rows


def known_values(frame: pd.DataFrame | None, metric: str) -> dict[str, float]:
    """By candidate, the metric's finite values of a day's evaluation."""
    if frame is None or frame.empty:
        return {}
    values = zip(names(frame, "candidate"), numbers(frame, metric), strict=True)
    return {name: float(value) for name, value in values if np.isfinite(value)}
