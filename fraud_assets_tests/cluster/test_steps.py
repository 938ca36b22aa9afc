"""The steps of a run on the workers of a cluster: what becomes of them, and that a day comes out as it does here."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import dagster as dg
import pytest
from dagster import JobExecutionResult
from dagster._core.definitions.reconstruct import ReconstructableRepository

from fraud_assets.automation import JOB
from fraud_assets.local.embedded import EmbeddedServer
from fraud_assets_tests.cluster.hosts import TREE, Cluster, clean_environment, cluster, free_port
from fraud_assets_tests.small_world import DAY, SIGNING_KEY, fresh_database, small_settings, world

TINY = {
    "label_delay_days": 1,
    "training_days": 4,
    "validation_days": 2,
    "source": {"kind": "simulated", "customers": 400, "terminals": 400, "radius": 12.0},
}
TINY_TOML = """
label_delay_days = 1
training_days = 4
validation_days = 2
[source]
kind = "simulated"
customers = 400
terminals = 400
radius = 12.0
[learning]
configurations = 1
jobs = 1
alerts_per_day = 10
backend = "dask"
[reports]
pictures = false
"""
SMALL_JOBS = "fraud_assets_tests.cluster.small_jobs"


@dataclass(frozen=True)
class Place:
    """A cluster of one thread, and the environment that its worker and whoever launches runs have in common."""

    cluster: Cluster
    environment: dict[str, str]
    home: Path


@pytest.fixture(scope="module")
def place(postgres_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One worker with one thread: whatever could wait for itself does so here."""
    folder = tmp_path_factory.mktemp("steps")
    port = free_port()
    with fresh_database(postgres_server) as url:
        (folder / "dagster").mkdir()
        shutil.copy(TREE / "dagster.yaml", folder / "dagster")
        (folder / "fraud.toml").write_text(
            'executor = "dask"\n' + TINY_TOML + f'[dask]\nscheduler = "tcp://127.0.0.1:{port}"\n'
        )
        environment = {
            "FRAUD_CONFIG": str(folder / "fraud.toml"),
            "FRAUD_DATABASE_URL": url,
            "FRAUD_HOME": str(folder / "home"),
            "FRAUD_SIGNING_KEY": SIGNING_KEY,
            "DAGSTER_HOME": str(folder / "dagster"),
            "MARKS": str(folder),
            "SMALL_JOBS_SCHEDULER": f"tcp://127.0.0.1:{port}",
        }
        with cluster(folder, 1, {**environment, "ON_WORKER": "yes"}, port=port) as made:
            yield Place(made, environment, folder / "home")


@pytest.fixture
def instance(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """Dagster as whoever launches runs has it."""
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    with dg.DagsterInstance.get() as made:
        yield made


def _run(instance: dg.DagsterInstance, name: str) -> JobExecutionResult:
    repository = ReconstructableRepository.for_module(SMALL_JOBS, "defs")
    return dg.execute_job(repository.get_reconstructable_job(name), instance, raise_on_error=False)


def _of(result: JobExecutionResult, kind: dg.DagsterEventType) -> list[str]:
    return sorted(str(event.step_key) for event in result.all_events if event.event_type is kind)


def test_steps_of_one_worker_are_one_at_a_time_also_where_one_waits_for_its_fits(
    instance: dg.DagsterInstance, place: Place
) -> None:
    with _run(instance, "side_by_side") as result:
        assert result.success
    notes = _notes(place)
    assert len(notes) == 4
    for worker in {note.process for note in notes}:
        assert _overlaps([note for note in notes if note.process == worker]) == 0


def test_a_step_is_retried_skipped_left_out_and_pooled_as_in_dagsters_own_executors(
    instance: dg.DagsterInstance, place: Place
) -> None:
    place.cluster.start_worker("second", environment={"ON_WORKER": "yes"})
    with _run(instance, "many_fates") as result:
        assert _of(result, dg.DagsterEventType.STEP_UP_FOR_RETRY) == ["fails_at_first"]
        assert _of(result, dg.DagsterEventType.STEP_FAILURE) == ["fails_for_good"]
        assert _of(result, dg.DagsterEventType.STEP_SKIPPED) == ["after_none"]
        succeeded = _of(result, dg.DagsterEventType.STEP_SUCCESS)
    assert succeeded == [
        "after_output",
        "after_retry",
        "fails_at_first",
        "gives_one_of_two",
        "trains_one",
        "trains_other",
    ]
    assert not result.success
    assert _overlaps(_notes(place)) == 0


@pytest.mark.slow
def test_two_runs_of_a_job_at_a_time_are_two_and_share_the_pool(instance: dg.DagsterInstance, place: Place) -> None:
    command = [sys.executable, "-m", "fraud_assets_tests.cluster.launched", SMALL_JOBS, "one_step"]
    runs = [subprocess.Popen(command, env=clean_environment() | place.environment) for _ in range(2)]
    assert [run.wait(timeout=120) for run in runs] == [0, 0]
    notes = _notes(place)
    assert len(notes) == 4, "each has done its own step"
    assert _overlaps(notes) == 0


def test_a_resource_that_comes_back_costs_a_retry(instance: dg.DagsterInstance) -> None:
    with _run(instance, "resources") as result:
        assert result.success
        assert _of(result, dg.DagsterEventType.STEP_UP_FOR_RETRY) == ["needs_resource"]


def test_a_step_whose_worker_is_killed_is_done_again_by_another(instance: dg.DagsterInstance, place: Place) -> None:
    place.cluster.start_worker("third", environment={"ON_WORKER": "yes"})
    with _run(instance, "ended") as result:
        assert result.success
        assert _of(result, dg.DagsterEventType.STEP_UP_FOR_RETRY) == []
    starts = [entry for entry in instance.all_logs(result.run_id) if "On the Dask worker" in entry.user_message]
    assert [entry.step_key for entry in starts] == ["ends_its_worker_at_first", "ends_its_worker_at_first", "needs"]


@pytest.mark.slow
def test_a_day_on_one_thread_is_stored_as_a_day_here(place: Place) -> None:
    """Steps on the only thread that there is give it up for their fits; what is stored has the same content."""
    url = place.environment["FRAUD_DATABASE_URL"]
    with world(small_settings(url, place.home, **TINY)) as here:
        here.run()
        before = here.hashes()
        command = [sys.executable, "-m", "fraud_assets_tests.cluster.launched", "fraud_assets.definitions", JOB, DAY]
        done = subprocess.run(
            command, env=clean_environment() | place.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert here.hashes() == before
        assert {len(here.versions(asset)) for asset in before} == {2}, "all of it was stored anew"
        other = clean_environment() | place.environment | {"FRAUD_TRAINING_DAYS": "5"}
        refused = subprocess.run(command, env=other, capture_output=True, text=True, check=False)
        assert refused.returncode == 1
        assert "has other settings than whoever sent it raw_batch" in refused.stderr.splitlines()[-1]
        assert {len(here.versions(asset)) for asset in before} == {2}, "and nothing was stored"


@dataclass(frozen=True, order=True)
class Note:
    """What a step has written down: when, in which process, and what."""

    when: float
    process: str
    what: str


def _notes(place: Place) -> list[Note]:
    """What steps have written down since the last look, in time order."""
    file = place.cluster.folder / "notes"
    lines = [line.split() for line in file.read_text().splitlines()]
    file.unlink()
    return sorted(Note(float(when), process, what) for when, process, what in lines)


def _overlaps(notes: list[Note]) -> int:
    """How often a step began before the one before it had ended."""
    return sum(earlier.what == later.what == "begin" for earlier, later in pairwise(notes))
