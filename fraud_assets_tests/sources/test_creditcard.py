"""The ULB/Kaggle file: two days in one file."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from fraud_assets.settings import Settings
from fraud_assets.sources import SourceError, SourceNotReady, open_source
from fraud_assets.sources.base import Source
from fraud_assets_tests.sources.material import SHARED_DATA, read

_FIRST = date(2013, 9, 1)
_HEADER = ",".join(f'"{name}"' for name in ["Time", *(f"V{n}" for n in range(1, 29)), "Amount", "Class"])


def _row(time: str, amount: str = "1.5", label: str = "0", v: str = "0.25") -> str:
    return ",".join([time, *[v] * 28, amount, f'"{label}"'])


def _source(path: Path, timezone: str = "UTC", chunk_rows: int = 100_000) -> Source:
    source = {"kind": "creditcard", "path": path}
    return open_source(Settings.model_validate({"timezone": timezone, "source": source}), chunk_rows=chunk_rows)


def _file(folder: Path, *rows: str) -> Path:
    path = folder / "creditcard.csv"
    path.write_text("\n".join([_HEADER, *rows, ""]))
    return path


def test_days_ids_and_times(tmp_path: Path) -> None:
    source = _source(_file(tmp_path, _row("0"), _row("86399.5"), _row("86400", label="1"), _row("90000", amount="-1")))
    first, _, _ = read(source, _FIRST)
    second, _, counts = read(source, _FIRST + timedelta(days=1))
    assert first["transaction_id"].to_pylist() == [0, 1]
    assert second["transaction_id"].to_pylist() == [2, 3]
    assert first["transaction_time"][1].as_py() == datetime(2013, 9, 1, 23, 59, 59, 500_000, UTC)
    assert second["label"].to_pylist() == [1, 0]
    assert counts.refunds == 1
    assert second["source_row"].to_pylist() == [3, 4], "rows of the file, not of its day"
    assert first.column_names == [
        "transaction_id", "transaction_time", "amount", "label", *(f"V{n}" for n in range(1, 29)), "source_row"
    ]  # fmt: skip


@pytest.mark.parametrize("chunk_rows", [1, 2, 100])
def test_bad_rows_belong_to_the_day_of_the_row_before(tmp_path: Path, chunk_rows: int) -> None:
    rows = [_row("5"), _row("?"), "short", _row("90000"), _row("-4"), "1,2", _row("90001", v="x"), _row("90002")]
    source = _source(_file(tmp_path, *rows), chunk_rows=chunk_rows)
    first, first_bad, _ = read(source, _FIRST)
    second, second_bad, _ = read(source, _FIRST + timedelta(days=1))
    assert first["transaction_id"].to_pylist() == [0]
    assert second["transaction_id"].to_pylist() == [3, 7]
    assert sorted(first_bad["source_row"].to_pylist()) == [2, 3]
    assert sorted(second_bad["source_row"].to_pylist()) == [5, 6, 7]


def test_a_day_of_the_file_is_a_day_of_the_calendar_at_a_clock_change(tmp_path: Path) -> None:
    settings = {"kind": "creditcard", "path": _file(tmp_path, _row("0"), _row("86399")), "first_day": "2018-03-25"}
    source = open_source(Settings.model_validate({"timezone": "Europe/Berlin", "source": settings}))
    _, _, counts = read(source, date(2018, 3, 25))
    assert counts.accepted == 2


def test_days_have_different_fingerprints(tmp_path: Path) -> None:
    source = _source(_file(tmp_path, _row("0"), _row("86400")))
    with source.read_day(_FIRST) as one, source.read_day(_FIRST + timedelta(days=1)) as other:
        assert one.fingerprint != other.fingerprint


def test_other_days_and_files(tmp_path: Path) -> None:
    path = _file(tmp_path, _row("0"), _row("86400"))
    for day in (_FIRST - timedelta(days=1), _FIRST + timedelta(days=2)):
        with pytest.raises(SourceError, match="its days are 2013-09-01 to 2013-09-02"):
            _source(path).read_day(day)
    with pytest.raises(SourceNotReady, match="does not exist"):
        _source(tmp_path / "none.csv").read_day(_FIRST)
    path.write_text("Time,Amount,Class\n")
    with pytest.raises(SourceError, match="no column 'V1'"):
        _source(path).read_day(_FIRST)


def test_the_sample() -> None:
    path = SHARED_DATA / "creditcard_sample.csv"
    if not path.is_file():
        pytest.skip(f"needs shared/data: {path}")
    days = [read(_source(path), _FIRST + timedelta(days=n)) for n in (0, 1)]
    assert [counts.accepted for _, _, counts in days] == [9_650, 6_228]
    assert sum(sum(accepted["label"].to_pylist()) for accepted, _, _ in days) == 473
    assert days[0][0].schema.field("V28").type == pa.float64()
