"""What a request asks for: read or refused in a sentence, never a failure."""

import math
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from fraud_assets.reporting.server.asked import (
    BadRequest,
    Metric,
    alerts_parameters,
    asked_alerts,
    asked_day,
    asked_history,
)
from fraud_assets.reporting.server.store import AlertOrder, AlertQuery, DayRange, Shown

VALUES = st.one_of(
    st.text(max_size=30), st.sampled_from(["2024-02-30", "1e999", "nan", "-5", "desc", "amount", "both"])
)


@given(st.dates())
def test_a_day_is_read(day: date) -> None:
    assert asked_day(day.isoformat()) == day.isoformat()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "today",
        "20240101",
        "2024-1-1",
        "2024-02-30",
        "2024-W01-1",
        "2024-01-01 ",
        "\u0662024-01-01",
        "2024-01-01T00",
    ],
)
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="YYYY-MM-DD"):
        asked_day(text)


@given(st.dictionaries(st.sampled_from(["sort", "order", "amount", "reason", "show", "page"]), VALUES))
def test_alerts_are_asked_for_or_refused(query: dict[str, str]) -> None:
    try:
        asked = asked_alerts(QueryParams(query))
    except BadRequest:
        return
    amount = asked.query.minimum_amount
    assert amount is None or math.isfinite(amount)
    assert asked.page >= 1
    again = asked_alerts(QueryParams(dict(alerts_parameters(asked))))
    assert again.page == asked.page
    assert again.query.minimum_amount == amount
    assert again.query.text == asked.query.text


@pytest.mark.parametrize(
    ("text", "amount"), [("12345.67", 12345.67), ("1,234,567.89", 1234567.89), ("1e300", 1e300), ("100", 100.0)]
)
def test_an_amount_keeps_its_digits_in_links(text: str, amount: float) -> None:
    asked = asked_alerts(QueryParams({"amount": text}))
    assert asked.query.minimum_amount == amount
    assert asked_alerts(QueryParams(dict(alerts_parameters(asked, page=2)))).query.minimum_amount == amount


@pytest.mark.parametrize("query", ["amount=99,50", "amount=1,2,3", "page=0", "page=1" + "0" * 30, "page=" + "1" * 5000])
def test_what_could_be_meant_otherwise_or_is_far_too_long_is_refused(query: str) -> None:
    with pytest.raises(BadRequest):
        asked_alerts(QueryParams(query))


def test_a_form_that_was_left_empty_asks_for_everything() -> None:
    asked = asked_history(QueryParams("from=&to=&metric=&model="))
    assert asked.days == DayRange()
    assert asked.models == ()
    assert asked.metric is Metric.AVERAGE_PRECISION


def test_a_range_and_models_are_read() -> None:
    asked = asked_history(QueryParams("from=2024-01-02&to=2024-01-05&model=a&model=b&model=a&metric=roc_auc"))
    assert asked.days == DayRange("2024-01-02", "2024-01-05")
    assert asked.models == ("a", "b")
    assert asked.metric is Metric.ROC_AUC


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(BadRequest, match="exchange"):
        asked_history(QueryParams("from=2024-01-05&to=2024-01-02"))


@pytest.mark.parametrize(
    "query",
    ["metric=accuracy; drop", "from=2024-13-01", "model=" + "x" * 201],
)
def test_what_no_page_has_is_refused(query: str) -> None:
    with pytest.raises(BadRequest):
        asked_history(QueryParams(query))


def test_a_link_says_only_what_does_not_go_without_saying() -> None:
    asked = asked_alerts(QueryParams("sort=amount&order=desc&amount=1,000.5&reason= x &show=review&page=3"))
    assert asked.query == AlertQuery(AlertOrder.AMOUNT, True, 1000.5, "x", Shown.REVIEW)
    assert alerts_parameters(asked, page=1) == {
        "sort": "amount",
        "order": "desc",
        "amount": "1000.5",
        "reason": "x",
        "show": "review",
    }
    assert alerts_parameters(asked_alerts(QueryParams(""))) == {}
