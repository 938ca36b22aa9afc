"""The rules of a row, through CSV files: what is accepted, what is diverted and why."""

import json
import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraud_assets.sources import open_source
from fraud_assets_tests.sources.material import GOOD, HEADER, landing, read, read_files, write_csv


def _with(**cells: str) -> str:
    """The good row with some cells replaced, and an id of its own."""
    values = dict(zip(HEADER.split(","), GOOD.split(","), strict=True)) | {"id": "b2"} | cells
    return ",".join(values.values())


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (_with(paid="twelve"), "paid is not a number"),
        (_with(paid="1_000"), "paid is not a number"),
        (_with(paid=""), "paid is missing"),
        (_with(paid="NaN"), "paid is missing"),
        (_with(paid="-inf"), "paid is infinite"),
        (_with(paid="1e999"), None),
        (_with(at=""), "at is missing"),
        (_with(at="yesterday"), "at is not an ISO 8601 timestamp"),
        (_with(at="now"), "at is not an ISO 8601 timestamp"),
        (_with(at="2018-04-31 10:00"), "at is not an ISO 8601 timestamp"),
        (_with(at="2018-04-03 00:00:00"), "at is outside the day"),
        (_with(at="2018-04-01 23:59:59.999999"), "at is outside the day"),
        (_with(at="2018-04-02T00:30:00+02:00"), "at is outside the day"),
        (_with(id=""), "id is missing"),
        (_with(id="a1"), "repeats the transaction id of an earlier row"),
        (_with(fraud="2"), "fraud is not 0 or 1"),
        (_with(fraud="maybe"), "fraud is not 0 or 1"),
        (_with(score="high"), "score is not a number"),
        (_with(score="inf"), "score is infinite"),
        (_with(country="D\x00E"), "country contains a NUL character"),
        (_with() + ",extra", "has more fields than the header"),
        ("b2,2018-04-02 10:00:00", "has fewer fields than the header"),
    ],
)
def test_a_bad_row_is_diverted_and_the_good_one_kept(tmp_path: Path, row: str, reason: str | None) -> None:
    write_csv(tmp_path, GOOD, row)
    accepted, rejected, counts = read_files(tmp_path)
    assert accepted["transaction_id"].to_pylist() == ["a1"]
    assert counts.rejected == 1
    assert rejected["source_row"].to_pylist() == [2]
    if reason is not None:
        assert rejected["reason"].to_pylist() == [reason]
    assert isinstance(json.loads(rejected["original"][0].as_py()), dict)


@pytest.mark.parametrize(
    ("cells", "column", "value"),
    [
        ({"paid": "-3.20"}, "amount", -3.2),
        ({"paid": " +3.20 "}, "amount", 3.2),
        ({"paid": "1."}, "amount", 1.0),
        ({"paid": ".5e1"}, "amount", 5.0),
        ({"fraud": "True"}, "label", 1),
        ({"fraud": "false"}, "label", 0),
        ({"fraud": "1.0"}, "label", 1),
        ({"fraud": ""}, "label", None),
        ({"fraud": "NA"}, "label", None),
        ({"score": ""}, "score", None),
        ({"score": "nan"}, "score", None),
        ({"card": "000012"}, "customer_id", "000012"),
        ({"card": ""}, "customer_id", None),
        ({"country": "NA"}, "country", "NA"),
        ({"country": '"a,""b""\nc"'}, "country", 'a,"b"\nc'),
    ],
)
def test_a_usable_row_is_accepted(tmp_path: Path, cells: dict[str, str], column: str, value: object) -> None:
    write_csv(tmp_path, _with(**cells))
    accepted, _, counts = read_files(tmp_path)
    assert counts.rejected == 0
    assert accepted[column].to_pylist() == [value]


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2018-04-02", "2018-04-02T00:00:00"),
        ("2018-04-02 10:11", "2018-04-02T10:11:00"),
        ("2018-04-02T10:11:12.345678901", "2018-04-02T10:11:12.345678"),
        ("2018-04-02T10:11:12Z", "2018-04-02T10:11:12"),
        ("2018-04-02T10:11:12+02:00", "2018-04-02T08:11:12"),
        ("2018-04-02 10:11:12-0500", "2018-04-02T15:11:12"),
        ("2018-04-02 10:11:12+02", "2018-04-02T08:11:12"),
    ],
)
def test_timestamps_of_iso_8601(tmp_path: Path, text: str, utc: str) -> None:
    write_csv(tmp_path, GOOD, _with(at=text))
    accepted, _, _ = read_files(tmp_path)
    assert accepted.schema.field("transaction_time").type == pa.timestamp("us", tz="UTC")
    assert accepted["transaction_time"][1].as_py().replace(tzinfo=None).isoformat() in {utc, utc + ".000000"}


def test_canonical_columns_types_and_order(tmp_path: Path) -> None:
    write_csv(tmp_path, GOOD)
    accepted, rejected, counts = read_files(tmp_path)
    assert accepted.schema == pa.schema(
        [
            ("transaction_id", pa.string()),
            ("transaction_time", pa.timestamp("us", tz="UTC")),
            ("amount", pa.float64()),
            ("label", pa.int8()),
            ("customer_id", pa.string()),
            ("score", pa.float64()),
            ("country", pa.string()),
            ("source_row", pa.int64()),
        ]
    )
    assert rejected.num_rows == 0
    assert counts.refunds == 0


def test_refunds_and_duplicates_are_counted(tmp_path: Path) -> None:
    write_csv(tmp_path, GOOD, _with(paid="-5"), _with(id="a1", paid="1"), _with(id="c3", paid="x"), _with(id="c3"))
    accepted, rejected, counts = read_files(tmp_path)
    assert accepted["transaction_id"].to_pylist() == ["a1", "b2", "c3"]
    assert accepted["source_row"].to_pylist() == [1, 2, 5], "rejected rows are counted too"
    assert rejected["source_row"].to_pylist() == [3, 4]
    assert (counts.duplicates, counts.refunds, counts.rows_in) == (1, 1, 5)


def test_the_original_values_are_kept_as_json(tmp_path: Path) -> None:
    write_csv(tmp_path, GOOD, _with(paid="zwölf"))
    _, rejected, _ = read_files(tmp_path)
    assert json.loads(rejected["original"][0].as_py()) == {
        "id": "b2", "at": "2018-04-02 10:00:00", "paid": "zwölf", "fraud": "0", "card": "007", "score": "1.5",
        "country": "DE",
    }  # fmt: skip


def _mostly(good: str, *others: str) -> st.SearchStrategy[str]:
    return st.one_of(st.just(good), st.just(good), st.sampled_from(others))


_CELLS = {
    "id": st.sampled_from(["1", "2", "3", "4", "5", "6", "", "007"]),
    "at": _mostly("2018-04-02 10:00", "2018-04-02T01:00:00Z", "2018-04-03", "", "nonsense"),
    "paid": _mostly("1", "-2.5", "", "x", "nan", "inf", "1e3", " 7 ", "+4", "nan(1)", "0x10", "1e999"),
    "fraud": _mostly("0", "1", "", "true", "2", "1.0"),
    "card": _mostly("007", "8", ""),
    "score": _mostly("", "1.5", "text", "NA", "Infinity"),
    "country": _mostly("DE", "", '"a,b"', '"two\nlines"'),
}
_ROW = st.one_of(
    st.fixed_dictionaries(_CELLS).map(lambda row: ",".join(row.values())), st.sampled_from(["1,2", "," * 9])
)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(_ROW, max_size=25), chunk_rows=st.integers(1, 7))
def test_rows_in_are_accepted_plus_rejected_whatever_the_size_of_a_chunk(rows: list[str], chunk_rows: int) -> None:
    # One row that is always good, so that there is something to accept.
    rows = ["first,2018-04-02 10:00,1,0,7,1,DE", *rows]
    with tempfile.TemporaryDirectory() as folder:
        write_csv(Path(folder), *rows)
        whole = read(open_source(landing(Path(folder))))
        parts = read(open_source(landing(Path(folder)), chunk_rows=chunk_rows))
    accepted, rejected, counts = whole
    assert counts.rows_in == len(rows)
    assert len(set(accepted["transaction_id"].to_pylist())) == accepted.num_rows
    assert parts[0].equals(accepted)
    assert parts[1].sort_by("source_row").equals(rejected.sort_by("source_row"))
    assert parts[2] == counts
