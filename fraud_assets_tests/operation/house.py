"""A house that runs `fraud-assets up` by a moved clock: what its people see, do, and wait for.

What lives here: the stack, its clock, and looking into Dagster's records. What does not: what goes wrong when
(incidents), and what must be true afterwards (books).
"""

import json
import os
import re
import signal
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import psutil
import pytest
from dagster._core.scheduler.instigation import InstigatorTick

from fraud_assets.local.embedded import running
from fraud_assets.local.errors import is_lost_database
from fraud_assets.local.postgres_process import Postmaster, find_postmaster
from fraud_assets_tests.local.stack import Stack

PATIENCE_SECONDS = 300.0
HOUR = 2
"""When the schedule ticks; an hour that is left out in the night to summer time."""
SCHEDULE = "daily_fraud_model"
LANDING = "landing_folder"
FAILURES = "failure_alerts"
RETRY_SECONDS = 30
"""Within so long the daemon launches a run again that it means to."""
SEEN_SECONDS = 1.2
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_SWITCH_ON = """
mutation On($schedule: ScheduleSelector!, $sensor: SensorSelector!) {
  startSchedule(scheduleSelector: $schedule) { __typename }
  startSensor(sensorSelector: $sensor) { __typename }
}
"""


class House:
    """A stack that lives by a clock."""

    def __init__(self, stack: Stack, zone: ZoneInfo) -> None:
        self.stack = stack
        self.zone = zone
        stack.environment |= stack.clock.environment

    def at(self, day: date, hour: int, minute: int = 0, second: int = 0) -> datetime:
        """An instant of a day, as the clock on the wall shows it."""
        return datetime.combine(day, time_of_day(hour, minute, second), self.zone)

    def move_to(self, when: datetime) -> None:
        """Let everything that is under way end, and put the clock forward."""
        self.wait_until_idle()
        self.put_clock_to(when)

    def put_clock_to(self, when: datetime) -> None:
        """Whatever is under way, unless it is later already. Returns once every process has seen it."""
        if when > self.stack.clock.now():
            self.stack.clock.move_to(when)
            time.sleep(SEEN_SECONDS)

    def wait_until(self, when: datetime) -> None:
        """The same, and wait until the sensors have looked and what they have launched has ended."""
        self.move_to(when)
        for name in (LANDING, FAILURES):
            wait_for(lambda name=name: self.last_tick(name) >= when, f"a look of {name} at {when}")  # type: ignore[misc]
        self.wait_until_idle()

    def wait_until_idle(self) -> None:
        """No run is under way, none is about to be launched again; twice, as a sensor may be launching one."""
        wait_for(lambda: self._is_idle() and not time.sleep(1) and self._is_idle(), "the end of all runs")  # type: ignore[func-returns-value]

    def wait_for_look(self) -> None:
        """A look of the landing folder's sensor from now on."""
        now = self.stack.clock.now()
        wait_for(lambda: self.last_tick(LANDING) >= now, "a look at the folder")

    def tick_of_schedule(self, when: datetime) -> InstigatorTick:
        """The schedule's tick for an instant, once it has been evaluated."""
        found: list[InstigatorTick] = []

        def is_there() -> bool:
            found[:] = [
                tick for tick in self.ticks(SCHEDULE) if tick.timestamp == when.timestamp() and tick.is_completed
            ]
            return bool(found)

        wait_for(is_there, f"the schedule's tick of {when}")
        return found[0]

    def _is_idle(self) -> bool:
        try:
            return self._has_ended_all()
        except Exception as error:
            if not is_lost_database(error):
                raise
            return False

    def _has_ended_all(self) -> bool:
        if self.instance.get_runs(dg.RunsFilter(statuses=UNFINISHED), limit=1):
            return False
        ended = datetime.fromtimestamp(self.stack.clock.now().timestamp() - RETRY_SECONDS, UTC)
        will_retry = dg.RunsFilter(
            statuses=[dg.DagsterRunStatus.FAILURE], tags={WILL_RETRY: "true"}, updated_after=ended
        )
        return all(AUTO_RETRY in run.tags for run in self.instance.get_runs(will_retry))

    def switch_on(self) -> None:
        """The schedule and the sensor, as the UI does it."""
        place = {"repositoryName": "__repository__", "repositoryLocationName": "fraud_assets"}
        answer = self.ask(
            _SWITCH_ON, schedule={**place, "scheduleName": SCHEDULE}, sensor={**place, "sensorName": LANDING}
        )
        assert {part["__typename"] for part in answer.values()} == {"ScheduleStateResult", "Sensor"}, answer

    def ask(self, query: str, **variables: Any) -> Mapping[str, Any]:
        """Dagster's GraphQL."""
        request = urllib.request.Request(
            f"{self.stack.url}/graphql",
            data=json.dumps({"query": query, "variables": variables}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as said:
            answer = json.load(said)
        assert "errors" not in answer, answer
        found: Mapping[str, Any] = answer["data"]
        return found

    @cached_property
    def instance(self) -> dg.DagsterInstance:
        """Dagster's own records, read from outside of the clock."""
        server = running(self.stack.home)
        assert server is not None
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FRAUD_DATABASE_URL", server.url("fraud"))
            patch.setenv("FRAUD_DAGSTER_DATABASE_URL", server.url("dagster"))
            return dg.DagsterInstance.from_config(str(self.stack.home / "dagster"))

    def rows(self, query: str, *values: object) -> list[Any]:
        """The answer of the data's database."""
        with self.stack.connect() as connection:
            return connection.execute(query.encode(), list(values)).fetchall()

    def runs(self) -> Sequence[dg.DagsterRun]:
        """All runs, oldest first."""
        return list(reversed(self.instance.get_runs()))

    def events(self, run: dg.DagsterRun, kind: dg.DagsterEventType) -> list[dg.DagsterEvent]:
        found = self.instance.all_logs(run.run_id, of_type=kind)
        return [entry.dagster_event for entry in found if entry.dagster_event is not None]

    def ticks(self, name: str) -> Sequence[InstigatorTick]:
        states = [state for state in self.instance.all_instigator_state() if state.name == name]
        return [
            tick
            for state in states
            for tick in self.instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=100)
        ]

    def last_tick(self, name: str) -> datetime:
        """When something that ticks has last done so, and ended."""
        ended = [tick.timestamp for tick in self.ticks(name) if tick.is_completed]
        return datetime.fromtimestamp(max(ended, default=0), self.zone)

    def has_launched(self, day: date) -> bool:
        """Whether there is a run of a day, of whatever state."""
        return bool(self.instance.get_runs(dg.RunsFilter(tags={"dagster/partition": str(day)}), limit=1))

    def run_in_step(self, day: date, step: str) -> dg.DagsterRun:
        """The run of a day, as soon as it works on a step."""
        found: list[dg.DagsterRun] = []

        def is_there() -> bool:
            of_day = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED], tags={"dagster/partition": str(day)})
            found[:] = self.instance.get_runs(of_day)
            starts = [event for run in found for event in self.events(run, dg.DagsterEventType.STEP_START)]
            return any(event.step_key == step for event in starts)

        wait_for(is_there, f"step {step} of {day}", pause=0.2)
        return found[0]

    def process_of(self, run: dg.DagsterRun) -> psutil.Process:
        """The process that executes a run, as its events say."""
        said = [event.message or "" for event in self.events(run, dg.DagsterEventType.ENGINE_EVENT)]
        numbers = [match[1] for message in said if (match := re.search(r"\(pid: (\d+)\)", message))]
        return psutil.Process(int(numbers[-1]))

    def end_database(self, number: signal.Signals) -> None:
        """Send its main process a signal, as somebody or something outside of the house does, and see it end."""
        postmaster = self._postmaster()
        assert postmaster is not None
        process = psutil.Process(postmaster.pid)
        process.send_signal(number)
        process.wait(timeout=60)

    def wait_for_database(self) -> None:
        wait_for(
            lambda: self._postmaster() is not None and running(self.stack.home) is not None, "the database's return"
        )

    def wait_for_words(self, words: str) -> str:
        """Until the command that keeps the house has said them on standard output; the line that they are in."""
        log = self.stack.folder / "up.log"
        wait_for(lambda: words in log.read_text(encoding="utf-8"), f"the words {words!r}")
        return next(line for line in log.read_text(encoding="utf-8").splitlines() if words in line)

    def _postmaster(self) -> Postmaster | None:
        return find_postmaster((self.stack.home / "postgres").resolve() / "data")

    def pull_the_plug(self) -> None:
        """Every process of the house ends at once, with no time to say anything."""
        assert self.stack.process is not None
        killed = self.stack.processes()
        for process in killed:
            with suppress(psutil.NoSuchProcess):
                os.kill(process.pid, signal.SIGKILL)
        self.stack.process.wait()
        psutil.wait_procs(killed, timeout=30)


WILL_RETRY, AUTO_RETRY = "dagster/will_retry", "dagster/auto_retry_run_id"


def wait_for(what: Callable[[], bool], name: str, *, pause: float = 0.5) -> None:
    """Wait in real time. Fails with what it has waited for."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < deadline, f"{name} did not happen within {PATIENCE_SECONDS} s"
        time.sleep(pause)


def days_from(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
