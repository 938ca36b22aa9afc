"""Whole-file errors: one sentence that names the file, what was found and what was expected; nothing is accepted."""

import gzip
import io
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fraud_assets.sources import EveryRowRejected, SourceError, SourceNotReady, check_not_repeated, open_source
from fraud_assets_tests.sources.material import DAY, GOOD, HEADER, ROLES, landing, read_files, write_csv


def _error(folder: Path, day: date = DAY, **more: Any) -> SourceError:
    with pytest.raises(SourceError) as caught:
        open_source(landing(folder, **more)).read_day(day)
    assert "\n" not in str(caught.value)
    return caught.value


def _parquet(**columns: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def _good_parquet(rows: int = 500) -> bytes:
    at = pa.array([1522663200_000_000] * rows, pa.timestamp("us", tz="UTC"))
    return _parquet(
        id=list(range(rows)), at=at, paid=[1.0] * rows, fraud=[0] * rows, card=[1] * rows, score=[1.0] * rows,
        country=["DE"] * rows,
    )  # fmt: skip


def test_a_missing_file_names_pattern_folder_and_nearest_days(tmp_path: Path) -> None:
    (tmp_path / "2018-03-31.csv").write_text("x")
    (tmp_path / "2018-04-05.csv").write_text("x")
    error = _error(tmp_path)
    assert isinstance(error, SourceNotReady)
    assert all(part in str(error) for part in ("2018-04-02.csv", str(tmp_path), "2018-03-31, 2018-04-05"))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    error = _error(tmp_path / "nowhere")
    assert not isinstance(error, SourceNotReady)
    assert str(tmp_path / "nowhere") in str(error)


def test_a_day_that_has_not_begun(tmp_path: Path) -> None:
    assert "2999-01-01 has not begun" in str(_error(tmp_path, date(2999, 1, 1)))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty (0 bytes)"),
        (b"\n\n", "no header and no rows"),
        (HEADER.encode(), "header but no rows"),
        (HEADER.encode() + b"\r\n\r\n", "header but no rows"),
        (b"id,at,fraud,card,score,country\n", "has no column 'paid'; its columns are 'id', 'at', 'fraud'"),
        (b"id,at,paid,fraud,card,score,country,paid\n" + GOOD.encode() + b",1\n", "more than one column 'paid'"),
        (HEADER.replace(",", ";").encode() + b"\n", "The separator looks wrong"),
        (HEADER.encode() + b"\n" + GOOD.replace("DE", "M\xfcnchen").encode("latin-1") + b"\n", "byte 76, in line 2"),
        (HEADER.encode() + b"\n" + GOOD.replace("12.50", "x").encode(), "every one of its 1 rows is rejected"),
        (HEADER.encode() + b"\n" + GOOD.encode() + b'\na2,2018-04-02,1,0,7,1,"D', "never closed"),
        (HEADER.encode() + b"\n" + GOOD.encode() + b'\na2,"2018-04-02,1,0,7,1,D\n' + b"x\n" * 99, "never closed"),
    ],
)
def test_bad_csv(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / f"{DAY}.csv"
    path.write_bytes(content)
    error = str(_error(tmp_path))
    assert says in error
    assert str(path) in error


def test_the_most_frequent_reason_is_told(tmp_path: Path) -> None:
    write_csv(tmp_path, GOOD.replace("12.50", "x"), *[GOOD.replace("04-02", "04-01")] * 2)
    assert "3 rows is rejected for the day 2018-04-02, 2 of them because at is outside the day" in str(_error(tmp_path))


def test_naive_timestamps_need_a_zone(tmp_path: Path) -> None:
    write_csv(tmp_path, GOOD)
    assert "set source.columns.timestamp_timezone" in str(_error(tmp_path, roles=ROLES | {"timestamp_timezone": None}))


def test_an_unknown_encoding(tmp_path: Path) -> None:
    write_csv(tmp_path, GOOD)
    assert "no text encoding 'klingon'" in str(_error(tmp_path, encoding="klingon"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (_good_parquet()[:-40], "truncated or corrupt Parquet"),
        (b"PAR1garbage", "truncated or corrupt Parquet"),
        (b"not parquet at all", "truncated or corrupt Parquet"),
        (b"", "is empty (0 bytes)"),
        (_parquet(id=[1]), "has no column 'at'"),
        (_good_parquet(0), "no rows"),
        (
            _parquet(id=[1], at=["2018-04-02"], paid=["1"], fraud=[0], card=[1], score=[1.0], country=["D"]),
            "the column 'paid' holds string; expected a number",
        ),
        (
            _parquet(id=[1], at=[1522663200], paid=[1.0], fraud=[0], card=[1], score=[1.0], country=["D"]),
            "the column 'at' holds int64; expected a timestamp",
        ),
        (
            _parquet(id=[1], at=["2018-04-02"], paid=[1.0], fraud=[0], card=[[1]], score=[1.0], country=["D"]),
            "the column 'card' holds list",
        ),
    ],
)
def test_bad_parquet(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / f"{DAY}.parquet").write_bytes(content)
    assert says in str(_error(tmp_path, pattern="{date}.parquet"))


def test_parquet_whose_pages_are_corrupt(tmp_path: Path) -> None:
    content = bytearray(_good_parquet(50_000))
    content[200 : len(content) // 2] = bytes(len(content) // 2 - 200)
    (tmp_path / f"{DAY}.parquet").write_bytes(bytes(content))
    assert "truncated or corrupt Parquet" in str(_error(tmp_path, pattern="{date}.parquet"))


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@pytest.mark.parametrize("cut", [4, 30])
def test_truncated_compression(tmp_path: Path, suffix: str, cut: int) -> None:
    rows = "\n".join([HEADER, *(GOOD.replace("a1", f"a{n}") for n in range(500))]).encode()
    packed = gzip.compress(rows) if suffix == ".gz" else pa.compress(rows, "zstd", asbytes=True)
    (tmp_path / f"{DAY}.csv{suffix}").write_bytes(packed[:-cut])
    assert "truncated or corrupt" in str(_error(tmp_path, pattern="{date}.csv" + suffix))


def test_a_name_that_promises_compression(tmp_path: Path) -> None:
    (tmp_path / f"{DAY}.csv.gz").write_text(HEADER)
    assert "not gzip-compressed" in str(_error(tmp_path, pattern="{date}.csv.gz"))


def test_two_files_for_a_day(tmp_path: Path) -> None:
    write_csv(tmp_path, GOOD)
    (tmp_path / f"{DAY}.csv.gz").write_bytes(gzip.compress(b"x"))
    error = str(_error(tmp_path, pattern="{date}.csv*"))
    assert "2018-04-02.csv and 2018-04-02.csv.gz" in error


def test_yesterdays_file_again_under_todays_name(tmp_path: Path) -> None:
    yesterday = date(2018, 4, 1)
    path = write_csv(tmp_path, GOOD.replace("04-02", "04-01"))
    (tmp_path / f"{yesterday}.csv").write_bytes(path.read_bytes())
    source = open_source(landing(tmp_path))
    with source.read_day(yesterday) as batch:
        known = {batch.fingerprint: yesterday.isoformat()}
        check_not_repeated(batch, known)
    with pytest.raises(EveryRowRejected) as rejected:
        source.read_day(DAY)
    with pytest.raises(SourceError, match="same content as the batch of day 2018-04-01"):
        check_not_repeated(rejected.value, known)


def test_the_same_content_compressed_otherwise_has_the_same_fingerprint(tmp_path: Path) -> None:
    path = write_csv(tmp_path, GOOD)
    (tmp_path / f"{DAY}.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    prints = set()
    for pattern in ("{date}.csv", "{date}.csv.gz"):
        with open_source(landing(tmp_path, pattern)).read_day(DAY) as batch:
            prints.add(batch.fingerprint)
    assert len(prints) == 1


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    landing_folder, temporary = tmp_path / "in", tmp_path / "tmp"
    landing_folder.mkdir()
    temporary.mkdir()
    write_csv(landing_folder, GOOD)
    source = open_source(landing(landing_folder), temporary_folder=temporary)
    with source.read_day(DAY) as batch:
        assert list(temporary.iterdir())
        assert batch.accepted.read_all().equals(batch.accepted.read_all())
    write_csv(landing_folder, "broken")
    with pytest.raises(SourceError):
        source.read_day(DAY)
    assert not list(temporary.iterdir())
    assert [path.name for path in landing_folder.iterdir()] == [f"{DAY}.csv"]


def test_no_folder_for_temporary_files(tmp_path: Path) -> None:
    write_csv(tmp_path, GOOD)
    source = open_source(landing(tmp_path), temporary_folder=tmp_path / "gone")
    with pytest.raises(SourceNotReady, match="Cannot write temporary files"):
        source.read_day(DAY)


def test_row_numbers_and_order_survive_broken_rows(tmp_path: Path) -> None:
    write_csv(tmp_path, GOOD, "short", '"a,2"' + GOOD[2:], "", "too,short", GOOD.replace("a1", "a3"))
    accepted, rejected, _ = read_files(tmp_path, chunk_rows=1)
    assert accepted["transaction_id"].to_pylist() == ["a1", "a,2", "a3"]
    assert rejected["source_row"].to_pylist() == [2, 4]
