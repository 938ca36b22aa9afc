"""Simulated card transactions after the published simulator of the ULB Machine Learning Group.

The design is that of Le Borgne et al., Reproducible Machine Learning for Credit Card Fraud Detection: Practical
Handbook, chapter 3.2: customers and terminals on a square of 100 by 100, three fraud scenarios. Unlike the book's, this
one makes any day by itself: each draw comes from a generator seeded by (seed, purpose, day), and what carries over from
earlier days (compromised terminals and customers) is drawn again from the seeds of those days.
"""

import hashlib
import math
from dataclasses import dataclass
from datetime import date, timedelta
from enum import IntEnum
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fraud_assets.settings import ColumnRoles, SimulatedSource
from fraud_assets.sources.base import Surroundings
from fraud_assets.sources.batch import DayBatch, spool_table
from fraud_assets.sources.days import TIMESTAMP, bounds, require_begun
from fraud_assets.sources.delivered import Delivered
from fraud_assets.sources.errors import SourceError

ROLES = ColumnRoles.model_validate(
    {
        "transaction_id": "transaction_id",
        "timestamp": "transaction_time",
        "amount": "amount",
        "label": "label",
        "customer": "customer_id",
        "terminal": "terminal_id",
    }
)
SCHEMA = pa.schema(
    [
        ("transaction_id", pa.int64()),
        ("transaction_time", TIMESTAMP),
        ("amount", pa.float64()),
        ("label", pa.int8()),
        ("customer_id", pa.int64()),
        ("terminal_id", pa.int64()),
        ("source_row", pa.int64()),
    ]
)
ROW_IDS_OF_A_DAY = 10_000_000
# Drift is counted from here: at this date amounts are the book's.
EPOCH = date(2025, 1, 1)

_SIDE = 100
# Positions are whole multiples of 1/65536, so that distances are exact, and the same on every machine.
_GRID = 1 << 16
_LARGE_AMOUNT = 220.0
_TERMINAL_DAYS, _TERMINALS_A_DAY = 28, 2 / 10_000
_CUSTOMER_DAYS, _CUSTOMERS_A_DAY = 14, 3 / 5_000
_SHARE_OF_COMPROMISED, _AMOUNT_FACTOR = 1 / 3, 5.0

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Purpose(IntEnum):
    """What a stream of random numbers is for. The numbers are part of every day's rows: never change one."""

    PROFILES = 1
    TRANSACTIONS = 2
    TERMINALS = 3
    CUSTOMERS = 4


@dataclass(frozen=True)
class Profiles:
    """Who pays how much, how often, and where.

    Arrays by customer: `mean_amount`, `daily_rate`. Customer c reaches the terminals
    `reachable[offsets[c]:offsets[c + 1]]`.
    """

    mean_amount: Floats
    daily_rate: Floats
    offsets: Integers
    reachable: npt.NDArray[np.int32]


class Simulator:
    """The source `simulated`: the same rows for the same settings and date, whichever days were made before."""

    def __init__(self, settings: SimulatedSource, surroundings: Surroundings) -> None:
        self._settings = settings
        self._around = surroundings

    @property
    def roles(self) -> ColumnRoles:
        return ROLES

    def first_day(self) -> date | None:
        return None

    def has_day(self, day: date) -> bool:
        """Always: any day can be made."""
        return True

    def delivered(self, day: date, fingerprint: str) -> Delivered:
        return Delivered.NO_FILE

    def read_day(self, day: date) -> DayBatch:
        require_begun(day, self._around.zone)
        start, end = bounds(day, self._around.zone)
        table = simulate_day(self._settings, day, seconds=int((end - start).total_seconds()))
        micros = pa.array(table.pop("second") * 1_000_000 + int(start.timestamp()) * 1_000_000)
        table["transaction_time"] = micros.cast(pa.timestamp("us")).cast(TIMESTAMP)
        rows = pa.table({name: table[name] for name in SCHEMA.names}, schema=SCHEMA)
        identity = f"{self._settings.model_dump_json()} {day} {self._around.zone.key}"
        fingerprint = hashlib.sha256(identity.encode()).hexdigest()
        return spool_table(day, self._around.temporary_folder, "simulated", rows, fingerprint)


def simulate_day(settings: SimulatedSource, day: date, seconds: int) -> dict[str, npt.NDArray[Any]]:
    """Columns by name, sorted by `second` of the day; days of fewer than 86,400 seconds lose what falls behind."""
    profiles = profiles_of(settings.seed, settings.customers, settings.terminals, settings.radius)
    random = _generator(settings.seed, Purpose.TRANSACTIONS, day)
    counts = random.poisson(profiles.daily_rate)
    degree = np.diff(profiles.offsets)
    customer = np.repeat(np.arange(settings.customers), np.where(degree > 0, counts, 0))
    rows = len(customer)
    if rows > ROW_IDS_OF_A_DAY:
        raise SourceError(f"{settings.customers} customers make too many transactions a day; set fewer.")
    second = np.floor(random.normal(43_200, 20_000, rows)).astype(np.int64)
    mean = profiles.mean_amount[customer]
    drawn = random.normal(mean, mean / 2)
    amount = np.round(np.where(drawn < 0, random.uniform(0, 2 * mean), drawn), 2)
    pick = np.minimum((random.random(rows) * degree[customer]).astype(np.int64), degree[customer] - 1)
    terminal = profiles.reachable[profiles.offsets[customer] + pick].astype(np.int64)
    chance = random.random(rows)

    compromised = np.isin(customer, compromised_customers(settings, day)) & (chance < _SHARE_OF_COMPROMISED)
    fraud = (amount > _LARGE_AMOUNT) | np.isin(terminal, compromised_terminals(settings, day)) | compromised
    amount = np.round(np.where(compromised, amount * _AMOUNT_FACTOR, amount) * _growth(settings.drift, day), 2)

    order = np.argsort(second, kind="stable")
    order = order[(second[order] >= 0) & (second[order] < min(seconds, 86_400))]
    return {
        "transaction_id": day.toordinal() * ROW_IDS_OF_A_DAY + np.arange(len(order)),
        "second": second[order],
        "amount": amount[order],
        "label": fraud[order].astype(np.int8),
        "customer_id": customer[order],
        "terminal_id": terminal[order],
        "source_row": np.arange(1, len(order) + 1),
    }


def compromised_terminals(settings: SimulatedSource, day: date) -> Integers:
    """Scenario 2: terminals that turned bad on one of the last 28 days; all their transactions are fraud."""
    drawn = []
    for turned in _days_until(day, _TERMINAL_DAYS):
        random = _generator(settings.seed, Purpose.TERMINALS, turned)
        count = _rounded(settings.terminals * _TERMINALS_A_DAY, random)
        drawn.append(random.choice(settings.terminals, min(count, settings.terminals), replace=False))
    return np.unique(np.concatenate(drawn)).astype(np.int64)


def compromised_customers(settings: SimulatedSource, day: date) -> Integers:
    """Scenario 3: customers compromised on one of the last 14 days, whose number grows with drift."""
    drawn = []
    for turned in _days_until(day, _CUSTOMER_DAYS):
        random = _generator(settings.seed, Purpose.CUSTOMERS, turned)
        count = _rounded(settings.customers * _CUSTOMERS_A_DAY * _growth(settings.drift, turned), random)
        drawn.append(random.choice(settings.customers, min(count, settings.customers), replace=False))
    return np.unique(np.concatenate(drawn)).astype(np.int64)


@lru_cache(maxsize=4)
def profiles_of(seed: int, customers: int, terminals: int, radius: float) -> Profiles:
    """Customers and the terminals within `radius` of each, from the seed alone."""
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, Purpose.PROFILES])))
    home = random.integers(0, _SIDE * _GRID, (customers, 2), endpoint=True) / _GRID
    mean_amount = random.uniform(5, 100, customers)
    daily_rate = random.uniform(0, 4, customers)
    place = random.integers(0, _SIDE * _GRID, (terminals, 2), endpoint=True) / _GRID
    offsets, reachable = _within(home, place, radius)
    return Profiles(mean_amount, daily_rate, offsets, reachable)


def _within(home: Floats, place: Floats, radius: float) -> tuple[Integers, npt.NDArray[np.int32]]:
    """For each home the places within the radius, in ascending order, as (offsets, places)."""
    from scipy.spatial import cKDTree

    lists = cKDTree(place).query_ball_point(home, radius, return_sorted=True)
    lengths = np.fromiter((len(found) for found in lists), np.int64, len(lists))
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return offsets, np.fromiter((place for found in lists for place in found), np.int32, int(offsets[-1]))


def _generator(seed: int, purpose: Purpose, day: date) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, purpose, day.toordinal()])))


def _rounded(expected: float, random: np.random.Generator) -> int:
    """An integer whose mean is `expected`, and which is exact where that is whole."""
    # Shares such as 2/10,000 are no exact floats: a product like 2.0000000000000004 is 2.
    whole = math.floor(round(expected, 9))
    return whole + int(random.random() < round(expected, 9) - whole)


def _growth(drift: float, day: date) -> float:
    """Compounding: (1 + drift) to the power of the years since `EPOCH`."""
    return float((1 + drift) ** ((day - EPOCH).days / 365.25))


def _days_until(day: date, days: int) -> list[date]:
    # A calendar begins with 0001-01-01.
    return [day - timedelta(days=back) for back in range(min(days, day.toordinal()))]
