"""Labels that come in a feed of their own: as CSV beside Parquet batches, with days on which nothing came."""

from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd

from fraud_assets.local.runs import Days, run_range
from fraud_assets_tests.small_world import World, small_settings, world

FIRST, LAST = date(2024, 5, 1), date(2024, 5, 12)
DAYS = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
SILENT = date(2024, 5, 5)
COLUMNS = {
    "transaction_id": "id",
    "timestamp": "time",
    "timestamp_timezone": "Europe/Berlin",
    "amount": "eur",
    "terminal": "shop",
}


def _write(folder: Path) -> None:
    rng = np.random.default_rng(0)
    (folder / "landing").mkdir()
    (folder / "chargebacks").mkdir()
    for number, day in enumerate(DAYS):
        times = pd.Timestamp(day) + pd.to_timedelta(np.sort(rng.integers(0, 86_399, 300)), unit="s")
        ids = np.arange(300) + 1000 * number
        frame = pd.DataFrame({"id": ids, "time": times, "eur": rng.uniform(1, 200, 300), "shop": ids % 7})
        frame.to_parquet(folder / "landing" / f"{day}.parquet")
        known = day + timedelta(days=2)
        if known != SILENT and known <= LAST:
            labels = pd.DataFrame({"id": ids, "label": (ids % 7 == 3).astype(int), "known_at": f"{known}T09:00:00Z"})
            labels.to_csv(folder / "chargebacks" / f"{known}.csv", index=False)
    for day in DAYS[:2]:
        (folder / "chargebacks" / f"{day}.csv").write_text("id,label,known_at\n")


def _feed_world(url: str, folder: Path) -> World:
    _write(folder)
    settings = small_settings(
        url,
        folder / "home",
        timezone="Europe/Berlin",
        training_days=4,
        validation_days=2,
        source={"kind": "files", "folder": folder / "landing", "columns": COLUMNS},
        labels={
            "kind": "files",
            "folder": folder / "chargebacks",
            "pattern": "{date}.csv",
            "transaction_id": "id",
        },
    )
    with world(settings) as made:
        made.run(str(LAST))
        return made


def test_a_day_is_learned_from_a_feed(database_url: str, tmp_path: Path) -> None:
    made = _feed_world(database_url, tmp_path)
    labels = made.table("labels", str(LAST))
    assert labels["transaction_id"].dtype == "int64", "the type of the batches, though the feed is text"
    best = made.model("best_model", str(LAST))
    assert best.frauds > 100
    assert str(SILENT) not in made.workplace.postgres().stored_row_counts("labels")
    features = made.table("cleaned_features", str(SILENT))
    assert len(features) == 300, "a day without news has its features"


def test_one_day_alone_and_a_range_give_the_same_features(database_url: str, tmp_path: Path) -> None:
    made = _feed_world(database_url, tmp_path)
    day = str(LAST - timedelta(days=1))
    in_range = made.versions("cleaned_features", day)[0].content_hash
    with made.environment(), dg.DagsterInstance.ephemeral() as instance:
        run_range(made.defs, instance, ["cleaned_features"], Days(day, day))
    assert [v.content_hash for v in made.versions("cleaned_features", day)] == [in_range, in_range]
