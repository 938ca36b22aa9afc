"""Files that no catalogue knows: found where there are some, and never one that somebody needs."""

import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta

import psycopg
import pyarrow as pa
import pytest
from psycopg import conninfo

from fraud_assets.postgres.storage.ledger import Layout
from fraud_assets.postgres.storage.unreferenced import MARGIN, MayNotLook, UnreferencedFile, unreferenced_files
from fraud_assets_tests.postgres.material import Store

AT_ONCE = timedelta(0)
A_LITTLE = 1.1
"""Seconds until a file is older than now, which the server says in whole seconds."""

NUMBER = 4_000_000_000
"""Of files that no table will ever have in a test."""


def _found(store: Store, margin: timedelta = MARGIN) -> list[UnreferencedFile]:
    with store.connect() as connection:
        return unreferenced_files(connection, margin)


@pytest.fixture
def folder(store: Store) -> Iterator[str]:
    """The database's folder below the server's, in which files can be planted."""
    ((found,),) = store.query("SELECT 'base/' || oid FROM pg_database WHERE datname = current_database()")
    yield found
    _run_there(store, f"rm -f {found}/{NUMBER // 10}* {found}/t3_*")


def _run_there(store: Store, command: str) -> None:
    """Run a command as the server, in its data folder."""
    with store.connect() as connection:
        # The server writes a line to the command, and fails where nobody has read it.
        connection.execute(f"COPY (SELECT) TO PROGRAM 'cat > /dev/null; {command}'".encode())


def _plant(store: Store, path: str, size: int, age: str = "1 hour") -> None:
    _run_there(store, f'head -c {size} /dev/zero > {path} && touch -d "{age} ago" {path}')


def test_everything_that_storage_makes_is_known(store: Store) -> None:
    for value in range(2):
        store.write("frames", "k", pa.table({"x": range(1_000), "big": [str(value) * 5_000] * 1_000}), keep=1)
        store.write("small", "k", pa.table({"x": [value]}), layout=Layout.ROWS)
    store.run("CREATE UNLOGGED TABLE data.unlogged (x text PRIMARY KEY)")
    store.run("CREATE TABLE data.dropped AS SELECT generate_series(1, 10000); DROP TABLE data.dropped")
    store.run("VACUUM FULL pg_class")
    with store.connect() as other:
        other.execute("CREATE TEMPORARY TABLE mine AS SELECT generate_series(1, 10000)")
        assert _found(store, AT_ONCE) == []


def test_planted_files_are_found_by_name_and_size(store: Store, folder: str) -> None:
    planted = {f"{folder}/{NUMBER}": 8_192, f"{folder}/{NUMBER}.1": 100, f"{folder}/{NUMBER + 1}_fsm": 24_576}
    others = {f"{folder}/t3_{NUMBER}": 8_192, f"{folder}/{NUMBER}.backup": 100, f"{folder}/{NUMBER + 2}": 0}
    others[f"{folder}/{NUMBER}0"] = 8_192
    for path, size in {**planted, **others}.items():
        _plant(store, path, size)
    _plant(store, f"{folder}/{NUMBER + 3}", 8_192, age="1 second")
    assert _found(store) == [UnreferencedFile(path, size) for path, size in sorted(planted.items())]


def test_a_table_in_the_making_is_not_reported_and_older_files_are(store: Store, folder: str) -> None:
    _plant(store, f"{folder}/{NUMBER}", 8_192)
    with store.connect() as writer:
        with writer.transaction():
            writer.execute("CREATE TABLE mine AS SELECT generate_series(1, 100000) AS x")
            ((path,),) = writer.execute("SELECT pg_relation_filepath('mine')").fetchall()
            time.sleep(A_LITTLE)
            assert [file.path for file in _found(store, AT_ONCE)] == [f"{folder}/{NUMBER}"]
            # Without a look at the transactions it would be: the catalogue does not know it yet.
            store.run("CHECKPOINT")
            _run_there(store, f'touch -d "1 hour ago" {path}')
            assert [file.path for file in _found(store, AT_ONCE)] == sorted([f"{folder}/{NUMBER}", path])
        assert [file.path for file in _found(store, AT_ONCE)] == [f"{folder}/{NUMBER}"]


def test_a_session_that_hides_its_transactions_is_believed_to_have_one(store: Store, folder: str) -> None:
    with store.connect() as writer:
        writer.execute("SET track_activities = off")
        _plant(store, f"{folder}/{NUMBER}", 8_192, age="0 seconds")
        time.sleep(A_LITTLE)
        assert _found(store, AT_ONCE) == []
    _plant(store, f"{folder}/{NUMBER}", 8_192)
    assert len(_found(store, AT_ONCE)) == 1


def test_other_tablespaces_are_looked_at(store: Store) -> None:
    name = f"space_{uuid.uuid4().hex}"
    with store.connect() as connection:
        connection.execute("SET allow_in_place_tablespaces = on")
        connection.execute(f"CREATE TABLESPACE {name} LOCATION ''".encode())
    try:
        store.run(f"CREATE TABLE public.elsewhere TABLESPACE {name} AS SELECT generate_series(1, 1000) AS x")
        ((path,),) = store.query("SELECT pg_relation_filepath('public.elsewhere')")
        assert path.startswith("pg_tblspc/")
        assert _found(store, AT_ONCE) == []
        _run_there(store, f'cp {path} {path}0 && touch -d "1 hour ago" {path}0')
        assert [file.path for file in _found(store)] == [f"{path}0"]
        _run_there(store, f"rm {path}0")
    finally:
        store.run("DROP TABLE IF EXISTS public.elsewhere")
        store.run(f"DROP TABLESPACE {name}")


@pytest.fixture
def role(store: Store) -> Iterator[Callable[[], list[UnreferencedFile]]]:
    """Looks as a role that has no rights but those that are granted to `looker`."""
    name, password = f"role_{uuid.uuid4().hex}", "only-looking"
    store.run(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
    url = conninfo.make_conninfo(store.url, user=name, password=password)

    def look() -> list[UnreferencedFile]:
        with psycopg.connect(url, autocommit=True) as connection:
            return unreferenced_files(connection)

    look.__name__ = name
    yield look
    store.run(f"DROP OWNED BY {name} CASCADE; DROP ROLE {name}")


def test_who_may_look(store: Store, role: Callable[[], list[UnreferencedFile]], folder: str) -> None:
    _plant(store, f"{folder}/{NUMBER}", 8_192)
    grants = [
        f"GRANT pg_read_all_stats TO {role.__name__}",
        f"GRANT EXECUTE ON FUNCTION pg_ls_dir(text, boolean, boolean) TO {role.__name__}",
        f"GRANT EXECUTE ON FUNCTION pg_stat_file(text, boolean) TO {role.__name__}",
    ]
    for grant in grants:
        with pytest.raises(MayNotLook, match=f"{role.__name__}.*may not look"):
            role()
        store.run(grant)
    assert [file.size for file in role()] == [8_192]
