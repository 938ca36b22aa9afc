"""Live performance, label maturity and drift of a small world, whose scores and models are put into storage by hand."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from fraud_assets.assets.feature_drift import FRAUD_RATE, SCORE
from fraud_assets.checks.specs import FEATURES_ARE_STABLE, LABELS_ARE_MATURE, LIVE_AS_PROMISED
from fraud_assets.learning.watching.drift import Level
from fraud_assets.learning.watching.live import PROMISED
from fraud_assets.local.embedded import EmbeddedServer
from fraud_assets.local.errors import RunFailed
from fraud_assets.local.runs import Days, run_range
from fraud_assets.partitions import day_end, shifted
from fraud_assets.postgres import Status, Version
from fraud_assets.postgres.names import Relation
from fraud_assets.postgres.storage.evolution import ensure_table
from fraud_assets.postgres.storage.ledger import (
    Content,
    Origin,
    current_versions,
    next_version_id,
    record_current,
    set_status,
)
from fraud_assets.postgres.storage.models import store_model
from fraud_assets.postgres.storage.swap import replace_partition
from fraud_assets.postgres.storage.tables import TableSpec
from fraud_assets.postgres.values.frames import incoming
from fraud_assets_tests.small_world import DAY, SIGNING_KEY, World, fresh_database, small_settings, world

LIVE, MATURITY, DRIFT = "live_performance", "label_maturity", "feature_drift"
PROMISE = {
    "daily_average_precision": 0.4,
    "daily_average_precision_low": 0.3,
    "daily_average_precision_high": 0.5,
    "daily_roc_auc": 0.9,
    # Of all validation days at once: no day is compared with these.
    "average_precision": 0.7,
    "average_precision_low": 0.65,
    "average_precision_high": 0.75,
    "roc_auc": 0.6,
}


@pytest.fixture(scope="module")
def prepared(postgres_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Batches, labels and features up to the day."""
    home = tmp_path_factory.mktemp("home")
    settings = {"watching": {"maturity_days": 4}}
    with fresh_database(postgres_server) as url, world(small_settings(url, home, **settings)) as made:
        made.bring_history()
        _run(made, "raw_batch", "rejected_rows")
        _run(made, "labels")
        _run(made, "cleaned_features")
        yield made


def _day(offset: int) -> str:
    return shifted(DAY, offset).isoformat()


def _run(made: World, *assets: str, day: str = DAY) -> None:
    with made.environment():
        run_range(made.defs, made.instance, assets, Days(day, day))


def _issue(
    made: World, day: str, seed: int = 0, *, facts: Mapping[str, Any] | None = None, **changes: Any
) -> pd.DataFrame:
    """Scores of a day that tell most frauds, of which the ten highest are alerts, by a model with these facts."""
    rows = made.table("cleaned_features", day).merge(made.table("raw_batch", day)[["transaction_id", "label"]])
    score = np.random.default_rng(seed).uniform(0, 0.6, len(rows)) + 0.4 * rows["label"]
    scored = rows[["transaction_id", "transaction_time", "customer_id", "terminal_id", "amount"]].assign(
        score=score, is_alert=score.rank(ascending=False) <= 10
    )
    scored = scored.assign(**changes)
    _store(made, "scored_batch", day, scored, upstream=(_model(made, day, facts or PROMISE).version_id,))
    return scored.assign(label=rows["label"])


def _model(made: World, day: str, facts: Mapping[str, Any]) -> Version:
    origin = Origin("run", facts=tuple(facts.items()))
    with made.workplace.postgres().connect() as connection:
        return store_model(connection, "best_model", day, {}, signing_key=SIGNING_KEY.encode(), origin=origin)


def _store(made: World, asset: str, day: str, frame: pd.DataFrame, upstream: tuple[int, ...] = ()) -> None:
    spec = TableSpec(asset, Relation("fraud", asset), keep_first=asset == "scored_batch")
    found = incoming(frame)
    with made.workplace.postgres().connect() as connection:
        ensure_table(connection, spec, found.schema)
        replace_partition(connection, spec, day, found.schema, found.batches, Origin("run", upstream=upstream), keep=1)


@contextmanager
def _remembered(made: World, days: Mapping[str, Mapping[str, float]]) -> Iterator[None]:
    """For as long as it lasts, earlier days' live performance is on record as having said this."""
    with made.workplace.postgres().connect() as connection:
        hidden = current_versions(connection, LIVE, days)
        for version in hidden:
            set_status(connection, version.version_id, Status.ARCHIVED)
        said = [
            record_current(
                connection,
                next_version_id(connection),
                LIVE,
                day,
                Content(1, 1, "-"),
                Origin("run", facts=tuple(facts.items())),
            )
            for day, facts in days.items()
        ]
        try:
            yield
        finally:
            for version in said:
                set_status(connection, version.version_id, Status.PRUNED)
            judged_since = {version.partition_key for version in current_versions(connection, LIVE, days)}
            for version in hidden:
                if version.partition_key not in judged_since:
                    set_status(connection, version.version_id, Status.CURRENT)


def _judged(made: World, day: str = DAY) -> pd.Series:
    _run(made, LIVE, MATURITY, day=day)
    table = made.table(LIVE, day)
    assert len(table) == 1
    return table.iloc[0]


def _numbers(made: World, asset: str) -> Mapping[str, Any]:
    event = made.instance.get_latest_materialization_event(dg.AssetKey(asset))
    assert event is not None
    assert event.asset_materialization is not None
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


def test_the_issued_scores_are_judged_however_often_the_day_was_scored_again(prepared: World) -> None:
    date = _day(-2)
    issued = _issue(prepared, date)
    for seed in (1, 2, 3):
        _issue(prepared, date, seed, facts={"daily_average_precision": 0.99}, is_alert=False)
    row = _judged(prepared)
    hits = issued["label"][issued["is_alert"]]
    assert (row["day"], row["scored_date"], row["scored_version"], row["later_versions"]) == (DAY, date, 1, 3)
    assert row["average_precision"] == pytest.approx(average_precision_score(issued["label"], issued["score"]))
    assert (row["alerts"], row["frauds"]) == (10, issued["label"].sum())
    assert row["alert_precision"] == row["precision_at_k"] == hits.mean() > 0
    assert row["alert_recall"] == hits.sum() / issued["label"].sum()
    assert row["saving_per_day"] == pytest.approx((issued["amount"] * issued["label"])[issued["is_alert"]].sum())
    assert pd.isna(row["reason"])
    assert row["promised_average_precision"] == 0.4
    assert row["difference_average_precision"] == pytest.approx(row["average_precision"] - 0.4)
    assert row["is_average_precision_as_promised"] == (0.3 <= row["average_precision"] <= 0.5)
    assert row["promised_roc_auc"] == 0.9
    assert pd.isna(row["is_roc_auc_as_promised"]), "no interval was promised"
    assert row["is_retrospective"], "it was stored long after its day"
    assert [v.status for v in prepared.versions("scored_batch", date)] == ["current", "archived", "pruned", "archived"]
    numbers = _numbers(prepared, LIVE)
    assert numbers["average_precision"] == row["average_precision"]
    assert numbers["difference_average_precision"] == row["difference_average_precision"]


def test_the_ledger_says_which_scores_were_judged(prepared: World) -> None:
    date = _day(-4)
    _issue(prepared, date)
    _issue(prepared, date, 1)
    _judged(prepared, _day(-2))
    seen = prepared.rows(
        "SELECT u.partition_key, u.version FROM dagster_io.seen JOIN dagster_io.versions o USING (version_id)"
        " JOIN dagster_io.versions u ON u.version_id = seen.upstream_version_id"
        " WHERE o.asset_key = 'live_performance' AND o.partition_key = %s AND u.asset_key = 'scored_batch'",
        _day(-2),
    )
    assert seen == [(date, 1)]


def test_scores_that_were_there_in_time_are_not_retrospective(prepared: World) -> None:
    date = _day(-5)
    _issue(prepared, date)
    for late, is_retrospective in ((timedelta(days=2), False), (timedelta(days=4), True)):
        prepared.rows(
            "UPDATE dagster_io.versions SET created_at = %s WHERE asset_key = 'scored_batch' AND partition_key = %s"
            " RETURNING version",
            day_end(date, "UTC") + late,
            date,
        )
        assert _judged(prepared, _day(-3))["is_retrospective"] == is_retrospective


@pytest.mark.parametrize(
    ("offset", "changes", "says"),
    [
        (-12, None, "No scores of {} are stored"),
        (-11, {"score": np.nan, "is_alert": False}, "No labelled transaction of {} has a score"),
        (-10, {"transaction_id": -1, "score": 0.5}, "No label of {} was known by the end of"),
    ],
)
def test_what_cannot_be_judged_is_said_in_words(
    prepared: World, offset: int, changes: dict[str, Any] | None, says: str
) -> None:
    date = _day(offset)
    if changes is not None:
        _issue(prepared, date, **changes)
    row = _judged(prepared, _day(offset + 2))
    assert row["reason"].startswith(says.format(date))
    assert row[list(PROMISED)].isna().all()
    assert pd.isna(row["scored_version"]) == (changes is None)
    check = prepared.check(LIVE, LIVE_AS_PROMISED)
    assert check.passed
    assert "too few days" in str(check.metadata["expected_by"].value)


def test_what_an_earlier_run_said_of_the_day_does_not_count(prepared: World) -> None:
    """Three days and its own are four, which would be enough of a week."""
    with _remembered(prepared, {_day(-10 - back): {"average_precision": 0.3} for back in range(4)}):
        assert pd.isna(_judged(prepared, _day(-10))["week_average_precision"])
    with _remembered(prepared, {_day(-11 - back): {"average_precision": 0.3} for back in range(4)}):
        assert _judged(prepared, _day(-10))["week_average_precision"] == pytest.approx(0.3)


def test_labels_of_a_column_are_mature_after_the_delay_and_not_before(prepared: World) -> None:
    _run(prepared, LIVE, MATURITY)
    table = prepared.table(MATURITY)
    assert table["age_days"].tolist() == [0, 1, 2, 3, 4]
    assert table["frauds_known"].tolist() == table["labels_known"].tolist() == [0.0, 0.0, 1.0, 1.0, 1.0]
    assert table["transactions"].iloc[0] == sum(len(prepared.table("raw_batch", _day(o))) for o in range(-10, -3))
    assert _numbers(prepared, MATURITY)["summary"].startswith("After 2 days 100.0% of ")
    assert prepared.check(MATURITY, LABELS_ARE_MATURE).passed


def test_weeks_are_expected_by_what_was_promised_until_there_is_a_history(prepared: World) -> None:
    """The day before yesterday did as promised; then six weeks of days that were .1 below it come to light."""
    date = _day(-2)
    _issue(prepared, date)
    alone = _judged(prepared)
    assert alone["history_weeks"] == 0
    assert alone[["week_average_precision", "next_week_average_precision_low"]].isna().all()
    promises = {
        f"promised_{name.removeprefix('daily_')}": value for name, value in PROMISE.items() if name.startswith("daily_")
    }
    live = {back: 0.3 + 0.001 * (back % 7) for back in range(1, 43)}
    days = {
        _day(-back): {"average_precision": value, "difference_average_precision": value - 0.4, **promises}
        for back, value in live.items()
    }
    with _remembered(prepared, days):
        _model(prepared, DAY, PROMISE)
        row = _judged(prepared)
    assert row["history_weeks"] == 6
    week = (sum(live[back] for back in range(1, 7)) + row["average_precision"]) / 7
    assert row["week_average_precision"] == pytest.approx(week)
    assert row["week_expected_by"] == "validation"
    # Promised .3 to .5 over v = 4 days, for a mean of 7: wider by the root of 1 + 4/7.
    assert row["week_expected_low"] == pytest.approx(0.4 - 0.1 * (1 + 4 / 7) ** 0.5)
    middle = (row["next_week_average_precision_low"] + row["next_week_average_precision_high"]) / 2
    assert middle == pytest.approx(0.4 + np.mean([week - 0.4, *[0.303 - 0.4] * 5]))
    assert row[["next_week_roc_auc_low", "next_week_saving_per_day_high"]].isna().all()


@pytest.mark.parametrize(("low", "high", "passed"), [(0.0, 1.0, True), (0.9, 1.0, False), (0.0, 0.1, False)])
def test_a_week_outside_of_what_was_stated_before_it_warns(
    prepared: World, low: float, high: float, passed: bool
) -> None:
    _issue(prepared, _day(-13))
    # d = 2: the week that ends on the scored date D-2 began on D-8, and what was expected of it was stated on D-9.
    stated = {"next_week_average_precision_low": low, "next_week_average_precision_high": high}
    week = {_day(-11 - back): {"average_precision": 0.3} for back in range(1, 7)}
    with _remembered(prepared, week | {_day(-11 - 9): stated}):
        row = _judged(prepared, _day(-11))
    assert (row["week_expected_by"], row["week_expected_low"], row["week_expected_high"]) == ("history", low, high)
    check = prepared.check(LIVE, LIVE_AS_PROMISED)
    assert (check.passed, check.severity) == (passed, dg.AssetCheckSeverity.WARN)
    assert ("what_to_do" in check.metadata) == (not passed)


def test_a_day_like_those_it_was_learned_from_is_stable(prepared: World) -> None:
    for offset in (-6, -1, 0):
        _issue(prepared, _day(offset), seed=offset + 10)
    _run(prepared, DRIFT)
    table = prepared.table(DRIFT).set_index("subject")
    assert list(table.index) == [*prepared.plan.features.names, SCORE, FRAUD_RATE]
    assert set(table["level"]) <= {Level.OK, Level.WATCH}
    assert table["psi"].drop(FRAUD_RATE).notna().all()
    assert table["rows"]["amount"] == len(prepared.table("cleaned_features"))
    same_weekday = prepared.table("cleaned_features", _day(-7))
    assert table["reference_rows"]["amount"] == len(same_weekday), "the only one in the window from D-9 to D-2"
    assert table["reference_rows"][SCORE] > 2 * 900
    raw = prepared.table("raw_batch", _day(-2))
    assert table["value"][FRAUD_RATE] == pytest.approx(raw["label"].mean())
    assert table["expected_low"][FRAUD_RATE] <= table["value"][FRAUD_RATE] <= table["expected_high"][FRAUD_RATE]
    check = prepared.check(DRIFT, FEATURES_ARE_STABLE)
    assert check.passed
    assert check.metadata["judged"].value == len(table)
    assert _numbers(prepared, DRIFT)["psi/amount"] == table["psi"]["amount"]


def test_a_changed_day_warns_and_says_what_was_seen_and_what_to_do(prepared: World) -> None:
    features = prepared.table("cleaned_features")
    broken = features.assign(amount=features["amount"] * 100, is_night=np.int8(1))
    _store(prepared, "cleaned_features", DAY, broken)
    try:
        _run(prepared, DRIFT)
    finally:
        _store(prepared, "cleaned_features", DAY, features)
    check = prepared.check(DRIFT, FEATURES_ARE_STABLE)
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.WARN
    assert {"drift of amount", "drift of is_night", "what_to_do"} <= set(check.metadata)
    assert "by chance up to" in str(check.metadata["drift of amount"].value)
    assert prepared.table(DRIFT).set_index("subject")["level"]["amount"] == Level.DRIFT


def test_days_without_scores_say_so(prepared: World) -> None:
    _run(prepared, DRIFT, day=_day(-14))
    row = prepared.table(DRIFT, _day(-14)).set_index("subject").loc[SCORE]
    assert (row["level"], row["note"]) == (Level.UNKNOWN, f"No transaction of {_day(-14)} has a score.")


def test_a_half_finished_day_has_a_report_that_says_what_is_missing(prepared: World) -> None:
    day = _day(-7)
    _run(prepared, "performance_report", "daily_summary", day=day)
    row, report = prepared.table("daily_summary", day).iloc[0], prepared.table("performance_report", day).iloc[0]
    assert row["transactions"] == row["learnable"] == len(prepared.table("raw_batch", day))
    assert row["labelled_day"] == _day(-9)
    assert row["frauds"] == prepared.table("raw_batch", _day(-9))["label"].sum() > 0
    assert row[["decision", "alerts", "expected_saving", "score", "model_version", "is_promotion"]].isna().all()
    assert json.loads(report["sections"])[0] == "What is missing"
    assert "materialize best_model" in report["html"]


def test_earlier_days_are_in_a_report_and_later_ones_are_not(prepared: World) -> None:
    for offset in (-9, -8, -7):
        _run(prepared, "performance_report", "daily_summary", day=_day(offset))
    before = prepared.table("performance_report", _day(-8))["html"].iloc[0]
    _run(prepared, "performance_report", "daily_summary", day=_day(-8))
    after = prepared.table("performance_report", _day(-8))["html"].iloc[0]
    assert after == before
    assert f"<td>{_day(-9)}</td>" in after
    assert f"<td>{_day(-7)}</td>" not in after


def test_a_day_without_a_batch_has_no_report_and_says_so(prepared: World) -> None:
    with pytest.raises(RunFailed, match="No report of 2026-01-02: its raw_batch is not stored; materialize it"):
        _run(prepared, "performance_report", "daily_summary", day="2026-01-02")


def test_a_source_of_a_single_day_has_rows_and_no_warnings(database_url: str, tmp_path: Any) -> None:
    """d = 0, w = 1, v = 0: nothing was promised, nothing lies before it, and no row has a score."""
    settings = small_settings(
        database_url, tmp_path, label_delay_days=0, training_days=1, validation_days=0, start_date=DAY
    )
    with world(settings) as made:
        for assets in (["raw_batch", "rejected_rows"], ["labels"], ["cleaned_features"]):
            _run(made, *assets)
        _issue(made, DAY, score=np.nan, is_alert=False)
        row = _judged(made)
        assert row["reason"].startswith(f"No labelled transaction of {DAY} has a score")
        assert made.table(MATURITY)["frauds_known"].isna().all()
        assert _numbers(made, MATURITY)["summary"] == "No transaction is 28 days old yet."
        _run(made, DRIFT)
        assert set(made.table(DRIFT)["level"]) == {Level.UNKNOWN}
        for asset, name in ((LIVE, LIVE_AS_PROMISED), (MATURITY, LABELS_ARE_MATURE), (DRIFT, FEATURES_ARE_STABLE)):
            assert made.check(asset, name).passed
