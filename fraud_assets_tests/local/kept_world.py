"""A card issuer's year in small: files with ids that are words, days that were run by the command line, and what a
database says of them.

What lives here: making it. What does not: anything that is asserted.
"""

import csv
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path

import psycopg
import pytest

from fraud_assets.local.daily import code_location
from fraud_assets.local.database import Workplace, open_workplace
from fraud_assets.local.embedded import EmbeddedServer
from fraud_assets.local.postgres_binaries import find_client
from fraud_assets.local.runs import Days, run_range
from fraud_assets.settings import SimulatedSource, load_settings
from fraud_assets.sources.simulated import simulate_day
from fraud_assets_tests.small_world import SIGNING_KEY, fresh_database

FIRST, LAST = date(2026, 3, 3), date(2026, 3, 13)
DAYS = [(FIRST + timedelta(days=number)).isoformat() for number in range((LAST - FIRST).days + 1)]
TOML = """
label_delay_days = 1
training_days = 4
validation_days = 2
start_date = 2026-03-03
[source]
kind = "files"
folder = "{folder}"
pattern = "{{date}}.csv"
[source.columns]
transaction_id = "TX"
timestamp = "AT"
timestamp_timezone = "UTC"
amount = "AMOUNT"
label = "FRAUD"
customer = "CARD"
terminal = "SHOP"
{columns}
[learning]
configurations = 1
max_fits = 5
jobs = 1
alerts_per_day = 10
[reports]
pictures = false
history_days = 5
"""
SMALL = SimulatedSource(customers=250, terminals=250, radius=18.0)
BATCHES = ("raw_batch", "rejected_rows")
MODELS = ("candidate_models/logistic_regression", "candidate_models/k_nearest_neighbors")
OF_A_DAY = (
    *(*MODELS, "evaluation_table", "evaluation_slices", "calibration_bins", "operating_points", "best_model"),
    *("scored_batch", "performance_report", "daily_summary"),
)
"""Two families are enough of a day here; all six take ten times as long."""
BROKEN = "TX-BROKEN-7,2026-03-10 10:00:00,{customer}\n"


def customer_of(number: int) -> str:
    return f"CUST-{number:04d}-x"


@lru_cache
def spender() -> str:
    """A customer with an alert on the last day: the one whose card paid the most then."""
    rows = simulate_day(SMALL, LAST, 86_400)
    return customer_of(int(rows["customer_id"][rows["amount"].argmax()]))


def write_files(folder: Path) -> None:
    """A CSV file a day; one customer has a row with an amount that is none, and one that is cut short."""
    folder.mkdir()
    for key in DAYS:
        day = date.fromisoformat(key)
        rows = simulate_day(SMALL, day, 86_400)
        with (folder / f"{key}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["TX", "AT", "AMOUNT", "FRAUD", "CARD", "SHOP"])
            for number in range(len(rows["second"])):
                second = int(rows["second"][number])
                writer.writerow(
                    [
                        f"TX-{day:%m%d}-{number:05d}",
                        f"{key} {second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}",
                        rows["amount"][number],
                        rows["label"][number],
                        customer_of(int(rows["customer_id"][number])),
                        f"S{rows['terminal_id'][number]}",
                    ]
                )
            if key == "2026-03-10":
                writer.writerow(["TX-REJECTED-7", f"{key} 11:00:00", "a lot", 1, spender(), "S1"])
                file.write(BROKEN.format(customer=spender()))


@dataclass(frozen=True)
class Kept:
    """Two databases, a home, and the URL of each."""

    url: str
    dagster_url: str
    home: Path
    folder: Path
    toml: str

    def enter(self, patch: pytest.MonkeyPatch, toml: str = "") -> Workplace:
        """Be somebody who works here, with more in the settings than there was."""
        Path("fraud.toml").write_text(self.toml + toml)
        for name, value in {
            "FRAUD_DATABASE_URL": self.url,
            "FRAUD_DAGSTER_DATABASE_URL": self.dagster_url,
            "FRAUD_SIGNING_KEY": SIGNING_KEY,
            "FRAUD_HOME": str(self.home),
        }.items():
            patch.setenv(name, value)
        return open_workplace(load_settings())

    def dump(self, name: str = "") -> str:
        """Both databases as SQL, or one."""
        return "".join(dumped(url) for url in (self.url, self.dagster_url) if name in url)

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(query.encode(), list(values)).fetchall()


def run(workplace: Workplace, first: str, last: str, assets: Sequence[str] = OF_A_DAY) -> None:
    """The batches and features of a range, and more of its last day."""
    defs, _ = code_location(workplace)
    with workplace.instance() as instance:
        for early in (BATCHES, ["labels"], ["cleaned_features"]):
            run_range(defs, instance, early, Days(first, last))
        run_range(defs, instance, assets, Days(last, last))


def dumped(url: str) -> str:
    with psycopg.connect(url) as connection:
        programs = find_client(connection.info.server_version // 10_000)
    said = subprocess.run([programs / "pg_dump", url], capture_output=True, text=True, check=True)
    # Each dump has a password of its own against injection.
    return "\n".join(line for line in said.stdout.splitlines() if "restrict " not in line)


@contextmanager
def kept_world(server: EmbeddedServer, folder: Path, columns: str = "") -> Iterator[Kept]:
    write_files(folder / "landing")
    toml = TOML.format(folder=folder / "landing", columns=columns)
    with fresh_database(server) as url, fresh_database(server) as dagster_url:
        yield Kept(url, dagster_url, folder / "home", folder, toml)
