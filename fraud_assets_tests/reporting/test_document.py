"""A day's document: what is in it, what it says is missing, that it is small, safe, and the same every time."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest

from fraud_assets.reporting.document import (
    DayFrames,
    Link,
    chart,
    day_headline,
    day_sections,
    render,
    with_plotly_js,
)
from fraud_assets.reporting.sections import Section, differences, safe_json, written_table
from fraud_assets_tests.reporting.day_frames import DAY, IN_USE, SCORERS, half_finished, made_day

HOSTILE = "<script>alert('&')</script><!-- </script> %{x} "
MOST_BYTES = 1_000_000
ANCHORS = [
    "precision-recall",
    "roc",
    "alerts-per-day",
    "calibration",
    "saving",
    "confusion",
    "score-distribution",
    "decision",
    "candidates",
    "history",
    "search",
    "volume",
    "drift",
    "importance",
    "live",
    "maturity",
    "by-amount-band",
    "by-country",
    "by-day",
    "alerts",
    "highest-alerts",
]


class Elements(HTMLParser):
    """The elements of a page, in order, and the text inside of its scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.comments: list[str] = []
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag == "script"
        if self._open:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = False

    def handle_data(self, data: str) -> None:
        if self._open:
            self.scripts[-1] += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


@cache
def _usual() -> str:
    """The document of the usual day."""
    return _document(made_day())


def _elements(document: str) -> Elements:
    found = Elements()
    found.feed(document)
    return found


def _document(frames: DayFrames, **options: Any) -> str:
    return render(frames.day, day_sections(frames), headline=day_headline(frames), **options)


def _blocks(document: str) -> Iterator[dict[str, Any]]:
    found = _elements(document)
    scripts = [attributes for tag, attributes in found.tags if tag == "script"]
    for attributes, text in zip(scripts, found.scripts, strict=True):
        if attributes.get("type") == "application/json":
            yield json.loads(text)


def test_a_full_day_answers_every_question_in_order() -> None:
    sections = day_sections(made_day())
    assert [section.anchor for section in sections] == ANCHORS
    assert len({section.title for section in sections}) == len(sections)
    without_figure = {section.anchor for section in sections if section.figure is None}
    assert without_figure == {"decision", "highest-alerts"}
    for section in sections:
        assert section.sentence.endswith("."), section.anchor
        assert section.table is not None
        assert len(section.table) > 0, section.anchor


def test_the_headline_has_the_decision_and_the_numbers_of_the_day() -> None:
    headline = day_headline(made_day())
    assert headline.decision == "The champion stays: nothing was surely better."
    told = {tile.name: (tile.value, tile.note) for tile in headline.tiles}
    assert told["Average precision"] == ("0.712", "Gradient boosting, 95 %: 0.670 to 0.750, on the validation days")
    assert told["Alerts"] == ("100", "of 9,604 transactions, from a score of 0.310")
    assert told["Expected saving"][0] == "8,456"
    assert told["Fraud rate"] == ("0.853%", "81 frauds on 2018-07-14, the newest labelled day")
    assert told["Live, against the promise"][1].startswith("average precision of 2018-07-14; promised 0.700")


@pytest.mark.parametrize(("kept", "says"), [(True, "as promised"), (False, "below what was promised")])
def test_a_broken_promise_is_called_one(kept: bool, says: str) -> None:
    frames = made_day()
    live = frames.live.assign(average_precision=0.5, is_average_precision_as_promised=kept)
    tile = day_headline(replace(frames, live=live)).tiles[-1]
    assert tile.note.endswith(says)


def test_every_figure_has_a_heading_a_sentence_a_table_and_a_label() -> None:
    found = _elements(_usual())
    figures = [attributes for tag, attributes in found.tags if tag == "figure"]
    assert len(figures) == len(ANCHORS) - 2
    assert all("data-plot" in attributes and attributes["aria-label"] for attributes in figures)
    counts = {tag: sum(1 for other, _ in found.tags if other == tag) for tag in ("details", "table", "h3", "caption")}
    assert counts == {"details": len(figures), "table": len(ANCHORS), "h3": len(ANCHORS), "caption": len(ANCHORS)}
    boxes = [attributes for tag, attributes in found.tags if attributes.get("class") == "table-box"]
    assert all(attributes["tabindex"] == "0" and attributes["aria-label"] for attributes in boxes)
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [str(attributes["href"]).removeprefix("#") for tag, attributes in found.tags if tag == "a"]
    assert set(links) <= set(ids)


def test_the_document_needs_no_other_file_and_no_other_host() -> None:
    found = _elements(_usual())
    assert not [tag for tag, attributes in found.tags if tag in {"link", "img", "iframe"} or "src" in attributes]
    policy = next(a["content"] for tag, a in found.tags if tag == "meta" and "http-equiv" in a)
    assert str(policy).startswith("default-src 'none'")
    assert "http" not in str(policy)


def test_a_half_finished_day_has_what_there_is_and_says_what_is_missing() -> None:
    frames = half_finished(made_day())
    sections = day_sections(frames)
    assert [section.anchor for section in sections] == [
        "missing",
        "history",
        "volume",
        "drift",
        "live",
        "maturity",
    ]
    missing = sections[0].table
    assert missing is not None
    said = " ".join(missing["Missing"])
    for part in ("Precision and recall", "Calibration", "Saving", "decision", "Candidates", "importance", "alerts"):
        assert part in said
    assert missing["What to do"].str.contains("materialize").all()
    headline = day_headline(frames)
    assert headline.decision == "No model has been decided on for this day yet."
    assert headline.tiles[1].note == "the day is not scored"
    assert "What is missing" in _document(frames)


def test_an_empty_day_has_a_document_too() -> None:
    frames = DayFrames(DAY)
    assert [section.anchor for section in day_sections(frames)] == ["missing"]
    document = _document(frames)
    assert "Saturday, 21 July 2018" in document
    assert list(_blocks(document)) == []


def test_a_day_without_alerts_is_not_one_that_is_not_scored() -> None:
    frames = made_day()
    none = frames.alerts.iloc[:0]
    quiet = replace(frames, alerts=none, summary=frames.summary.assign(alerts=0))
    assert day_sections(quiet)[-1].sentence == "No transaction of the day is an alert."


def test_later_days_are_not_in_a_report() -> None:
    frames = made_day(history=5)
    later = {
        name: pd.concat([getattr(frames, name), getattr(frames, name).assign(day="2018-07-22")], ignore_index=True)
        for name in ("evaluation", "drift", "live", "summary")
    }
    assert _document(replace(frames, **later)) == _usual()


def test_figures_are_about_the_recipe_in_use_or_say_whose() -> None:
    frames = made_day()
    assert frames.candidate == IN_USE
    foreign = replace(frames, summary=frames.summary.assign(scored_as="champion"))
    best = frames.today("evaluation").nlargest(1, "average_precision")["candidate"].iloc[0]
    assert foreign.candidate == best
    assert "the recipe in use is none of them" in day_sections(foreign)[4].sentence


def test_what_measures_the_run_is_not_in_the_document() -> None:
    frames = made_day()
    # Where little else is known, a comparison would have room for the seconds.
    little = frames.evaluation[["day", "candidate", "average_precision", "threshold", "fit_seconds", "failure"]]
    quick = replace(frames, evaluation=little)
    slow = replace(
        frames,
        evaluation=little.assign(fit_seconds=99.0),
        live=frames.live.assign(later_versions=77),
        summary=frames.summary.assign(model_version=66),
    )
    assert _document(slow) == _document(quick)


def test_without_any_amount_there_is_no_saving_to_speak_of() -> None:
    frames = made_day()
    document = _document(replace(frames, points=frames.points.assign(saving_per_day=float("nan"))))
    assert "it is not known, as no amount is." in document


def test_segments_that_are_the_same_in_plain_letters_have_an_anchor_each() -> None:
    frames = made_day()
    of_one = frames.slices[frames.slices["slice_kind"] == "amount_band"]
    twins = [of_one.assign(slice_kind=name) for name in ("mcc code", "mcc_code", "страна", "Größe<b>", "国")]
    document = _document(replace(frames, slices=pd.concat([frames.slices, *twins])))
    anchors = re.findall(r'<section id="([^"]*)"', document)
    assert len(anchors) == len(set(anchors))


def test_equal_frames_are_equal_documents() -> None:
    assert _document(made_day()) == _usual()


def test_any_text_stays_text() -> None:
    document = _document(made_day(text=HOSTILE))
    clean, hostile = _elements(_usual()), _elements(document)
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in clean.tags]
    assert hostile.comments == []
    for (_, theirs), (_, ours) in zip(hostile.tags, clean.tags, strict=True):
        assert theirs.keys() == ours.keys()
    assert "&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;" in document
    assert len(list(_blocks(document))) == len(ANCHORS) - 2
    assert not re.search(r"<script>alert|<!--", document)


def test_hostile_links_days_and_titles_stay_text() -> None:
    section = Section(HOSTILE, HOSTILE, None, pd.DataFrame({HOSTILE: [HOSTILE]}), "x", HOSTILE)
    document = render(HOSTILE, [section], links=[Link(HOSTILE, '"><script>alert(1)</script>')])
    tags = [tag for tag, _ in _elements(document).tags]
    assert tags.count("script") == 2, "plotly.js has its place, and figures.js is there"


def test_the_largest_legal_day_is_below_a_megabyte() -> None:
    frames = made_day(history=90, points=200, features=60, drift_days=30)
    assert frames.points.groupby("candidate").size().tolist() == [200] * len(SCORERS)
    size = len(_document(frames).encode())
    assert 300_000 < size < MOST_BYTES


def test_plotly_js_is_inside_when_asked_and_can_be_put_inside_later() -> None:
    frames = made_day()
    bare, whole = _usual(), _document(frames, plotly_js=True)
    assert len(bare) < MOST_BYTES < 3_000_000 < len(whole)
    assert with_plotly_js(bare) == whole
    assert with_plotly_js(whole) == whole
    assert whole.count("<script data-plotly></script>") == 0


def test_a_figure_travels_with_its_colours_for_the_dark() -> None:
    block = next(_blocks(_usual()))
    assert block["data"]
    assert "title" not in block["layout"]
    assert any("color" in str(path[-1]).lower() for path, _ in block["dark"])


def test_a_section_without_figure_shows_its_table_and_one_without_both_nothing() -> None:
    table = pd.DataFrame({"a": [1]})
    written = chart(Section("Title", "A sentence.", None, table, "x"))
    assert "<figure" not in written
    assert "<details" not in written
    assert '<td class="number">1</td>' in written
    assert chart(Section("Title", "A sentence.", None, None, "x")) == ""


def test_a_figure_ends_no_element_whatever_it_says() -> None:
    figure = go.Figure(go.Scatter(x=[1], y=[1], name="</script><script>")).update_layout(meta="<!-- <script>")
    written = chart(Section("Title", "A sentence.", figure, None, "x"))
    assert next(_blocks(written))["data"][0]["name"] == "</script><script>"
    assert [tag for tag, _ in _elements(written).tags] == ["figure", "div", "div", "script"]


def test_differences_turn_one_document_into_the_other() -> None:
    first = {"a": [1, {"b": "x"}], "c": 3, "gone": 1, "short": [1]}
    second = {"a": [1, {"b": "y"}], "c": 3, "new": 2, "short": [1, 2]}
    found = list(differences(first, second))
    assert found == [[["a", 1, "b"], "y"], [["gone"], None], [["short"], [1, 2]], [["new"], 2]]


def test_safe_json_ends_no_element() -> None:
    value = {"</script>": "<!-- & \u2028"}
    text = safe_json(value)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == value


def test_a_long_table_says_how_much_it_leaves_out() -> None:
    written = written_table(pd.DataFrame({"n": range(250)}))
    assert len(written.rows) == 200
    assert written.left_out == 50
    section = Section("Title", "A sentence.", None, pd.DataFrame({"n": range(1_250)}), "x")
    assert "1,050 more rows are in the database." in chart(section)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "—"),
        (float("nan"), "—"),
        (pd.NA, "—"),
        (pd.NaT, "—"),
        (True, "yes"),
        (12_345, "12,345"),
        (0.123456, "0.123"),
        (pd.Timestamp("2018-07-21 10:00", tz="UTC"), "2018-07-21 10:00:00 UTC"),
        ("two\nlines", "two lines"),
    ],
)
def test_cells_are_written_as_people_read_them(value: Any, text: str) -> None:
    assert written_table(pd.DataFrame({"v": pd.Series([value], dtype="object")})).rows == ((text,),)
