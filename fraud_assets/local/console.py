"""How the commands speak: results on standard output, progress on standard error, one sentence for an error."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

TABLE_WIDTH = 120
SPEED_SECONDS = 600.0
"""How far back the speed is measured that tells how much time is left: a day of models takes minutes."""

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def print_table(table: Table) -> None:
    """A table in its full width, also where that is more than the terminal's or a pipe's."""
    Console(highlight=False, width=max(out.width, TABLE_WIDTH), soft_wrap=True).print(table)


class Follower(Protocol):
    """What is told of a run while it goes on."""

    def advance(self, note: str = "") -> None:
        """A step has ended."""

    def say(self, note: str) -> None:
        """What is being done now."""

    def look(self) -> None:
        """Some time has passed."""


class Steps:
    """A progress bar over a known number of steps."""

    def __init__(self, progress: Progress, total: int, title: str) -> None:
        self._progress = progress
        self._settled = 0.0
        self._task = progress.add_task(title, total=total)

    def advance(self, note: str = "") -> None:
        self._progress.update(self._task, advance=1, description=note or None)

    def finish(self) -> None:
        """Everything is done, whether or not each step was seen to end."""
        task = next(task for task in self._progress.tasks if task.id == self._task)
        self._progress.update(self._task, completed=task.total)

    def say(self, note: str) -> None:
        self._progress.update(self._task, description=note)

    def reach(self, further: float) -> None:
        """So much more is done than when it was settled last."""
        self._progress.update(self._task, completed=self._settled + further)

    def settle(self) -> None:
        """What is done by now stays done."""
        self._settled = next(task for task in self._progress.tasks if task.id == self._task).completed

    def look(self) -> None:
        """Nothing moves but by steps."""


@contextmanager
def progress(title: str, total: int) -> Iterator[Steps]:
    """A bar on standard error while the block runs; on anything but a terminal it leaves its last state only."""
    columns = (SpinnerColumn(), BarColumn(24), TextColumn("{task.completed}/{task.total}"), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.description}"), console=err, transient=err.is_terminal) as bar:
        yield Steps(bar, total, title)


@contextmanager
def progress_of_days(title: str, total: int) -> Iterator[Steps]:
    """The same over days, of which some take far longer than others: with the time that is left by the last of them."""
    done = TextColumn("{task.completed:.0f}/{task.total} days")
    columns = (SpinnerColumn(), BarColumn(24), done, TimeElapsedColumn(), TextColumn("left:"), TimeRemainingColumn())
    with Progress(
        *columns,
        TextColumn("{task.description}"),
        console=err,
        transient=err.is_terminal,
        speed_estimate_period=SPEED_SECONDS,
    ) as bar:
        yield Steps(bar, total, title)
