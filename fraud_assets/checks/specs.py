"""Which checks there are: of which asset, what it looks at, and whether what follows is computed when it fails."""

from collections.abc import Mapping

import dagster as dg

COLUMNS_AS_PROMISED = "columns_are_as_promised"
ALL_ROWS_ACCOUNTED_FOR = "all_rows_accounted_for"
FEW_ROWS_REJECTED = "few_rows_are_rejected"
NO_DUPLICATES = "no_transaction_is_there_twice"
TIMES_IN_DAY = "timestamps_are_in_the_day"
VOLUME_AS_USUAL = "volume_is_as_usual"
LABEL_FEED_ALIVE = "label_feed_is_alive"
FRAUD_RATE_AS_USUAL = "fraud_rate_is_as_usual"
HISTORY_IS_COMPLETE = "history_is_complete"
EVERY_FAMILY_FITTED = "every_family_fitted"
CHAMPION_IS_YOUNG = "champion_is_young_enough"
LIVE_AS_PROMISED = "live_performance_is_as_promised"
SCORES_ARE_CALIBRATED = "scores_are_calibrated"
LABELS_ARE_MATURE = "labels_are_mature_after_the_label_delay"
FEATURES_ARE_STABLE = "features_are_stable"


def _blocking(name: str, asset: str, description: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name, asset=asset, description=description, blocking=True)


def _warning(name: str, asset: str, description: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name, asset=asset, description=description)


CHECK_SPECS: Mapping[str, dg.AssetCheckSpec] = {
    spec.name: spec
    for spec in (
        _blocking(
            COLUMNS_AS_PROMISED,
            "raw_batch",
            "Stored columns and types are those that the source's roles name.",
        ),
        _blocking(ALL_ROWS_ACCOUNTED_FOR, "raw_batch", "Rows received = rows accepted + rows rejected, as stored."),
        _blocking(FEW_ROWS_REJECTED, "raw_batch", "At most watching.max_rejected_share of the rows were rejected."),
        _blocking(
            NO_DUPLICATES,
            "raw_batch",
            "No stored id is there twice, and at most watching.max_duplicate_share of the rows repeated one.",
        ),
        _blocking(TIMES_IN_DAY, "raw_batch", "Every stored transaction happened on the partition's day."),
        _warning(
            VOLUME_AS_USUAL,
            "raw_batch",
            "About as many transactions as on the last four same weekdays, by a factor of watching.volume_factor.",
        ),
        _warning(
            LABEL_FEED_ALIVE,
            "labels",
            "Labels became known within sensors.quiet_label_days, and not far fewer than on the same weekdays before.",
        ),
        _warning(
            FRAUD_RATE_AS_USUAL,
            "labels",
            "The share of frauds among the labels that became known is that of the weeks before, give or take chance.",
        ),
        _warning(
            HISTORY_IS_COMPLETE,
            "evaluation_table",
            "Every day that training and validation look back on has its features.",
        ),
        _warning(EVERY_FAMILY_FITTED, "evaluation_table", "No family of candidates failed to fit."),
        _warning(
            CHAMPION_IS_YOUNG,
            "best_model",
            "The recipe in use was chosen within learning.champion_max_age_days, and had a champion to beat.",
        ),
        _warning(
            LIVE_AS_PROMISED,
            "live_performance",
            "The average precision of the last seven scored days lies where it was expected.",
        ),
        _warning(
            SCORES_ARE_CALIBRATED,
            "live_performance",
            "As many labelled transactions were frauds as their scores add up to: over the last seven scored days or, "
            "where too few of these are labelled, the validation days.",
        ),
        _warning(
            LABELS_ARE_MATURE,
            "label_maturity",
            "After label_delay_days, nearly all frauds are known that become known later.",
        ),
        _warning(
            FEATURES_ARE_STABLE,
            "feature_drift",
            "Features, scores and the share of frauds are what they were in the training window.",
        ),
    )
}


def specs_of(asset: str) -> list[dg.AssetCheckSpec]:
    """The checks of an asset."""
    return [spec for spec in CHECK_SPECS.values() if spec.asset_key == dg.AssetKey.from_user_string(asset)]
