"""The small parts of reports and of metadata: what a day's batch tells, searches as frames, and when a term begins."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud_assets.assets.batch_metadata import HourlyVolume
from fraud_assets.assets.daily_summary import COMMENTS, is_promotion, summary_table
from fraud_assets.assets.searches import search_frame
from fraud_assets.learning import Decision, DecisionKind
from fraud_assets.reporting.figures.hourly import volume_by_hour

DECISION = Decision(
    day="2026-03-15",
    kind=DecisionKind.PROMOTED,
    winner="ensemble",
    scored_as="ensemble",
    score=0.7,
    since="2026-03-15",
    reason="It takes over.",
    validation_from="2026-03-01",
    validation_until="2026-03-13",
    margin=0.005,
    challenger="ensemble",
)


def _batch(times: list[datetime], amounts: list[float]) -> pa.RecordBatch:
    stamps = pa.array(times, pa.timestamp("us", "UTC"))
    return pa.RecordBatch.from_arrays([stamps, pa.array(amounts, pa.float64())], ["transaction_time", "amount"])


def test_hours_are_those_of_the_local_clock() -> None:
    volume = HourlyVolume(ZoneInfo("Europe/Berlin"))
    volume.add(_batch([datetime(2026, 7, 1, 22, 30, tzinfo=UTC)], [10.0]))
    volume.add(_batch([datetime(2026, 7, 2, 12, tzinfo=UTC)], [-4.0]))
    assert volume.table().to_numpy().tolist() == [[0, 1, 10.0], [14, 1, -4.0]]


@given(st.lists(st.tuples(st.integers(0, 86_399), st.floats(-1e6, 1e6)), max_size=30))
def test_however_the_rows_are_cut_the_volume_is_the_same(rows: list[tuple[int, float]]) -> None:
    times = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second) for second, _ in rows]
    amounts = [amount for _, amount in rows]
    whole, parts = HourlyVolume(ZoneInfo("UTC")), HourlyVolume(ZoneInfo("UTC"))
    whole.add(_batch(times, amounts))
    for time, amount in zip(times, amounts, strict=True):
        parts.add(_batch([time], [amount]))
    pd.testing.assert_frame_equal(whole.table(), parts.table())
    assert whole.table()["transactions"].sum() == len(rows)
    told = whole.metadata()
    assert told["amount_total"] == pytest.approx(sum(amounts), abs=1e-3)
    assert ("amount_largest" in told) == bool(rows)


def test_a_day_without_a_transaction_is_drawn_in_words() -> None:
    figure = volume_by_hour(HourlyVolume(ZoneInfo("UTC")).table())
    assert "no transaction" in str(figure.layout.annotations[0].text)


def test_hours_are_drawn_with_their_counts_and_amounts() -> None:
    hours = pd.DataFrame({"hour": [3, 23], "transactions": [2, 5], "amount": [10.5, 20.0]})
    transactions, amounts = volume_by_hour(hours).data
    assert np.asarray(transactions.y).tolist() == [0] * 3 + [2] + [0] * 19 + [5]
    assert amounts.y[3] == 10.5
    assert transactions.x[23] == "23:00"


def test_a_search_is_a_frame_with_its_configurations_in_words() -> None:
    tried = {
        "parameters": {"C": 1.0, "l1": 0},
        "average_precision": 0.5,
        "fold_1": 0.5,
        "fold_2": None,
        "failure": None,
    }
    frame = search_frame({"logistic_regression": [tried], "random_forest": []})
    assert frame["configuration"].tolist() == ["C=1.0, l1=0"]
    assert frame["candidate"].tolist() == ["logistic_regression"]
    assert frame["fold_2"].isna().all()
    assert frame["fold_2"].dtype == "float64"
    assert search_frame({}).empty


@pytest.mark.parametrize(
    ("changes", "begins"),
    [
        ({}, True),
        ({"kind": DecisionKind.FIRST, "challenger": None}, True),
        ({"kind": DecisionKind.TOO_OLD}, True),
        ({"kind": DecisionKind.TOO_OLD, "challenger": "random_forest"}, False),
        ({"kind": DecisionKind.KEPT, "since": "2026-03-01"}, False),
        ({"kind": DecisionKind.PINNED, "since": "2026-03-15", "challenger": None}, True),
    ],
)
def test_a_term_begins_when_another_recipe_is_used(changes: dict[str, Any], begins: bool) -> None:
    assert is_promotion(replace(DECISION, **changes)) == begins


def test_a_row_has_the_same_types_whatever_is_missing() -> None:
    nothing = summary_table({"alerts": None, **dict.fromkeys(COMMENTS), "day": "2026-03-15", "transactions": 1})
    assert nothing.dtypes["alerts"] == "Int64"
    assert nothing.dtypes["score"] == "float64"
    assert nothing.dtypes["is_promotion"] == "boolean"
    assert nothing.dtypes["decision"] == "str"
