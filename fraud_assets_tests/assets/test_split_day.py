"""A source of a single day: it is split in time order, and what was held out is scored by what has not seen it."""

from pathlib import Path

import numpy as np

from fraud_assets.learning import score
from fraud_assets_tests.small_world import DAY, small_settings, world


def test_the_last_fifth_is_scored_by_the_candidate_that_has_not_seen_it(database_url: str, tmp_path: Path) -> None:
    settings = small_settings(
        database_url,
        tmp_path,
        label_delay_days=0,
        training_days=1,
        validation_days=0,
        start_date=DAY,
        source={"kind": "simulated", "customers": 2_000, "terminals": 2_000, "radius": 12.0},
    )
    with world(settings) as made:
        made.run()
        scored, features = made.table("scored_batch"), made.table("cleaned_features")
        best = made.model("best_model")
        candidate = made.model(f"candidate_models/{best.decision.scored_as}")
    is_held_out = features["transaction_time"] > candidate.trained_until
    assert 0.15 < is_held_out.mean() < 0.25
    assert best.trained_until == features["transaction_time"].max()
    np.testing.assert_array_equal(scored["score"].notna(), is_held_out)
    np.testing.assert_array_equal(scored["score"][is_held_out], score(candidate.model, features[is_held_out]))
    assert scored["is_alert"].sum() == 10
    assert not scored["is_alert"][~is_held_out].any()
