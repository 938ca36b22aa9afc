"""On the handbook's published days the candidates reach what the book's own models reach."""

from datetime import timedelta

import numpy as np
import pytest

from fraud_assets.learning import (
    FeatureSpec,
    SearchBudget,
    baselines,
    compute_features,
    evaluate,
    fit_candidates,
    learnable_rows,
    score_candidates,
)
from fraud_assets_tests.learning.frames import SHARED_DATA, at, handbook

DAY = timedelta(days=1)


@pytest.mark.skipif(not (SHARED_DATA / "handbook").is_dir(), reason="needs the handbook's days in shared/data")
def test_gradient_boosting_on_2018_07_20_beats_the_amount_and_060() -> None:
    day = at("2018-07-20")
    delay, validation, training = 7, 7, 14
    first = day - (2 * delay + validation + training - 1) * DAY
    spec = FeatureSpec(has_customer=True, has_terminal=True)
    transactions, labels = handbook(f"{first - spec.history:%Y-%m-%d}", f"{day:%Y-%m-%d}")
    features = compute_features(transactions, labels, spec, start=first, end=day + DAY)
    trained_until = day - (2 * delay + validation - 1) * DAY
    rows = learnable_rows(features, labels, day + DAY)
    learned = learnable_rows(features[features["transaction_time"] < trained_until], labels, day + DAY)
    times = rows["transaction_time"]
    later = rows[(times >= day - (delay + validation - 1) * DAY) & (times < day - (delay - 1) * DAY)]
    candidates = fit_candidates(learned, ("gradient_boosting",), spec, SearchBudget(configurations=1))
    scores = score_candidates(candidates, later) | baselines(later)
    precision = {
        name: evaluate(values, later, threshold=None, alerts_per_day=100, timezone="UTC")["average_precision"]
        for name, values in scores.items()
    }
    boosting, amount = precision["gradient_boosting"], precision["baseline_amount"]
    assert boosting is not None
    assert amount is not None
    assert boosting >= 0.70
    assert amount < 0.30
    assert np.isfinite(scores["gradient_boosting"]).all()
    assert all(candidate.warnings == () for candidate in candidates.values())
