"""The history marks the model that was used on a day, which is not always the one with the highest score."""

import numpy as np
import pandas as pd

from fraud_assets.assets.best_model import with_choices
from fraud_assets.learning import CHAMPION
from fraud_assets.reporting.history import WINNER, metric_history

DAYS = ("2018-07-01", "2018-07-02", "2018-07-03")


def evaluation() -> pd.DataFrame:
    """Three days on which the forest is best, and the amount alone better than a regression."""
    scores = {"random_forest": 0.7, "logistic_regression": 0.4, "baseline_amount": 0.5}
    return pd.DataFrame(
        [{"day": day, "candidate": name, "average_precision": score} for day in DAYS for name, score in scores.items()]
    )


def test_the_history_marks_what_was_used() -> None:
    scored_as = {DAYS[0]: "random_forest", DAYS[1]: "logistic_regression", DAYS[2]: CHAMPION, "2018-07-04": CHAMPION}
    history = with_choices(evaluation(), scored_as, {DAYS[1]: 0.4, DAYS[2]: 0.6, "2018-07-04": 0.1})
    used = history[history["is_winner"]].sort_values("day")
    assert used["model"].tolist() == ["random_forest", "logistic_regression", CHAMPION]
    marks = next(trace for trace in metric_history(history).data if trace.name == WINNER)
    assert list(marks.y) == [0.7, 0.4, 0.6]


def test_days_without_a_best_model_or_its_score_have_no_mark() -> None:
    history = with_choices(evaluation(), {DAYS[2]: CHAMPION}, {DAYS[2]: None})
    assert history.loc[history["is_winner"], "average_precision"].isna().tolist() == [True]
    assert np.isfinite(history["average_precision"]).sum() == 9
    assert WINNER not in {trace.name for trace in metric_history(history).data}
