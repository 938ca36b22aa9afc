"""A customer whose column is sensitive: stored under a pseudonym, forgotten by the id that the source has."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fraud_assets.assets.stored_batch import untrusted_batches
from fraud_assets.local.daily import code_location
from fraud_assets.local.embedded import EmbeddedServer
from fraud_assets.local.runs import Days, run_range
from fraud_assets.sources.pseudonyms import Pseudonymizer
from fraud_assets_tests.local.command import Command
from fraud_assets_tests.local.kept_world import BATCHES, Kept, kept_world, spender

KEY = "a key for pseudonyms"


@pytest.fixture
def kept(postgres_server: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    environment = dict(os.environ)
    with kept_world(postgres_server, tmp_path, 'sensitive = ["CARD"]') as world:
        monkeypatch.setenv("FRAUD_PSEUDONYM_KEY", KEY)
        workplace = world.enter(monkeypatch)
        defs, _ = code_location(workplace)
        with workplace.instance() as instance:
            run_range(defs, instance, BATCHES, Days("2026-03-10", "2026-03-11"))
        yield world
    os.environ.clear()
    os.environ.update(environment)


def test_the_original_id_finds_the_pseudonym_and_what_is_left_is_trusted(
    kept: Kept, fraud_assets: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    pseudonym = Pseudonymizer(KEY.encode()).pseudonym(spender())
    query = "SELECT transaction_id FROM fraud.raw_batch WHERE customer_id = %s"
    transactions = [str(one) for (one,) in kept.rows(query, pseudonym)]
    assert transactions
    said = fraud_assets("forget", "--customer", spender(), "--yes")
    assert said.code == 0, said.err
    dump = kept.dump()
    assert [one for one in (pseudonym, spender(), *transactions) if one in dump] == []
    workplace = kept.enter(monkeypatch)
    _, plan = code_location(workplace)
    days = sorted(workplace.postgres().stored_row_counts("raw_batch"))
    assert len(days) == 2
    assert untrusted_batches(plan, workplace.postgres(), days) == {}
