"""The history marks the model that was used on a day, which is not always the one with the highest score."""

from typing import Any

import numpy as np
import pandas as pd

from fraud_assets.assets.best_model import choices
from fraud_assets.learning import CHAMPION
from fraud_assets.reporting.figures.history import CHANGE, IN_USE, metric_history

DAYS = ("2018-07-01", "2018-07-02", "2018-07-03")


def evaluation() -> pd.DataFrame:
    """Three days on which the forest is best, and the amount alone better than a regression."""
    scores = {"random_forest": 0.7, "logistic_regression": 0.4, "baseline_amount": 0.5}
    return pd.DataFrame(
        [{"day": day, "candidate": name, "average_precision": score} for day in DAYS for name, score in scores.items()]
    )


def traces(used: pd.DataFrame) -> dict[str, Any]:
    return {trace.name: trace for trace in metric_history(evaluation(), used).data}


def test_the_history_marks_what_was_used_and_since_when() -> None:
    scored_as = {DAYS[0]: "random_forest", DAYS[1]: "logistic_regression", DAYS[2]: CHAMPION, "2018-07-04": CHAMPION}
    since = {DAYS[0]: "2018-06-01", DAYS[1]: DAYS[1], DAYS[2]: DAYS[1]}
    used = choices(DAYS[2], scored_as, {DAYS[1]: 0.4, DAYS[2]: 0.6, "2018-07-04": 0.1}, since)
    assert used["day"].tolist() == list(DAYS), "later days are not for it to know"
    drawn = traces(used)
    assert list(drawn[IN_USE].y) == [0.7, 0.4, 0.6]
    assert set(drawn[CHANGE].x) == {DAYS[1], None}


def test_days_without_a_best_model_or_its_score_have_no_mark() -> None:
    used = choices(DAYS[2], {DAYS[2]: CHAMPION}, {DAYS[2]: None}, {})
    assert np.isnan(used["score"]).tolist() == [True]
    assert not {IN_USE, CHANGE} & set(traces(used))
