"""How the commands speak: results on standard output, progress on standard error, one sentence for an error."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

TABLE_WIDTH = 120

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def print_table(table: Table) -> None:
    """A table in its full width, also where that is more than the terminal's or a pipe's."""
    Console(highlight=False, width=max(out.width, TABLE_WIDTH), soft_wrap=True).print(table)


class Steps:
    """A progress bar over a known number of steps."""

    def __init__(self, progress: Progress, total: int, title: str) -> None:
        self._progress = progress
        self._task = progress.add_task(title, total=total)

    def advance(self, note: str = "") -> None:
        self._progress.update(self._task, advance=1, description=note or None)

    def finish(self) -> None:
        """Everything is done, whether or not each step was seen to end."""
        task = next(task for task in self._progress.tasks if task.id == self._task)
        self._progress.update(self._task, completed=task.total)

    def say(self, note: str) -> None:
        self._progress.update(self._task, description=note)


@contextmanager
def progress(title: str, total: int) -> Iterator[Steps]:
    """A bar on standard error while the block runs; on anything but a terminal it leaves its last state only."""
    columns = (SpinnerColumn(), BarColumn(24), TextColumn("{task.completed}/{task.total}"), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.description}"), console=err, transient=err.is_terminal) as bar:
        yield Steps(bar, total, title)
