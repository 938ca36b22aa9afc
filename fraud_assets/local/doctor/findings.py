"""What a check of `doctor` can find, other than that all is well; and the line that says it."""

from collections.abc import Callable

from fraud_assets.local.console import out
from fraud_assets.settings import Settings


class Problem(Exception):
    """Something does not work; the message says what to do."""


class Advice(Exception):
    """Something optional is not there; the message says how to get it."""


class Remark(Exception):
    """Everything works, and something is worth knowing; the message says what to do about it."""


def report(name: str, check: Callable[[Settings], str], settings: Settings) -> bool:
    """Print what a check finds; returns whether everything works that is needed."""
    try:
        finding, mark, works = check(settings), "[green]ok[/]     ", True
    except Advice as advice:
        finding, mark, works = str(advice), "[yellow]missing[/]", True
    except Remark as remark:
        finding, mark, works = str(remark), "[yellow]note[/]   ", True
    except Problem as problem:
        finding, mark, works = str(problem), "[red]broken[/] ", False
    out.print(f"  {mark}  {name}: ", end="")
    out.print(finding, markup=False)
    return works
