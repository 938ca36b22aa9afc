"""What a page looks like to somebody who cannot ask anybody: drawn charts, colours, what the keyboard reaches."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import Page, Request

from fraud_assets_tests.browser import open_page

# By figure: how many traces it was given, and how many marks of them have a size on the screen.
_DRAWN = """figure => {
  const plot = figure.querySelector('.plot');
  const marks = plot.querySelectorAll(
    '.scatterlayer .trace path, .barlayer .trace path, .heatmaplayer image, .shapelayer path, .scatterlayer .point');
  const boxes = [...marks].map(mark => mark.getBoundingClientRect());
  return {
    name: figure.getAttribute('aria-label'),
    traces: (plot.data || []).length,
    marks: boxes.filter(box => box.width + box.height > 2).length,
    words: plot.querySelectorAll('.annotation-text').length,
  };
}"""
_OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
_FOCUSABLE = """() => {
  const all = document.querySelectorAll('a[href], button, input:not([type=hidden]), select, summary, [tabindex="0"]');
  const shown = [...all].filter(one => one.checkVisibility() && !one.closest('.plot'));
  shown.forEach((one, place) => { one.dataset.place = place; });
  return shown.length;
}"""
_FOCUSED = """() => {
  const one = document.activeElement;
  const style = getComputedStyle(one);
  // The button inside of a date field has a ring of the browser's own, and the field itself no focus then.
  const ring = !one.matches(':focus') || (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0);
  return { place: one.dataset.place ?? null, ring };
}"""


@dataclass
class Watched:
    """A page, and what went wrong or elsewhere on it."""

    page: Page
    root: str
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def open(self, path: str) -> Page:
        """The page once all its charts are drawn."""
        self.page.goto(self.root + path)
        return self.drawn()

    def drawn(self) -> Page:
        self.page.locator('html[data-figures="drawn"]').wait_for()
        return self.page

    def assert_quiet(self) -> None:
        """Nothing complained so far, and no other host was asked for anything."""
        assert self.complaints == []
        assert self.hosts <= {urlsplit(self.root).netloc}

    def charts(self) -> list[dict[str, object]]:
        figures = self.page.locator("figure[data-plot]")
        return [figures.nth(place).evaluate(_DRAWN) for place in range(figures.count())]

    def assert_charts_are_drawn(self, at_least: int) -> None:
        """Every chart shows marks; one that has nothing to draw says so in words."""
        charts = self.charts()
        assert len(charts) >= at_least
        for chart in charts:
            assert chart["marks"] or (chart["traces"] == 0 and chart["words"]), chart

    def overflow(self) -> int:
        return int(self.page.evaluate(_OVERFLOW))

    def assert_keyboard_reaches_everything(self) -> None:
        """Tab by tab, each thing that can be used has the focus once, and shows it."""
        count = int(self.page.evaluate(_FOCUSABLE))
        reached = set()
        # plotly.js has a few stops of its own.
        for _ in range(count + 100):
            self.page.keyboard.press("Tab")
            focused = self.page.evaluate(_FOCUSED)
            if focused["place"] is not None:
                assert focused["ring"], f"the focus on {focused['place']} cannot be seen"
                reached.add(focused["place"])
            if len(reached) == count:
                break
        assert len(reached) == count


@contextmanager
def watched_page(root: str) -> Iterator[Watched]:
    """A page over a site, whose console and requests are watched."""
    with open_page() as page:
        watched = Watched(page, root)

        def asked(request: Request) -> None:
            if request.url.startswith(("http:", "https:", "ws:", "wss:")):
                watched.hosts.add(urlsplit(request.url).netloc)

        page.on("console", lambda message: watched.complaints.append(message.text) if _is_bad(message.type) else None)
        page.on("pageerror", lambda error: watched.complaints.append(str(error)))
        page.on("dialog", lambda dialog: watched.complaints.append(f"dialog: {dialog.message}"))
        page.on("request", asked)
        yield watched


def _is_bad(kind: str) -> bool:
    return kind in {"error", "warning", "assert"}


def brightness(color: str) -> float:
    """Of a computed colour such as `rgb(20, 24, 29)`, from 0 (black) to 1 (white)."""
    red, green, blue = (float(part) for part in color.partition("(")[2].rstrip(")").split(",")[:3])
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255
