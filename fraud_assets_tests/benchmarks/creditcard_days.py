"""The credit card file, one day to learn and the next to judge: ours beside a tuned random forest.

Run as `python -m fraud_assets_tests.benchmarks.creditcard_days FILE`. FILE has the layout `Time,V1..V28,Amount,Class`.
Ours is what the pipeline makes of the first day alone (label_delay_days = 0, training_days = 1, validation_days = 0:
the day's last fifth held out, the winner refitted on all of it). The forest is tuned by cross-validation inside the
same day, over contiguous parts of it. Both score the second day; the interval is that of the paired difference over
resampled transactions of that day.
"""

import sys
import time
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from fraud_assets.learning import learnable_rows, score
from fraud_assets.settings import CreditcardSource
from fraud_assets_tests.benchmarks.bounds import Bounds
from fraud_assets_tests.benchmarks.handbook_data import plan_of, read_days
from fraud_assets_tests.benchmarks.pipeline import model_of_day

RESAMPLES = 2_000
FOREST_GRID = {
    "max_features": [3, 5, 10],
    "min_samples_leaf": [1, 3],
    "class_weight": [None, "balanced_subsample"],
}
WHOLE_FILE_FRAUD_SHARE = 0.00173


def main(path: Path) -> None:
    first = CreditcardSource.model_fields["first_day"].default
    days = (first, first + timedelta(days=1))
    source = {"kind": "creditcard", "path": path}
    plan = plan_of(source=source, label_delay_days=0, training_days=1, validation_days=0)
    read = read_days(plan, days)
    learned, judged = (_labelled(learnable_rows(read.features, read.labels, plan.end(str(day))), day) for day in days)
    _describe(path, learned, judged)
    started = time.perf_counter()
    made = model_of_day(plan, str(first), read)
    print(f"  ours: {made.best.recipe.family}, made in {time.perf_counter() - started:.0f} s")
    started = time.perf_counter()
    names = list(plan.features.names)
    forest = tuned_forest(learned[names], learned["label"])
    print(f"  random forest: {forest.best_params_}, tuned in {time.perf_counter() - started:.0f} s")
    y = judged["label"].to_numpy()
    ours, peer = score(made.best.model, judged), forest.predict_proba(judged[names])[:, 1]
    difference = average_precision_score(y, ours) - average_precision_score(y, peer)
    low, high = paired_interval(y, ours, peer)
    print(f"{'average precision on the second day':<44}{average_precision_score(y, ours):>8.4f}  ours")
    print(f"{'':<44}{average_precision_score(y, peer):>8.4f}  random forest")
    print(f"{'ours minus forest, 95 % paired interval':<44}{difference:>+8.4f}  [{low:+.4f}, {high:+.4f}]")
    bounds = Bounds()
    bounds.at_least("upper end of that interval", high, 0.0, form="+.4f")
    bounds.end()


def _labelled(rows: pd.DataFrame, day: date) -> pd.DataFrame:
    of_day: pd.DataFrame = rows[rows["transaction_time"].dt.date == day]
    return of_day.reset_index(drop=True)


def _describe(path: Path, learned: pd.DataFrame, judged: pd.DataFrame) -> None:
    for title, rows in (("first", learned), ("second", judged)):
        print(f"{path.name}, {title} day: {len(rows):,} transactions, {int(rows['label'].sum())} frauds")
    share = float(pd.concat([learned["label"], judged["label"]]).mean())
    if share > 2 * WHOLE_FILE_FRAUD_SHARE:
        print(
            f"  A sample enriched to {share:.1%} fraud (the whole file has {WHOLE_FILE_FRAUD_SHARE:.2%}): never to be"
        )
        print("  read beside results on the whole file.")


def tuned_forest(X: pd.DataFrame, y: pd.Series) -> GridSearchCV:
    """A random forest of 200 trees, searched by average precision over five contiguous parts of rows in time order."""
    forest = RandomForestClassifier(n_estimators=200, random_state=0)
    # Unshuffled, the folds of each class are contiguous in time.
    search = GridSearchCV(forest, FOREST_GRID, scoring="average_precision", cv=StratifiedKFold(5), n_jobs=-1)
    return search.fit(X, y)


def paired_interval(
    y: NDArray[np.int8], one: NDArray[np.float64], other: NDArray[np.float64], resamples: int = RESAMPLES
) -> tuple[float, float]:
    """The 95 % percentile interval of one's average precision minus the other's over the same resampled rows."""
    rng = np.random.default_rng(0)
    differences = []
    for _ in range(resamples):
        rows = rng.integers(0, len(y), len(y))
        if y[rows].any():
            both = (average_precision_score(y[rows], scores[rows]) for scores in (one, other))
            differences.append(next(both) - next(both))
    low, high = np.quantile(differences, [0.025, 0.975])
    return float(low), float(high)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("Name the file: python -m fraud_assets_tests.benchmarks.creditcard_days creditcard.csv")
    main(Path(sys.argv[1]).absolute())
