"""The role that the report server reads with: what it may see, that it changes nothing, and who knows its password."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest
from psycopg import conninfo
from psycopg.errors import InsufficientPrivilege, ReadOnlySqlTransaction

from fraud_assets.keys import READER_KEY
from fraud_assets.local.database import Workplace, open_workplace
from fraud_assets.local.errors import Refusal
from fraud_assets.local.reader import READER, read_only, reader_environment, reader_url
from fraud_assets.postgres.errors import PostgresStorageError
from fraud_assets.postgres.storage.ledger import Origin
from fraud_assets.postgres.storage.models import store_model
from fraud_assets.settings import load_settings
from fraud_assets_tests.local.command import Command
from fraud_assets_tests.postgres.material import Store

WRITES = (
    "INSERT INTO fraud.summary VALUES (1, 'k')",
    "UPDATE fraud.summary SET x = 2",
    "DELETE FROM fraud.summary",
    "TRUNCATE fraud.summary",
    "DROP TABLE fraud.summary",
    "CREATE TABLE fraud.mine (x int)",
    "CREATE TABLE public.mine (x int)",
    "DELETE FROM dagster_io.versions",
    "CREATE ROLE another",
)


@pytest.fixture
def restored_environment() -> Iterator[None]:
    """Opening a workplace completes the environment for children; the next test has another one."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def embedded(new_home: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, restored_environment: None) -> Workplace:
    """A workplace on a server of its own, with a table and a model."""
    monkeypatch.setenv("FRAUD_HOME", str(new_home("home")))
    workplace = open_workplace(load_settings())
    with workplace.postgres().connect() as connection:
        connection.execute("CREATE SCHEMA fraud")
        connection.execute("CREATE TABLE fraud.summary (x int, day text)")
        store_model(connection, "best_model", "k", {}, signing_key=workplace.signing_key, origin=Origin("run"))
    return workplace


def _refused(url: str, statement: str, error: type[Exception] | tuple[type[Exception], ...]) -> None:
    with psycopg.connect(url, autocommit=True) as reader:
        # What a statement smuggled in could do first.
        reader.execute("SET default_transaction_read_only = off")
        with pytest.raises(error):
            reader.execute(statement.encode())


def test_the_embedded_reader_reads_and_can_change_nothing(embedded: Workplace) -> None:
    url = reader_url(embedded)
    assert conninfo.conninfo_to_dict(url)["user"] == READER
    with psycopg.connect(url) as reader:
        assert reader.execute("SELECT count(*) FROM fraud.summary").fetchone() == (0,)
        assert reader.execute("SELECT count(payload) FROM dagster_io.current_models").fetchone() == (1,)
        assert reader.execute("SHOW default_transaction_read_only").fetchone() == ("on",)
    for statement in WRITES:
        _refused(url, statement, InsufficientPrivilege)
    for secret in ("dagster_io.versions", "dagster_io.models", "pg_authid"):
        _refused(url, f"SELECT * FROM {secret}", InsufficientPrivilege)


def test_its_password_is_random_kept_for_the_owner_only_and_set_anew_when_lost(embedded: Workplace) -> None:
    first, again = reader_url(embedded), reader_url(embedded)
    kept = embedded.settings.home / READER_KEY
    password = kept.read_text()
    assert first == again
    assert password in first
    assert password not in embedded.database_url
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    kept.unlink()
    renewed = reader_url(embedded)
    assert renewed != first
    psycopg.connect(renewed).close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(first)


def test_a_reading_process_is_told_nothing_that_writes(embedded: Workplace) -> None:
    environment = reader_environment(embedded)
    known = "\n".join(environment.values())
    owner = conninfo.conninfo_to_dict(embedded.database_url)["password"]
    assert str(owner) not in known
    assert embedded.signing_key.decode() not in known
    assert environment["FRAUD_HOME"] == str(embedded.settings.home)
    # In the child, the settings lead to the reader and nowhere else, whatever the file says.
    assert environment["FRAUD_DATABASE_URL"] == environment["FRAUD_REPORTS__DATABASE_URL"] == reader_url(embedded)


@pytest.fixture
def own(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restored_environment: None) -> Store:
    """A server of the user's, with a table."""
    monkeypatch.setenv("FRAUD_DATABASE_URL", database_url)
    monkeypatch.setenv("FRAUD_HOME", str(tmp_path / "home"))
    store = Store(database_url)
    store.run("CREATE SCHEMA fraud; CREATE TABLE fraud.summary (x int, day text)")
    return store


def test_without_a_role_of_its_own_it_reads_in_transactions_that_only_read(own: Store) -> None:
    url = reader_url(open_workplace(load_settings()))
    with psycopg.connect(url, autocommit=True) as reader:
        assert reader.execute("SELECT count(*) FROM fraud.summary").fetchone() == (0,)
        with pytest.raises(ReadOnlySqlTransaction):
            reader.execute("INSERT INTO fraud.summary VALUES (1, 'k')")


@pytest.fixture
def analyst(own: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a role without rights, and the settings that name it for the reports."""
    parts = conninfo.conninfo_to_dict(own.url)
    url = f"postgresql://Analyst:hush@{parts['host']}:{parts['port']}/{parts['dbname']}"
    own.run("""CREATE ROLE "Analyst" LOGIN PASSWORD 'hush'""")
    monkeypatch.setenv("FRAUD_REPORTS__DATABASE_URL", url)
    yield url
    own.run("""DROP OWNED BY "Analyst" CASCADE; DROP ROLE "Analyst" """)


def test_a_role_of_the_users_is_given_what_it_needs_and_no_more(own: Store, analyst: str) -> None:
    with pytest.raises(InsufficientPrivilege), psycopg.connect(analyst) as reader:
        reader.execute("SELECT FROM fraud.summary")
    assert reader_url(open_workplace(load_settings())) == analyst
    own.write("evaluation", "k", pa.table({"x": [1]}))
    with psycopg.connect(analyst) as reader:
        reader.execute("SELECT FROM fraud.summary")
        reader.execute("SELECT FROM dagster_io.current_models")
    for statement in WRITES:
        _refused(analyst, statement, InsufficientPrivilege)


def test_roles_that_are_none(own: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = conninfo.conninfo_to_dict(own.url)
    place = f"{parts['host']}:{parts['port']}/{parts['dbname']}"
    monkeypatch.setenv("FRAUD_REPORTS__DATABASE_URL", f"postgresql://nobody-here:x@{place}")
    with pytest.raises(PostgresStorageError, match="no role 'nobody-here'"):
        reader_url(open_workplace(load_settings()))
    monkeypatch.setenv("FRAUD_REPORTS__DATABASE_URL", f"postgresql://{place}")
    with pytest.raises(Refusal, match="names no role"):
        reader_url(open_workplace(load_settings()))


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("", "-c default_transaction_read_only=on"),
        ("?sslmode=prefer&application_name=a+b", "-c default_transaction_read_only=on"),
        ("?options=-c%20jit%3Doff", "-c jit=off -c default_transaction_read_only=on"),
    ],
)
def test_a_url_that_only_reads_keeps_the_rest(query: str, options: str) -> None:
    url = f"postgresql://me:p%40ss@host:5433/data{query}"
    before, after = conninfo.conninfo_to_dict(url), conninfo.conninfo_to_dict(read_only(url))
    assert after.pop("options") == options
    before.pop("options", None)
    assert after == before


def test_doctor_says_how_the_reports_are_read(own: Store, fraud_assets: Command) -> None:
    said = fraud_assets("doctor")
    assert (said.code, "CREATE ROLE fraud_reader" in said.out) == (0, True)
    assert "reports.port = 3001" in said.out


def test_doctor_names_a_role_that_may_write(own: Store, analyst: str, fraud_assets: Command) -> None:
    reader_url(open_workplace(load_settings()))
    said = fraud_assets("doctor")
    assert (said.code, "reads as Analyst" in said.out) == (0, True)
    assert "hush" not in said.out
    own.run("""GRANT INSERT ON fraud.summary TO "Analyst" """)
    said = fraud_assets("doctor")
    assert (said.code, "Analyst of reports.database_url may do more than read" in said.out) == (0, True)


def test_doctor_tells_of_an_embedded_reader(fraud_assets: Command) -> None:
    said = fraud_assets("doctor")
    assert (said.code, f"reads as {READER}, a role of the embedded server" in said.out) == (0, True)
