"""A month of operation in simulation: the real daemon by a moved clock, and everything that goes wrong in a year.

`pytest -m slow fraud_assets_tests/operation -rP` runs it and shows the table of its nights; it takes a quarter of an
hour and needs libfaketime. What is lost when the disk is full needs a disk of the test's own: root can mount one.
"""

import os
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from fraud_assets_tests.automation.test_alerts import hooked
from fraud_assets_tests.clock import needs_moved_clock
from fraud_assets_tests.local.stack import stack_in
from fraud_assets_tests.operation import books
from fraud_assets_tests.operation.deliveries import Deliveries
from fraud_assets_tests.operation.house import HOUR, House, days_from
from fraud_assets_tests.operation.incidents import Incident, Month
from fraud_assets_tests.operation.records import record_of

ZONE = ZoneInfo("Europe/Brussels")
HISTORY, FIRST, LAST = date(2024, 3, 6), date(2024, 3, 18), date(2024, 4, 10)
"""Days that are there before the month; its first day and its last. In the night to March 31 summer time begins."""
NIGHTS = {
    date(2024, 3, 20): Incident.LATE_FILE,
    date(2024, 3, 22): Incident.DATABASE_RESTART,
    date(2024, 3, 23): Incident.CORRECTED_FILE,
    date(2024, 3, 25): Incident.RUN_KILLED,
    date(2024, 3, 27): Incident.POWER_CUT,
    date(2024, 3, 28): Incident.DATABASE_KILLED,
    date(2024, 3, 31): Incident.SWITCHED_OFF,
    date(2024, 4, 1): Incident.SWITCHED_OFF,
    date(2024, 4, 3): Incident.LABEL_FILE_LATE,
    date(2024, 4, 4): Incident.QUIET_FEED,
    date(2024, 4, 5): Incident.QUIET_FEED,
    date(2024, 4, 6): Incident.QUIET_FEED,
    date(2024, 4, 8): Incident.DISK_FULL,
    date(2024, 4, 9): Incident.DRIFT,
}
CUT_SHORT = {
    *(Incident.DATABASE_RESTART, Incident.DATABASE_KILLED, Incident.RUN_KILLED, Incident.POWER_CUT),
    *(Incident.LABEL_FILE_LATE, Incident.DISK_FULL),
}
"""After these what was done already of a day may have been done once more."""
CORRECTS = {date(2024, 3, 23): date(2024, 3, 21)}
LATE_LABELS = (date(2024, 3, 25), date(2024, 3, 26), date(2024, 3, 27))
QUIET = tuple(day for day, incident in NIGHTS.items() if incident is Incident.QUIET_FEED)
SETTINGS = f"""
timezone = "{ZONE.key}"
label_delay_days = 2
training_days = 4
validation_days = 2
[learning]
configurations = 1
max_fits = 5
jobs = 1
alerts_per_day = 10
[watching]
maturity_days = 10
[schedule]
hour = {HOUR}
catch_up = true
[reports]
pictures = false
[retries]
attempts = 3
first_delay_seconds = 1
"""


@contextmanager
def _small_disk() -> Iterator[Path]:
    """A folder with a disk of its own, where we may mount one; else any folder. The database's user can reach it."""
    folder = Path(tempfile.mkdtemp(prefix="month-"))
    folder.chmod(0o755)
    home = folder / "home"
    home.mkdir()
    mounted = os.geteuid() == 0 and not subprocess.call(
        ["mount", "-t", "tmpfs", "-o", "size=1g,mode=755", "tmpfs", str(home)], stderr=subprocess.DEVNULL
    )
    try:
        yield folder
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(home)], check=True)
        subprocess.run(["rm", "-rf", str(folder)], check=True)


@pytest.fixture
def month() -> Iterator[Month]:
    with _small_disk() as folder, hooked(200) as hook:
        deliveries = Deliveries(folder, ZONE, HISTORY, LATE_LABELS, QUIET, drifts_from=date(2024, 4, 9))
        settings = f'{SETTINGS}[alerts]\nwebhook = "{hook.url}"\n{deliveries.settings()}'
        with stack_in(folder, settings) as stack:
            nights = NIGHTS
            if not (folder / "home").is_mount():
                print("No disk is filled: only root can mount one to be filled.")
                nights = {day: what for day, what in NIGHTS.items() if what is not Incident.DISK_FULL}
            stack.clock.move_to(datetime(2024, 3, 18, 0, 20, tzinfo=ZONE))
            yield Month(House(stack, ZONE), deliveries, hook, nights, CORRECTS)


@needs_moved_clock
@pytest.mark.slow
def test_after_a_month_each_day_is_there_once_and_each_incident_on_record(month: Month) -> None:
    house, deliveries = month.house, month.deliveries
    began = time.monotonic()
    for day in days_from(HISTORY, FIRST - timedelta(days=1)):
        deliveries.deliver(day)
    house.stack.call("run", "--date", str(FIRST - timedelta(days=1)))
    house.stack.up()
    house.switch_on()
    month_days = days_from(FIRST, LAST)
    for day in month_days:
        month.night(day)
        print(f"{day}: {time.monotonic() - began:.0f} s", flush=True)
    house.wait_until_idle()
    all_days = days_from(HISTORY, LAST)
    books.nothing_under_way(house.instance)
    books.one_current_version_each(house, month_days)
    books.rows_as_the_ledger_says(house)
    books.every_transaction_once(house, deliveries, all_days, month.corrected)
    books.every_score_once(house, deliveries, month_days)
    books.every_label_once(house, deliveries, all_days)
    made_anew = [day for day, incident in NIGHTS.items() if incident in CUT_SHORT]
    again = dict(books.versions_with_a_reason(house, month_days, month.corrected, made_anew))
    runs = Counter(run.tags.get("dagster/partition") for run in house.runs())
    for day in month_days:
        incident = month.nights.get(day)
        print(
            f"{day}  {month.seconds[day]:4.0f} s  {runs[str(day)]} runs  {again[day]:2d} made again  {incident or ''}"
        )
    for incident, day in sorted((incident, day) for day, incident in month.nights.items()):
        print(f"{incident} ({day}): {record_of(month, incident, day)}")
    print(f"late labels: {record_of(month, Incident.LATE_LABELS, LATE_LABELS[-1])}")
    print(f"{len(month_days)} days in {time.monotonic() - began:.0f} s; {len(month.hook.posted)} alerts")
