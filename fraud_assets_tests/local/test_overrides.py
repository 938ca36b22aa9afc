"""The commands by which people decide: what they put on record, what they refuse, and that a list shows it.

The best models are records with the facts that such models have: nothing is fitted here.
"""

import os
import pwd
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from fraud_assets.learning import Calibrator, Decision, DecisionKind, Recipe, TunedRecipe, champion_facts
from fraud_assets.local.embedded import EmbeddedServer
from fraud_assets.postgres import PostgresResource
from fraud_assets.postgres.storage.journal import JournalEntry
from fraud_assets.postgres.storage.ledger import Origin
from fraud_assets.postgres.storage.models import store_model
from fraud_assets_tests.local.command import Command
from fraud_assets_tests.small_world import SIGNING_KEY, SMALL_TOML, fresh_database

KEPT_DAY, WAITING_DAY, NEXT_DAY = "2026-03-15", "2026-03-16", "2026-03-17"
USER = pwd.getpwuid(os.getuid()).pw_name


def _tuned(family: str) -> TunedRecipe:
    return TunedRecipe(Recipe(family, {"C": 0.1}, ("amount",)), 0.25, Calibrator(1.5, -0.5), "2026-03-08")


CHAMPION, CHALLENGER = _tuned("logistic_regression"), _tuned("random_forest")


def _facts(day: str, kind: DecisionKind) -> dict[str, object]:
    decision = Decision(day, kind, CHAMPION.recipe.family, "champion", 0.5, "2026-03-01", "It won.", day, day, 0.005)
    waiting = {"challenger_recipe": CHALLENGER.as_json()} if kind is DecisionKind.AWAITING_APPROVAL else {}
    return {**decision.facts(), **champion_facts(CHAMPION, decision), **waiting, "average_precision": 0.5}


@pytest.fixture(scope="module")
def url(postgres_server: EmbeddedServer) -> Iterator[str]:
    """Two days with a best model: the champion stayed, and then a challenger came that waits."""
    with fresh_database(postgres_server) as made:
        with PostgresResource(url=made).connect() as connection:
            for day, kind in ((KEPT_DAY, DecisionKind.KEPT), (WAITING_DAY, DecisionKind.AWAITING_APPROVAL)):
                origin = Origin("run", facts=tuple(_facts(day, kind).items()))
                key = SIGNING_KEY.encode()
                store_model(connection, "best_model", day, SimpleNamespace(), signing_key=key, origin=origin)
        yield made


@pytest.fixture(autouse=True)
def two_days(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "fraud.toml").write_text(SMALL_TOML)
    monkeypatch.setenv("FRAUD_DATABASE_URL", url)
    monkeypatch.setenv("FRAUD_SIGNING_KEY", SIGNING_KEY)
    yield
    with psycopg.connect(url) as connection:
        connection.execute("DROP TABLE IF EXISTS dagster_io.journals")


def _journal(url: str) -> list[JournalEntry]:
    return PostgresResource(url=url).journal("best_model")


@pytest.mark.parametrize(
    ("command", "day", "from_day", "tuned"),
    [
        ("approve", WAITING_DAY, WAITING_DAY, CHALLENGER),
        ("pin", KEPT_DAY, NEXT_DAY, CHAMPION),
        ("rollback", KEPT_DAY, NEXT_DAY, CHAMPION),
    ],
)
def test_an_override_is_put_on_record(
    command: str, day: str, from_day: str, tuned: TunedRecipe, url: str, fraud_assets: Command
) -> None:
    """Who, when, what, from which day on, why, and the recipe: all that the best model of a later day needs."""
    said = fraud_assets("models", command, "--date", day, "--reason", "as was agreed")
    assert said.code == 0, said.err
    [entry] = _journal(url)
    assert (entry.author, entry.content) == (
        USER,
        {"kind": command, "day": day, "from_day": from_day, "tuned": tuned.as_json(), "reason": "as was agreed"},
    )
    for part in (f"number {entry.number}", f"{USER} ", tuned.recipe.family, "as was agreed", f"{from_day} and later"):
        assert part in said.out
    listed = fraud_assets("models", "overrides")
    assert listed.code == 0
    for part in (str(entry.number), USER, command, day, tuned.recipe.family, from_day, "as was agreed"):
        assert part in listed.out


def test_a_pin_is_shown_in_the_list_until_it_is_taken_back(url: str, fraud_assets: Command) -> None:
    assert "Pinned" not in fraud_assets("models", "list").out
    assert fraud_assets("models", "pin", "--date", KEPT_DAY).code == 0
    assert f"Pinned: {USER} pinned logistic_regression of {KEPT_DAY}" in fraud_assets("models", "list").out
    assert fraud_assets("models", "unpin", "--reason", "audit is over").code == 0
    assert "Pinned" not in fraud_assets("models", "list").out
    assert [entry.content["kind"] for entry in _journal(url)] == ["pin", "unpin"]
    again = fraud_assets("models", "unpin")
    assert (again.code, f"No recipe is pinned on {NEXT_DAY}" in again.err) == (1, True)


def test_the_list_shows_decisions_and_since_when_a_recipe_is_used(fraud_assets: Command) -> None:
    listed = fraud_assets("models", "list").out
    for part in (KEPT_DAY, "kept", WAITING_DAY, "awaiting_approval", "2026-03-01", "0.5000"):
        assert part in listed


def test_an_override_may_begin_later(url: str, fraud_assets: Command) -> None:
    assert fraud_assets("models", "rollback", "--date", KEPT_DAY, "--from", "2026-04-01").code == 0
    assert _journal(url)[0].content["from_day"] == "2026-04-01"


def test_nobody_has_said_anything(fraud_assets: Command) -> None:
    said = fraud_assets("models", "overrides")
    assert (said.code, said.out) == (0, "Nobody has overridden a decision.\n")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["approve", "--date", KEPT_DAY], 1, f"No challenger waits for approval on {KEPT_DAY}: the decision"),
        (["approve", "--date", NEXT_DAY], 1, f"There is no best model of {NEXT_DAY}; there are 2"),
        (["pin", "--date", "2026-03-01"], 1, "There is no best model of 2026-03-01"),
        (["rollback", "--date", "2026-03-01"], 1, "There is no best model of 2026-03-01"),
        (["pin", "--date", KEPT_DAY, "--from", KEPT_DAY], 1, "give --from a later day"),
        (["rollback", "--date", WAITING_DAY, "--from", KEPT_DAY], 1, f"cannot be used on {KEPT_DAY}"),
        (["unpin"], 1, f"No recipe is pinned on {NEXT_DAY}"),
        (["pin"], 2, "Missing option '--date'"),
        (["pin", "--date", "today"], 2, "write it YYYY-MM-DD"),
    ],
)
def test_what_cannot_be_said_is_refused_in_a_sentence(
    arguments: list[str], code: int, says: str, url: str, fraud_assets: Command
) -> None:
    said = fraud_assets("models", *arguments)
    assert (said.code, said.out) == (code, "")
    assert says in " ".join(said.err.split())
    assert "Traceback" not in said.err
    assert _journal(url) == []


@pytest.mark.parametrize("arguments", [["rollback", "--date", KEPT_DAY], ["approve", "--date", WAITING_DAY]])
def test_while_a_recipe_is_pinned_none_is_put_in_its_place(arguments: list[str], fraud_assets: Command) -> None:
    assert fraud_assets("models", "pin", "--date", KEPT_DAY).code == 0
    said = fraud_assets("models", *arguments)
    assert (said.code, "A pinned recipe gives way to nobody" in said.err, "models unpin" in said.err) == (1, True, True)


def test_a_challenger_is_approved_once(fraud_assets: Command) -> None:
    assert fraud_assets("models", "approve", "--date", WAITING_DAY).code == 0
    said = fraud_assets("models", "approve", "--date", WAITING_DAY)
    assert (said.code, "random_forest of 2026-03-16 is approved already" in said.err) == (1, True)
    assert fraud_assets("models", "rollback", "--date", KEPT_DAY).code == 0
    assert fraud_assets("models", "approve", "--date", WAITING_DAY).code == 0


def test_where_nothing_is_stored_there_is_nothing_to_decide(
    postgres_server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, fraud_assets: Command
) -> None:
    with fresh_database(postgres_server) as empty:
        monkeypatch.setenv("FRAUD_DATABASE_URL", empty)
        for command in (["pin", "--date", KEPT_DAY], ["approve", "--date", KEPT_DAY], ["unpin"], ["list"]):
            said = fraud_assets("models", *command)
            assert (said.code, "No best model has been stored yet" in said.err) == (1, True)
