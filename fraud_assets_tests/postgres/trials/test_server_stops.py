"""50 immediate stops of a durable server, at any moment of a write: what was committed is there, nothing else is."""

import random
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import cycle, islice, pairwise
from pathlib import Path
from statistics import median

import pytest

from fraud_assets.local.embedded import ensure_running
from fraud_assets.postgres.storage.unreferenced import unreferenced_files
from fraud_assets_tests.postgres.material import Store
from fraud_assets_tests.postgres.stops import stop_immediately
from fraud_assets_tests.postgres.trials.judge import Judge
from fraud_assets_tests.postgres.trials.tally import Tally
from fraud_assets_tests.postgres.trials.writers import Kind

STOPS = 50
KINDS = (Kind.FRAMES, Kind.FRAMES, Kind.ROWS, Kind.FRAMES, Kind.MODEL)
SEED = 20240302
DURABLE = ("fsync", "synchronous_commit", "full_page_writes")


@pytest.mark.slow
def test_immediate_stops(new_home: Callable[[str], Path]) -> None:
    """The moments are spread as those of the killed writers are.

    The figures are printed: `pytest -m slow -rP` shows them.
    """
    chance = random.Random(SEED)
    home = new_home("home")
    server = ensure_running(home)
    store = Store(server.url("fraud"))
    for setting in DURABLE:
        assert store.query(f"SHOW {setting}") == [("on",)]
    judges = {kind: Judge(store, kind) for kind in Kind}
    for judge in judges.values():
        judge.prepare()
    spans = {kind: judge.spans() for kind, judge in judges.items()}
    tally = Tally()
    left, seconds = [_left(store)], []
    started = time.monotonic()
    for kind in islice(cycle(KINDS), 2 * STOPS):
        judge = judges[kind]
        span = chance.choice(spans[kind])
        writer = judge.attempt()
        writer.wait_for(span.begins)
        time.sleep(chance.uniform(0, span.seconds))
        phase = writer.now()
        stop_immediately(home)
        succeeded = writer.ends()
        back = time.monotonic()
        assert ensure_running(home).url("fraud") == store.url
        seconds.append(time.monotonic() - back)
        is_new = judge.verdict()
        # What the run was told to be stored is stored: the log of it was on disk before it was told.
        assert is_new or not succeeded
        tally.add(kind, phase, is_new)
        judge.write_again()
        left.append(_left(store))
        if tally.cut_off == STOPS:
            break
    gained = [after - before for before, after in pairwise(left)]
    print(f"{tally.cut_off} stops in {time.monotonic() - started:.0f} s; seconds of a write and its parts:")
    for kind, parts in spans.items():
        print(kind, *(f"{part.begins.name} {part.seconds}" for part in parts))
    tally.show()
    some = [gain for gain in gained if gain]
    ((whole,),) = store.query("SELECT max(byte_count) FROM dagster_io.versions WHERE asset_key = 'frames'")
    print(
        f"{left[-1]:,} bytes are left that no catalogue knows, by {len(some)} of the stops: median {median(some):,.0f},"
    )
    print(f"most {max(some):,}, where a partition has {whole:,}; seconds to start again: {median(seconds):.2f}")
    assert tally.cut_off == STOPS
    tally.check_spread()
    assert min(gained) >= 0


def _left(store: Store) -> int:
    with store.connect() as connection:
        return sum(file.size for file in unreferenced_files(connection, margin=timedelta(0)))
