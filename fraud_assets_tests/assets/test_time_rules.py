"""Nothing of a day may depend on what was not known by its end: the future is changed, and the outputs must not be."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fraud_assets.local.embedded import EmbeddedServer
from fraud_assets.settings import Settings
from fraud_assets.sources import open_source
from fraud_assets_tests.small_world import ALL_ASSETS, DAY, SMALL, World, fresh_database, small_settings, world

COLUMNS = {
    "transaction_id": "transaction_id",
    "timestamp": "transaction_time",
    "amount": "amount",
    "label": "label",
    "customer": "customer_id",
    "terminal": "terminal_id",
}
DELAY = SMALL["label_delay_days"]
LAST = date.fromisoformat(DAY)
DAYS = [LAST - timedelta(days=back) for back in range(48, -3, -1)]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A landing folder with simulated days, up to two days after the day of interest."""
    folder = tmp_path_factory.mktemp("original")
    source = open_source(Settings.model_validate(dict(SMALL)))
    for day in DAYS:
        with source.read_day(day) as batch:
            batch.accepted.read_all().to_pandas().to_parquet(folder / f"{day}.parquet")
    return folder


def _run(server: EmbeddedServer, folder: Path, home: Path) -> tuple[dict[str, str], Any]:
    source = {"kind": "files", "folder": folder, "columns": COLUMNS}
    with (
        fresh_database(server) as url,
        world(small_settings(url, home, source=source, start_date=DAYS[0])) as made,
    ):
        _bring_the_future(made)
        made.run()
        return made.hashes(), made.model("best_model")


def _bring_the_future(made: World) -> None:
    """Days after the day of interest are in storage already, as in a backfill of an old day."""
    from fraud_assets.local.runs import Days, run_range

    made.bring_history()
    later = Days((LAST + timedelta(days=1)).isoformat(), (LAST + timedelta(days=2)).isoformat())
    with made.environment():
        for day in (Days(DAY, DAY), later):
            for assets in (["raw_batch", "rejected_rows"], ["labels"], ["cleaned_features"]):
                run_range(made.defs, made.instance, assets, day)


@pytest.fixture(scope="module")
def honest(postgres_server: EmbeddedServer, original: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return _run(postgres_server, original, tmp_path_factory.mktemp("home"))[0]


def _changed(original: Path, folder: Path, change: Any) -> Path:
    folder.mkdir()
    for day in DAYS:
        frame = pd.read_parquet(original / f"{day}.parquet")
        change(day, frame).to_parquet(folder / f"{day}.parquet")
    return folder


def test_a_changed_future_changes_nothing_of_the_day(
    postgres_server: EmbeddedServer, original: Path, honest: dict[str, str], tmp_path: Path
) -> None:
    """Every value after the day, and every label that is not known by its end, are others."""
    rng = np.random.default_rng(0)

    def change(day: date, frame: pd.DataFrame) -> pd.DataFrame:
        if day > LAST:
            frame["amount"] = rng.uniform(1, 1000, len(frame)).round(2)
            frame["customer_id"] = rng.permutation(frame["customer_id"].to_numpy())
            frame["terminal_id"] = rng.permutation(frame["terminal_id"].to_numpy())
        if day + timedelta(days=DELAY) > LAST:
            frame["label"] = 1 - frame["label"]
        return frame

    hashes, _ = _run(postgres_server, _changed(original, tmp_path / "changed", change), tmp_path / "home")
    unaffected = [asset for asset in ALL_ASSETS if asset != "raw_batch"]
    assert {asset: hashes[asset] for asset in unaffected} == {asset: honest[asset] for asset in unaffected}
    assert hashes["raw_batch"] != honest["raw_batch"]


def test_candidates_know_nothing_from_the_gap_on(
    postgres_server: EmbeddedServer, original: Path, honest: dict[str, str], tmp_path: Path
) -> None:
    """Amounts and labels from the end of the training window on are others; the candidates are the same bytes."""
    training_until = LAST - timedelta(days=2 * DELAY + SMALL["validation_days"])

    def change(day: date, frame: pd.DataFrame) -> pd.DataFrame:
        if day > training_until:
            frame["amount"] *= 3
            frame["label"] = frame["label"].sample(frac=1, random_state=day.toordinal()).to_numpy()
        return frame

    hashes, _ = _run(postgres_server, _changed(original, tmp_path / "changed", change), tmp_path / "home")
    candidates = [asset for asset in ALL_ASSETS if asset.startswith("candidate_models/")]
    assert {asset: hashes[asset] for asset in candidates} == {asset: honest[asset] for asset in candidates}
    assert hashes["evaluation_table"] != honest["evaluation_table"]
    assert hashes["best_model"] != honest["best_model"]


def test_a_changed_past_changes_the_day(
    postgres_server: EmbeddedServer, original: Path, honest: dict[str, str], tmp_path: Path
) -> None:
    """The counter-check: the same comparison sees a change where there must be one."""

    def change(day: date, frame: pd.DataFrame) -> pd.DataFrame:
        if day == LAST - timedelta(days=DELAY):
            frame["label"] = frame["label"].sample(frac=1, random_state=0).to_numpy()
        return frame

    hashes, _ = _run(postgres_server, _changed(original, tmp_path / "changed", change), tmp_path / "home")
    assert hashes["best_model"] != honest["best_model"]
    assert hashes["evaluation_table"] != honest["evaluation_table"]
