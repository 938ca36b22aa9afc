"""`doctor` on what an immediate stop of the server leaves behind, and on what it may not judge."""

import os
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from fraud_assets.local.embedded import ensure_running
from fraud_assets_tests.conftest import FAST
from fraud_assets_tests.local.command import Command
from fraud_assets_tests.postgres.stops import stop_immediately

SETTINGS = {**FAST, "max_prepared_transactions": "2"}


def _line(fraud_assets: Command) -> str:
    said = fraud_assets("doctor")
    assert said.code == 0
    return " ".join(said.out.partition("database files:")[2].partition("source:")[0].split())


def test_doctor_finds_what_an_immediate_stop_has_left(
    new_home: Callable[[str], Path], fraud_assets: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = new_home("home")
    monkeypatch.setenv("FRAUD_HOME", str(home))
    assert "does not run" in _line(fraud_assets)
    server = ensure_running(home, SETTINGS)
    with closing(psycopg.connect(server.url("fraud"), autocommit=True)) as writer:
        writer.execute("BEGIN")
        writer.execute("CREATE TABLE unfinished AS SELECT generate_series(1, 300000) AS x")
        sizes = "SELECT pg_relation_filepath('unfinished'), pg_relation_size('unfinished')"
        ((path, size),) = writer.execute(sizes.encode()).fetchall()
        stop_immediately(home)
    server = ensure_running(home, SETTINGS)
    left = server.data_folder / path
    assert left.stat().st_size == size > 8_000_000
    assert "the catalogue knows all of them" in _line(fraud_assets), "it is too young to judge"
    hour_ago = time.time() - 3_600
    os.utime(left, (hour_ago, hour_ago))
    said = _line(fraud_assets)
    assert said.startswith(f"1 file of {left.stat().st_size / 1e6:.1f} MB")
    assert path in said
    with psycopg.connect(server.url("fraud"), autocommit=True) as connection:
        connection.execute("BEGIN; CREATE TABLE prepared (x text); PREPARE TRANSACTION 'one'")
        assert "a prepared transaction is open" in _line(fraud_assets)
        connection.execute("ROLLBACK PREPARED 'one'")
    left.unlink()
    assert "the catalogue knows all of them" in _line(fraud_assets)


def test_doctor_does_not_look_where_it_may_not(
    database_url: str, fraud_assets: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS nosy")
        connection.execute("CREATE ROLE nosy LOGIN PASSWORD 'only-looking'")
    try:
        address = database_url.partition("@")[2]
        monkeypatch.setenv("FRAUD_DATABASE_URL", f"postgresql://nosy:only-looking@{address}")
        assert _line(fraud_assets).startswith("not looked at: the role 'nosy' may not look")
    finally:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("DROP ROLE nosy")
