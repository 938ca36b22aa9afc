"""When a batch is not to be trusted, and when it is not as large as usual."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from fraud_assets.checks import BatchLimits, StoredBatch, batch_checks, untrusted_days, volume_is_as_usual
from fraud_assets.checks.specs import (
    ALL_ROWS_ACCOUNTED_FOR,
    CHECK_SPECS,
    COLUMNS_AS_PROMISED,
    FEW_ROWS_REJECTED,
    NO_DUPLICATES,
    TIMES_IN_DAY,
)

BEGINS = datetime(2026, 3, 15, tzinfo=UTC)
ENDS = BEGINS + timedelta(days=1)
LIMITS = BatchLimits(rejected_share=0.05, duplicate_share=0.01)
GOOD = StoredBatch(
    day="2026-03-15",
    rows_in=1000,
    accepted=950,
    rejected=50,
    duplicates=10,
    distinct_ids=950,
    earliest=BEGINS,
    latest=ENDS - timedelta(microseconds=1),
    begins=BEGINS,
    ends=ENDS,
    columns={"transaction_id": "an integer", "amount": "a number", "more": "text"},
    promised={"transaction_id": ("an integer", "text"), "amount": ("a number",)},
)
SEEN = {"seen", "expected"}


def _failed(*batches: StoredBatch) -> dict[str, Any]:
    """What each blocking check that fails has seen."""
    found = {}
    for check in batch_checks(batches, LIMITS):
        assert check.metadata.keys() >= SEEN
        assert ("what_to_do" in check.metadata) is not check.passed
        assert check.severity is dg.AssetCheckSeverity.ERROR
        if not check.passed:
            found[str(check.check_name)] = check.metadata["seen"].value
    return found


def test_a_good_batch_passes_every_check_at_its_limits() -> None:
    assert _failed(GOOD) == {}
    assert untrusted_days([GOOD], LIMITS) == {}
    assert {str(check.check_name) for check in batch_checks([GOOD], LIMITS)} == {
        name for name, spec in CHECK_SPECS.items() if spec.blocking
    }


@pytest.mark.parametrize(
    ("changes", "check", "seen"),
    [
        ({"columns": {"transaction_id": "text"}}, COLUMNS_AS_PROMISED, "the columns amount are not stored"),
        (
            {"columns": {**GOOD.columns, "amount": "text"}},
            COLUMNS_AS_PROMISED,
            "amount is text instead of a number",
        ),
        ({"rows_in": 1001}, ALL_ROWS_ACCOUNTED_FOR, "1,001 rows received, 950 stored and 50 rejected"),
        (
            {"accepted": 949, "distinct_ids": 949, "rejected": 51},
            FEW_ROWS_REJECTED,
            "5.1% rejected (51 of 1,000 rows)",
        ),
        ({"duplicates": 11}, NO_DUPLICATES, "1.1% repeated ids (11 of 1,000 rows)"),
        ({"distinct_ids": 949}, NO_DUPLICATES, "1 stored row with an id that another row has"),
        ({"latest": ENDS}, TIMES_IN_DAY, "transactions from 2026-03-15T00:00:00+00:00 to 2026-03-16T00:00:00+00:00"),
        ({"earliest": BEGINS - timedelta(seconds=1)}, TIMES_IN_DAY, "from 2026-03-14T23:59:59+00:00"),
    ],
)
def test_what_is_wrong_is_said_with_its_day(changes: dict[str, Any], check: str, seen: str) -> None:
    bad = replace(GOOD, day="2026-03-16", **changes)
    failed = _failed(GOOD, bad)
    assert failed.keys() == {check}
    assert failed[check].startswith("2026-03-16: ")
    assert seen in failed[check]
    assert untrusted_days([GOOD, bad], LIMITS).keys() == {"2026-03-16"}


@pytest.mark.parametrize(
    ("changes", "is_fine"),
    [
        ({"accepted": 943, "distinct_ids": 943, "forgotten": 7}, True),
        ({"accepted": 943, "distinct_ids": 943, "forgotten": 9}, True),
        ({"accepted": 943, "distinct_ids": 943, "forgotten": 6}, False),
        ({"accepted": 951, "distinct_ids": 951, "forgotten": 7}, False),
    ],
)
def test_rows_of_a_forgotten_customer_are_not_lost(changes: dict[str, Any], is_fine: bool) -> None:
    """Two of nine, say, were rewritten and not taken out."""
    assert _failed(replace(GOOD, **changes)).keys() == (set() if is_fine else {ALL_ROWS_ACCOUNTED_FOR})


def test_a_day_without_a_row_is_none_to_complain_of() -> None:
    empty = replace(GOOD, rows_in=0, accepted=0, rejected=0, duplicates=0, distinct_ids=0, earliest=None, latest=None)
    assert _failed(empty) == {}


SUNDAYS = ["2026-02-15", "2026-02-22", "2026-03-01", "2026-03-08"]
ROWS = {**dict(zip(SUNDAYS, [90, 100, 110, 5000], strict=True)), "2026-03-14": 7}


@pytest.mark.parametrize(("rows", "is_usual"), [(105, True), (210, True), (211, False), (53, True), (52, False)])
def test_the_volume_is_that_of_such_weekdays(rows: int, is_usual: bool) -> None:
    check = volume_is_as_usual(["2026-03-15"], {**ROWS, "2026-03-15": rows}, 2.0)
    assert check.passed is is_usual
    assert check.severity is dg.AssetCheckSeverity.WARN
    assert check.metadata["usual_transactions"].value == 105


@pytest.mark.parametrize(("rows", "is_usual"), [(4, True), (26, True), (0, False), (40, False)])
def test_a_few_transactions_a_day_double_by_chance(rows: int, is_usual: bool) -> None:
    few = dict.fromkeys(SUNDAYS, 10)
    assert volume_is_as_usual(["2026-03-15"], {**few, "2026-03-15": rows}, 2.0).passed is is_usual


def test_nothing_is_usual_yet() -> None:
    check = volume_is_as_usual(["2026-03-15"], {"2026-03-08": 1, "2026-03-15": 1000}, 2.0)
    assert check.passed
    assert "Nothing to judge by" in str(check.metadata["seen"].value)
