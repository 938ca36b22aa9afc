"""What is said of a day's scores, and what is not."""

import numpy as np
import pandas as pd

from fraud_assets.assets.scored_batch import score_numbers


def test_what_is_not_defined_is_left_out() -> None:
    scored = pd.DataFrame({"score": [0.9, 0.3, np.nan], "is_alert": [True, False, False]})
    assert score_numbers(scored) == {"lowest_alert_score": 0.9, "mean_score": 0.6}
    assert score_numbers(scored.assign(is_alert=False)) == {"mean_score": 0.6}
    assert score_numbers(scored.assign(score=np.nan, is_alert=False)) == {}
