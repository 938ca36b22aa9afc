"""What is taken away opens safely where it is taken to."""

import csv
import io
import zipfile

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud_assets.reporting.server.downloads import ModelFile, alerts_csv, model_archive


def read(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_no_text_is_a_formula_and_none_is_lost(text: str) -> None:
    frame = pd.DataFrame({"transaction_id": [1], "reason_1": pd.Series([text], dtype="str")})
    cell = read(alerts_csv(frame))[1][1]
    assert not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert cell.removeprefix("'") == text.removeprefix("'")


@pytest.mark.parametrize("text", ["\u00a0=1", "\x0b=1", "\ufeff=1", "\u200b@x", "\uff1dcmd()", " \uff0b1", "\x01-1"])
def test_what_hides_a_formula_is_seen_through(text: str) -> None:
    frame = pd.DataFrame({"reason_1": pd.Series([text], dtype="str")})
    assert read(alerts_csv(frame))[1] == [f"'{text}"]


def test_numbers_times_and_what_is_missing() -> None:
    frame = pd.DataFrame(
        {
            "transaction_time": [pd.Timestamp("2024-02-09T03:04:05", tz="UTC")],
            "amount": [-12.5],
            "rank": pd.array([None], dtype="Int64"),
            "reason_1": pd.Series([None], dtype="str"),
        }
    )
    header, row = read(alerts_csv(frame))
    assert header == ["transaction_time", "amount", "rank", "reason_1"]
    assert row == ["2024-02-09T03:04:05Z", "-12.5", "", ""]


def test_an_archive_has_the_model_and_its_signature_and_is_always_the_same() -> None:
    model = ModelFile("best_model of a day", b"\x80bytes", '{"sha256": "0"}')
    content = model_archive("2024-02-09", model)
    assert content == model_archive("2024-02-09", model)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == ["model.joblib", "signature.json", "README.txt"]
        assert archive.read("model.joblib") == model.content
        assert archive.read("signature.json").decode() == model.signature
        assert "best_model of a day" in archive.read("README.txt").decode()
