"""Pictures by a real Chromium: form, size, one browser, and carrying on when it is missing, crashes or hangs."""

import asyncio
import base64
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree as ET

import plotly.graph_objects as go
import psutil
import pytest

from fraud_assets.reporting.browser import BrowserError, find_browser
from fraud_assets.reporting.figures.alerting import by_alerts_per_day, saving_by_threshold
from fraud_assets.reporting.figures.alerts import alerts_of_day
from fraud_assets.reporting.figures.calibration import reliability
from fraud_assets.reporting.figures.comparison import model_comparison
from fraud_assets.reporting.figures.curves import precision_recall, roc
from fraud_assets.reporting.figures.distributions import confusion, score_distribution
from fraud_assets.reporting.figures.drift import drift_heat_map
from fraud_assets.reporting.figures.history import metric_history
from fraud_assets.reporting.figures.importance import feature_importance
from fraud_assets.reporting.figures.live import promise_and_live
from fraud_assets.reporting.figures.maturity import label_maturity
from fraud_assets.reporting.figures.search import search_results
from fraud_assets.reporting.figures.slices import by_slice
from fraud_assets.reporting.figures.volume import volume
from fraud_assets.reporting.pictures import HEIGHT, MOST_BYTES, WIDTH, PictureRenderer
from fraud_assets_tests.reporting.frames import (
    HOSTILE,
    drift_history,
    evaluated,
    evaluation_history,
    four_rows,
    importances,
    live_history,
    maturity_ages,
    realistic,
    scored_day,
    searched,
    summaries,
)

SVG = "data:image/svg+xml;base64,"
PNG = "data:image/png;base64,"


def a_figure() -> go.Figure:
    return precision_recall(four_rows())


def many_marks() -> go.Figure:
    """One SVG element for each of 3,000 marks."""
    return go.Figure(go.Scatter(x=[i % 77 for i in range(3000)], y=[i % 61 for i in range(3000)], mode="markers"))


@pytest.fixture(scope="module")
def program() -> Path:
    try:
        return find_browser()
    except BrowserError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def renderer(program: Path) -> Iterator[PictureRenderer]:
    with PictureRenderer(browser=program) as opened:
        yield opened


def children() -> set[psutil.Process]:
    """Processes below this one; other tests of this process may have their own browser open."""
    return set(psutil.Process().children(recursive=True))


def parts(markdown: str | None) -> tuple[str, str, bytes]:
    assert markdown is not None
    found = re.fullmatch(r"!\[(.*)\]\((data:[a-z/+]+;base64,)([A-Za-z0-9+/=]+)\)", markdown)
    assert found is not None
    return found[1], found[2], base64.b64decode(found[3])


MEASURED = realistic()
FIGURES: dict[str, Callable[[], go.Figure]] = {
    "precision and recall": lambda: precision_recall(MEASURED.points, MEASURED.overall),
    "ROC": lambda: roc(MEASURED.points, MEASURED.overall),
    "alerts per day": lambda: by_alerts_per_day(MEASURED.points, 100),
    "saving": lambda: saving_by_threshold(MEASURED.points, "random_forest"),
    "scores": lambda: score_distribution(MEASURED.points, "random_forest"),
    "confusion": lambda: confusion(MEASURED.points, "random_forest"),
    "calibration": lambda: reliability(MEASURED.bins),
    "comparison": lambda: model_comparison(evaluated()),
    "slices": lambda: by_slice(MEASURED.slices, "day", "ensemble"),
    "importance": lambda: feature_importance(importances()),
    "search": lambda: search_results(searched()),
    "maturity": lambda: label_maturity(maturity_ages(), 7),
    "alerts": lambda: alerts_of_day(scored_day()),
    "drift": lambda: drift_heat_map(drift_history(90)),
    "volume": lambda: volume(summaries(90)),
    "live": lambda: promise_and_live(live_history(90)),
    "history": lambda: metric_history(evaluation_history(90), summaries(90)),
    "nothing": lambda: precision_recall(four_rows().iloc[:0]),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_a_small_sharp_picture(renderer: PictureRenderer, name: str) -> None:
    figure = FIGURES[name]()
    markdown = renderer.render(figure, name)
    title, kind, data = parts(markdown)
    assert (title, kind) == (name, SVG)
    assert len(markdown or "") < MOST_BYTES
    drawn = ET.fromstring(data)
    assert (drawn.get("width"), drawn.get("height")) == (str(WIDTH), str(figure.layout.height or HEIGHT))
    assert figure.layout.title.text.split("<br>")[0] in "".join(drawn.itertext())


def comparable(markdown: str | None) -> str:
    """The picture without the random names of its parts, numbers to a hundredth, and attributes in order."""
    named = re.sub("(trace|clip|legend|defs-)[0-9a-f]{6}", "", ET.canonicalize(parts(markdown)[2].decode()))
    return re.sub(r"\d+\.\d+", lambda found: f"{float(found[0]):.2f}", named)


def test_a_picture_is_the_same_whatever_was_drawn_before_it(renderer: PictureRenderer) -> None:
    first = comparable(renderer.render(a_figure(), "first"))
    for name in ("drift", "confusion", "volume"):
        renderer.render(FIGURES[name](), name)
    assert comparable(renderer.render(a_figure(), "again")) == first


def test_a_hostile_name_is_text_in_the_picture(renderer: PictureRenderer) -> None:
    title, _, data = parts(renderer.render(confusion(four_rows(HOSTILE, 0.5), HOSTILE), f"{HOSTILE}\n]x"))
    drawn = ET.fromstring(data)
    assert not [element for element in drawn.iter() if "script" in element.tag.lower()]
    assert "<script>alert(1)</script>" in "".join(drawn.itertext())
    assert "\n" not in title
    assert re.search(r"(?<!\\)[\[\]]", title) is None


def test_what_is_too_large_as_svg_becomes_a_png(renderer: PictureRenderer) -> None:
    markdown = renderer.render(many_marks(), "marks")
    _, kind, data = parts(markdown)
    assert kind == PNG
    assert len(markdown or "") <= MOST_BYTES
    width, height = struct.unpack(">II", data[16:24])
    assert width / height == pytest.approx(WIDTH / HEIGHT, rel=0.01)


def test_what_fits_in_no_format_is_left_out_and_said(renderer: PictureRenderer) -> None:
    assert renderer.render(a_figure(), "curves", most_bytes=500) is None
    assert renderer.unavailable_reason is None
    assert renderer.unreported_problems() == ["The picture 'curves' has more than 500 bytes in every format."]
    assert renderer.unreported_problems() == []


def test_a_figure_that_cannot_be_drawn_costs_only_itself(renderer: PictureRenderer) -> None:
    impossible = go.Figure(go.Scatter(x=[1], y=[1], customdata=[object()]))
    assert renderer.render(impossible, "impossible") is None
    assert "'impossible' could not be drawn" in renderer.unreported_problems()[0]
    assert renderer.render(a_figure(), "curves")


def test_one_browser_from_first_picture_to_close(program: Path) -> None:
    before = children()
    with PictureRenderer(browser=program) as own:
        assert children() == before
        own.render(a_figure(), "first")
        browser = children() - before
        assert browser
        with ThreadPoolExecutor(3) as threads:
            assert all(threads.map(lambda title: own.render(a_figure(), title), "abc"))

        async def in_a_running_loop() -> str | None:
            return own.render(a_figure(), "in a loop")

        assert asyncio.run(in_a_running_loop())
        assert {process for process in browser if process.is_running()} <= children()
        assert own.render(a_figure(), "last")
        leaders = [process for process in children() - before if process.pid == os.getpgid(process.pid)]
        assert len(leaders) == 1
    assert children() == before


def test_no_request_can_leave_the_machine(renderer: PictureRenderer) -> None:
    renderer.render(a_figure(), "curves")
    flags = [" ".join(process.cmdline()) for process in children()]
    assert [line for line in flags if "--proxy-server=http://127.0.0.1:9" in line]


def test_without_a_browser_the_reason_is_said_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with PictureRenderer() as renderer:
        assert renderer.render(a_figure(), "curves") is None
        assert renderer.render(a_figure(), "again") is None
        assert renderer.unavailable_reason is not None
        assert "apt-get install chromium" in renderer.unavailable_reason
        assert "BROWSER_PATH" in renderer.unavailable_reason
        assert renderer.unreported_problems() == [renderer.unavailable_reason]
        assert renderer.unreported_problems() == []


def test_a_wrong_browser_path_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "none"))
    with PictureRenderer() as renderer:
        assert renderer.render(a_figure(), "curves") is None
        assert renderer.unavailable_reason == (
            f"BROWSER_PATH names {tmp_path / 'none'}, which is no program; correct it or unset it."
        )


@pytest.mark.parametrize(
    ("script", "seconds", "said"),
    [("exit 3", 30, "did not start: "), ("exec /bin/sleep 60", 2, "did not start within 2 seconds")],
)
def test_a_browser_that_does_not_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, seconds: float, said: str
) -> None:
    folder = tmp_path / "with space"
    folder.mkdir()
    fake = folder / "chromium"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    before = children()
    with PictureRenderer(start_seconds=seconds) as renderer:
        assert renderer.render(a_figure(), "curves") is None
        assert said in (renderer.unavailable_reason or "")
        assert children() <= before


@pytest.mark.parametrize(
    ("fate", "said"), [(signal.SIGSTOP, "did not answer within"), (signal.SIGKILL, "has ended unexpectedly")]
)
def test_a_browser_that_hangs_or_crashes(program: Path, fate: signal.Signals, said: str) -> None:
    before = children()
    with PictureRenderer(browser=program, picture_seconds=3) as renderer:
        assert renderer.render(a_figure(), "curves")
        for process in children() - before:
            process.send_signal(fate)
        assert renderer.render(a_figure(), "curves") is None
        assert said in (renderer.unavailable_reason or "")
        assert children() <= before
        started = time.monotonic()
        assert renderer.render(a_figure(), "curves") is None
        assert time.monotonic() - started < 1


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Chromium keeps a socket in its temporary folder, and a socket's path has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="a b") as folder:
        yield Path(folder)


KILLED = """
import os, signal, sys
import plotly.graph_objects as go
from fraud_assets.reporting.pictures import PictureRenderer
import psutil
renderer = PictureRenderer()
assert renderer.render(go.Figure(), "picture"), renderer.unavailable_reason
print(*(process.pid for process in psutil.Process().children(recursive=True)), flush=True)
os.kill(os.getpid(), signal.SIGKILL) if sys.argv[1] == "killed" else None
"""


@pytest.mark.parametrize("end", ["killed", "without closing"])
def test_no_process_outlives_the_run(program: Path, short_folder: Path, end: str) -> None:
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "TMPDIR": str(short_folder),
        "BROWSER_PATH": str(program),
    }
    run = subprocess.run(
        [sys.executable, "-c", KILLED, end], env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == (-signal.SIGKILL if end == "killed" else 0), run.stderr
    browser = [int(pid) for pid in run.stdout.split()]
    assert browser
    deadline = time.monotonic() + 10
    while left := [pid for pid in browser if is_alive(pid)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
    if end != "killed":
        assert not list(short_folder.iterdir())


def is_alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
