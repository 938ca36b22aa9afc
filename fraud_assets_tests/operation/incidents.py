"""What goes wrong in a month, on which night, and what must be on record of it afterwards.

A night is that after a day: the files of the day are delivered, and the day is run. What does not live here: what must
be true of all days (books).
"""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path

from fraud_assets_tests.automation.test_alerts import Hook
from fraud_assets_tests.operation.deliveries import Deliveries
from fraud_assets_tests.operation.house import HOUR, House

EARLY_STEP, LONG_STEP, LATE_STEP = "cleaned_features", "candidate_models", "feature_importance"
FULL_SECONDS = 30
"""For how long a full disk stays full."""
NEXT = timedelta(days=1)


class Incident(StrEnum):
    """What a night is remembered for."""

    LATE_FILE = "the file is late"
    CORRECTED_FILE = "a file is corrected"
    DATABASE_RESTART = "the database restarts in a run"
    DATABASE_KILLED = "the database is killed in a run"
    RUN_KILLED = "a run is killed"
    POWER_CUT = "all is killed in a run"
    SWITCHED_OFF = "all is off at night"
    LABEL_FILE_LATE = "the labels' file is late"
    LATE_LABELS = "frauds become known late"
    QUIET_FEED = "the label feed is quiet"
    DISK_FULL = "the disk is full"
    DRIFT = "amounts grow"


@dataclass
class Month:
    """What the nights have in common."""

    house: House
    deliveries: Deliveries
    hook: Hook
    nights: Mapping[date, Incident]
    corrects: Mapping[date, date]
    """By the night of a corrected file, the day whose file it is."""
    corrected: list[date] = field(default_factory=list)
    seconds: dict[date, float] = field(default_factory=dict)
    said_by_up: dict[date, str] = field(default_factory=dict)
    """By the night in which the database ended, what `up` said of it."""

    def night(self, day: date) -> None:
        """Deliver a day's files, let the day be run, and come back when that is done."""
        began = time.monotonic()
        _NIGHTS.get(self.nights.get(day), _usual)(self, day)  # type: ignore[arg-type]
        self.seconds[day] = time.monotonic() - began

    def told(self, *words: str) -> str | None:
        """What people were told with all of these words; None where there is no such alert."""
        said = (message["blocks"][0]["text"]["text"] for message in list(self.hook.posted))
        return next((text for text in said if all(word in text for word in words)), None)


def _usual(month: Month, day: date) -> None:
    _deliver_in_time(month, day)
    _morning(month, day)


def _deliver_in_time(month: Month, day: date) -> None:
    """By turns early, so that the file starts the run, and so late that the schedule does."""
    if day.day % 2:
        _deliver_early(month, day)
    else:
        _deliver_at_the_last_minute(month, day)


def _deliver_early(month: Month, day: date) -> None:
    house, night = month.house, day + NEXT
    house.wait_until(house.at(night, 0, 20))
    month.deliveries.deliver(day)
    # The second look at the settled file launches the run, and a first one may have happened since the delivery.
    for minute in (22, 24):
        if not house.has_launched(day):
            house.put_clock_to(house.at(night, 0, minute))
            house.wait_for_look()


def _deliver_at_the_last_minute(month: Month, day: date) -> None:
    house, night = month.house, day + NEXT
    house.wait_until(house.at(night, 0, 20))
    month.deliveries.deliver(day)
    house.move_to(house.at(night, HOUR, 0, 1))
    house.tick_of_schedule(house.at(night, HOUR))


def _morning(month: Month, day: date) -> None:
    """Whoever has launched the day's run, it ends, and the schedule's hour passes."""
    house, night = month.house, day + NEXT
    house.wait_until_idle()
    if house.stack.clock.now() < house.at(night, HOUR):
        house.put_clock_to(house.at(night, HOUR, 0, 1))
        house.tick_of_schedule(house.at(night, HOUR))
        house.wait_until_idle()


def _late_file(month: Month, day: date) -> None:
    house, night = month.house, day + NEXT
    house.wait_until(house.at(night, 0, 20))
    month.deliveries.deliver_labels(day)
    house.wait_until(house.at(night, HOUR, 0, 1))
    house.tick_of_schedule(house.at(night, HOUR))
    house.wait_until(house.at(night, 9))
    month.deliveries.deliver_transactions(day)
    house.wait_until(house.at(night, 9, 2))
    house.wait_until(house.at(night, 9, 4))


def _corrected_file(month: Month, day: date) -> None:
    house, night = month.house, day + NEXT
    _usual(month, day)
    corrected = month.corrects[day]
    month.deliveries.deliver_transactions(corrected, corrected=True)
    month.corrected.append(corrected)
    for minute in range(2, 40, 2):
        before = len(house.runs())
        house.wait_until(house.at(night, 14, minute))
        if minute > 4 and len(house.runs()) == before:
            break


def _database_restart(month: Month, day: date) -> None:
    """As whoever installs an update of PostgreSQL does it."""
    _deliver_in_time(month, day)
    month.house.run_in_step(day, LONG_STEP)
    _end_database(month, day, signal.SIGINT)
    _morning(month, day)


def _database_killed(month: Month, day: date) -> None:
    _deliver_in_time(month, day)
    month.house.run_in_step(day, EARLY_STEP)
    _end_database(month, day, signal.SIGKILL)
    _morning(month, day)


def _end_database(month: Month, day: date, number: signal.Signals) -> None:
    month.house.end_database(number)
    month.house.wait_for_database()
    month.said_by_up[day] = month.house.wait_for_words("The database is back.")


def _run_killed(month: Month, day: date) -> None:
    _deliver_in_time(month, day)
    run = month.house.run_in_step(day, LONG_STEP)
    month.house.process_of(run).kill()
    _morning(month, day)


def _power_cut(month: Month, day: date) -> None:
    _deliver_in_time(month, day)
    month.house.run_in_step(day, LONG_STEP)
    month.house.pull_the_plug()
    month.house.put_clock_to(month.house.at(day + NEXT, 8))
    month.house.stack.up()
    _morning(month, day)


def _switched_off(month: Month, day: date) -> None:
    house, night = month.house, day + NEXT
    if not house.stack.process_ended():
        house.stack.end(signal.SIGTERM)
    house.put_clock_to(house.at(night, 10))
    month.deliveries.deliver(day)
    if month.nights.get(night) is not Incident.SWITCHED_OFF:
        house.stack.up()
        house.wait_until(house.at(night, 10, 2))
        house.wait_until(house.at(night, 10, 4))


def _label_file_late(month: Month, day: date) -> None:
    house, night = month.house, day + NEXT
    house.wait_until(house.at(night, 0, 20))
    month.deliveries.deliver_transactions(day)
    house.wait_until(house.at(night, HOUR, 0, 1))
    house.tick_of_schedule(house.at(night, HOUR))
    house.wait_until(house.at(night, 8))
    month.deliveries.deliver_labels(day)


def _disk_full(month: Month, day: date) -> None:
    _deliver_in_time(month, day)
    month.house.run_in_step(day, EARLY_STEP)
    with filled(month.house.stack.home):
        time.sleep(FULL_SECONDS)
    month.house.wait_for_database()
    _morning(month, day)
    # What the daemon could not launch again while the disk was full is the sensor's, minutes later.
    month.house.wait_until(month.house.at(day + NEXT, 8))


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Leave not a byte on the disk of a folder, for a while."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            with suppress(OSError):
                while file.write(b"\0" * size) == size:
                    pass
    try:
        assert os.statvfs(folder).f_bavail == 0
        yield
    finally:
        ballast.unlink()


_NIGHTS: Mapping[Incident, Callable[[Month, date], None]] = {
    Incident.LATE_FILE: _late_file,
    Incident.CORRECTED_FILE: _corrected_file,
    Incident.DATABASE_RESTART: _database_restart,
    Incident.DATABASE_KILLED: _database_killed,
    Incident.RUN_KILLED: _run_killed,
    Incident.POWER_CUT: _power_cut,
    Incident.SWITCHED_OFF: _switched_off,
    Incident.LABEL_FILE_LATE: _label_file_late,
    Incident.DISK_FULL: _disk_full,
}
