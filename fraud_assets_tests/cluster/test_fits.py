"""Fits on the workers of a cluster: what comes of them, and of a cluster that cannot be used."""

import os
import pickle
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import dagster as dg
import joblib
import numpy as np
import pytest
from joblib import delayed

from fraud_assets.assets.plan import Plan
from fraud_assets.cluster import ClusterError, fits_on_dask
from fraud_assets.cluster.batches import TRAVELS_ALONE_BYTES, Place, packed
from fraud_assets.cluster.versions import own_versions, require_same
from fraud_assets.learning import Candidate, SearchBudget, fit_candidates
from fraud_assets.learning.fitting.pool import worker_pool
from fraud_assets.local.doctor.cluster import cluster as doctors_view
from fraud_assets.local.doctor.findings import Problem
from fraud_assets.partitions import daily_partitions
from fraud_assets.settings import DaskSettings, Settings
from fraud_assets_tests.cluster.calls import killed, killed_at_first, refused, told
from fraud_assets_tests.cluster.hosts import Cluster, cluster, free_port
from fraud_assets_tests.learning.frames import NUMERIC_SPEC, labelled_rows

LARGE = np.arange(200_000, dtype=np.float64)


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster"), 2) as made:
        yield made


def test_calls_go_to_all_workers_each_with_one_thread_and_nothing_in_parallel_inside(two_workers: Cluster) -> None:
    with fits_on_dask(DaskSettings(scheduler=two_workers.address)), worker_pool(1) as pool:
        answers = pool(delayed(told)(LARGE, number, 0.3) for number in range(6))
        again = pool(delayed(told)(LARGE, number) for number in range(2))
    assert [answer["result"] - LARGE.sum() for answer in answers] == [0, 1, 2, 3, 4, 5]
    assert {answer["process"] for answer in answers} == {process.pid for process in _workers(two_workers)}
    assert {(answer["inner threads"], answer["jobs inside"]) for answer in [*answers, *again]} == {(1, 1)}
    here = worker_pool(1)(delayed(told)(LARGE, number) for number in range(2))
    assert {answer["process"] for answer in here} == {os.getpid()}, "outside of it, pools are local as before"


def test_candidates_are_those_of_a_local_pool_byte_for_byte(two_workers: Cluster) -> None:
    families = ("logistic_regression", "random_forest", "gradient_boosting")
    budget = SearchBudget(configurations=2, max_fits=20)
    here = fit_candidates(labelled_rows(), families, NUMERIC_SPEC, budget)
    with fits_on_dask(DaskSettings(scheduler=two_workers.address)):
        there = fit_candidates(labelled_rows(), families, NUMERIC_SPEC, budget)
    assert {name: _bytes(made) for name, made in here.items()} == {name: _bytes(made) for name, made in there.items()}


def test_a_call_that_fails_says_here_what_it_said_there(two_workers: Cluster) -> None:
    with (
        fits_on_dask(DaskSettings(scheduler=two_workers.address)),
        pytest.raises(ValueError, match="number 3 is not allowed"),
    ):
        worker_pool(1)(delayed(refused)(number) for number in (3,))


def test_what_dies_with_a_worker_is_done_again(two_workers: Cluster, tmp_path: Path) -> None:
    """The call that it had begun, the array that all calls need, and one of which it had the only copy."""
    two_workers.start_worker("short-lived")
    with fits_on_dask(DaskSettings(scheduler=two_workers.address)), worker_pool(1) as pool:
        totals = pool(delayed(killed_at_first)(LARGE, number, tmp_path / "mark", LARGE + number) for number in range(8))
    assert (tmp_path / "mark").exists()
    assert totals == [LARGE.sum() + (LARGE + number).sum() + number for number in range(8)]
    dead = [name for name, process in two_workers.processes.items() if process.poll() is not None]
    assert len(dead) == 1
    two_workers.kill(dead[0])
    two_workers.start_worker(dead[0])


def test_other_versions_are_refused_by_the_worker_that_has_them(two_workers: Cluster, tmp_path: Path) -> None:
    (tmp_path / "scikit_learn-0.1.dist-info").mkdir()
    (tmp_path / "scikit_learn-0.1.dist-info" / "METADATA").write_text("Name: scikit-learn\nVersion: 0.1\n")
    path = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{two_workers.environment['PYTHONPATH']}"}
    with cluster(tmp_path, 0) as other:
        other.start_worker("old", environment=path)
        with (
            fits_on_dask(DaskSettings(scheduler=other.address)),
            pytest.raises(ClusterError, match=r"The Dask worker tcp://\S+ has scikit-learn 0\.1 instead of") as why,
        ):
            worker_pool(1)(delayed(abs)(number) for number in (-1, -2))
        with pytest.raises(Problem, match=r"tcp://\S+ has scikit-learn 0\.1 instead of \S+; install the same"):
            doctors_view(_settings(other.address))
    assert not why.value.may_pass
    require_same(own_versions(), "here")
    assert re.search(r"\d workers with \d threads in all, .* for fits", doctors_view(_settings(two_workers.address)))


def test_a_fit_that_ends_every_worker_is_named_and_not_sent_for_ever(tmp_path: Path) -> None:
    with (
        cluster(tmp_path, 2, {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}) as short,
        fits_on_dask(DaskSettings(scheduler=short.address)),
        pytest.raises(ClusterError, match="2 Dask workers ended one after the other while they did the same fit"),
    ):
        worker_pool(1)(delayed(killed)(number) for number in (1,))


def test_a_scheduler_that_is_lost_meanwhile_is_said_and_not_waited_for(tmp_path: Path) -> None:
    with cluster(tmp_path, 1) as short, fits_on_dask(DaskSettings(scheduler=short.address, wait_seconds=3)):
        end = threading.Timer(1.0, short.kill, ["scheduler"])
        end.start()
        with pytest.raises(ClusterError, match="The Dask scheduler was lost while it had fits to do") as why:
            worker_pool(1)(delayed(told)(LARGE, number, 0.5) for number in range(40))
        end.join()
    assert why.value.may_pass


@pytest.mark.parametrize("has_scheduler", [True, False])
def test_what_is_not_there_is_one_sentence_and_a_step_may_try_again(tmp_path: Path, has_scheduler: bool) -> None:
    with cluster(tmp_path, 0) as empty:
        address = empty.address if has_scheduler else f"tcp://127.0.0.1:{free_port()}"
        said = "has no workers, after 2 s" if has_scheduler else "does not answer"
        with pytest.raises(dg.Failure, match=f"The Dask scheduler {address} {said}") as why, _plan(address).fits_run():
            pass
    assert why.value.allow_retries


@pytest.mark.slow
def test_a_tls_scheduler_serves_those_who_have_a_certificate_and_no_others(tmp_path: Path) -> None:
    files = _certificates(tmp_path)
    options = [f"--tls-{name}={file}" for name, file in zip(("ca-file", "cert", "key"), files, strict=True)]
    with cluster(tmp_path, 1, certificates=options) as secret:
        named = dict(zip(("ca_file", "certificate_file", "key_file"), files, strict=True))
        with fits_on_dask(DaskSettings.model_validate({"scheduler": secret.address, **named})), worker_pool(1) as pool:
            assert pool(delayed(abs)(number) for number in (-1, -2)) == [1, 2]
        (tmp_path / "other").mkdir()
        others = dict(zip(named, _certificates(tmp_path / "other"), strict=True))
        for scheduler, given, said in (
            (secret.address, others, "does not answer"),
            (secret.address.replace("tls", "tcp"), {}, "does not answer"),
            (secret.address, named | {"key_file": tmp_path / "nothing"}, "cannot be asked: .*nothing"),
        ):
            settings = DaskSettings.model_validate({"scheduler": scheduler, "wait_seconds": 2, **given})
            with pytest.raises(ClusterError, match=rf"The Dask scheduler {scheduler} {said}"):
                fits_on_dask(settings).__enter__()


def _certificates(folder: Path) -> tuple[Path, Path, Path]:
    """An authority, a certificate of it, and the key: one and the same, signed by itself."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"],
            "-keyout",
            key,
            "-out",
            certificate,
        ],
        check=True,
        capture_output=True,
    )
    return certificate, certificate, key


def test_a_missing_extra_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match=r"run pip install 'fraud-assets\[dask\]'"):
        fits_on_dask(DaskSettings(scheduler="tcp://127.0.0.1:1")).__enter__()
    with (
        pytest.raises(dg.Failure, match="pip install") as why,
        _plan("tcp://127.0.0.1:1").fits_run(),
    ):
        pass
    assert not why.value.allow_retries


def test_whoever_does_not_choose_dask_does_not_load_it() -> None:
    loaded = "import sys, fraud_assets.definitions; print([n for n in ('dask', 'distributed') if n in sys.modules])"
    environment = {**os.environ, "FRAUD_HOME": "home"}
    run = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True, env=environment)
    assert run.stdout.strip() == "[]"


def test_large_arrays_travel_beside_the_calls_and_once() -> None:
    written, arrays = packed([(told, (LARGE, 1), {}), (told, (LARGE,), {"number": np.arange(3)})])
    assert len(arrays) == 1
    assert arrays[0] is LARGE
    assert len(written) < TRAVELS_ALONE_BYTES
    assert [(call[1][0]) for call in pickle.loads(written)] == [Place(0), Place(0)]


def _workers(made: Cluster) -> list["subprocess.Popen[bytes]"]:
    return [process for name, process in made.processes.items() if name != "scheduler"]


def _bytes(candidate: Candidate) -> str:
    return str(joblib.hash(pickle.dumps(replace(candidate, fit_seconds=0.0))))


def _settings(address: str) -> Settings:
    dask = {"scheduler": address, "wait_seconds": 2}
    return Settings.model_validate({"learning": {"backend": "dask"}, "dask": dask})


def _plan(address: str) -> Plan:
    return Plan(_settings(address), daily_partitions(date(2026, 1, 1), "UTC"))
