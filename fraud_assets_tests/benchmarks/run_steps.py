"""Where the time of a Dagster run went: seconds of each step, apart for loading, computing and storing.

What lives here: reading Dagster's own event log of a run. What does not: running anything.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import psycopg

from fraud_assets_tests.benchmarks.usage import MB, Usage

_EVENTS = """
    SELECT step_key, dagster_event_type, extract(epoch FROM timestamp)::float8
    FROM event_logs
    WHERE run_id = (SELECT run_id FROM runs ORDER BY id DESC LIMIT 1) AND dagster_event_type IS NOT NULL
    ORDER BY id
"""


@dataclass
class StepTimes:
    """Seconds of one step of a run, which `begins` and `ends` at seconds since 1970.

    `computing` is all that is neither loading nor storing.
    """

    name: str
    begins: float
    ends: float
    loading: float = 0.0
    storing: float = 0.0

    @property
    def whole(self) -> float:
        return self.ends - self.begins

    @property
    def computing(self) -> float:
        return self.whole - self.loading - self.storing


def steps_of_last_run(url: str) -> list[StepTimes]:
    """The steps of the newest run in Dagster's database, in the order in which they began."""
    with psycopg.connect(url) as connection:
        return step_times(connection.execute(_EVENTS).fetchall())


def step_times(events: Sequence[tuple[str | None, str, float]]) -> list[StepTimes]:
    """The steps of a run from its events: step, kind and second, in the order of their happening."""
    begins: dict[str, int] = {}
    for place, (step, kind, _) in enumerate(events):
        # A step has events from before it starts: what is planned is written when the run begins.
        if step is not None and kind == "STEP_START":
            begins.setdefault(step, place)
    return [
        _times(name, [(kind, at) for step, kind, at in events[place:] if step == name])
        for name, place in begins.items()
    ]


def _times(name: str, events: list[tuple[str, float]]) -> StepTimes:
    step = StepTimes(name, events[0][1], events[-1][1])
    is_storing = False
    for kind, seconds in _intervals(events):
        if kind == "LOADED_INPUT":
            step.loading += seconds
        elif is_storing:
            step.storing += seconds
        is_storing = kind == "STEP_OUTPUT" or (is_storing and kind != "HANDLED_OUTPUT")
    return step


def _intervals(events: list[tuple[str, float]]) -> Iterator[tuple[str, float]]:
    """Each event with the seconds since the one before it."""
    for (_, earlier), (kind, later) in pairwise(events):
        yield kind, later - earlier


def printed(steps: Sequence[StepTimes], usage: Usage) -> str:
    """A table with a line a step, and what came before, between and after them."""
    lines = [f"  {'step':<28}{'loading':>10}{'computing':>11}{'storing':>10}{'seconds':>10}{'peak':>11}"]
    for step in steps:
        peak = usage.peak_between(step.begins, step.ends) / MB
        lines.append(
            f"  {step.name:<28}{step.loading:>10.1f}{step.computing:>11.1f}{step.storing:>10.1f}{step.whole:>10.1f}"
            f"{peak:>8,.0f} MB"
        )
    outside = usage.seconds - sum(step.whole for step in steps)
    lines.append(f"  {'starting, server, Dagster':<59}{outside:>10.1f}")
    return "\n".join(lines)
