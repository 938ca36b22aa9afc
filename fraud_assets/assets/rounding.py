"""Numbers as the tables of metadata show them."""

from typing import Any

import pandas as pd


def rounded(value: Any) -> float | None:
    """Four decimals; None where there is no value."""
    return None if value is None or pd.isna(value) else round(float(value), 4)
