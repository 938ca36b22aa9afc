"""200 writers that are killed with SIGKILL, at any moment of a write: nothing is lost, torn, or left behind."""

import random
import time
from collections import Counter
from itertools import cycle, islice
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from fraud_assets_tests.postgres.material import Store
from fraud_assets_tests.postgres.trials.judge import Judge
from fraud_assets_tests.postgres.trials.tally import Tally
from fraud_assets_tests.postgres.trials.writers import Kind

KILLS = 200
KINDS = (Kind.FRAMES, Kind.ROWS, Kind.FRAMES, Kind.MODEL)
SEED = 20240301


@pytest.mark.slow
def test_killed_writers(store: Store, maintenance_url: str) -> None:
    """A quarter of the moments is spread over the whole of a write, the others over its parts.

    The figures are printed: `pytest -m slow -rP` shows them.
    """
    chance = random.Random(SEED)
    judges = {kind: Judge(store, kind) for kind in Kind}
    for judge in judges.values():
        judge.prepare()
    spans = {kind: judge.spans() for kind, judge in judges.items()}
    tally, doing = Tally(), Counter[str]()
    started = time.monotonic()
    with psycopg.connect(maintenance_url, autocommit=True) as looking:
        for kind in islice(cycle(KINDS), 2 * KILLS):
            judge = judges[kind]
            span = chance.choice(spans[kind])
            writer = judge.attempt()
            writer.wait_for(span.begins)
            time.sleep(chance.uniform(0, span.seconds))
            doing[_statement(looking, store)] += 1
            writer.kill()
            tally.add(kind, writer.phase, judge.verdict())
            judge.write_again()
            if tally.cut_off == KILLS:
                break
    print(f"{tally.cut_off} kills in {time.monotonic() - started:.0f} s; seconds of a write and its parts:")
    for kind, parts in spans.items():
        print(kind, *(f"{part.begins.name} {part.seconds}" for part in parts))
    tally.show()
    print("the server was at:", dict(doing.most_common()))
    assert tally.cut_off == KILLS
    tally.check_spread()


def _statement(looking: Connection[Any], store: Store) -> str:
    """What the writer's session does at this moment, by the first words of its statement."""
    database = psycopg.conninfo.conninfo_to_dict(store.url)["dbname"]
    session = looking.execute("SELECT state, query FROM pg_stat_activity WHERE datname = %s", [database]).fetchone()
    state, query = session or ("no session", "")
    return f"{state}: {' '.join(word for word in query.split()[:2] if word.isalpha())}"
