"""Names, colours and numbers are the same everywhere and safe to draw."""

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud_assets.reporting.style import count, metric_style, model_style, number, plain, share

FAMILIES = (
    "logistic_regression",
    "support_vector_machine",
    "k_nearest_neighbors",
    "random_forest",
    "gradient_boosting",
    "ensemble",
    "baseline_amount",
    "baseline_constant",
)


def test_every_family_has_a_colour_of_its_own() -> None:
    assert len({model_style(model).color for model in FAMILIES}) == len(FAMILIES)


def test_names_are_for_people() -> None:
    assert model_style("gradient_boosting").name == "Gradient boosting"
    assert model_style("my_own_net").name == "My own net"
    assert model_style("").name == "(no name)"
    assert metric_style("average_precision").name == "Average precision"
    assert metric_style("my_metric").name == "My metric"


def test_only_metrics_that_are_errors_or_costs_are_better_when_lower() -> None:
    assert not metric_style("brier_score").is_better_higher
    assert not metric_style("fit_seconds").is_better_higher
    assert metric_style("recall").is_better_higher


@given(st.text())
def test_an_unknown_model_always_looks_the_same_and_is_escaped(name: str) -> None:
    style = model_style(name)
    assert style == model_style(name)
    assert "<" not in style.name
    assert ">" not in style.name
    assert len(html.unescape(style.name)) <= 32 or name in FAMILIES


@given(st.text())
def test_plain_text_reads_as_it_was(text: str) -> None:
    drawn = plain(text)
    assert not set("<>\n\r") & set(drawn)
    # html.unescape knows more entities than the three: they must have been written out too.
    assert html.unescape(drawn) == " ".join(text.split())


def test_a_long_text_is_cut_before_it_is_escaped() -> None:
    assert plain("&" * 50, 4) == "&amp;&amp;&amp;…"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.7124, "0.712"), (0.0091712, "0.00917"), (0.0, "0.000"), (1.0, "1.000"), (3.27, "3.27"),
        (123456.0, "123,456"), (float("nan"), "n/a"),
    ],
)  # fmt: skip
def test_numbers(value: float, written: str) -> None:
    assert number(value) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.00872, "0.872%"), (0.642, "64.2%"), (1.0, "100%"), (0.0, "0%"), (0.9998, "99.98%"), (float("nan"), "n/a")],
)
def test_shares(value: float, written: str) -> None:
    assert share(value) == written


def test_counts() -> None:
    assert (count(1, "alert"), count(1240, "alert"), count(0, "alert")) == ("1 alert", "1,240 alerts", "0 alerts")
