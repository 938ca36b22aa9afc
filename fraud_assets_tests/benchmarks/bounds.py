"""Figures beside their bounds: what a benchmark prints of each, and what it says with its exit code."""

import sys
from dataclasses import dataclass, field


@dataclass
class Bounds:
    """Prints each figure with its bound as it is met or missed, and remembers whether one was missed."""

    missed: list[str] = field(default_factory=list)

    def at_least(self, what: str, measured: float, bound: float, *, form: str = ".3f", unit: str = "") -> None:
        self._say(what, measured, f"at least {bound:{form}}{unit}", measured >= bound, form, unit)

    def at_most(self, what: str, measured: float, bound: float, *, form: str = ".0f", unit: str = "") -> None:
        self._say(what, measured, f"at most {bound:{form}}{unit}", measured <= bound, form, unit)

    def end(self) -> None:
        """Leave the process with 1 when a bound was missed."""
        if self.missed:
            print(f"Missed: {', '.join(self.missed)}.")
            sys.exit(1)

    def _say(self, what: str, measured: float, bound: str, holds: bool, form: str, unit: str) -> None:
        if not holds:
            self.missed.append(what)
        verdict = "PASS" if holds else "FAIL"
        print(f"  {what:<56}{f'{measured:{form}}{unit}':>12}  {bound:<22}{verdict}", flush=True)
