"""A whole day on the small simulation: what is there afterwards, and that it says where it came from."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleCauseCategory
from dagster._core.loader import LoadingContextForTest

from fraud_assets.assets import all_assets
from fraud_assets.assets.best_model import Rows
from fraud_assets.assets.candidate_models import CANDIDATES, training_rows
from fraud_assets.assets.evaluation_metadata import COMPARED
from fraud_assets.assets.evaluation_table import validation_rows
from fraud_assets.assets.feature_importance import measured_model
from fraud_assets.assets.pictures import Pictures
from fraud_assets.checks.specs import EVERY_FAMILY_FITTED
from fraud_assets.learning import METRICS, score
from fraud_assets.learning.explaining.reasons import REASONS
from fraud_assets.learning.explaining.words import in_words
from fraud_assets.local.embedded import EmbeddedServer
from fraud_assets.local.runs import Days, run_range
from fraud_assets.partitions import shifted
from fraud_assets_tests.assets.told import NUMBERS, PICTURES, TABLES, told
from fraud_assets_tests.small_world import (
    ALL_ASSETS,
    DAY,
    NOT_LEARNED,
    SMALL,
    World,
    fresh_database,
    small_settings,
    world,
)


@pytest.fixture(scope="module")
def done(postgres_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The world after one day was run."""
    settings_home = tmp_path_factory.mktemp("home")
    with fresh_database(postgres_server) as url, world(small_settings(url, settings_home)) as made:
        made.run()
        yield made


def _days(first: int, last: int) -> list[str]:
    return [shifted(DAY, offset).isoformat() for offset in range(first, last + 1)]


def test_every_asset_has_one_current_version_of_the_day(done: World) -> None:
    for asset in ALL_ASSETS:
        statuses = [version.status for version in done.versions(asset)]
        assert statuses.count("current") == 1, asset


def test_every_row_of_the_batch_is_accepted_or_rejected(done: World) -> None:
    accepted, rejected = done.table("raw_batch"), done.table("rejected_rows")
    facts = done.versions("raw_batch")[0].facts
    assert facts["rows_in"] == len(accepted) + len(rejected) == facts["accepted"] + facts["rejected"]
    assert len(accepted) > 500


def test_features_have_no_label_and_every_transaction_of_the_day(done: World) -> None:
    raw, features = done.table("raw_batch"), done.table("cleaned_features")
    assert "label" in raw
    assert not [name for name in features if "label" in str(name)]
    assert set(features["transaction_id"]) == set(raw["transaction_id"])
    assert list(features["transaction_time"]) == sorted(features["transaction_time"])


def test_labels_are_those_that_became_known_that_day(done: World) -> None:
    labels = done.table("labels")
    assert len(labels) == len(done.table("raw_batch", _days(-2, -2)[0]))
    assert labels["known_at"].dt.date.unique().tolist() == [date.fromisoformat(DAY)]
    assert set(labels["label"].unique()) == {0, 1}


def test_evaluation_has_every_metric_of_every_candidate_and_baseline(done: World) -> None:
    table = done.table("evaluation_table")
    assert list(table["candidate"]) == [*CANDIDATES, "baseline_amount", "baseline_constant"]
    measured = table[table["candidate"].isin(CANDIDATES)]
    assert measured[list(METRICS)].notna().all().all()
    assert (measured["fit_seconds"] > 0).all()
    assert table["average_precision"].between(0, 1).all()
    assert set(table["day"]) == {DAY}


def test_every_candidate_is_measured_on_every_day_and_amount_band(done: World) -> None:
    found, overall = done.table("evaluation_slices"), done.table("evaluation_table").set_index("candidate")
    assert set(found["candidate"]) == set(overall.index)
    assert set(found["slice_kind"]) == {"day", "amount_band"}
    daily = found[found["slice_kind"] == "day"]
    assert sorted(daily["slice"].unique()) == _days(-5, -2)
    assert (found.groupby(["candidate", "slice_kind"])["rows"].sum() == overall["validation_rows"].iloc[0]).all()
    means = daily.groupby("candidate")["saving_per_day"].mean()
    assert means["gradient_boosting"] == pytest.approx(overall["saving_per_day"]["gradient_boosting"])
    low, high = (overall[f"average_precision_{side}"]["gradient_boosting"] for side in ("low", "high"))
    assert 0 < low < overall["average_precision"]["gradient_boosting"] < high < 1


def test_calibration_bins_hold_the_validation_rows(done: World) -> None:
    bins = done.table("calibration_bins").groupby("candidate")["rows"].sum()
    assert set(bins.index) == {*CANDIDATES, "baseline_constant"}
    assert (bins == done.table("evaluation_table")["validation_rows"].iloc[0]).all()


def test_operating_points_reach_from_the_highest_score_to_everything(done: World) -> None:
    points, table = done.table("operating_points"), done.table("evaluation_table").set_index("candidate")
    assert set(points["candidate"]) == set(table.index)
    assert (points["day"] == DAY).all()
    last = points.groupby("candidate", sort=False).tail(1).set_index("candidate")
    assert (last["frauds_caught"] == table["validation_frauds"]).all()
    assert (last["alerts"] == table["validation_rows"]).all()
    own = points[points["is_chosen"]].set_index("candidate")
    assert sorted(own.index) == sorted(CANDIDATES)
    for metric in ("threshold", "recall", "precision"):
        assert own[metric].to_dict() == table.loc[list(CANDIDATES), metric].to_dict()


def test_best_model_is_the_recipe_with_the_highest_average_precision(done: World) -> None:
    table = done.table("evaluation_table").set_index("candidate")
    best = done.model("best_model")
    winner = str(table.loc[list(CANDIDATES), "average_precision"].idxmax())
    assert best.decision.winner == winner
    assert best.recipe == done.model(f"candidate_models/{winner}").recipe
    assert f"{table['average_precision'][winner]:.4f}" in best.decision.reason


def test_scores_rank_the_day_and_flag_its_highest(done: World) -> None:
    scored = done.table("scored_batch").sort_values("rank")
    assert len(scored) == len(done.table("raw_batch"))
    assert scored["score"].is_monotonic_decreasing
    assert scored["score"].between(0, 1).all()
    assert list(scored["rank"]) == list(range(1, len(scored) + 1))
    assert scored["is_alert"].tolist() == [True] * 10 + [False] * (len(scored) - 10)


def test_every_alert_says_why_and_what_it_says_is_so(done: World) -> None:
    """Each reason is a value of the stored features in words; with a typical value the first would lower the score."""
    best = done.model("best_model")
    scored = done.table("scored_batch").set_index("transaction_id")
    features = done.table("cleaned_features").set_index("transaction_id")
    alerts = scored[scored["is_alert"]]
    assert alerts["reason_1"].notna().all()
    assert scored.loc[~scored["is_alert"], list(REASONS)].isna().all().all()
    for transaction, alert in alerts.iterrows():
        row = features.loc[[transaction]]
        said = {in_words(name, row[name].iloc[0], best.typical[name]): name for name in best.recipe.features}
        assert set(alert[list(REASONS)].dropna()) <= set(said)
        named = said[alert["reason_1"]]
        assert score(best.model, row.assign(**{named: best.typical[named]}))[0] < alert["score"]


def test_a_sample_outside_the_alerts_is_drawn_for_review(done: World) -> None:
    scored = done.table("scored_batch")
    assert scored["review_sample"].sum() == done.plan.settings.learning.review_sample_size
    assert not (scored["review_sample"] & scored["is_alert"]).any()


def test_the_top_alerts_are_told_with_what_they_should_save(done: World) -> None:
    event = done.instance.get_latest_materialization_event(dg.AssetKey("scored_batch"))
    assert event is not None
    assert event.asset_materialization is not None
    metadata = event.asset_materialization.metadata
    alerts = done.table("scored_batch").query("is_alert").sort_values("rank")
    table = metadata["top_alerts"]
    assert isinstance(table, dg.TableMetadataValue)
    shown = [record.data for record in table.records]
    assert [record["transaction_id"] for record in shown] == alerts["transaction_id"].astype("str").tolist()
    assert [record["reason_1"] for record in shown] == alerts["reason_1"].tolist()
    assert metadata["expected_saving"].value == pytest.approx((alerts["amount"] * alerts["score"]).sum())


def test_importance_is_that_of_the_winner_as_it_was_before_validation(done: World) -> None:
    """Without the candidate at hand, its recipe fitted on the training window is the same model."""
    best, windows = done.model("best_model"), done.plan.windows
    table = done.table("feature_importance")
    assert sorted(table["feature"]) == sorted(best.recipe.features)
    assert table["importance"].is_monotonic_decreasing
    assert table["importance"].iloc[0] > 0.05
    days = _days(windows.history[0], windows.refit[1])
    rows = Rows(done.plan, DAY, _all(done, "cleaned_features", days), _all(done, "labels", _days(-20, 0)))
    winner = done.model(f"candidate_models/{best.decision.scored_as}")
    again, fitted_until = measured_model(best, {}, rows)
    assert fitted_until == winner.trained_until < rows.validation["transaction_time"].min()
    assert (
        np.argsort(score(again, rows.validation)).tolist() == np.argsort(score(winner.model, rows.validation)).tolist()
    )


def test_scores_beat_chance_on_the_day_itself(done: World) -> None:
    """Trained on the past, the model finds more of the day's fraud in its alerts than the fraud rate would."""
    scored = done.table("scored_batch").merge(done.table("raw_batch")[["transaction_id", "label"]])
    assert scored.loc[scored["is_alert"], "label"].mean() > 5 * scored["label"].mean()


def test_training_and_validation_are_the_windows_of_the_design(done: World) -> None:
    """d = 2, w = 8, v = 4: training [D-15, D-8], validation [D-5, D-2], refit [D-9, D-2]."""
    candidate = done.model("candidate_models/gradient_boosting")
    best = done.model("best_model")
    assert [t.date().isoformat() for t in (candidate.trained_from, candidate.trained_until)] == [
        _days(-15, -15)[0],
        _days(-8, -8)[0],
    ]
    assert [t.date().isoformat() for t in (best.trained_from, best.trained_until)] == [
        _days(-9, -9)[0],
        _days(-2, -2)[0],
    ]
    assert (best.decision.validation_from, best.decision.validation_until) == (_days(-5, -5)[0], _days(-2, -2)[0])


def test_no_model_is_scored_on_a_row_that_it_was_fitted_on(done: World) -> None:
    """The rows of the fit and of the validation are rebuilt from storage, and share no transaction."""
    windows = done.plan.windows
    labels = _all(done, "labels", _days(-20, 0))
    fitted = training_rows(done.plan, DAY, _all(done, "cleaned_features", _days(*windows.training)), labels)
    measured = validation_rows(done.plan, DAY, _all(done, "cleaned_features", _days(*windows.validation)), labels)
    assert len(fitted) > 1000
    assert len(measured) > 1000
    assert not set(fitted["transaction_id"]) & set(measured["transaction_id"])
    for family in CANDIDATES:
        candidate = done.model(f"candidate_models/{family}")
        assert candidate.rows == len(fitted)
        assert candidate.trained_until < measured["transaction_time"].min()
    scored = done.table("scored_batch")
    assert done.model("best_model").trained_until < scored["transaction_time"].min()


def _all(done: World, asset: str, days: list[str]) -> pd.DataFrame:
    return pd.concat([done.table(asset, day) for day in days], ignore_index=True)


def test_the_ledger_records_exactly_what_a_version_was_made_from(done: World) -> None:
    seen = done.rows(
        "SELECT o.asset_key, u.asset_key, min(u.partition_key), max(u.partition_key), count(*) FROM dagster_io.seen"
        " JOIN dagster_io.versions o USING (version_id)"
        " JOIN dagster_io.versions u ON u.version_id = seen.upstream_version_id"
        " WHERE o.partition_key = %s AND o.status = 'current' GROUP BY 1, 2",
        DAY,
    )
    ranges = {(maker, upstream): (first, last, count) for maker, upstream, first, last, count in seen}
    assert ranges["cleaned_features", "raw_batch"] == (_days(-45, -45)[0], DAY, 46)
    assert ranges["candidate_models/random_forest", "cleaned_features"] == (_days(-15, -15)[0], _days(-8, -8)[0], 8)
    assert ranges["evaluation_table", "cleaned_features"] == (_days(-5, -5)[0], _days(-2, -2)[0], 4)
    assert ranges["best_model", "cleaned_features"] == (_days(-15, -15)[0], _days(-2, -2)[0], 14)
    assert ranges["scored_batch", "best_model"] == (DAY, DAY, 1)


def test_in_a_range_run_each_day_saw_its_own_window_only(done: World) -> None:
    day = _days(-10, -10)[0]
    seen = done.rows(
        "SELECT min(u.partition_key), max(u.partition_key) FROM dagster_io.seen"
        " JOIN dagster_io.versions o USING (version_id)"
        " JOIN dagster_io.versions u ON u.version_id = seen.upstream_version_id"
        " WHERE o.asset_key = 'cleaned_features' AND u.asset_key = 'raw_batch' AND o.partition_key = %s",
        day,
    )
    assert seen == [((date.fromisoformat(day) - timedelta(days=45)).isoformat(), day)]


def test_metrics_are_numbers_and_the_table_is_a_table_in_the_metadata(done: World) -> None:
    event = done.instance.get_latest_materialization_event(dg.AssetKey("evaluation_table"))
    assert event is not None
    assert event.asset_materialization is not None
    metadata = event.asset_materialization.metadata
    table = done.table("evaluation_table").set_index("candidate")
    for metric in COMPARED:
        stored = metadata[f"gradient_boosting/{metric}"].value
        assert isinstance(stored, float)
        assert stored == table[metric]["gradient_boosting"]
    winner = str(metadata["winner"].value)
    for metric in METRICS:
        assert metadata[metric].value == table[metric][winner]
    assert metadata["average_precision"].value == table.loc[list(CANDIDATES), "average_precision"].max()
    assert isinstance(metadata["evaluation"], dg.TableMetadataValue)


def _evaluated(done: World, labels: pd.DataFrame) -> dict[str, dg.Output[pd.DataFrame]]:
    """The outputs of the evaluation's step, with the day's candidates and other labels."""
    step = next(step for step in all_assets(done.plan) if dg.AssetKey("evaluation_slices") in step.keys)
    made: Any = step(
        dg.build_asset_context(partition_key=DAY),
        storage=done.workplace.postgres(),
        pictures=Pictures(enabled=False),
        cleaned_features=_all(done, "cleaned_features", _days(*done.plan.windows.validation)),
        labels=labels,
        **{family: done.model(f"candidate_models/{family}") for family in CANDIDATES},
    )
    return {output.output_name: output for output in made if isinstance(output, dg.Output)}


def test_other_validation_labels_change_the_metrics_and_no_threshold(done: World) -> None:
    labels = _all(done, "labels", _days(-20, 0))
    shuffled = labels.assign(label=labels["label"].sample(frac=1, random_state=1).to_numpy())
    honest = done.table("evaluation_table").set_index("candidate")
    fooled = _evaluated(done, shuffled)["evaluation_table"].value.set_index("candidate")
    for decided in ("threshold", "expected_saving_per_day"):
        assert honest[decided].equals(fooled[decided]), decided
    assert honest["average_precision"]["gradient_boosting"] > 2 * fooled["average_precision"]["gradient_boosting"]


def test_dagster_marks_what_a_changed_search_space_changes_and_nothing_else(done: World) -> None:
    learning = {**SMALL["learning"], "configurations": 2}
    settings = small_settings(done.workplace.database_url, done.workplace.settings.home, learning=learning)
    with world(settings) as changed:
        for definitions, expected in ((done.defs, set()), (changed.defs, set(ALL_ASSETS) - NOT_LEARNED)):
            graph = definitions.resolve_asset_graph()
            asked = CachingStaleStatusResolver(done.instance, graph, LoadingContextForTest(done.instance))
            causes = {a: asked.get_stale_causes(dg.AssetKey(a.split("/")), DAY) for a in ALL_ASSETS}
            assert {asset for asset in ALL_ASSETS if causes[asset]} == expected
            assert {cause.category for found in causes.values() for cause in found} <= {StaleCauseCategory.CODE}


def test_each_column_leads_back_to_columns_of_the_source(done: World) -> None:
    graph = done.defs.resolve_asset_graph()
    source = dg.AssetKey("source_transactions")
    columns = {source: {column.name for column in graph.get(source).metadata["dagster/column_schema"].columns}}
    lineage: dict[tuple[dg.AssetKey, str], set[tuple[dg.AssetKey, str]]] = {}
    for asset in ("raw_batch", "rejected_rows", "labels", "cleaned_features", "scored_batch", "live_performance"):
        metadata = told(done, asset)
        columns[key := dg.AssetKey(asset)] = {c.name for c in metadata["dagster/column_schema"].value.columns}
        for column, deps in metadata["dagster/column_lineage"].value.deps_by_column.items():
            assert column in columns[key], (asset, column)
            lineage[key, column] = {(dep.asset_key, dep.column_name) for dep in deps}
    for (asset_key, column), read in lineage.items():
        for other, name in read:
            assert name in columns[other], (asset_key, column, name)
            assert other in graph.get(asset_key).parent_keys, (asset_key, other)
    found, todo = set(), {(dg.AssetKey("scored_batch"), "score")}
    while todo:
        found |= todo
        todo = {dep for node in todo for dep in lineage.get(node, ())} - found
    assert {name for key, name in found if key == source} == columns[source]
    in_a_range_run = told(done, "raw_batch", _days(-3, -3)[0])
    assert in_a_range_run["dagster/column_lineage"] == told(done, "raw_batch")["dagster/column_lineage"]


@pytest.mark.parametrize(
    ("known", "sentence"),
    [
        (lambda labels: labels.assign(label=0), "is a fraud, so the candidates cannot be told apart"),
        (lambda labels: labels.iloc[:0], "No transaction of the validation days has a label"),
    ],
)
def test_where_nothing_can_be_chosen_the_evaluation_says_so_and_is_stored(
    done: World, known: Callable[[pd.DataFrame], pd.DataFrame], sentence: str
) -> None:
    made = _evaluated(done, known(_all(done, "labels", _days(-20, 0))))
    table, metadata = made["evaluation_table"], made["evaluation_table"].metadata
    assert list(table.value["candidate"]) == [*CANDIDATES, "baseline_amount", "baseline_constant"]
    assert table.value["roc_auc"].isna().all()
    assert sentence in str(metadata["warning"].value)
    assert "winner" not in metadata
    assert isinstance(made["calibration_bins"].value, pd.DataFrame)


def test_running_the_day_again_changes_no_content(done: World) -> None:
    before, rows = done.hashes(), {a: done.versions(a)[0].row_count for a in ALL_ASSETS}
    done.run()
    assert done.hashes() == before
    assert {a: done.versions(a)[0].row_count for a in ALL_ASSETS} == rows
    for asset in ALL_ASSETS:
        assert [v.status for v in done.versions(asset)] == ["current", "archived"], asset
    counted = done.rows("SELECT count(*) FROM fraud.raw_batch WHERE partition_key = %s", DAY)
    assert counted == [(rows["raw_batch"],)]


def test_checks_say_that_all_is_well(done: World) -> None:
    assert done.check("raw_batch", "all_rows_accounted_for").passed
    assert done.check("evaluation_table", "history_is_complete").passed
    assert done.check("evaluation_table", "every_family_fitted").passed


def test_the_summary_of_the_day_is_what_the_tables_say(done: World) -> None:
    row = done.table("daily_summary").iloc[0]
    raw, alerts = done.table("raw_batch"), done.table("scored_batch").query("is_alert")
    best = done.model("best_model")
    labelled = done.table("raw_batch", _days(-2, -2)[0])
    frauds = labelled[labelled["label"] == 1]
    assert (row["transactions"], row["rejected"], row["alerts"]) == (len(raw), 0, 10)
    assert row["learnable"] == (raw["amount"] >= 0).sum()
    assert row["amount_total"] == pytest.approx(raw["amount"].sum())
    assert row["lowest_alert_score"] == alerts["score"].min()
    assert row["expected_saving"] == pytest.approx((alerts["amount"] * alerts["score"]).sum())
    assert (row["labelled_day"], row["labelled_transactions"], row["frauds"]) == (
        _days(-2, -2)[0],
        len(labelled),
        len(frauds),
    )
    assert row["fraud_rate"] == len(frauds) / len(labelled)
    assert row["fraud_amount"] == pytest.approx(frauds["amount"].sum())
    assert (row["decision"], row["family"], row["threshold"]) == (
        best.decision.reason,
        best.recipe.family,
        best.threshold,
    )
    assert row["score_low"] < row["score"] == best.decision.score < row["score_high"]
    assert row["model_version"] == done.versions("best_model")[0].version
    assert row["is_promotion"]


def test_the_report_is_a_whole_document_of_the_day(done: World) -> None:
    row = done.table("performance_report").iloc[0]
    titles = json.loads(row["sections"])
    assert "What is missing" not in titles
    assert {"Precision and recall", "Search results", "By amount band", "The highest alerts"} <= set(titles)
    assert row["html"].startswith("<!DOCTYPE html>")
    assert done.model("best_model").decision.reason in row["html"]
    assert done.table("daily_summary")["report_bytes"].iloc[0] == len(row["html"].encode())
    for transaction in done.table("scored_batch").query("is_alert")["transaction_id"]:
        assert str(transaction) in row["html"]


def test_every_asset_tells_its_numbers_and_tables(done: World) -> None:
    for asset, names in NUMBERS.items():
        metadata = told(done, asset)
        for name in names:
            assert isinstance(metadata[name].value, int | float), (asset, name)
    for asset, name in TABLES.items():
        table = told(done, asset)[name]
        assert isinstance(table, dg.TableMetadataValue), asset
    raw = done.table("raw_batch")
    by_hour = told(done, "raw_batch")["by_hour"]
    assert isinstance(by_hour, dg.TableMetadataValue)
    counted = raw.groupby(raw["transaction_time"].dt.strftime("%H:00")).size()
    assert {record.data["hour"]: record.data["transactions"] for record in by_hour.records} == counted.to_dict()
    assert told(done, "cleaned_features", _days(-10, -10)[0])["learnable"].value > 500


def test_what_one_step_makes_is_had_one_by_one(done: World) -> None:
    before = {asset: len(done.versions(asset)) for asset in ALL_ASSETS}
    hashes = done.hashes()
    with done.environment():
        for asset in ("calibration_bins", "daily_summary"):
            run_range(done.defs, done.instance, [asset], Days(DAY, DAY))
    after = {asset: len(done.versions(asset)) for asset in ALL_ASSETS}
    assert [asset for asset in ALL_ASSETS if after[asset] != before[asset]] == ["calibration_bins", "daily_summary"]
    assert done.hashes() == hashes


def test_a_check_of_the_evaluation_alone_says_what_to_do_instead(done: World) -> None:
    key = dg.AssetCheckKey(dg.AssetKey("evaluation_table"), EVERY_FAMILY_FITTED)
    whole = done.defs.resolve_implicit_global_asset_job_def()
    job = whole.get_subset(asset_selection=set(), asset_check_selection={key})
    versions = len(done.versions("evaluation_table"))
    with done.environment():
        result = job.execute_in_process(partition_key=DAY, instance=done.instance, raise_on_error=False)
    assert not result.success
    failed = result.failure_data_for_node("evaluation_table")
    assert failed is not None
    assert failed.user_failure_data is not None
    assert "materialize evaluation_table" in str(failed.user_failure_data.description)
    assert len(done.versions("evaluation_table")) == versions


needs_a_browser = pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium is installed")


@needs_a_browser
def test_pictures_and_the_link_are_with_each_asset_where_they_are_wanted(done: World, tmp_path: Path) -> None:
    reports = {"pictures": True, "url": "http://reports.test"}
    settings = small_settings(done.workplace.database_url, tmp_path, reports=reports)
    alone = [[name] for name in ("feature_importance", "scored_batch", "feature_drift", "live_performance")]
    with world(settings) as made, made.environment():
        for assets in (["raw_batch", "rejected_rows"], *alone, ["label_maturity"]):
            run_range(made.defs, made.instance, assets, Days(DAY, DAY))
        for asset, name in PICTURES.items():
            metadata = told(made, asset)
            assert metadata["report"] == dg.MetadataValue.url(f"http://reports.test/days/{DAY}")
            picture = str(metadata[name].value)
            assert picture.startswith("![")
            assert 4_000 < len(picture.encode()) < 100_000, asset


@needs_a_browser
def test_a_backfill_draws_its_newest_day_and_is_hardly_slower_for_it(done: World, tmp_path: Path) -> None:
    """The browser's start is among the seconds that are allowed."""
    days = Days(_days(-9, -9)[0], DAY)
    taken = {}
    for pictures in (False, True):
        settings = small_settings(done.workplace.database_url, tmp_path, reports={"pictures": pictures})
        with world(settings) as made, made.environment():
            started = time.monotonic()
            run_range(made.defs, made.instance, ["raw_batch", "rejected_rows"], days)
            taken[pictures] = time.monotonic() - started
            assert ("volume by hour" in told(made, "raw_batch", days.last)) == pictures
            assert "volume by hour" not in told(made, "raw_batch", days.first)
    assert taken[True] - taken[False] < 10
