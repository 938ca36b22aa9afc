"""A customer in a text: found where it is an id, left alone where it is any other number or word."""

import html
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud_assets.local.forgetting.identifiers import FORGOTTEN, Identifiers

WORDS = Identifiers(frozenset({"C-77"}), frozenset({"T-1", "T-12"}))
NUMBERS = Identifiers(frozenset({"596"}), frozenset({"1169723", "7396890000123"}), frozenset({"CARD"}))


@pytest.mark.parametrize(
    ("known", "text", "becomes"),
    [
        (WORDS, "C-77 paid, T-1 and T-12, not T-123 or XC-77", "{0} paid, {0} and {0}, not T-123 or XC-77"),
        (NUMBERS, "596 rows of 1169723 bytes in 0.596 s", "596 rows of 1169723 bytes in 0.596 s"),
        (
            NUMBERS,
            "Transaction 1169723, customer_id: 596, customer 5961",
            "Transaction {0}, customer_id: {0}, customer 5961",
        ),
        (NUMBERS, "row 7396890000123", "row {0}"),
        (NUMBERS, "", ""),
    ],
)
def test_a_plain_text(known: Identifiers, text: str, becomes: str) -> None:
    assert known.redacted(text) == becomes.format(FORGOTTEN)


@pytest.mark.parametrize(
    ("value", "becomes"),
    [
        ({"value": 596, "customer_id": 596}, {"value": 596, "customer_id": FORGOTTEN}),
        ({"CARD": "596", "other": "596"}, {"CARD": FORGOTTEN, "other": "596"}),
        (
            {"bytes": 1169723, "deep": [{"transaction_id": "1169723"}]},
            {"bytes": 1169723, "deep": [{"transaction_id": FORGOTTEN}]},
        ),
        (
            [{"__class__": "TableRecord", "data": {"transaction_id": one, "amount": 5.0}} for one in ("1", "1169723")],
            [{"__class__": "TableRecord", "data": {"transaction_id": "1", "amount": 5.0}}],
        ),
    ],
)
def test_json(value: Any, becomes: Any) -> None:
    assert json.loads(NUMBERS.redacted(json.dumps(value))) == becomes


def test_a_report_loses_rows_and_mentions() -> None:
    report = (
        '<table>\n<thead><tr><th scope="col">Rank</th><th scope="col">Transaction</th></tr></thead>\n<tbody>\n'
        "<tr><td>596</td><td>1</td></tr>\n<tr><td>2</td><td>1169723</td></tr>\n</tbody></table>\n"
        "<table><thead><tr><th>Rows</th></tr></thead><tr><td>1169723</td></tr></table>"
        '<script>["Transaction 1169723\\u003cbr\\u003escore 0.9"]</script>'
    )
    found = NUMBERS.redacted(report)
    assert "<tr><td>596</td><td>1</td></tr>\n</tbody>" in found
    assert "<tr><td>1169723</td></tr></table>" in found
    assert f'["Transaction {FORGOTTEN}\\u003cbr' in found


def test_a_long_id_is_known_where_a_report_has_cut_it() -> None:
    known = Identifiers(frozenset({"x" * 60}))
    assert known.redacted("Customer " + "x" * 39 + "… paid") == f"Customer {FORGOTTEN} paid"


def test_a_log_keeps_its_length() -> None:
    text = b"step T-12 failed for C-77\nand T-123"
    assert WORDS.masked(text) == b"step **** failed for ****\nand T-123"


ids = st.text(st.sampled_from("aBz09-_ .&<\"é'/"), min_size=1, max_size=12).filter(
    lambda text: any(map(str.isalpha, text))
)


@given(ids, st.sampled_from(["{}", "say {}.", "({})", "2 {} 3"]))
def test_any_word_is_found_in_plain_text_html_and_json(one: str, form: str) -> None:
    one = one.strip()
    known = Identifiers(frozenset({one}))
    for written in (one, html.escape(one)):
        assert known.redacted(form.format(written)) == form.format(FORGOTTEN)
    assert json.loads(known.redacted(json.dumps({"text": form.format(one)}))) == {"text": form.format(FORGOTTEN)}
