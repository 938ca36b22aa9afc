"""Scripts and styles: read once, named after their content, and so kept by browsers for good.

What does not live here: what they do.
"""

import hashlib
import re
import threading
from collections.abc import Iterator
from functools import cached_property
from importlib.resources import files
from pathlib import Path, PurePosixPath

from plotly.offline import get_plotlyjs_version

from fraud_assets.reporting.sections import STATIC
from fraud_assets.reporting.server.answers import Answer

OWN = Path(__file__).parent / "static"
FOREVER = "public, max-age=31536000, immutable"
PLOTLY = "plotly.min.js"

_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_STYLE_MARKS = re.compile(rb'document\.getElementById\("([0-9a-f]{64})"\)')


class Files:
    """The files below /static, each under one address that changes with it."""

    def __init__(self, root: str = "") -> None:
        self._root = root
        self._addresses = dict(self._named())
        self._sources = {address: source for source, address in self._addresses.items()}
        self._answers: dict[str, Answer] = {}
        self._lock = threading.Lock()

    def address(self, name: str) -> str:
        """Where the file of that name is served. Raises `KeyError` for one that there is not."""
        return f"{self._root}/static/{self._addresses[name]}"

    def answer(self, address: str) -> Answer | None:
        """The file that is served there, or None. Compressing plotly.js takes a moment, the first time."""
        name = self._sources.get(address)
        if name is None:
            return None
        with self._lock:
            if name not in self._answers:
                self._answers[name] = Answer.of(_content(name), _TYPES[PurePosixPath(name).suffix], level=6)
            return self._answers[name]

    @cached_property
    def style_marks(self) -> list[str]:
        """Ids by which parts of plotly.js know that their styles are in the page already, and put none there."""
        return sorted({mark.decode() for mark in _STYLE_MARKS.findall(_content(PLOTLY))})

    def _named(self) -> Iterator[tuple[str, str]]:
        yield PLOTLY, f"plotly-{get_plotlyjs_version()}.min.js"
        for folder in (STATIC, OWN):
            for path in sorted(folder.iterdir()):
                if path.suffix in _TYPES:
                    mark = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
                    yield path.name, f"{path.stem}.{mark}{path.suffix}"


def _content(name: str) -> bytes:
    if name == PLOTLY:
        return files("plotly").joinpath("package_data", PLOTLY).read_bytes()
    own = OWN / name
    return (own if own.is_file() else STATIC / name).read_bytes()
