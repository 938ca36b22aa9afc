"""Asset checks: what was seen, what was expected, and what to do. Pure functions of plain values.

What lives here: which checks there are, and when they fail. What does not: looking up what they judge (assets).
"""

from fraud_assets.checks.batch import BatchLimits, StoredBatch, batch_checks, untrusted_days, volume_is_as_usual
from fraud_assets.checks.labels import fraud_rate_is_as_usual, label_feed_is_alive
from fraud_assets.checks.learning import champion_is_young_enough, every_family_fitted, history_is_complete
from fraud_assets.checks.specs import CHECK_SPECS, specs_of
from fraud_assets.checks.watching import (
    ScoreSum,
    features_are_stable,
    labels_are_mature,
    live_performance_is_as_promised,
    scores_are_calibrated,
)

__all__ = [
    "CHECK_SPECS",
    "BatchLimits",
    "ScoreSum",
    "StoredBatch",
    "batch_checks",
    "champion_is_young_enough",
    "every_family_fitted",
    "features_are_stable",
    "fraud_rate_is_as_usual",
    "history_is_complete",
    "label_feed_is_alive",
    "labels_are_mature",
    "live_performance_is_as_promised",
    "scores_are_calibrated",
    "specs_of",
    "untrusted_days",
    "volume_is_as_usual",
]
