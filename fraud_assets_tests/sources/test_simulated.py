"""The simulator: the published shares, any day by itself, the same rows every time."""

import hashlib
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from fraud_assets.settings import Settings, SimulatedSource
from fraud_assets.sources import SourceError, open_source
from fraud_assets.sources import simulated as sim
from fraud_assets_tests.sources.material import read

_DAY = date(2024, 5, 17)


def _settings(**settings: Any) -> SimulatedSource:
    return SimulatedSource.model_validate(settings)


def _days(settings: SimulatedSource, count: int, first: date = _DAY) -> dict[str, np.ndarray[Any, Any]]:
    made = [sim.simulate_day(settings, first + timedelta(days=n), 86_400) for n in range(count)]
    return {name: np.concatenate([day[name] for day in made]) for name in made[0]}


def test_volume_and_fraud_share_are_the_published_ones() -> None:
    days = _days(_settings(), 60)
    assert 9_300 < len(days["label"]) / 60 < 9_900
    assert 0.006 < days["label"].mean() < 0.011
    assert 50 < days["amount"].mean() < 57


@pytest.mark.parametrize("customers", [200, 1_000])
def test_the_fraud_share_holds_at_small_scales(customers: int) -> None:
    settings = _settings(customers=customers, terminals=2 * customers, radius=5 * (5_000 / customers) ** 0.5)
    days = [sim.simulate_day(settings, _DAY + timedelta(days=n), 86_400)["label"] for n in range(0, 2_000, 10)]
    assert 0.005 < np.concatenate(days).mean() < 0.012


def test_rows_are_the_same_on_every_machine() -> None:
    day = sim.simulate_day(_settings(customers=500, terminals=1_000, radius=12), _DAY, 86_400)
    assert (day.pop("source_row") == np.arange(1, len(day["label"]) + 1)).all()
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(day[name]).tobytes() for name in sorted(day)))
    assert digest.hexdigest()[:16] == "fe7f1f23607cbc18"


def test_a_day_does_not_depend_on_the_days_made_before() -> None:
    settings = _settings(seed=3, customers=300, terminals=600, radius=20)
    alone = sim.simulate_day(settings, _DAY, 86_400)
    sim.profiles_of.cache_clear()
    _days(settings, 5, _DAY - timedelta(days=5))
    after = sim.simulate_day(settings, _DAY, 86_400)
    assert all(np.array_equal(alone[name], after[name]) for name in alone)
    other = sim.simulate_day(_settings(seed=4, customers=300, terminals=600, radius=20), _DAY, 86_400)
    assert len(other["amount"]) != len(alone["amount"]) or not np.array_equal(other["amount"], alone["amount"])


def test_terminals_stay_bad_for_28_days_and_customers_for_14() -> None:
    settings = _settings()
    new_terminals = set(sim.compromised_terminals(settings, _DAY)) - set(
        sim.compromised_terminals(settings, _DAY - timedelta(days=1))
    )
    assert len(new_terminals) == 2
    assert new_terminals <= set(sim.compromised_terminals(settings, _DAY + timedelta(days=27)))
    assert not new_terminals & set(sim.compromised_terminals(settings, _DAY + timedelta(days=28)))
    new_customers = set(sim.compromised_customers(settings, _DAY)) - set(
        sim.compromised_customers(settings, _DAY - timedelta(days=1))
    )
    assert len(new_customers) == 3
    assert new_customers <= set(sim.compromised_customers(settings, _DAY + timedelta(days=13)))
    assert not new_customers & set(sim.compromised_customers(settings, _DAY + timedelta(days=14)))


def test_the_three_scenarios_are_the_frauds() -> None:
    settings = _settings()
    day = sim.simulate_day(settings, _DAY, 86_400)
    at_bad_terminal = np.isin(day["terminal_id"], sim.compromised_terminals(settings, _DAY))
    of_bad_customer = np.isin(day["customer_id"], sim.compromised_customers(settings, _DAY))
    fraud = day["label"] == 1
    assert fraud[at_bad_terminal].all()
    assert fraud[day["amount"] > 220].all()
    explained = at_bad_terminal | of_bad_customer | (day["amount"] > 220)
    assert explained[fraud].all()
    assert 0.2 < fraud[of_bad_customer].mean() < 0.5


def test_terminals_are_within_reach_and_lonely_customers_are_silent() -> None:
    profiles = sim.profiles_of(0, 300, 50, 4.0)
    degree = np.diff(profiles.offsets)
    assert (degree == 0).any()
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([0, sim.Purpose.PROFILES])))
    home = random.integers(0, 100 << 16, (300, 2), endpoint=True) / 65_536
    random.uniform(size=600)
    place = random.integers(0, 100 << 16, (50, 2), endpoint=True) / 65_536
    near = ((home[:, None, :] - place[None, :, :]) ** 2).sum(axis=2) <= 16
    assert np.array_equal(np.nonzero(near)[1], profiles.reachable)
    days = _days(_settings(customers=300, terminals=50, radius=4), 20)
    assert not np.isin(days["customer_id"], np.flatnonzero(degree == 0)).any()


def test_no_terminal_within_reach_of_anyone_is_an_empty_day() -> None:
    _, _, counts = read(
        open_source(Settings.model_validate({"source": _settings(customers=3, terminals=1, radius=0.001)})), _DAY
    )
    assert counts.rows_in == 0


def test_drift_raises_amounts_and_compromised_customers_from_year_to_year() -> None:
    settings = _settings(drift=0.5)
    later = _days(settings, 20, sim.EPOCH + timedelta(days=365))
    earlier = _days(settings, 20, sim.EPOCH)
    assert later["amount"].mean() / earlier["amount"].mean() == pytest.approx(1.5, rel=0.1)
    year = sim.EPOCH + timedelta(days=365 + 14)
    assert len(sim.compromised_customers(settings, year)) > 1.3 * len(sim.compromised_customers(settings, sim.EPOCH))


def test_batches_are_sorted_days_of_the_zone() -> None:
    settings = Settings.model_validate({"timezone": "America/New_York"})
    accepted, _, counts = read(open_source(settings), date(2024, 3, 10))
    assert accepted.schema == sim.SCHEMA
    times = accepted["transaction_time"].to_pylist()
    assert times == sorted(times)
    assert times[0].isoformat() >= "2024-03-10T05:00:00+00:00"
    assert times[-1].isoformat() < "2024-03-11T04:00:00+00:00", "that day has 23 hours"
    ids = accepted["transaction_id"].to_pylist()
    assert ids == list(range(ids[0], ids[0] + counts.accepted))


def test_a_day_that_has_not_begun() -> None:
    with pytest.raises(SourceError, match="has not begun"):
        open_source(Settings.model_validate({})).read_day(date(2999, 1, 1))
