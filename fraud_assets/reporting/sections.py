"""One piece of a report: a title, a sentence, a figure and the table behind it, and the HTML of these.

What lives here: how a figure travels in a page, and how a table is written. What does not: which sections a day has
(the room day) and the document around them (document.py).

A page draws its figures by itself: `chart` writes each as a block of JSON, which `static/figures.js` hands to Plotly.
"""

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.io.json import to_json_plotly

from fraud_assets.reporting.style import Theme, in_theme, number

STATIC = Path(__file__).parent / "static"
TEMPLATES = Path(__file__).parent / "templates"

MOST_ROWS = 200
"""Rows of a table behind a figure. A report is to be read; all rows are in the database."""

NONE = "—"
"""Where there is no value."""

_MOST_NARROW_COLUMNS = 4
_TITLE_HEIGHT = 64
"""Pixels that a figure keeps free for its title: a page has a heading of its own instead."""
_LEAST_TOP = 24

_UNSAFE = {character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}

environment = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
"""For every page: names in it may be whatever somebody called a column, so all text is escaped."""


@dataclass(frozen=True)
class Section:
    """A piece of a report.

    `sentence` says what is to be seen, or what is missing. `table` has a column for each thing that a reader is told,
    headed as it is to be read; text, numbers, booleans or times. Without a figure the table stands open. `anchor` is
    the section's id in a page, and `group` the question that it helps to answer.
    """

    title: str
    sentence: str
    figure: go.Figure | None
    table: pd.DataFrame | None
    anchor: str
    group: str = ""

    @property
    def is_wide(self) -> bool:
        """Whether it wants a row of a page to itself: panels side by side, or a table that stands open."""
        if self.figure is not None:
            return _columns_of_panels(self.figure) > 1
        return self.table is not None and len(self.table.columns) > _MOST_NARROW_COLUMNS


@dataclass(frozen=True)
class Column:
    """A column of a table as it is written."""

    name: str
    is_number: bool


@dataclass(frozen=True)
class WrittenTable:
    """A frame's first rows in text, and how many rows there are beside these."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: int


def chart(section: Section) -> Markup:
    """A section's `<figure>`: the figure as JSON, a place to draw it in, and the table behind it in `<details>`.

    Escaped, and without any style or script of its own; empty where the section has neither figure nor table.
    """
    if section.figure is None and section.table is None:
        return Markup("")
    figure = section.figure
    written = environment.get_template("chart.html").render(
        section=section,
        subtitle=None if figure is None else subtitle_of(figure),
        data=None if figure is None else Markup(figure_json(figure)),  # noqa: S704 - escaped for where it stands
        table=None if section.table is None else written_table(section.table),
    )
    return Markup(written)  # noqa: S704 - the template escapes


def figure_json(figure: go.Figure) -> str:
    """What `static/figures.js` draws: data and layout in light colours, and which values are others in the dark.

    Safe inside of a `<script>` element. Equal figures are equal texts.
    """
    # Whether a faster encoder is installed must not show in the bytes.
    text = to_json_plotly(figure, engine="json")
    light, dark = (_document(in_theme(text, theme)) for theme in (Theme.LIGHT, Theme.DARK))
    return safe_json({**light, "dark": list(differences(light, dark))})


def _document(text: str) -> dict[str, Any]:
    """A figure's JSON as a page has it, without the title: plain values, arrays in Plotly's binary form."""
    document: dict[str, Any] = json.loads(text)
    layout = document["layout"]
    template = layout.get("template", {}).get("layout", {})
    layout.pop("title", None)
    template.pop("title", None)
    margin = template.get("margin", {}) | layout.get("margin", {})
    layout["margin"] = margin | {"t": max(_LEAST_TOP, margin.get("t", 100) - _TITLE_HEIGHT)}
    return {"data": document.get("data", []), "layout": layout}


def differences(first: Any, second: Any, path: tuple[str | int, ...] = ()) -> Iterator[list[Any]]:
    """Where two documents of JSON differ: pairs of a path and the second's value, None where it has none."""
    if first == second:
        return
    if isinstance(first, dict) and isinstance(second, dict):
        for key in [*first, *(key for key in second if key not in first)]:
            yield from differences(first.get(key), second.get(key), (*path, key))
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for place, (one, other) in enumerate(zip(first, second, strict=True)):
            yield from differences(one, other, (*path, place))
    elif first != second:
        yield [list(path), second]


def safe_json(value: Any) -> str:
    """JSON that can stand in a `<script>` element: nothing in it begins or ends an element or a comment."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character, escaped in _UNSAFE.items():
        text = text.replace(character, escaped)  # ten times as fast as translate
    return text


def _columns_of_panels(figure: go.Figure) -> int:
    """How many plots the figure has side by side."""
    starts = {next(iter(axis.domain or (0, 1))) for axis in figure.select_xaxes()}
    return max(1, len(starts))


def subtitle_of(figure: go.Figure) -> str | None:
    """The second line of the figure's title as plain text: what a page writes below the figure."""
    _, _, subtitle = str(figure.layout.title.text or "").partition("<br>")
    return html.unescape(re.sub(r"<[^>]*>", "", subtitle)).strip() or None


def written_table(frame: pd.DataFrame, most_rows: int = MOST_ROWS) -> WrittenTable:
    """The frame's first rows as text."""
    # By place: two columns may be headed alike.
    values = [frame.iloc[:, place] for place in range(frame.shape[1])]
    columns = tuple(Column(str(name), _is_number(one)) for name, one in zip(frame.columns, values, strict=True))
    cells = [[cell(value) for value in one.head(most_rows)] for one in values]
    return WrittenTable(columns, tuple(zip(*cells, strict=True)), max(0, len(frame) - most_rows))


def cell(value: Any) -> str:
    """A value as a table has it: a dash where there is none, and numbers as the figures write them."""
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return NONE
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return "yes" if value else "no"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M:%S} {value.tzname() or ''}".rstrip()
    if isinstance(value, int) or (hasattr(value, "dtype") and value.dtype.kind in "iu"):
        return f"{int(value):,}"
    if isinstance(value, float):
        return number(value)
    return " ".join(str(value).split())


def _is_number(values: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


environment.globals["chart"] = chart
