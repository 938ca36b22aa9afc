"""Bad input, through the command line: one clear sentence, an honest exit code, and nothing stored is changed."""

import gzip
import shutil
import socket
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import psycopg
import pytest

from fraud_assets.local.embedded import EmbeddedServer
from fraud_assets_tests.local.command import Command, Said
from fraud_assets_tests.small_world import ALL_ASSETS, SIGNING_KEY, fresh_database

DAY = date(2024, 5, 10)
YESTERDAY = DAY - timedelta(days=1)
FILES = ("raw_batch", "rejected_rows")


def batch_of(day: date, rows: int = 40) -> pd.DataFrame:
    times = pd.date_range(f"{day} 01:00", periods=rows, freq="10min")
    return pd.DataFrame(
        {
            "id": [f"{day:%m%d}-{n:04}" for n in range(rows)],
            "time": times,
            "eur": [10.0 + n for n in range(rows)],
            "fraud": [int(n % 8 == 0) for n in range(rows)],
        }
    )


SETTINGS = """
label_delay_days = 0
training_days = 1
validation_days = 0
home = "home"
start_date = "2024-05-09"
[source]
kind = "files"
folder = "landing"
pattern = "{date}.*"
[source.columns]
transaction_id = "id"
timestamp = "time"
timestamp_timezone = "UTC"
amount = "eur"
label = "fraud"
[learning]
configurations = 1
jobs = 1
[reports]
pictures = false
"""


def _land(tmp_path: Path, url: str, patch: pytest.MonkeyPatch) -> Path:
    """A landing folder with yesterday's batch as CSV, and the settings for it."""
    folder = tmp_path / "landing"
    folder.mkdir()
    (tmp_path / "fraud.toml").write_text(SETTINGS)
    batch_of(YESTERDAY).to_csv(folder / f"{YESTERDAY}.csv", index=False)
    patch.setenv("FRAUD_DATABASE_URL", url)
    patch.setenv("FRAUD_SIGNING_KEY", SIGNING_KEY)
    return folder


@pytest.fixture
def landing(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A landing folder, and a database with nothing in it."""
    return _land(tmp_path, database_url, monkeypatch)


@pytest.fixture(scope="module")
def shared_url(postgres_server: EmbeddedServer) -> Iterator[str]:
    """A database for tests that must leave it as it is."""
    with fresh_database(postgres_server) as url:
        yield url


@pytest.fixture
def landing_after_yesterday(
    shared_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fraud_assets: Command
) -> Path:
    """A landing folder, and a database in which yesterday has been run."""
    folder = _land(tmp_path, shared_url, monkeypatch)
    if not _stored(shared_url):
        assert fraud_assets("run", "--date", str(YESTERDAY)).code == 0
    return folder


def _stored(url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        if connection.execute("SELECT to_regclass('dagster_io.versions')").fetchone() == (None,):
            return []
        return connection.execute(
            "SELECT asset_key, partition_key, version, content_hash FROM dagster_io.versions"
            " WHERE status = 'current' ORDER BY 1, 2"
        ).fetchall()


def _csv(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        change(batch_of(DAY)).to_csv(folder / f"{DAY}.csv", index=False)

    return write


def _text(edit: Callable[[str], str], encoding: str = "utf-8") -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / f"{DAY}.csv").write_bytes(edit(batch_of(DAY).to_csv(index=False)).encode(encoding))

    return write


def _truncated_parquet(folder: Path) -> None:
    whole = folder / "whole"
    batch_of(DAY).to_parquet(whole)
    (folder / f"{DAY}.parquet").write_bytes(whole.read_bytes()[:-200])
    whole.unlink()


def _truncated_gzip(folder: Path) -> None:
    packed = gzip.compress(batch_of(DAY).to_csv(index=False).encode())
    (folder / f"{DAY}.csv.gz").write_bytes(packed[: len(packed) // 2])


def _same_file_again(folder: Path) -> None:
    shutil.copy(folder / f"{YESTERDAY}.csv", folder / f"{DAY}.csv")


BAD_FILES: dict[str, tuple[Callable[[Path], None], list[str]]] = {
    "no file": (lambda folder: None, [f"{DAY}", "landing", "2024-05-09"]),
    "empty file": (lambda folder: (folder / f"{DAY}.csv").touch(), [f"{DAY}.csv", "empty"]),
    "header only": (_csv(lambda frame: frame.iloc[:0]), [f"{DAY}.csv", "no rows"]),
    "truncated Parquet": (_truncated_parquet, [f"{DAY}.parquet", "Parquet"]),
    "truncated gzip": (_truncated_gzip, [f"{DAY}.csv.gz"]),
    "missing column": (_csv(lambda frame: frame.drop(columns="eur")), [f"{DAY}.csv", "'eur'", "'id', 'time', 'fraud'"]),
    "repeated column": (_text(lambda text: text.replace("fraud", "eur", 1)), [f"{DAY}.csv", "'eur'"]),
    "wrong delimiter": (_text(lambda text: text.replace(",", ";")), [f"{DAY}.csv", "separator"]),
    "wrong encoding": (
        _text(lambda text: text.replace("0510-0003", "ä"), encoding="latin-1"),
        [f"{DAY}.csv", "utf-8", "byte"],
    ),
    "text in every amount": (_csv(lambda frame: frame.assign(eur="a lot")), [f"{DAY}.csv", "eur", "number"]),
    "all of another day": (
        _csv(lambda frame: frame.assign(time=frame["time"] + pd.Timedelta(days=3))),
        [f"{DAY}.csv", "2024-05-10"],
    ),
    "yesterday's file again": (_same_file_again, [f"{DAY}.csv", f"{YESTERDAY}", "same content"]),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_refused_in_one_sentence(
    name: str, landing_after_yesterday: Path, shared_url: str, fraud_assets: Command
) -> None:
    before = _stored(shared_url)
    assert len(before) == len(ALL_ASSETS)
    write, expected = BAD_FILES[name]
    write(landing_after_yesterday)
    said = fraud_assets("run", "--date", str(DAY))
    assert said.code == 1
    _is_one_sentence(said, expected)
    assert _stored(shared_url) == before


def _is_one_sentence(said: Said, expected: list[str]) -> None:
    lines = said.err.splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("Error: "))
    line = lines[place]
    assert lines[place + 1 :] == [], "one sentence, and nothing after it"
    assert "Traceback" not in said.err
    assert "not an error that was foreseen" not in said.err
    for part in expected:
        assert part in line, (part, line)


def test_bad_rows_are_diverted_with_their_reason(
    landing: Path, database_url: str, fraud_assets: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("REJECTED", "DUPLICATE"):
        monkeypatch.setenv(f"FRAUD_WATCHING__MAX_{limit}_SHARE", "0.5")
    rows = batch_of(DAY).to_dict("records")
    rows[1]["eur"] = "a lot"
    rows[2]["time"] = f"{YESTERDAY} 12:00"
    rows[4]["id"] = rows[3]["id"]
    rows[5]["eur"] = -12.5
    pd.DataFrame(rows).to_csv(landing / f"{DAY}.csv", index=False)
    said = fraud_assets("run", "--date", str(DAY))
    assert said.code == 0, said.err
    with psycopg.connect(database_url) as connection:
        rejected = connection.execute(
            "SELECT source_row, reason FROM fraud.rejected_rows WHERE partition_key = %s ORDER BY 1", [str(DAY)]
        ).fetchall()
        facts = connection.execute(
            "SELECT facts FROM dagster_io.versions WHERE asset_key = 'raw_batch' AND partition_key = %s", [str(DAY)]
        ).fetchone()
        scored = connection.execute("SELECT is_alert FROM fraud.scored_batch WHERE amount < 0").fetchall()
    assert [row for row, _ in rejected] == [2, 3, 5]
    assert facts is not None
    counts = {name: facts[0][name] for name in ("rows_in", "accepted", "rejected", "duplicates", "refunds")}
    assert counts == {"rows_in": 40, "accepted": 37, "rejected": 3, "duplicates": 1, "refunds": 1}
    assert scored == [(False,)]


def test_a_naive_timestamp_needs_a_time_zone(landing: Path, database_url: str, fraud_assets: Command) -> None:
    settings = landing.parent / "fraud.toml"
    settings.write_text(settings.read_text().replace('timestamp_timezone = "UTC"', ""))
    said = fraud_assets("run", "--date", str(YESTERDAY))
    assert said.code == 1
    _is_one_sentence(said, [f"{YESTERDAY}.csv", "timestamp_timezone"])
    assert _stored(database_url) == []


def test_no_fraud_in_the_window_leaves_raw_and_features_and_no_model(
    landing: Path, database_url: str, fraud_assets: Command
) -> None:
    batch_of(DAY).assign(fraud=0).to_csv(landing / f"{DAY}.csv", index=False)
    said = fraud_assets("run", "--date", str(DAY))
    assert said.code == 1
    _is_one_sentence(said, [str(DAY), "fraud"])
    stored = {str(row[0]) for row in _stored(database_url) if row[1] == str(DAY)}
    assert stored == {*FILES, "labels", "cleaned_features", "label_maturity"}


@pytest.mark.parametrize(
    ("argument", "code", "expected"),
    [
        ("2018-13-45", 2, "is no date"),
        ("tomorrow", 2, "is no date"),
        ("2999-01-01", 1, "has not ended yet"),
        ("1999-01-01", 1, "before the first day"),
    ],
)
def test_a_date_that_cannot_be_run(
    argument: str, code: int, expected: str, landing: Path, fraud_assets: Command
) -> None:
    said = fraud_assets("run", "--date", argument)
    assert said.code == code
    assert expected in said.err


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("trainning_days = 3", ["trainning_days", "not a setting"]),
        ("training_days = 0", ["training_days", "0", "greater than or equal to 1"]),
        ('timezone = "Mars/Olympus"', ["timezone", "Mars/Olympus"]),
        ("[learning\n", ["fraud.toml", "TOML"]),
    ],
)
def test_a_wrong_setting_is_named(line: str, expected: list[str], tmp_path: Path, fraud_assets: Command) -> None:
    (tmp_path / "fraud.toml").write_text(line)
    said = fraud_assets("run", "--date", str(DAY))
    assert said.code == 1
    _is_one_sentence(said, expected)


def test_an_unknown_variable_is_named(fraud_assets: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAUD_TRAINING_DAY", "3")
    said = fraud_assets("run", "--date", str(DAY))
    assert said.code == 1
    _is_one_sentence(said, ["FRAUD_TRAINING_DAY", "FRAUD_TRAINING_DAYS"])


def test_an_unreachable_database_is_named_without_its_password(
    fraud_assets: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setenv("FRAUD_DATABASE_URL", f"postgresql://me:hush-hush@127.0.0.1:{port}/fraud")
    said = fraud_assets("run", "--date", str(DAY))
    assert said.code == 1
    _is_one_sentence(said, [f"127.0.0.1:{port}/fraud", "cannot be reached"])
    assert "hush-hush" not in said.out + said.err


def test_a_wrong_password_is_said_and_not_shown(
    postgres_server: EmbeddedServer, fraud_assets: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fresh_database(postgres_server) as url:
        monkeypatch.setenv("FRAUD_DATABASE_URL", url.replace(postgres_server.password, "hush-hush"))
        said = fraud_assets("run", "--date", str(DAY))
    assert said.code == 1
    _is_one_sentence(said, ["password authentication failed"])
    assert "hush-hush" not in said.out + said.err


def test_a_home_that_cannot_be_made(fraud_assets: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FRAUD_HOME", str(tmp_path / "file" / "home"))
    said = fraud_assets("run", "--date", str(DAY))
    assert said.code == 1
    _is_one_sentence(said, [str(tmp_path / "file" / "home"), "FRAUD_HOME"])


def test_a_taken_port_is_named(landing: Path, fraud_assets: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = fraud_assets("up", "--port", str(port))
    assert said.code == 1
    _is_one_sentence(said, [str(port), "--port"])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["export", "raw_batch", "--date", str(DAY), "--output", "rows.csv"], ["no partition", "raw_batch"]),
        (["export", "raw_batch", "--date", str(DAY), "--output", "rows.xls"], ["rows.xls", ".csv or .parquet"]),
        (["models", "show", "--date", str(DAY)], ["best_model", str(DAY)]),
        (["models", "list"], ["No best model"]),
        (["score", "--input", "missing.csv", "--output", "scores.csv"], ["no file missing.csv"]),
        (["score", "--date", str(DAY), "--output", "scores.csv"], ["No best model"]),
        (["export", "raw_batchs", "--date", str(DAY), "--output", "rows.csv"], ["no asset 'raw_batchs'", "raw_batch,"]),
    ],
)
def test_what_is_not_there_is_said(
    arguments: list[str], expected: list[str], landing: Path, fraud_assets: Command
) -> None:
    said = fraud_assets(*arguments)
    assert said.code == 1
    _is_one_sentence(said, expected)


def test_score_needs_a_file_or_a_day(landing: Path, fraud_assets: Command) -> None:
    assert fraud_assets("score", "--output", "scores.csv").code == 2
    both = ("--input", "a.csv", "--date", str(DAY))
    assert fraud_assets("score", *both, "--output", "scores.csv").code == 2
