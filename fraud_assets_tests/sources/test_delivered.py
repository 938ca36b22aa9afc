"""Whether the file that a day was read from is still what it was, for each kind of source."""

import gzip
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from fraud_assets.settings import Settings
from fraud_assets.sources import Delivered, open_source
from fraud_assets_tests.sources.material import DAY, GOOD, HEADER, landing

CSV = f"{HEADER}\n{GOOD}\n".encode()
OTHER = CSV.replace(b"12.50", b"12.51")


def _parquet(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(csv.read_csv(pa.py_buffer(content)), sink)
    return bytes(sink.getvalue())


def _compressed_parquet(content: bytes) -> bytes:
    return gzip.compress(_parquet(content))


@pytest.mark.parametrize(
    ("name", "write"),
    [(".csv", bytes), (".csv.gz", gzip.compress), (".parquet", _parquet), (".parquet.gz", _compressed_parquet)],
)
def test_a_file_is_known_by_its_content(tmp_path: Path, name: str, write: Callable[[bytes], bytes]) -> None:
    source = open_source(landing(tmp_path, "{date}" + name))
    path = tmp_path / f"{DAY}{name}"
    path.write_bytes(write(CSV))
    with source.read_day(DAY) as batch:
        fingerprint = batch.fingerprint
    assert source.delivered(DAY, fingerprint) is Delivered.SAME
    path.write_bytes(write(OTHER))
    assert source.delivered(DAY, fingerprint) is Delivered.CHANGED
    path.write_bytes(b"")
    assert source.delivered(DAY, fingerprint) is Delivered.CHANGED
    path.unlink()
    assert source.delivered(DAY, fingerprint) is Delivered.GONE
    assert source.delivered(DAY + timedelta(days=1), fingerprint) is Delivered.GONE


def test_a_file_of_several_days_is_one_file(tmp_path: Path) -> None:
    path, first = tmp_path / "creditcard.csv", date(2013, 9, 1)
    header = ",".join(["Time", *(f"V{n}" for n in range(1, 29)), "Amount", "Class"])
    rows = [",".join([second, *["0"] * 28, "5", "0"]) for second in ("0", "90000")]
    path.write_text("\n".join([header, *rows, ""]))
    source = open_source(Settings.model_validate({"source": {"kind": "creditcard", "path": path, "first_day": first}}))
    for day in (first, first + timedelta(days=1)):
        with source.read_day(day) as batch:
            assert source.delivered(day, batch.fingerprint) is Delivered.SAME
            assert source.delivered(day, "0" * 64 + "-0") is Delivered.CHANGED
    path.unlink()
    assert source.delivered(first, "") is Delivered.GONE


def test_a_simulation_has_no_file() -> None:
    assert open_source(Settings()).delivered(DAY, "") is Delivered.NO_FILE
