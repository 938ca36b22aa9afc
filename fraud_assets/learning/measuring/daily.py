"""What a scorer reaches on a day, on average: for metrics that the evaluation takes over all days at once.

What lives here: the means of daily values, and how sure they are. What does not: the daily values themselves
(slices.py, tables.py), and metrics that are means over days already, such as precision at k (metrics.py).
"""

import numpy as np
import pandas as pd

from fraud_assets.learning.measuring.intervals import jackknife_interval, without_each

DAILY = {"average_precision": "daily_average_precision", "roc_auc": "daily_roc_auc"}
"""By metric, what the mean of its daily values is called. A day's own value is to be compared with this one only."""


def daily_means(days: pd.DataFrame) -> dict[str, float]:
    """The mean of each of `DAILY` over the days, and the ends of its 95 % t-interval, `<name>_low` and `<name>_high`.

    `days` has a row a day with the metrics as columns, missing on days on which they are not defined; these do not
    count. Average precision over several days ranks the frauds of each against the genuine rows of all, so it is not
    the mean of the daily ones. The interval is `jackknife_interval`'s. What is not defined is left out: the mean
    without any day, the interval with fewer than two.
    """
    found: dict[str, float] = {}
    for metric, name in DAILY.items():
        values = np.asarray(days[metric].astype("float64").dropna(), dtype=np.float64)
        if not len(values):
            continue
        found[name] = float(values.mean())
        interval = jackknife_interval(found[name], without_each(values), is_share=True)
        if interval is not None:
            found |= {f"{name}_low": interval.low, f"{name}_high": interval.high}
    return found
