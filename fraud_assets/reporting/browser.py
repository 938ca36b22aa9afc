"""The one Chromium process that turns figures into pictures: finding it, starting it, asking it, ending it.

What lives here: Kaleido on an event loop and a thread of its own, so that it works from any thread, whether or not a
loop runs there. What does not: which format and size a picture has, and what to tell the user without a browser.

Nothing is fetched: plotly.js comes from the installed package, MathJax is off, and every request that is not for a
file goes to a proxy that does not exist, Chromium's own background requests too.
"""

import asyncio
import os
import shutil
import signal
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, wait
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import plotly.graph_objects as go
from kaleido import Kaleido, PageGenerator
from kaleido.errors import JavascriptError, KaleidoError

T = TypeVar("T")

BROWSER_VARIABLE = "BROWSER_PATH"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
HOW_TO_GET_ONE = f"install one (apt-get install chromium), or set {BROWSER_VARIABLE} to the program of one"

# Port 9 is "discard": nothing answers there.
NO_NETWORK = "http://127.0.0.1:9"

WITHOUT_PICTURES = "the run goes on without pictures"

LOOK_EVERY_SECONDS = 0.5

SECONDS_TO_FALL = 5
"""How long a killed browser's thread is waited for."""


class BrowserError(Exception):
    """There is no browser, it did not start, it ended, or it did not answer in time. No process of it is left."""


class FigureError(Exception):
    """The browser works, and plotly.js could not draw this figure."""


def find_browser() -> Path:
    """`$BROWSER_PATH`, else the first of `NAMES` on the PATH. Raises `BrowserError` that says how to get one."""
    named = os.environ.get(BROWSER_VARIABLE)
    if named:
        if not os.access(named, os.X_OK) or not Path(named).is_file():
            raise BrowserError(f"{BROWSER_VARIABLE} names {named}, which is no program; correct it or unset it.")
        return Path(named)
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return Path(found)
    raise BrowserError(f"Static pictures need Chrome or Chromium, and none is on the PATH; {HOW_TO_GET_ONE}.")


class Browser:
    """A running browser. Starting takes two to three seconds; each picture then a tenth of one."""

    def __init__(self, program: Path, start_seconds: float, picture_seconds: float) -> None:
        """Starts it. Raises `BrowserError` when it has not started within `start_seconds`."""
        self._program = program
        self._picture_seconds = picture_seconds
        self._started: Future[asyncio.AbstractEventLoop] = Future()
        self._kaleido: Any = None
        self._thread = threading.Thread(target=self._run, name="browser", daemon=True)
        self._thread.start()
        try:
            self._loop = self._result(self._started, start_seconds)
        except TimeoutError as error:
            self._kill()
            problem = f"{program} did not start within {start_seconds:g} seconds; {HOW_TO_GET_ONE}."
            raise BrowserError(problem) from error
        except Exception as error:
            self._kill()
            raise BrowserError(f"{program} did not start: {_sentence(error)}; {HOW_TO_GET_ONE}.") from error

    def picture(self, figure: go.Figure, options: Mapping[str, object]) -> bytes:
        """The figure as Kaleido's `options` (format, width, height, scale) ask.

        Raises `FigureError` when plotly.js cannot draw it, and `BrowserError` when the browser has ended or does not
        answer in time; then it is gone for good.
        """
        asked = asyncio.run_coroutine_threadsafe(self._kaleido.calc_fig(figure, dict(options)), self._loop)
        try:
            return bytes(self._result(asked, self._picture_seconds))
        except (KaleidoError, JavascriptError, TypeError, ValueError) as error:
            raise FigureError(_sentence(error)) from error
        except TimeoutError as error:
            self._kill()
            problem = f"{self._program} did not answer within {self._picture_seconds:g} seconds; {WITHOUT_PICTURES}."
            raise BrowserError(problem) from error
        except Exception as error:
            # Whatever else goes wrong, a browser that went away is behind it: Kaleido cancels what waits for it.
            self._kill()
            raise BrowserError(f"{self._program} has ended unexpectedly; {WITHOUT_PICTURES}.") from error

    def close(self) -> None:
        """Ends the browser, by force when it does not go by itself within seconds. May be called twice."""
        self._ask_to_end()
        self._thread.join(SECONDS_TO_FALL)
        self._kill()

    def _result(self, promise: Future[T], seconds: float) -> T:
        """What the event loop promised; not waited for in vain when the browser ends without Kaleido's noticing."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            had_ended = self._has_ended()
            done, _ = wait([promise], timeout=min(left, LOOK_EVERY_SECONDS))
            if done:
                return promise.result()
            if had_ended:
                raise ChildProcessError("it ended by itself")
        raise TimeoutError

    def _has_ended(self) -> bool:
        process = getattr(self._kaleido, "subprocess", None)
        return process is not None and process.poll() is not None

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:
            # After the start, the caller's own request has failed as well, and says so.
            if not self._started.done():
                self._started.set_exception(error)

    async def _serve(self) -> None:
        page = PageGenerator(mathjax=False)
        self._kaleido = Kaleido(path=self._program, page_generator=page, timeout=None, proxy_server=NO_NETWORK)
        # By itself Kaleido loads all of plotly.js anew after each picture, which is more than half of a picture's time.
        # Were this hook of its to go, pictures would be slower and no worse.
        self._kaleido._return_kaleido_tab = self._keep
        self._end = asyncio.Event()
        async with self._kaleido:
            self._started.set_result(asyncio.get_running_loop())
            await self._end.wait()

    async def _keep(self, page: Any) -> None:
        await self._kaleido.tabs_ready.put(page)

    def _ask_to_end(self) -> None:
        # A loop that has ended already needs not be asked.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._end.set)

    def _kill(self) -> None:
        process = getattr(self._kaleido, "subprocess", None)
        if process is not None and process.poll() is None:
            # Kaleido starts it as the leader of a session, so the group is the browser with all its helpers.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        if self._started.done() and self._started.exception() is None:
            self._ask_to_end()
        self._thread.join(SECONDS_TO_FALL)


def _sentence(error: BaseException) -> str:
    """What the error says first; some of Chromium's carry a page of advice in further lines and arguments."""
    said = str(error.args[0] if error.args else error).strip().partition("\n")[0]
    return said.rstrip(".") or type(error).__name__
