"""A house that is kept: doctor, backup and restore, prune, forget, in this order on one small world."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import psycopg
import pytest

import fraud_assets
from fraud_assets.local.daily import code_location
from fraud_assets.local.database import Workplace, open_workplace
from fraud_assets.local.embedded import EmbeddedServer, ensure_running
from fraud_assets.local.runs import Days, run_range
from fraud_assets.postgres import PostgresResource
from fraud_assets.postgres.storage.contents import content_now
from fraud_assets.postgres.storage.forgetting import held_versions
from fraud_assets.postgres.storage.tables import registered_spec
from fraud_assets.settings import load_settings
from fraud_assets_tests.local.command import Command
from fraud_assets_tests.local.kept_world import BATCHES, DAYS, OF_A_DAY, Kept, kept_world, run, spender
from fraud_assets_tests.small_world import SIGNING_KEY

PAGE = Path(fraud_assets.__file__).parents[1] / "docs" / "operating.md"
LAST_RUN, NEXT = DAYS[-2], DAYS[-1]
RETENTION = """
[retention]
event_days = 30
[retention.days]
cleaned_features = 9
[retention.archived_versions]
raw_batch = 1
"""


@pytest.fixture(scope="module")
def kept(postgres_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """Days that were run; the batches of the last three once more, and once more, so that there is an archive."""
    folder = tmp_path_factory.mktemp("kept")
    environment = dict(os.environ)
    with kept_world(postgres_server, folder) as world:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            workplace = world.enter(patch)
            run(workplace, DAYS[0], LAST_RUN)
            defs, _ = code_location(workplace)
            with workplace.instance() as instance:
                for _ in range(2):
                    run_range(defs, instance, BATCHES, Days(DAYS[-4], LAST_RUN))
        os.environ.clear()
        os.environ.update(environment)
        yield world


@pytest.fixture
def workplace(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workplace]:
    environment = dict(os.environ)
    yield kept.enter(monkeypatch)
    os.environ.clear()
    os.environ.update(environment)


def _materialized(workplace: Workplace, asset: str) -> set[str]:
    with workplace.instance() as instance:
        return set(instance.get_materialized_partitions(dg.AssetKey(asset)))


def _check_hashes(url: str) -> int:
    """The ledger's hash of every version is that of its rows; returns how many there are."""
    postgres, checked = PostgresResource(url=url), 0
    with postgres.connect() as connection:
        for (asset,) in connection.execute("SELECT asset_key FROM dagster_io.tables").fetchall():
            spec = registered_spec(connection, asset)
            assert spec is not None
            for version in held_versions(connection, asset)[-2:]:
                content = content_now(postgres, connection, spec, version)
                assert (content.content_hash, content.row_count) == (version.content_hash, version.row_count), asset
                checked += 1
    return checked


def test_doctor_shows_how_full_the_house_is(workplace: Workplace, fraud_assets: Command) -> None:
    said = fraud_assets("doctor")
    assert said.code == 0, said.out
    assert re.search(r"ok +sizes: [\d.]+ MB in the database, .* the ledger; [\d.]+ MB in Dagster's own", said.out)
    assert re.search(r"raw_batch: [\d.]+ [kM]B in 10 partitions, and [\d.]+ [kM]B in 6 archived versions", said.out)
    assert re.search(r"ok +locks: room for 25,600 .* a read through fraud\.\w+ 10", said.out)
    assert "all partitions are kept; Dagster's events 90 days" in said.out


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("[retention.days]\nraw_batches = 3", "names 'raw_batches', and there is no such asset"),
        ("[retention.archived_versions]\nlabel = 3", "archived_versions names 'label'"),
        ("[retention.days]\ncleaned_features = 5", "keeps 5 days of cleaned_features, and today's settings look"),
        ("[retention.days]\ncandidate_models = 1", "keeps 1 days of candidate_models, and today's settings look"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(
    kept: Kept, settings: str, says: str, workplace: Workplace, monkeypatch: pytest.MonkeyPatch, fraud_assets: Command
) -> None:
    kept.enter(monkeypatch, settings)
    said = fraud_assets("prune")
    assert (said.code, said.out) == (1, "")
    assert says in said.err
    seen = fraud_assets("doctor")
    assert seen.code == 1
    assert re.search(rf"broken +retention: .*{re.escape(says)}", seen.out)


def _commands(section: str) -> list[str]:
    """The commands of the page's backup and of its restore."""
    page = PAGE.read_text(encoding="utf-8").partition(f"## {section}")[2].partition("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", page, re.DOTALL)


def test_a_backup_is_restored_by_the_page_and_goes_on(
    kept: Kept,
    workplace: Workplace,
    new_home: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fraud_assets: Command,
) -> None:
    backup, restore = _commands("Backup and restore")
    home = new_home("restored")
    (kept.home / "signing.key").write_text(SIGNING_KEY)
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "fraud-assets").write_text(f'#!/bin/sh\nexec "{sys.executable}" -W ignore -m fraud_assets.local "$@"\n')
    (programs / "fraud-assets").chmod(0o755)
    password = kept.url.partition("//")[2].partition("@")[0].partition(":")[2]
    here = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PGPASSWORD": password}
    for code, environment in (
        (backup, here),
        (restore, {name: value for name, value in here.items() if not name.startswith(("FRAUD_", "PG", "DAGSTER_"))}),
    ):
        said = subprocess.run(["sh", "-euc", code], env=environment, capture_output=True, text=True, check=False)
        assert said.returncode == 0, said.stderr
    assert said.stdout.endswith("models are as they were signed.\n")
    server = ensure_running(home)
    assert _check_hashes(server.url("fraud")) > 12
    with psycopg.connect(server.url("fraud")) as connection:
        counted = connection.execute("SELECT count(*), sum(row_count) FROM dagster_io.versions").fetchall()
    assert counted == kept.rows("SELECT count(*), sum(row_count) FROM dagster_io.versions")
    for name in ("FRAUD_DATABASE_URL", "FRAUD_DAGSTER_DATABASE_URL", "FRAUD_SIGNING_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("FRAUD_HOME", str(home))
    listed = fraud_assets("models", "list")
    assert (listed.code, LAST_RUN in listed.out) == (0, True)
    moved = open_workplace(load_settings())
    assert _materialized(moved, "raw_batch") == set(DAYS[:-1])
    run(moved, NEXT, NEXT, [*OF_A_DAY[:-2]])
    assert _materialized(moved, "scored_batch") == {LAST_RUN, NEXT}


def test_a_dry_run_changes_nothing(
    kept: Kept, workplace: Workplace, monkeypatch: pytest.MonkeyPatch, fraud_assets: Command
) -> None:
    kept.enter(monkeypatch, RETENTION)
    before = kept.dump()
    said = fraud_assets("prune", "--dry-run")
    assert said.code == 0, said.err
    assert re.search(rf"cleaned_features +{DAYS[1]} +1 \({DAYS[0]} to {DAYS[0]}\) +1 ", said.out)
    assert re.search(r"raw_batch +all +0 +3 ", said.out)
    assert "would go" in said.out
    seen = fraud_assets("forget", "--customer", spender(), "--dry-run")
    assert (seen.code, "Nothing was changed." in seen.out) == (0, True)
    assert kept.dump() == before


def test_prune_removes_what_the_settings_do_not_keep(
    kept: Kept, workplace: Workplace, monkeypatch: pytest.MonkeyPatch, fraud_assets: Command
) -> None:
    workplace = kept.enter(monkeypatch, RETENTION)
    assert _materialized(workplace, "cleaned_features") == set(DAYS[:-1])
    with psycopg.connect(kept.dagster_url, autocommit=True) as log:
        # One of the runs was long ago.
        log.execute("UPDATE runs SET end_time = end_time - 86400 * 40 WHERE id = 1")
        old = log.execute("SELECT run_id, (SELECT count(*) FROM event_logs e WHERE e.run_id = r.run_id) FROM runs r")
        events: dict[str, int] = dict(old.fetchall())
    said = fraud_assets("prune")
    assert said.code == 0, said.err
    assert re.search(r"Dagster's event log: \d+ events of 1 finished runs", said.out)
    assert _materialized(workplace, "cleaned_features") == set(DAYS[1:-1])
    assert kept.rows("SELECT DISTINCT partition_key FROM fraud.cleaned_features ORDER BY 1") == [
        (day,) for day in DAYS[1:-1]
    ]
    pruned = "SELECT asset_key, count(*) FROM dagster_io.versions WHERE status = 'pruned' GROUP BY 1 ORDER BY 1"
    assert kept.rows(pruned) == [("cleaned_features", 1), ("raw_batch", 3)]
    with psycopg.connect(kept.dagster_url) as log:
        left = log.execute(
            "SELECT r.run_id, count(e.id), max(r.id) FROM runs r JOIN event_logs e USING (run_id) GROUP BY 1"
        ).fetchall()
    assert len(left) == len(events)
    assert all(number < events[run_id] for run_id, number, place in left if place == 1)
    again = fraud_assets("prune")
    assert "Everything that is stored is within" in again.out
    assert fraud_assets("models", "verify").code == 0


def test_an_interrupted_prune_is_finished_by_the_next(
    kept: Kept, workplace: Workplace, monkeypatch: pytest.MonkeyPatch, fraud_assets: Command
) -> None:
    """The data is gone, and Dagster was not told of it."""
    kept.enter(monkeypatch, "[retention.days]\ncleaned_features = 8\n")

    def stopped(*arguments: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("fraud_assets.local.housekeeping.forget_partitions", stopped)
        assert fraud_assets("prune").code == 130
    assert (DAYS[1],) not in kept.rows("SELECT DISTINCT partition_key FROM fraud.cleaned_features")
    assert DAYS[1] in _materialized(workplace, "cleaned_features")
    assert fraud_assets("prune").code == 0
    assert DAYS[1] not in _materialized(workplace, "cleaned_features")


def test_nobody_is_forgotten_unasked(workplace: Workplace, kept: Kept, fraud_assets: Command) -> None:
    unknown = fraud_assets("forget", "--customer", "CUST-9999-y", "--yes")
    assert (unknown.code, "Nothing is stored of a customer 'CUST-9999-y'" in unknown.err) == (1, True)
    before = kept.dump("world")
    asked = fraud_assets("forget", "--customer", spender())  # nobody answers
    assert asked.code != 0
    assert "raw_batch" in asked.out
    assert kept.dump("world") == before


def test_runs_that_would_write_the_rows_again_are_waited_for(
    workplace: Workplace, kept: Kept, fraud_assets: Command
) -> None:
    with psycopg.connect(kept.dagster_url, autocommit=True) as log:
        log.execute("UPDATE runs SET status = 'QUEUED' WHERE id = 2")
        said = fraud_assets("forget", "--customer", spender(), "--yes")
        log.execute("UPDATE runs SET status = 'SUCCESS' WHERE id = 2")
    assert (said.code, "1 run is waiting or running" in said.err) == (1, True)


def test_a_customer_is_forgotten_everywhere(
    workplace: Workplace, kept: Kept, monkeypatch: pytest.MonkeyPatch, fraud_assets: Command
) -> None:
    """Interrupted twice on the way; afterwards neither database has the customer's id, nor their transactions'."""
    with psycopg.connect(kept.url, autocommit=True) as connection:
        connection.execute("ANALYZE")
    query = "SELECT DISTINCT transaction_id FROM fraud.raw_batch WHERE customer_id = %s"
    ids = {str(one) for (one,) in kept.rows(query, spender())} | {"TX-REJECTED-7", "TX-BROKEN-7"}
    known = {spender(), *ids}
    assert len(ids) > 10
    html = "SELECT count(*) FROM fraud.performance_report WHERE html LIKE '%%' || %s || '%%'"
    assert kept.rows(html, spender()) == [(1,)]
    log = kept.home / "logs" / "code-server.log"
    log.parent.mkdir(exist_ok=True)
    log.write_text(f"a step said {spender()} and went on\n")

    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    for place in ("local.forgetting.command.delete_rows", "postgres.storage.forgetting.content_now"):
        with monkeypatch.context() as patch:
            patch.setattr(f"fraud_assets.{place}", interrupted)
            assert fraud_assets("forget", "--customer", spender(), "--yes").code == 130
    last = fraud_assets("forget", "--customer", spender(), "--yes")
    assert last.code == 0, last.err
    dump = kept.dump() + repr(kept.rows("SELECT most_common_vals::text, histogram_bounds::text FROM pg_stats"))
    assert {one for one in known if one in dump or one.encode().hex() in dump} == set()
    assert log.read_text() == f"a step said {'*' * len(spender())} and went on\n"
    assert _check_hashes(kept.url) > 12
    noted = kept.rows("SELECT DISTINCT asset_key FROM dagster_io.versions WHERE facts ? 'forgotten' ORDER BY 1")
    touched = ["cleaned_features", "labels", "performance_report", "raw_batch", "rejected_rows", "scored_batch"]
    assert [asset for (asset,) in noted] == touched
    assert kept.rows("SELECT count(*) FROM dagster_io.versions WHERE facts ? 'unsettled'") == [(0,)]
    assert fraud_assets("models", "verify").code == 0
    assert fraud_assets("forget", "--customer", spender(), "--yes").code == 1


def test_another_customer_in_one_go(workplace: Workplace, kept: Kept, fraud_assets: Command) -> None:
    """What the command says, and what it writes down."""
    query = "SELECT customer_id FROM fraud.scored_batch WHERE is_alert ORDER BY rank LIMIT 1"
    customer = str(kept.rows(query)[0][0])
    rows = kept.rows("SELECT count(*) FROM fraud.raw_batch WHERE customer_id <> %s", customer)
    said = fraud_assets("forget", "--customer", f" {customer} ", "--yes")
    assert said.code == 0, said.err
    assert re.search(r"raw_batch +\d+ +\d+", said.out)
    assert f"Models of 1 days were fitted on such rows ({LAST_RUN})" in said.out
    assert f"fraud-assets backfill --from {LAST_RUN} --to {LAST_RUN}" in said.out
    assert kept.rows("SELECT count(*) FROM fraud.raw_batch") == rows
    (content,) = kept.rows("SELECT content FROM dagster_io.journals WHERE journal = 'forgetting' ORDER BY number")[-1]
    assert isinstance(content, dict)
    assert content["assets"]["raw_batch"]["versions"] > 0
    assert customer not in kept.dump()
