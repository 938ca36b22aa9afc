"""A corrected file in a landing folder: what it makes run again, compared with a world that never knew the old one."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from fraud_assets.automation import JOB
from fraud_assets.automation.landing import RUN_KEY
from fraud_assets.local.embedded import EmbeddedServer
from fraud_assets_tests.small_world import World, fresh_database, small_settings, world

FIRST, CORRECTED, LAST = date(2024, 5, 1), date(2024, 5, 9), date(2024, 5, 14)
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
DAYS = [FIRST + timedelta(days=number) for number in range((LAST - FIRST).days + 1)]
COLUMNS = {
    "transaction_id": "id", "timestamp": "time", "timestamp_timezone": "UTC", "amount": "eur", "label": "fraud",
    "customer": "card", "terminal": "shop",
}  # fmt: skip


def _frame(day: date) -> pd.DataFrame:
    rng = np.random.default_rng(day.toordinal())
    times = pd.Timestamp(day) + pd.to_timedelta(np.sort(rng.integers(0, 86_399, 200)), unit="s")
    number = np.arange(200)
    return pd.DataFrame(
        {
            "id": number + 1000 * day.toordinal(), "time": times, "eur": rng.uniform(1, 200, 200).round(2),
            "fraud": (number % 9 == 4).astype(int), "card": number % 40, "shop": number % 7,
        }
    )  # fmt: skip


def _write(folder: Path, day: date, *, corrected: bool) -> None:
    frame = _frame(day)
    if corrected:
        frame.loc[frame["card"] == 3, "eur"] += 500
        frame.loc[frame["card"] == 5, "fraud"] = 1
    frame.to_csv(folder / f"{day}.csv", index=False)


@contextmanager
def _world_of(url: str, folder: Path, *, corrected: bool) -> Iterator[World]:
    (folder / "landing").mkdir(parents=True)
    for day in DAYS:
        _write(folder / "landing", day, corrected=corrected and day == CORRECTED)
    settings = small_settings(
        url,
        folder / "home",
        training_days=4,
        validation_days=2,
        source={"kind": "files", "folder": folder / "landing", "pattern": "{date}.csv", "columns": COLUMNS},
        sensors={"settle_seconds": 0, "runs_per_tick": 2},
    )
    with world(settings) as made:
        made.run(str(LAST))
        yield made


class Daemon:
    """Looks at the folder as Dagster's daemon does, and executes what the sensor asks for."""

    def __init__(self, made: World) -> None:
        self.made = made
        self.cursor: str | None = None
        self.launched: list[dg.RunRequest] = []
        self.runs_of_ticks: list[int] = []

    def tick(self) -> str | None:
        """One look. Returns why it has launched nothing."""
        with (
            self.made.environment(),
            dg.build_sensor_context(
                instance=self.made.instance,
                cursor=self.cursor,
                repository_def=self.made.defs.get_repository_def(),
                resources={"storage": self.made.workplace.postgres()},
            ) as context,
        ):
            found = self.made.defs.resolve_sensor_def("landing_folder").evaluate_tick(context)
        self.cursor = found.cursor
        requests = list(found.run_requests or [])
        self.runs_of_ticks.append(len(requests))
        with self.made.environment():
            for request in requests:
                self._execute(request)
        return found.skip_message

    def _execute(self, request: dg.RunRequest) -> None:
        self.launched.append(request)
        job = self.made.defs.resolve_job_def(JOB)
        result = job.execute_in_process(
            instance=self.made.instance,
            asset_selection=list(request.asset_selection) if request.asset_selection else None,
            tags={**request.tags, RUN_KEY: str(request.run_key)},
            partition_key=request.partition_key,
            raise_on_error=False,
            run_config=QUIET,
        )
        assert result.success


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("landing folders")


@pytest.fixture(scope="module")
def right_from_the_start(postgres_server: EmbeddedServer, folder: Path) -> Iterator[dict[str, dict[str, str]]]:
    """The content hashes, by day, where the corrected file was the first."""
    with fresh_database(postgres_server) as url, _world_of(url, folder / "right", corrected=True) as made:
        yield {str(day): made.hashes(str(day)) for day in DAYS}


@pytest.fixture(scope="module")
def daemon(postgres_server: EmbeddedServer, folder: Path) -> Iterator[Daemon]:
    with (
        fresh_database(postgres_server) as url,
        _world_of(url, folder / "wrong", corrected=False) as made,
        made.environment(),
    ):
        yield Daemon(made)


def test_a_corrected_file_leads_to_what_would_be_there_without_the_wrong_one(
    daemon: Daemon, right_from_the_start: dict[str, dict[str, str]], folder: Path
) -> None:
    made = daemon.made
    before = {str(day): made.hashes(str(day)) for day in DAYS}
    versions, reached = _versions(made), _reached(made)
    for _ in range(3):
        daemon.tick()
    assert daemon.launched == []
    _write(folder / "wrong" / "landing", CORRECTED, corrected=True)
    silent = 0
    while silent < 3:
        silent = silent + 1 if daemon.tick() else 0
    assert max(daemon.runs_of_ticks) <= 2
    after = {str(day): made.hashes(str(day)) for day in DAYS}
    assert after == right_from_the_start
    counts = {name: number - versions.get(name, 0) for name, number in _versions(made).items()}
    again = {name for name, count in counts.items() if count}
    assert {counts[name] for name in again} == {1}
    changed = {(asset, day) for day in after for asset in after[day] if after[day][asset] != before[day].get(asset)}
    assert changed <= again <= reached
    # What is stored by day is judged day by day: labels of the corrected day become known two days later, and later.
    assert {day for asset, day in again if asset == "raw_batch"} == {str(CORRECTED)}
    assert ("labels", str(CORRECTED)) not in again
    assert ("cleaned_features", str(CORRECTED - timedelta(days=1))) not in again


def _versions(made: World) -> dict[tuple[str, str], int]:
    rows = made.rows("SELECT asset_key, partition_key, count(*) FROM dagster_io.versions GROUP BY 1, 2")
    return {(asset, day): number for asset, day, number in rows}


def _reached(made: World) -> set[tuple[str, str]]:
    """All that was made from the day that is going to be corrected, or from what was, as the ledger has it now."""
    rows = made.rows(
        "SELECT v.asset_key, v.partition_key, u.asset_key, u.partition_key FROM dagster_io.seen s"
        " JOIN dagster_io.versions v USING (version_id)"
        " JOIN dagster_io.versions u ON u.version_id = s.upstream_version_id"
    )
    reached = {("raw_batch", str(CORRECTED)), ("rejected_rows", str(CORRECTED))}
    size = 0
    while size != len(reached):
        size = len(reached)
        reached |= {(asset, day) for asset, day, seen, seen_day in rows if (seen, seen_day) in reached}
    return reached
