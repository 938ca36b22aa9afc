"""Names, colours and numbers are the same everywhere and safe to draw."""

import html
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud_assets.learning import METRICS
from fraud_assets.reporting.figures.curves import precision_recall
from fraud_assets.reporting.figures.distributions import confusion
from fraud_assets.reporting.style import (
    DARK,
    PAPER,
    Theme,
    count,
    metric_style,
    model_style,
    money,
    nothing_to_draw,
    number,
    plain,
    share,
    themed,
    written,
)
from fraud_assets_tests.reporting.frames import four_rows, realistic

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


def test_every_metric_of_an_evaluation_has_a_name_that_was_chosen_for_it() -> None:
    chosen = {metric: metric_style(metric).name for metric in METRICS}
    assert len(set(chosen.values())) == len(METRICS)
    assert metric_style("saving_per_day").is_amount
    assert not metric_style("brier_skill").is_share, "it may be negative"
    assert metric_style("roc_auc").name == "ROC AUC"


def test_only_metrics_that_are_errors_or_costs_are_better_when_lower() -> None:
    assert not metric_style("brier_score").is_better_higher
    assert not metric_style("fit_seconds").is_better_higher
    assert not metric_style("expected_calibration_error").is_better_higher
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


def test_amounts_have_no_decimals_where_they_would_mean_nothing() -> None:
    assert [money(value) for value in (9888.2, -1234.5, 12.345, 0.0, float("nan"))] == [
        "9,888", "-1,234", "12.3", "0", "n/a"
    ]  # fmt: skip
    assert (written("saving_per_day", 9888.2), written("recall", 0.5)) == ("9,888", "0.500")


def without_colours(figure: str) -> str:
    for light, dark in DARK.items():
        figure = figure.replace(light, "#").replace(dark, "#")
    return figure


def test_a_theme_changes_colours_only() -> None:
    figures = (confusion(four_rows(threshold=0.5), "random_forest"), precision_recall(realistic(2_000).points))
    for figure in figures:
        light, dark = themed(figure, Theme.LIGHT), themed(figure, Theme.DARK)
        assert json.loads(light.to_json()) == json.loads(figure.to_json())
        assert light.to_json() != dark.to_json()
        assert without_colours(light.to_json()) == without_colours(dark.to_json())
        assert dark.layout.template.layout.paper_bgcolor == DARK[PAPER]


def test_no_dark_colour_is_a_light_one_that_would_be_exchanged_again() -> None:
    assert not set(DARK.values()) & set(DARK)
    assert len(set(DARK.values())) == len(DARK)


def luminance(color: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("name", [*FAMILIES, "champion", *(f"family {i}" for i in range(24))])
def test_every_model_is_told_from_a_dark_page(name: str) -> None:
    """Graphical objects need a contrast of 3 (WCAG 2.2, 1.4.11)."""
    color = model_style(name).color
    assert (luminance(DARK.get(color, color)) + 0.05) / (luminance(DARK[PAPER]) + 0.05) >= 3


def test_a_sentence_is_broken_between_words_only() -> None:
    sentence = f"It says {plain('<script>' * 8)} and more that is long."
    lines = nothing_to_draw("Title", sentence).layout.annotations[0].text.split("<br>")
    assert " ".join(lines) == sentence
    assert len(lines) > 1
