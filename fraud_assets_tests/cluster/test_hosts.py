"""A day over hosts of their own: the same best model as on one machine, also when workers are killed meanwhile."""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from distributed import Client
from psycopg import sql

from fraud_assets.automation import JOB
from fraud_assets.local.embedded import EmbeddedServer
from fraud_assets_tests.cluster.hosts import SCHEDULER, TREE, WORKER, Cluster, clean_environment
from fraud_assets_tests.cluster.separate_hosts import MACHINE, Forwarder, Host, forwarded, hosts
from fraud_assets_tests.small_world import DAY, SIGNING_KEY, SMALL, SMALL_TOML, fresh_database, small_settings, world

LARGER = {"kind": "simulated", "customers": 4_000, "terminals": 2_000, "radius": 12.0}
LEARNING = {"configurations": 3, "jobs": -1, "alerts_per_day": 10}


@dataclass(frozen=True)
class Prepared:
    """A database with all that the day needs, and the day's best model as one machine makes it."""

    server: EmbeddedServer
    database: str
    folder: Path
    best_model: bytes

    @contextmanager
    def copy(self) -> Iterator[str]:
        """The name of a database like it."""
        name = f"copy_{time.monotonic_ns()}"
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as connection:
            copied = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(copied.format(sql.Identifier(name), sql.Identifier(self.database)))
        yield name


@pytest.fixture(scope="module")
def prepared(postgres_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    folder = tmp_path_factory.mktemp("one")
    with fresh_database(postgres_server) as url:
        settings = small_settings(url, folder / "home", source=LARGER, learning=LEARNING)
        with world(settings) as here:
            here.bring_history()
        empty = Prepared(postgres_server, urlsplit(url).path[1:], folder, b"")
        with empty.copy() as name:
            _configure(folder, "in_process", "local", None)
            started = time.monotonic()
            environment = _environment(folder, postgres_server.url(name))
            subprocess.run(_launched(), env=environment, check=True, capture_output=True)
            print(f"\none machine: {time.monotonic() - started:.0f} s")
            yield Prepared(postgres_server, empty.database, folder, _best_model(postgres_server.url(name)))


@dataclass
class Hosts:
    """A scheduler, three workers, a code location: each on a host of its own; the database is this machine's."""

    cluster: Cluster
    scheduler: Host
    workers: dict[str, Host]
    location: Host
    database: Forwarder
    environment: dict[str, str]
    url: str

    def launch(self) -> "subprocess.Popen[bytes]":
        """The day's run, from the code location's host; what it says is in the log `run`."""
        self.cluster.start("run", *self.location.command(*_launched()), environment=self.environment)
        return self.cluster.processes["run"]

    def at(self, address: str) -> str:
        """Which worker has this address."""
        return next(name for name, host in self.workers.items() if host.address == urlsplit(address).hostname)


@contextmanager
def running(prepared: Prepared, folder: Path) -> Iterator[Hosts]:
    with (
        prepared.copy() as name,
        hosts("scheduler", "w1", "w2", "w3", "location") as made,
        forwarded(urlsplit(prepared.server.url(name)).port or 0) as database,
    ):
        scheduler, *workers, location = made
        address = f"tcp://{scheduler.address}:8786"
        url = re.sub(r"127\.0\.0\.1:\d+", f"{MACHINE}:{database.port}", prepared.server.url(name))
        _configure(folder, "dask", "dask", address)
        environment = _environment(folder, url)
        cluster = Cluster(folder, environment, address)
        started = Hosts(
            cluster,
            scheduler,
            {f"w{number}": host for number, host in enumerate(workers, 1)},
            location,
            database,
            environment,
            prepared.server.url(name),
        )
        try:
            cluster.start("scheduler", *scheduler.command(*SCHEDULER, "--host", scheduler.address, "--no-dashboard"))
            for worker, host in started.workers.items():
                options = (
                    "--nthreads",
                    "1",
                    "--no-nanny",
                    "--no-dashboard",
                    "--memory-limit",
                    "0",
                    "--host",
                    host.address,
                )
                place = ("--name", worker, "--local-directory", str(folder / worker))
                cluster.start(worker, *host.command(*WORKER, address, *options, *place))
            yield started
        finally:
            cluster.end()


@pytest.mark.slow
@pytest.mark.as_root
def test_the_best_model_is_that_of_one_machine_and_frames_do_not_pass_the_scheduler(
    prepared: Prepared, tmp_path: Path
) -> None:
    with running(prepared, tmp_path) as made:
        started = time.monotonic()
        run = made.launch()
        assert run.wait(timeout=900) == 0, made.cluster.log("run")[-3000:]
        print(f"\nthree workers: {time.monotonic() - started:.0f} s")
        assert _best_model(made.url) == prepared.best_model
        received, sent = made.scheduler.bytes()
        others = sum(host.bytes()[0] for host in (*made.workers.values(), made.location))
        between = others - made.database.to_hosts - sent
        print(
            f"through the scheduler {(received + sent) / 1e6:.1f} MB; from worker to worker {between / 1e6:.1f} MB; "
            f"from the database {made.database.to_hosts / 1e6:.1f} MB, to it {made.database.to_server / 1e6:.1f} MB"
        )
        assert received + sent < between / 4


@pytest.mark.slow
@pytest.mark.as_root
def test_workers_killed_in_mid_search_and_in_mid_step_cost_no_day(prepared: Prepared, tmp_path: Path) -> None:
    with running(prepared, tmp_path) as made:
        run = made.launch()
        with Client(made.cluster.address, set_as_default=False) as client:
            fits = _wait_for(lambda: _with_fits_alone(client), run)
            made.cluster.kill(made.at(fits))
            print(f"\nkilled with a fit: {made.at(fits)}")
            _wait_for(lambda: _with_fits_alone(client), run)
            step = _wait_for(lambda: _with(client, "candidate_models"), run)
            made.cluster.kill(made.at(step))
            print(f"killed with the step: {made.at(step)}")
        assert run.wait(timeout=900) == 0, made.cluster.log("run")[-3000:]
        assert len(made.cluster.processes) == 3, "the scheduler, the last worker, and the run"
        assert _best_model(made.url) == prepared.best_model


def _with_fits_alone(client: Client) -> str | None:
    """The address of a worker that has fits and no step."""
    having = {address: [str(key) for key in keys] for address, keys in client.processing().items()}
    return next((at for at, keys in having.items() if keys and all(key.startswith("fits-") for key in keys)), None)


def _with(client: Client, step: str) -> str | None:
    """The address of the worker that has the step."""
    having = {address: [str(key) for key in keys] for address, keys in client.processing().items()}
    return next((at for at, keys in having.items() if any(key.startswith(step) for key in keys)), None)


def _wait_for(look: Callable[[], str | None], run: "subprocess.Popen[bytes]") -> str:
    while (found := look()) is None:
        assert run.poll() is None, "the day was over before"
        time.sleep(0.05)
    return found


def _launched() -> list[str]:
    return [sys.executable, "-m", "fraud_assets_tests.cluster.launched", "fraud_assets.definitions", JOB, DAY]


def _configure(folder: Path, executor: str, backend: str, scheduler: str | None) -> None:
    """The files that every host has."""
    toml = SMALL_TOML.replace(f"customers = {SMALL['source']['customers']}", f"customers = {LARGER['customers']}")
    toml = toml.replace(f"terminals = {SMALL['source']['terminals']}", f"terminals = {LARGER['terminals']}")
    toml = toml.replace("configurations = 1\njobs = 1", f'configurations = 3\njobs = -1\nbackend = "{backend}"')
    if scheduler is not None:
        toml += f'[dask]\nscheduler = "{scheduler}"\n'
    (folder / "fraud.toml").write_text(f'executor = "{executor}"\n{toml}')
    (folder / "dagster").mkdir(exist_ok=True)
    shutil.copy(TREE / "dagster.yaml", folder / "dagster")


def _environment(folder: Path, url: str) -> dict[str, str]:
    return clean_environment() | {
        "FRAUD_CONFIG": str(folder / "fraud.toml"),
        "FRAUD_DATABASE_URL": url,
        "FRAUD_HOME": str(folder / "home"),
        "FRAUD_SIGNING_KEY": SIGNING_KEY,
        "DAGSTER_HOME": str(folder / "dagster"),
    }


def _best_model(url: str) -> bytes:
    """The stored bytes of the day's best model; the seconds that its fit has taken are stored beside them."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT payload FROM dagster_io.models JOIN dagster_io.versions USING (version_id)"
            " WHERE asset_key = 'best_model' AND partition_key = %s AND status = 'current'",
            [DAY],
        ).fetchall()
    assert len(rows) == 1
    return bytes(rows[0][0])
