"""Landing folders: which file is the day's, CSV and Parquet, compressed or not, all giving the same rows."""

import gzip
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from fraud_assets.sources import SourceError, open_source
from fraud_assets.sources.landing import Landing
from fraud_assets_tests.sources.material import (
    DAY,
    GOOD,
    HEADER,
    ROLES,
    SHARED_DATA,
    landing,
    read,
    read_files,
    write_csv,
)

_CONVERT = pacsv.ConvertOptions(column_types={"card": pa.int64(), "at": pa.timestamp("us"), "paid": pa.float64()})


def _zstd(content: bytes) -> bytes:
    packed: bytes = pa.compress(content, "zstd", asbytes=True)
    return packed


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_every_format_and_compression_gives_the_same_rows(tmp_path: Path, kind: str, suffix: str) -> None:
    path = write_csv(tmp_path, *(GOOD.replace("a1", f"a{n}") for n in range(1_000)))
    if kind == "parquet":
        table = pacsv.read_csv(path, convert_options=_CONVERT)
        path.unlink()
        path = tmp_path / f"{DAY}.parquet"
        pq.write_table(table, path, row_group_size=300)
    content = path.read_bytes()
    path.unlink()
    packed = {"": content, ".gz": gzip.compress(content), ".zst": _zstd(content)}[suffix]
    (tmp_path / (path.name + suffix)).write_bytes(packed)
    accepted, _, counts = read_files(tmp_path, pattern="{date}.*", chunk_rows=128)
    assert counts.accepted == 1_000
    assert accepted["transaction_id"].to_pylist() == [f"a{n}" for n in range(1_000)]
    assert set(accepted["amount"].to_pylist()) == {12.5}
    # Text keeps its leading zeros, Parquet's integers stay integers.
    assert accepted["customer_id"][0].as_py() == ("007" if kind == "csv" else 7)


def test_separator_encoding_line_ends_and_byte_order_mark(tmp_path: Path) -> None:
    text = "\r\n".join([HEADER, GOOD.replace("DE", '"Zü;rich"')]).replace(",", ";").encode("utf-16")
    (tmp_path / f"{DAY}.csv").write_bytes(text)
    accepted, _, _ = read_files(tmp_path, separator=";", encoding="utf-16")
    assert accepted["country"].to_pylist() == ["Zü;rich"]
    (tmp_path / f"{DAY}.csv").write_bytes(f"{HEADER}\n{GOOD}\n".encode("utf-8-sig"))
    assert read_files(tmp_path)[2].accepted == 1


def test_a_character_may_lie_across_two_reads(tmp_path: Path) -> None:
    rows = [GOOD.replace("a1", f"a{n}").replace("DE", "ü" * (n % 7 + 1)) for n in range(60_000)]
    write_csv(tmp_path, *rows)
    accepted, _, _ = read_files(tmp_path)
    assert accepted["country"].to_pylist() == ["ü" * (n % 7 + 1) for n in range(60_000)]


def test_a_day_in_another_zone_and_a_source_without_ids(tmp_path: Path) -> None:
    roles = {"timestamp": "at", "timestamp_timezone": "UTC", "amount": "paid"}
    write_csv(tmp_path, "2018-04-01 21:59:59,1", "2018-04-01 22:00:00,2", "2018-04-02 22:00:00,3", header="at,paid")
    accepted, rejected, _ = read_files(tmp_path, roles=roles, timezone="Europe/Berlin")
    assert accepted["amount"].to_pylist() == [2.0]
    assert accepted["transaction_id"].to_pylist() == [DAY.toordinal() * 10_000_000_000 + 2]
    assert rejected["reason"].to_pylist() == ["at is outside the day"] * 2


def test_sensitive_columns_are_pseudonyms_and_nowhere_else(tmp_path: Path) -> None:
    roles = ROLES | {"sensitive": ("card", "id", "note"), "segments": ("country",)}
    rows = ["4111,2018-04-02,1,0,SECRET,1,DE,SECRET", "4111,2018-04-02,1,0,SECRET,1,DE,x", "SECRET,2018-04-02,x"]
    rows += ["4112,2018-04-02,1,0,SECRET,text,DE,x"]
    write_csv(tmp_path, *rows, header=HEADER + ",note")
    accepted, rejected, counts = read_files(tmp_path, roles=roles, key=b"key")
    assert (counts.accepted, counts.duplicates, counts.rejected) == (1, 1, 3)
    # The first 32 digits of `printf SECRET | openssl dgst -sha256 -hmac key`.
    assert accepted["customer_id"].to_pylist() == ["a6f7e6adf49e17714cf5b5d6a98d92a1"]
    assert "note" not in accepted.column_names
    everything = str(accepted.to_pylist()) + str(rejected.to_pylist())
    assert "SECRET" not in everything
    assert "4111" not in everything


def test_sensitive_columns_need_a_key_and_must_exist(tmp_path: Path) -> None:
    write_csv(tmp_path, GOOD)
    with pytest.raises(SourceError, match="set pseudonym_key"):
        open_source(landing(tmp_path, roles=ROLES | {"sensitive": ("card",)}))
    with pytest.raises(SourceError, match="no column 'crad'"):
        read_files(tmp_path, roles=ROLES | {"sensitive": ("crad",)}, key=b"k")
    with pytest.raises(SourceError, match="cannot be pseudonymised"):
        open_source(landing(tmp_path, roles=ROLES | {"sensitive": ("paid",)}), pseudonym_key=b"k")


def test_two_columns_of_one_name_in_the_batch(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="would be called 'amount'"):
        open_source(landing(tmp_path, roles=ROLES | {"numeric": ("amount",)}))


@pytest.mark.parametrize(
    ("pattern", "date_format", "names", "first"),
    [
        ("{date}.csv", "%Y-%m-%d", ["2018-04-03.csv", "2018-04-02.csv", "x.csv", "2018-04-01.txt"], date(2018, 4, 2)),
        ("tx_{date}*.csv", "%d.%m.%Y", ["tx_02.04.2018_v2.csv", "tx_03.04.2018.csv"], date(2018, 4, 2)),
        ("{date}/*-{date}.csv", "%Y%m%d", ["20180402/a-20180402.csv", "20180401/a-20180402.csv"], date(2018, 4, 2)),
        ("{date}[ab]?.csv", "%Y/%m/%d", ["2018/04/02a1.csv", "2018/04/01c1.csv"], date(2018, 4, 2)),
        ("{date}.csv", "%Y-%m-%d", [], None),
    ],
)
def test_names_of_files(tmp_path: Path, pattern: str, date_format: str, names: list[str], first: date | None) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    folder = Landing(tmp_path, pattern, date_format)
    assert folder.first_day() == first
    if first is not None:
        assert folder.file_of(first).is_file()


def test_the_handbook(tmp_path: Path) -> None:
    folder = SHARED_DATA / "handbook"
    if not folder.is_dir():
        pytest.skip(f"needs shared/data: {folder}")
    roles = {
        "transaction_id": "TRANSACTION_ID", "timestamp": "TX_DATETIME", "timestamp_timezone": "UTC",
        "amount": "TX_AMOUNT", "label": "TX_FRAUD", "customer": "CUSTOMER_ID", "terminal": "TERMINAL_ID",
    }  # fmt: skip
    source = open_source(landing(folder, "{date}.parquet", roles))
    first = source.first_day()
    assert first == date(2018, 4, 1)
    for day in (first, first + timedelta(days=60)):
        accepted, _, counts = read(source, day)
        assert counts.rejected == 0
        assert accepted.num_rows > 9_000
        assert accepted.schema.field("customer_id").type == pa.int64()
