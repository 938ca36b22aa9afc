"""Labels by the day on which they became known."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fraud_assets.settings import LabelFiles
from fraud_assets.sources import LabelFeed, SourceError, SourceNotReady, labels_of_batches

_DAY = date(2018, 4, 9)
_UTC = ZoneInfo("UTC")


def _feed(folder: Path, text: str | None = None, *, feed: dict[str, Any] | None = None, **more: Any) -> LabelFeed:
    settings = {"kind": "files", "folder": folder, "pattern": "{date}.csv", **more}
    if text is not None:
        (folder / f"{_DAY}.csv").write_text(text)
    return LabelFeed(LabelFiles.model_validate(settings), _UTC, **(feed or {}))


def test_a_feed_of_text(tmp_path: Path) -> None:
    text = "transaction_id,label,known_at,why\n07,1,2018-04-09T10:00:00Z,\n8,false,2018-04-09T11:00:00Z,Investigation\n"
    labels = _feed(tmp_path, text, label_kind="why").read_day(_DAY)
    assert labels.to_pydict() == {
        "transaction_id": ["07", "8"],
        "label": [1, 0],
        "known_at": [datetime(2018, 4, 9, hour, tzinfo=UTC) for hour in (10, 11)],
        "kind": ["chargeback", "investigation"],
    }
    assert _feed(tmp_path, text).read_day(_DAY, pa.int64())["transaction_id"].to_pylist() == [7, 8]


def test_a_feed_of_parquet(tmp_path: Path) -> None:
    known = pa.array([datetime(2018, 4, 9, 1)], pa.timestamp("ns"))  # noqa: DTZ001 - naive on purpose
    pq.write_table(pa.table({"transaction_id": [7], "label": [True], "known_at": known}), tmp_path / f"{_DAY}.parquet")
    feed = _feed(tmp_path, pattern="{date}.parquet", known_at_timezone="UTC")
    labels = feed.read_day(_DAY)
    assert labels.schema == pa.schema(
        [
            ("transaction_id", pa.int64()),
            ("label", pa.int8()),
            ("known_at", pa.timestamp("us", tz="UTC")),
            ("kind", pa.string()),
        ]
    )
    assert feed.read_day(_DAY, pa.string())["transaction_id"].to_pylist() == ["7"]


def test_a_day_without_news(tmp_path: Path) -> None:
    labels = _feed(tmp_path, "transaction_id,label,known_at\n").read_day(_DAY)
    assert labels.num_rows == 0
    assert labels.column_names == ["transaction_id", "label", "known_at", "kind"]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("7,1,2018-04-10T00:00:00Z", "row 2: known_at is outside the day 2018-04-09"),
        ("7,1,soon", "row 2: known_at is missing or not an ISO 8601"),
        ("7,2,2018-04-09T00:00:00Z", "row 2: label is not 0 or 1"),
        ("7,,2018-04-09T00:00:00Z", "row 2: label is not 0 or 1"),
        (",1,2018-04-09T00:00:00Z", "row 2: transaction_id is missing"),
        ("7,1", "row 2: it has fewer fields"),
        ("7,1,2018-04-09", "set labels.known_at_timezone"),
    ],
)
def test_a_bad_row_fails_the_feed(tmp_path: Path, row: str, says: str) -> None:
    feed = _feed(tmp_path, f"transaction_id,label,known_at\n6,0,2018-04-09T00:00:00Z\n{row}\n")
    with pytest.raises(SourceError, match=says):
        feed.read_day(_DAY)


def test_a_kind_that_is_none(tmp_path: Path) -> None:
    text = "transaction_id,label,known_at,kind\n7,1,2018-04-09T10:00:00Z,rumour\n"
    with pytest.raises(SourceError, match="not chargeback or investigation"):
        _feed(tmp_path, text, label_kind="kind").read_day(_DAY)


def test_no_file_and_no_column(tmp_path: Path) -> None:
    with pytest.raises(SourceNotReady, match=r"2018-04-09\.csv"):
        _feed(tmp_path).read_day(_DAY)
    with pytest.raises(SourceError, match="no column 'known_at'"):
        _feed(tmp_path, "transaction_id,label\n").read_day(_DAY)


def test_sensitive_ids_are_the_pseudonyms_of_the_batches(tmp_path: Path) -> None:
    text = "transaction_id,label,known_at\nSECRET,1,2018-04-09T10:00:00Z\n"
    labels = _feed(tmp_path, text, feed={"pseudonym_key": b"key", "sensitive_ids": True}).read_day(_DAY)
    assert labels["transaction_id"].to_pylist() == ["a6f7e6adf49e17714cf5b5d6a98d92a1"]


def test_labels_of_batches_that_carry_them() -> None:
    times = [datetime(2018, 4, 1, hour, tzinfo=UTC) for hour in (0, 12, 23)] + [datetime(2018, 4, 2, tzinfo=UTC)]
    raw = pa.table(
        {
            "transaction_id": [1, 2, 3, 4],
            "transaction_time": pa.array(times, pa.timestamp("us", tz="UTC")),
            "label": pa.array([0, None, 1, 1], pa.int8()),
        }
    )
    start = datetime(2018, 4, 8, tzinfo=UTC)
    for given in (raw, raw.to_pandas()):
        labels = labels_of_batches(given, timedelta(days=7), start, start + timedelta(days=1))
        assert labels["transaction_id"].to_pylist() == [1, 3]
        assert labels["known_at"].to_pylist() == [time + timedelta(days=7) for time in (times[0], times[2])]
        assert labels.schema.field("label").type == pa.int8()
        assert set(labels["kind"].to_pylist()) == {"chargeback"}


def test_batches_without_labels() -> None:
    raw = pd.DataFrame({"transaction_id": ["a"], "transaction_time": [pd.Timestamp("2018-04-01", tz="UTC")]})
    start = datetime(2018, 4, 1, tzinfo=UTC)
    labels = labels_of_batches(raw, timedelta(0), start, start + timedelta(days=1))
    assert labels.num_rows == 0
    assert labels.schema.field("transaction_id").type == pa.string()
