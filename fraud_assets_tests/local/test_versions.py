"""`versions` and `restore`: what the archive has of a day, in words, and a version of it made current again.

The versions are made by assets of this module, which are called as the project's are: what the commands know is the
ledger and Dagster's events.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pandas as pd
import psycopg
import pytest

from fraud_assets.local.database import Workplace, open_workplace
from fraud_assets.local.embedded import EmbeddedServer
from fraud_assets.postgres import (
    PostgresModelIOManager,
    PostgresTableIOManager,
    Version,
    partition_versions,
    prune_versions,
)
from fraud_assets.postgres.storage.models import load_model
from fraud_assets.postgres.storage.reading import Selection, load
from fraud_assets.settings import load_settings
from fraud_assets_tests.local.command import Command
from fraud_assets_tests.small_world import SIGNING_KEY, SMALL_TOML, fresh_database

DAY, EMPTY_DAY = "2026-03-15", "2026-03-16"
ROUNDS = 4
MODELS = ("best_model", "candidate_models/random_forest")
ASSETS = ("scored_batch", "evaluation_table", *MODELS)


class Round(dg.Config):
    number: int


def _definitions(workplace: Workplace) -> dg.Definitions:
    days, code = dg.DailyPartitionsDefinition("2026-03-01"), "code 1"

    @dg.asset(partitions_def=days, code_version=code, io_manager_key="tables")
    def scored_batch(config: Round) -> pd.DataFrame:
        return pd.DataFrame({"x": [config.number] * config.number})

    @dg.asset(
        partitions_def=days,
        code_version=code,
        io_manager_key="tables",
        metadata={"layout": "rows"},
        deps=[scored_batch],
    )
    def evaluation_table(config: Round) -> pd.DataFrame:
        return pd.DataFrame({"x": [config.number] * config.number})

    @dg.asset(partitions_def=days, code_version=code, io_manager_key="models")
    def best_model(config: Round) -> SimpleNamespace:
        return SimpleNamespace(number=config.number)

    @dg.asset(partitions_def=days, code_version=code, io_manager_key="models", key_prefix="candidate_models")
    def random_forest(config: Round) -> SimpleNamespace:
        return SimpleNamespace(number=config.number)

    postgres = workplace.postgres()
    managers = {
        "tables": PostgresTableIOManager(postgres=postgres),
        "models": PostgresModelIOManager(postgres=postgres, signing_key=SIGNING_KEY),
    }
    return dg.Definitions(assets=[scored_batch, evaluation_table, best_model, random_forest], resources=managers)


@dataclass(frozen=True)
class Archive:
    """A day of four assets, each written four times: round `n` has `n` rows of the number `n`, or the model `n`."""

    url: str
    home: Path
    workplace: Workplace

    def value(self, asset: str) -> int:
        """The round whose rows, or model, are current."""
        if asset in MODELS:
            with self.workplace.postgres().connect() as connection:
                return int(load_model(connection, asset, DAY, signing_key=SIGNING_KEY.encode())[1].number)
        rows = load(self.workplace.postgres(), asset, [DAY], Selection()).reader.read_all()["x"].to_pylist()
        assert rows == [len(rows)] * len(rows)
        return len(rows)

    def versions(self, asset: str) -> list[Version]:
        return partition_versions(self.workplace.postgres(), asset, DAY)

    def events(self, asset: str) -> list[dg.AssetMaterialization]:
        """What Dagster knows of an asset, newest first."""
        with dg.DagsterInstance.get() as instance:
            records = instance.fetch_materializations(dg.AssetKey.from_user_string(asset), limit=100).records
        return [record.asset_materialization for record in records if record.asset_materialization is not None]


@pytest.fixture(scope="module")
def archive(postgres_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    folder = tmp_path_factory.mktemp("archive")
    environment = dict(os.environ)
    with fresh_database(postgres_server) as url, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "fraud.toml").write_text(SMALL_TOML)
        os.environ |= {"FRAUD_DATABASE_URL": url, "FRAUD_SIGNING_KEY": SIGNING_KEY, "FRAUD_HOME": str(folder / "home")}
        try:
            workplace = open_workplace(load_settings())
            job = _definitions(workplace).resolve_implicit_global_asset_job_def()
            with workplace.instance() as instance:
                for number in range(1, ROUNDS + 1):
                    config = {"ops": {name.replace("/", "__"): {"config": {"number": number}} for name in ASSETS}}
                    assert job.execute_in_process(config, instance=instance, partition_key=DAY).success
        finally:
            os.environ.clear()
            os.environ.update(environment)
        yield Archive(url, folder / "home", workplace)


@pytest.fixture(autouse=True)
def settings(archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fraud.toml").write_text(SMALL_TOML)
    monkeypatch.setenv("FRAUD_DATABASE_URL", archive.url)
    monkeypatch.setenv("FRAUD_SIGNING_KEY", SIGNING_KEY)
    monkeypatch.setenv("FRAUD_HOME", str(archive.home))
    monkeypatch.setenv("DAGSTER_HOME", str(archive.home / "dagster"))


def _lines(table: str) -> list[list[str]]:
    """A printed table's cells; its columns are two blanks or more apart."""
    rows = [line.strip().split("  ") for line in table.splitlines() if line.strip() and "─" not in line]
    return [[cell.strip() for cell in row if cell.strip()] for row in rows]


def test_versions_are_listed_newest_first(archive: Archive, fraud_assets: Command) -> None:
    said = fraud_assets("versions", "scored_batch", "--date", DAY)
    assert (said.code, said.err) == (0, "")
    headings, *rows = _lines(said.out)
    assert headings == ["version", "status", "rows", "size", "content hash", "code", "made by", "stored at"]
    stored = archive.versions("scored_batch")
    assert [row[:3] for row in rows] == [[str(v.version), v.status, str(v.row_count)] for v in stored]
    assert [row[4:7] for row in rows] == [[v.content_hash[:12], "code 1", f"run {v.run_id[:8]}"] for v in stored]
    assert all(row[3].endswith("kB") and row[7].endswith("+00:00") for row in rows)


@pytest.mark.parametrize("asset", ASSETS)
def test_an_old_version_becomes_current_again(archive: Archive, asset: str, fraud_assets: Command) -> None:
    before = archive.versions(asset)
    said = fraud_assets("restore", asset, "--date", DAY, "--version", "2")
    assert said.code == 0, said.err
    assert said.out == f"Version 2 of {asset} of {DAY} is current again, as version {ROUNDS + 1}.\n"
    assert archive.value(asset) == 2
    newest, *others = archive.versions(asset)
    assert (newest.version, newest.restored_from, newest.run_id) == (ROUNDS + 1, 2, "restore")
    assert [v.status for v in others] == ["archived"] * ROUNDS
    listed = _lines(fraud_assets("versions", asset, "--date", DAY).out)[1]
    assert (listed[:2], "restored from 2" in listed) == ([str(ROUNDS + 1), "current"], True)
    event, original = archive.events(asset)[0], before[-2]
    assert (event.partition, event.tags["dagster/data_version"]) == (DAY, original.content_hash)  # type: ignore[index]
    said_of_it = {name: value.value for name, value in event.metadata.items()}
    assert (said_of_it["version"], said_of_it["restored_version"]) == (ROUNDS + 1, 2)
    if asset not in MODELS:
        assert said_of_it["dagster/row_count"] == 2
        assert "dagster/column_schema" in said_of_it


def test_dagster_knows_what_the_restored_version_was_made_from(archive: Archive, fraud_assets: Command) -> None:
    """The event has the original's code version and upstream data versions, so Dagster compares as after any run."""
    first = archive.events("evaluation_table")[-1]
    assert fraud_assets("restore", "evaluation_table", "--date", DAY, "--version", "1").code == 0
    newest = archive.events("evaluation_table")[0]
    assert newest.tags == first.tags
    assert {"dagster/code_version", "dagster/input_data_version/scored_batch"} <= set(newest.tags or {})
    upstream = {"upstream_versions", "content_hash", "dagster/row_count", "dagster/table_name"}
    assert {name: newest.metadata[name] for name in upstream} == {name: first.metadata[name] for name in upstream}


def test_the_current_version_needs_no_restoring(archive: Archive, fraud_assets: Command) -> None:
    number = archive.versions("scored_batch")[0].version
    said = fraud_assets("restore", "scored_batch", "--date", DAY, "--version", str(number))
    assert (said.code, "is the current one already" in said.out) == (0, True)
    assert archive.versions("scored_batch")[0].version == number


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["versions", "scored", "--date", DAY], 1, "There is no asset 'scored'; the assets are best_model, calibr"),
        (["restore", "scored", "--date", DAY, "--version", "1"], 1, "There is no asset 'scored'; the assets are"),
        (["versions", "raw_batch", "--date", DAY], 1, f"There is no partition {DAY} of raw_batch; fraud-assets run"),
        (["restore", "best_model", "--date", EMPTY_DAY, "--version", "1"], 1, f"no partition {EMPTY_DAY} of best_mod"),
        (["restore", "best_model", "--date", DAY, "--version", "99"], 1, "no version 99 of best_model"),
        (["restore", "best_model", "--date", DAY, "--version", "0"], 2, "0 is not in the range"),
        (["restore", "best_model", "--date", DAY], 2, "Missing option '--version'"),
        (["versions", "best_model", "--date", "today"], 2, "write it YYYY-MM-DD"),
        (["versions", "best_model"], 2, "Missing option '--date'"),
    ],
)
def test_bad_calls_are_one_sentence(arguments: list[str], code: int, says: str, fraud_assets: Command) -> None:
    said = fraud_assets(*arguments)
    assert said.code == code
    assert says in said.err
    assert "Traceback" not in said.err
    assert said.out == ""


def test_a_pruned_version_is_listed_and_cannot_come_back(archive: Archive, fraud_assets: Command) -> None:
    asset = "candidate_models/random_forest"
    assert prune_versions(archive.workplace.postgres(), asset, DAY, 0) >= ROUNDS - 1
    said = fraud_assets("restore", asset, "--date", DAY, "--version", "1")
    assert (said.code, "has been pruned: its bytes are gone" in said.err) == (1, True)
    rows = _lines(fraud_assets("versions", asset, "--date", DAY).out)
    assert rows[-1][:2] == ["1", "pruned"]


def test_a_changed_model_is_not_restored(archive: Archive, fraud_assets: Command) -> None:
    old = archive.versions("best_model")[-1]
    with psycopg.connect(archive.url) as connection:
        connection.execute(
            "UPDATE dagster_io.models SET payload = set_byte(payload, 9, get_byte(payload, 9) # 1)"
            " WHERE version_id = %s",
            [old.version_id],
        )
    before = archive.value("best_model")
    said = fraud_assets("restore", "best_model", "--date", DAY, "--version", str(old.version))
    assert (said.code, "is damaged" in said.err) == (1, True)
    assert archive.value("best_model") == before
