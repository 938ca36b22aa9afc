"""A day's report as one document: self-contained, with or without plotly.js inside.

What lives here: the order of the sections, and the page around them. What does not: reading frames, the server's
pages, and what a section says.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from plotly.offline import get_plotlyjs

from fraud_assets.reporting.day.changes import changes
from fraud_assets.reporting.day.frames import DayFrames, sections_of
from fraud_assets.reporting.day.headline import Headline, Tile, day_headline, written_day
from fraud_assets.reporting.day.outcome import alerts, outcome, slices
from fraud_assets.reporting.day.quality import cost, quality
from fraud_assets.reporting.sections import STATIC, Section, chart, environment

__all__ = [
    "DayFrames",
    "Headline",
    "Link",
    "Section",
    "Tile",
    "chart",
    "day_headline",
    "day_sections",
    "render",
    "with_plotly_js",
]

PLACE_OF_PLOTLY = Markup("<script data-plotly></script>")
"""Where plotly.js goes. No text of a report can be this: what comes from data is escaped."""


@dataclass(frozen=True)
class Link:
    """Where else to go, at the top of the document."""

    text: str
    url: str


@dataclass(frozen=True)
class _Group:
    title: str
    anchor: str
    sections: tuple[Section, ...]


def day_sections(frames: DayFrames) -> list[Section]:
    """The sections of a day in the order in which a fraud team asks; the first says what is missing, if anything is."""
    pieces = [
        *quality(frames),
        *cost(frames),
        *changes(frames),
        *outcome(frames),
        *slices(frames),
        *alerts(frames),
    ]
    return sections_of(pieces)


def render(
    day: str,
    sections: Sequence[Section],
    *,
    headline: Headline | None = None,
    plotly_js: bool = False,
    links: Sequence[Link] = (),
) -> str:
    """The document of a day: HTML that needs nothing else, and asks no other host for anything.

    Without `plotly_js` its figures are drawn once `with_plotly_js` has put that inside; until then the tables behind
    them stand open. The same arguments give the same text.
    """
    document = environment.get_template("document.html").render(
        day=day,
        written_day=written_day(day),
        headline=headline,
        groups=list(_grouped(sections)),
        links=links,
        css=_static("report.css"),
        js=_static("figures.js"),
        plotly=PLACE_OF_PLOTLY,
    )
    return with_plotly_js(document) if plotly_js else document


def with_plotly_js(document: str) -> str:
    """The document with plotly.js inside, from the installed package: a file of about 5 MB that draws anywhere."""
    before, place, after = document.partition(PLACE_OF_PLOTLY)
    return f"{before}<script>{get_plotlyjs()}</script>{after}" if place else document


def _grouped(sections: Iterable[Section]) -> Iterable[_Group]:
    """The sections under the question that they answer, in the order of first mention."""
    by_title: dict[str, list[Section]] = {}
    for section in sections:
        by_title.setdefault(section.group or "Report", []).append(section)
    for number, (title, members) in enumerate(by_title.items(), start=1):
        yield _Group(title, f"part-{number}", tuple(members))


def _static(name: str) -> Markup:
    """One of our own files, for a `<style>` or `<script>` element."""
    return Markup((STATIC / name).read_text(encoding="utf-8"))  # noqa: S704 - ours, and not made of data
