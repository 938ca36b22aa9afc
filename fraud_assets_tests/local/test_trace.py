"""`trace`: the story of a score agrees with the file, the tables and the ledger, and says what is gone."""

import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fraud_assets.local.embedded import EmbeddedServer
from fraud_assets.local.errors import Refusal
from fraud_assets.local.runs import Days, run_range
from fraud_assets.local.tracing.document import Trace
from fraud_assets.local.tracing.finding import not_found, wanted
from fraud_assets.local.tracing.gathering import gather
from fraud_assets.local.tracing.printing import WIDTH, lines, written
from fraud_assets.partitions import shifted
from fraud_assets.postgres import prune_versions
from fraud_assets.settings import SimulatedSource
from fraud_assets.sources.pseudonyms import Pseudonymizer
from fraud_assets.sources.simulated import simulate_day
from fraud_assets_tests.local.command import Command
from fraud_assets_tests.small_world import DAY, SIGNING_KEY, World, fresh_database, small_settings, world

KEY = "a key for pseudonyms"
PEOPLE = SimulatedSource(customers=300, terminals=300, radius=20)
FIRST_DAY, LAST_DAY = shifted(DAY, -20), shifted(DAY, 2)
BAD_ROW = 3
# As much of a day as leads to a score: one family is enough for a model.
ASSETS = (
    *("raw_batch", "rejected_rows", "labels", "cleaned_features", "candidate_models/logistic_regression"),
    *("evaluation_table", "evaluation_slices", "best_model", "scored_batch"),
)
DAGSTER = "http://dagster.example:3000"


def _write(folder: Path, day: date, amount: str | None = None) -> None:
    """A day's file; on `DAY` the third row has no usable amount."""
    rows = pd.DataFrame(simulate_day(PEOPLE, day, 86_400))
    at = pd.Timestamp(day, tz="UTC") + pd.to_timedelta(rows["second"], unit="s")
    told = pd.DataFrame(
        {
            "id": "tx " + rows["transaction_id"].astype("str"),
            "at": at.dt.strftime("%Y-%m-%d %H:%M:%S"),
            "paid": rows["amount"].astype("str"),
            "fraud": rows["label"],
            "card": rows["customer_id"],
            "shop": rows["terminal_id"],
        }
    )
    if day.isoformat() == DAY:
        told.loc[BAD_ROW - 1, "paid"] = amount or "much"
    told.to_csv(folder / f"{day}.csv", index=False)


@dataclass(frozen=True)
class Story:
    """A world of files, and how to ask it."""

    world: World
    landing: Path

    def of(self, given: str, day: str = DAY, number: int | None = None) -> Trace:
        with self.world.environment():
            return gather(self.world.workplace, self.world.plan, given, day, number)

    def file(self) -> list[dict[str, str]]:
        with (self.landing / f"{DAY}.csv").open() as file:
            return list(csv.DictReader(file))

    def materialize(self, *assets: str, day: str = DAY) -> None:
        with self.world.environment():
            run_range(self.world.defs, self.world.instance, assets, Days(day, day))


def _pseudonym(given: str) -> str:
    return Pseudonymizer(KEY.encode()).pseudonym(given)


def _settings(landing: Path) -> dict[str, Any]:
    roles = {"transaction_id": "id", "timestamp": "at", "timestamp_timezone": "UTC", "amount": "paid", "label": "fraud"}
    columns = {**roles, "customer": "card", "terminal": "shop", "sensitive": ["id", "card"]}
    source = {"kind": "files", "folder": landing, "pattern": "{date}.csv", "columns": columns}
    return {"source": source, "pseudonym_key": KEY, "alerts": {"dagster_url": DAGSTER}}


@pytest.fixture(scope="module")
def story(postgres_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A day run over files of three weeks, and the labels of the days after it."""
    home, landing = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("landing")
    for offset in range((LAST_DAY - FIRST_DAY).days + 1):
        _write(landing, FIRST_DAY + timedelta(days=offset))
    with fresh_database(postgres_server) as url, world(small_settings(url, home, **_settings(landing))) as made:
        made.bring_history()
        told = Story(made, landing)
        told.materialize(*ASSETS)
        told.materialize("labels", day=LAST_DAY.isoformat())
        yield told


@pytest.fixture
def alert(story: Story) -> dict[str, str]:
    """The row of the file that the highest score is of."""
    scored = story.world.table("scored_batch")
    highest = scored.loc[scored["rank"] == 1, "transaction_id"].iloc[0]
    return next(row for row in story.file() if _pseudonym(row["id"]) == highest)


def test_each_row_knows_its_place_in_the_file(story: Story) -> None:
    stored = story.world.table("raw_batch").set_index("transaction_id")["source_row"]
    expected = {_pseudonym(row["id"]): place for place, row in enumerate(story.file(), 1) if place != BAD_ROW}
    assert stored.to_dict() == expected


def test_the_row_its_features_and_its_score_are_those_of_the_tables(story: Story, alert: dict[str, str]) -> None:
    told = story.of(alert["id"])
    pseudonym = _pseudonym(alert["id"])
    assert told.transaction_id == pseudonym
    assert story.of(pseudonym) == told, "an id as the reports show it leads to the same"
    place = story.file().index(alert) + 1
    assert told.source is not None
    assert (told.source.origin, told.source.row, told.source.rejected) == (f"{DAY}.csv", place, 1)
    assert (told.source.rows, told.source.delivered) == (len(story.file()), "same")
    content = (story.landing / f"{DAY}.csv").read_bytes()
    assert told.source.fingerprint == hashlib.sha256(content).hexdigest()
    assert (told.raw["amount"], told.raw["terminal_id"]) == (float(alert["paid"]), alert["shop"])
    features = story.world.table("cleaned_features").set_index("transaction_id").loc[pseudonym]
    assert told.features.keys() == set(features.index) - {"transaction_time", "customer_id", "terminal_id"}
    assert all(_same(told.features[name], features[name]) for name in told.features)
    row = story.world.table("scored_batch").set_index("transaction_id").loc[pseudonym]
    assert told.score is not None
    assert (told.score.score, told.score.rank, told.score.is_alert) == (row["score"], 1, True)
    assert told.score.reasons[0] == row["reason_1"]
    assert (told.issued, told.gone) == (None, ())


def _same(one: Any, other: Any) -> bool:
    return bool(one == other or (pd.isna(one) and pd.isna(other)))


def test_the_model_and_what_it_was_trained_on_are_those_of_the_ledger(story: Story, alert: dict[str, str]) -> None:
    told = story.of(alert["id"]).model
    assert told is not None
    stored = story.world.versions("best_model")[0]
    assert (told.made.content_hash, told.signature) == (stored.content_hash, "as signed")
    assert told.fitted_on is not None
    days = [shifted(DAY, offset).isoformat() for offset in range(-9, -1)]
    hashes = [story.world.versions("cleaned_features", day)[0].content_hash for day in days]
    assert [(one.partition, one.content_hash) for one in told.fitted_on.versions] == list(
        zip(days, hashes, strict=True)
    )
    together = "\n".join(f"{day} {content}" for day, content in zip(days, hashes, strict=True))
    assert told.fitted_on.combined_hash == hashlib.sha256(together.encode()).hexdigest()
    assert told.facts["training_rows"] == told.fitted_on.rows


def test_the_models_labels_end_with_its_day_and_the_transactions_own_came_later(
    story: Story, alert: dict[str, str]
) -> None:
    told = story.of(alert["id"])
    known = told.known_labels
    assert known is not None
    assert known.last_known_at is not None
    assert known.last_known_at < story.world.plan.end(DAY)
    frauds = [story.world.table("labels", one.partition)["label"].sum() for one in known.partitions.versions]
    assert (known.labels, known.frauds) == (known.partitions.rows, sum(frauds))
    (own,) = told.own_labels
    assert (str(own.label), own.partition, own.was_known) == (alert["fraud"], LAST_DAY.isoformat(), False)
    assert own.known_at == pd.Timestamp(alert["at"], tz="UTC") + timedelta(days=2)


def test_the_steps_have_their_code_versions_and_the_runs_their_links(story: Story, alert: dict[str, str]) -> None:
    told = story.of(alert["id"])
    for step in told.steps:
        stored = story.world.versions(step.asset, step.partition)[0]
        assert (step.code_version, step.run_id, step.is_superseded) == (stored.code_version, stored.run_id, False)
    assert {run.url for run in told.runs} == {f"{DAGSTER}/runs/{step.run_id}" for step in told.steps}
    assert {"raw_batch", "labels", "cleaned_features", "best_model", "scored_batch"} <= {s.asset for s in told.steps}


def test_it_reads_on_a_terminal_of_a_hundred_columns(story: Story, alert: dict[str, str]) -> None:
    told = story.of(alert["id"])
    shown = list(lines(told, story.world.workplace.settings.tzinfo, full=True))
    assert max(map(len, shown)) <= WIDTH
    text = "\n".join(shown)
    for part in ("still there", "rank 1 of", "it is as it was signed", "not among the labels", "8 partitions", DAGSTER):
        assert part in text
    assert told.model is not None
    for one in told.features_read[0].versions:
        assert one.content_hash in text, "the full list has whole hashes"


def test_the_document_has_everything_and_no_original_id(story: Story, alert: dict[str, str]) -> None:
    told = story.of(alert["id"])
    document = json.loads(written(told))
    assert document["features"].keys() == told.features.keys()
    assert len(document["model"]["fitted_on"]["versions"]) == 8
    shown = "\n".join(lines(told, story.world.workplace.settings.tzinfo, full=True))
    assert alert["id"] not in shown + written(told)


def test_another_score_than_the_one_issued_is_shown_beside_it(story: Story, alert: dict[str, str]) -> None:
    told = story.of(alert["id"])
    assert told.score is not None
    zone = story.world.workplace.settings.tzinfo
    other = replace(
        told, issued=replace(told.score, score=0.1234, rank=77, is_alert=False), score=replace(told.score, version=2)
    )
    assert "0.1234, rank 77" in "\n".join(lines(other, zone))
    same = replace(told, issued=told.score, score=replace(told.score, version=2))
    assert "the same score (version 1" in "\n".join(lines(same, zone))


@pytest.mark.parametrize(
    ("number", "day", "sentence"),
    [
        (0, shifted(DAY, -3).isoformat(), f"no scores of {shifted(DAY, -3)}; the nearest day that has some is {DAY}."),
        (BAD_ROW - 1, DAY, "is in none of the batches that are stored (21)"),
    ],
)
def test_what_is_not_there_is_one_sentence(story: Story, number: int, day: str, sentence: str) -> None:
    given = story.file()[number]["id"]
    with pytest.raises(Refusal) as refused:
        story.of(given, day)
    assert sentence in str(refused.value)
    assert given not in str(refused.value), "it is sensitive"


def test_a_transaction_of_another_day_is_found_there(story: Story) -> None:
    with (story.landing / f"{shifted(DAY, -5)}.csv").open() as file:
        given = next(csv.DictReader(file))["id"]
    with pytest.raises(Refusal, match=f"give --date {shifted(DAY, -5)}"):
        story.of(given)
    with pytest.raises(Refusal, match="no version 9 of the scores"):
        story.of(given, number=9)


def test_what_was_replaced_or_pruned_is_said_and_the_rest_is_shown(story: Story, alert: dict[str, str]) -> None:
    """The last test of this world: it changes what is stored."""
    before = story.of(alert["id"])
    postgres = story.world.workplace.postgres()
    story.materialize("cleaned_features")
    assert prune_versions(postgres, "cleaned_features", DAY, keep=0) == 1
    told = story.of(alert["id"])
    assert told.features == before.features
    assert any("from version 2, which has its content" in note for note in told.gone)
    _write(story.landing, date.fromisoformat(DAY), amount="12.5")
    story.materialize("raw_batch", "rejected_rows")
    told = story.of(alert["id"])
    assert told.source is not None
    assert (told.source.row, told.source.delivered) == (before.source and before.source.row, "changed")
    raw = next(step for step in told.steps if step.asset == "raw_batch")
    assert (raw.version, raw.current_version, raw.status) == (1, 2, "archived")
    corrected = story.file()[BAD_ROW - 1]["id"]
    with pytest.raises(Refusal, match=f"is in raw_batch of {DAY}, but not in its scores"):
        story.of(corrected)
    for day in (DAY, LAST_DAY.isoformat()):
        (story.landing / f"{day}.csv").unlink()
    prune_versions(postgres, "raw_batch", DAY, keep=0)
    told = story.of(alert["id"])
    assert told.raw == {}
    assert told.score == before.score
    assert any("raw_batch" in note and "its rows are gone" in note for note in told.gone)
    shown = "\n".join(lines(told, story.world.workplace.settings.tzinfo))
    assert "not there any more" in shown
    assert "What is gone" in shown


def test_whole_numbers_are_ids_too_and_a_rejected_row_says_why(
    postgres_server: EmbeddedServer, tmp_path: Path, fraud_assets: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {"id": [7, 8], "at": pd.to_datetime([f"{DAY} 10:00", f"{DAY} 11:00"]), "paid": [12.5, None]}
    pd.DataFrame(rows).to_parquet(tmp_path / f"{DAY}.parquet")
    columns = {"transaction_id": "id", "timestamp": "at", "timestamp_timezone": "UTC", "amount": "paid"}
    source = {"kind": "files", "folder": tmp_path, "columns": columns}
    changes = {"source": source, "watching": {"max_rejected_share": 0.5}}
    with fresh_database(postgres_server) as url:
        with world(small_settings(url, tmp_path / "home", **changes)) as made, made.environment():
            run_range(made.defs, made.instance, ["raw_batch", "rejected_rows"], Days(DAY, DAY))
            postgres, plan = made.workplace.postgres(), made.plan
            assert postgres.stored_version_numbers("raw_batch") == {DAY: 1}
            with pytest.raises(Refusal, match="those of this source are whole numbers"):
                wanted(plan, postgres, "tx 7")
            told = {n: str(not_found(plan, postgres, wanted(plan, postgres, str(n)), DAY)) for n in (7, 8, 9)}
            assert "is in raw_batch" in told[7]
            assert "row 2 of the batch was rejected, because paid is missing" in told[8]
            assert "is in none of the batches" in told[9]
        monkeypatch.setenv("FRAUD_DATABASE_URL", url)
        monkeypatch.setenv("FRAUD_SIGNING_KEY", SIGNING_KEY)
        monkeypatch.setenv("FRAUD_HOME", str(tmp_path / "home"))
        said = fraud_assets("trace", "--transaction", "7", "--date", DAY, "--json", str(tmp_path / "trace.json"))
        assert (said.code, said.out) == (1, "")
        assert f"There are no scores of {DAY}; no day has any yet" in said.err
        assert not (tmp_path / "trace.json").exists()
