"""A batch that cannot be trusted: what follows from it is not computed, and what was stored of it stays."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from fraud_assets.automation import JOB
from fraud_assets.checks.specs import FEW_ROWS_REJECTED, VOLUME_AS_USUAL
from fraud_assets.local.embedded import EmbeddedServer
from fraud_assets.local.errors import RunFailed
from fraud_assets.local.runs import Days, run_range
from fraud_assets.settings import Executor
from fraud_assets_tests.small_world import World, fresh_database, small_settings, world

FIRST = date(2024, 5, 1)
DAYS = [FIRST + timedelta(days=number) for number in range(3)]
BAD = DAYS[1]
COLUMNS = {"transaction_id": "id", "timestamp": "time", "timestamp_timezone": "UTC", "amount": "eur", "label": "fraud"}
BATCH = ["raw_batch", "rejected_rows"]


def _write(folder: Path, day: date, *, broken: int) -> None:
    times = pd.Timestamp(day) + pd.to_timedelta(np.arange(100), unit="min")
    frame = pd.DataFrame({"id": np.arange(100) + 1000 * day.toordinal(), "time": times, "eur": 9.5, "fraud": 0})
    frame = frame.astype({"eur": "object"})
    frame.loc[: broken - 1, "eur"] = "much"
    frame.to_csv(folder / f"{day}.csv", index=False)


@pytest.fixture(scope="module")
def made(postgres_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("landing")
    for day in DAYS:
        _write(folder, day, broken=0)
    source = {"kind": "files", "folder": folder, "pattern": "{date}.csv", "columns": COLUMNS}
    with fresh_database(postgres_server) as url, world(small_settings(url, folder / "home", source=source)) as found:
        with found.environment():
            _run(found, [*BATCH, "labels", "cleaned_features"], DAYS[0], DAYS[-1])
        _write(folder, BAD, broken=6)
        yield found


def _run(made: World, assets: list[str], first: date, last: date) -> None:
    run_range(made.defs, made.instance, assets, Days(str(first), str(last)))


@pytest.mark.parametrize(("first", "last"), [(BAD, BAD), (DAYS[0], DAYS[-1])])
def test_what_follows_from_a_batch_that_cannot_be_trusted_is_not_computed(made: World, first: date, last: date) -> None:
    before = {asset: len(made.versions(asset, str(BAD))) for asset in ("raw_batch", "labels", "cleaned_features")}
    with made.environment(), pytest.raises(RunFailed, match=r"few.rows.are.rejected.*6.0% rejected \(6 of 100 rows\)"):
        _run(made, [*BATCH, "labels", "cleaned_features"], first, last)
    after = {asset: len(made.versions(asset, str(BAD))) for asset in before}
    assert after == {**before, "raw_batch": before["raw_batch"] + 1}
    check = made.check("raw_batch", FEW_ROWS_REJECTED)
    assert not check.passed
    assert check.blocking
    assert str(BAD) in str(check.metadata["seen"].value)
    assert "max_rejected_share" in str(check.metadata["what_to_do"].value)


def test_what_cannot_pass_is_not_tried_again(made: World) -> None:
    runs = made.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
    assert runs
    for run in runs:
        records = made.instance.get_records_for_run(run.run_id).records
        events = [record.event_log_entry.dagster_event_type for record in records]
        assert events.count(dg.DagsterEventType.STEP_FAILURE) == 1
        assert dg.DagsterEventType.STEP_UP_FOR_RETRY not in events


def test_a_refused_batch_is_no_ones_history_until_it_is_delivered_again(made: World) -> None:
    """It is stored, and it is read again each time: a second try must not take it for what it was refused as."""
    folder, late = made.workplace.settings.home.parent, DAYS[-1] + timedelta(days=1)
    _write(folder, late, broken=6)
    day = str(late + timedelta(days=1))
    for _ in range(2):
        with pytest.raises(RunFailed, match=r"6.0% rejected \(6 of 100 rows\)"):
            made.bring_history(day)
        assert str(late) in made.workplace.postgres().stored_row_counts("raw_batch")
        assert str(late) not in made.workplace.postgres().stored_row_counts("labels")
    _write(folder, late, broken=5)
    made.bring_history(day)
    assert str(late) in made.workplace.postgres().stored_row_counts("cleaned_features")


@pytest.mark.slow
def test_steps_in_processes_of_their_own_are_held_back_too(
    made: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the daemon's runs are: each step loads the code location and meets the failure in Dagster's own storage."""
    settings = made.workplace.settings
    toml = f"""
    label_delay_days = 2
    home = "{settings.home}"
    [source]
    kind = "files"
    folder = "{settings.home.parent}"
    pattern = "{{date}}.csv"
    [source.columns]
    transaction_id = "id"
    timestamp = "time"
    timestamp_timezone = "UTC"
    amount = "eur"
    label = "fraud"
    [reports]
    pictures = false
    """
    (tmp_path / "fraud.toml").write_text(toml)
    monkeypatch.setenv("FRAUD_CONFIG", str(tmp_path / "fraud.toml"))
    job = dg.reconstructable(_job_of_the_process)
    with made.environment(), dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        selection = [dg.AssetKey(asset) for asset in (*BATCH, "labels")]
        result = dg.execute_job(job, instance, asset_selection=selection, tags={"dagster/partition": str(BAD)})
        assert not result.success
        (failed,) = [event.step_key for event in result.get_step_failure_events()]
        assert failed == "raw_batch"
        assert "labels" not in {event.step_key for event in result.all_events if event.is_step_start}


def _job_of_the_process() -> dg.JobDefinition:
    from fraud_assets.definitions import build_defs, process_settings

    settings = process_settings().model_copy(update={"executor": Executor.MULTIPROCESS})
    return build_defs(settings).resolve_job_def(JOB)


def test_the_warnings_of_the_step_are_heard_all_the_same(made: World) -> None:
    assert made.check("raw_batch", VOLUME_AS_USUAL).passed
