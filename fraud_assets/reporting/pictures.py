"""Figures as still pictures, in the one form that Dagster's UI shows: a markdown image that holds its own data.

What lives here: format, size limit, and what happens without a browser (nothing but a sentence). What does not: the
browser's process, which is in `browser`, and the figures.
"""

import atexit
import base64
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import plotly.graph_objects as go

from fraud_assets.reporting.browser import Browser, BrowserError, FigureError, find_browser

WIDTH, HEIGHT = 900, 500

MOST_BYTES = 100_000
"""Of the whole markdown, base64 included."""

_PNG_SCALES = (1.0, 0.75, 0.5, 0.35)


@dataclass(frozen=True)
class _Format:
    mime: str
    options: dict[str, object]


def _formats(width: int, height: int) -> Iterator[_Format]:
    """In order of preference.

    SVG stays sharp at any size and, for lines and bars, is the smaller of the two (measured: a sixth to two thirds of
    the same figure's PNG); it grows with the number of marks, which PNG does not.
    """
    yield _Format("image/svg+xml", {"format": "svg", "width": width, "height": height, "scale": 1})
    for scale in _PNG_SCALES:
        yield _Format("image/png", {"format": "png", "width": width, "height": height, "scale": scale})


class PictureRenderer:
    """Renders figures with one browser for as long as it is open; the browser starts with the first figure.

    Works from any thread. Without a browser, or after it crashed or hung, `render` returns None and the run goes on:
    `unavailable_reason` then says why, and `unreported_problems` says it once.
    """

    def __init__(
        self,
        width: int = WIDTH,
        height: int = HEIGHT,
        start_seconds: float = 30.0,
        picture_seconds: float = 30.0,
        browser: Path | None = None,
    ) -> None:
        """The seconds are limits, for the browser's start and for each picture; `browser` None looks for one."""
        self._width, self._height = width, height
        self._start_seconds, self._picture_seconds = start_seconds, picture_seconds
        self._program = browser
        self._lock = threading.RLock()
        self._browser: Browser | None = None
        self._reason: str | None = None
        self._unreported: list[str] = []

    @property
    def unavailable_reason(self) -> str | None:
        """One sentence on why there are no pictures and what to do; None while nothing speaks against them."""
        return self._reason

    def unreported_problems(self) -> list[str]:
        """What went wrong since the last call, a sentence each: for a log that should say it once."""
        with self._lock:
            problems, self._unreported = self._unreported, []
            return problems

    def render(self, figure: go.Figure, title: str, most_bytes: int = MOST_BYTES) -> str | None:
        """The figure as `![title](data:...)`, the whole text of at most `most_bytes` bytes, or None."""
        with self._lock:
            if self._reason is not None:
                return None
            try:
                return self._markdown(figure, title, most_bytes)
            except BrowserError as error:
                self._give_up(str(error))
            except FigureError as error:
                self._unreported.append(f"The picture {title!r} could not be drawn: {error}.")
            return None

    def close(self) -> None:
        """Ends the browser if one runs. May be called twice; the next `render` would start a new one."""
        with self._lock:
            atexit.unregister(self.close)
            browser, self._browser = self._browser, None
        if browser is not None:
            browser.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _markdown(self, figure: go.Figure, title: str, most_bytes: int) -> str | None:
        browser = self._started_browser()
        for form in _formats(self._width, round(figure.layout.height or self._height)):
            text = _image(title, form.mime, browser.picture(figure, form.options))
            if len(text.encode()) <= most_bytes:
                return text
        self._unreported.append(f"The picture {title!r} has more than {most_bytes:,} bytes in every format.")
        return None

    def _started_browser(self) -> Browser:
        if self._browser is None:
            self._browser = Browser(self._program or find_browser(), self._start_seconds, self._picture_seconds)
            # For those who do not close: an interpreter that ends normally leaves no folder of the browser behind.
            atexit.register(self.close)
        return self._browser

    def _give_up(self, reason: str) -> None:
        self._reason = reason
        self._unreported.append(reason)
        self.close()


def _image(title: str, mime: str, data: bytes) -> str:
    label = " ".join(title.split()).replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    return f"![{label}](data:{mime};base64,{base64.b64encode(data).decode('ascii')})"
