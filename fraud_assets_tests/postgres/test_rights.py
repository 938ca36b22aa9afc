"""Who may do what, and what is said to those who may not: never a password."""

import uuid
from collections.abc import Iterator

import psycopg
import pyarrow as pa
import pytest
from psycopg import conninfo

from fraud_assets.postgres import partition_versions
from fraud_assets.postgres.connection import PostgresResource, shown_place
from fraud_assets.postgres.errors import DatabaseUnavailable, PostgresStorageError
from fraud_assets.postgres.storage.ledger import Layout, Origin
from fraud_assets.postgres.storage.models import store_model
from fraud_assets_tests.postgres.material import SCHEMA, Store

SECRET = "h0rse-battery"
KEY = b"a key for tests"


@pytest.fixture
def role(store: Store) -> Iterator[str]:
    """A role that can log in with the password `SECRET`, and has no rights yet."""
    name = f"role_{uuid.uuid4().hex}"
    store.run(f"CREATE ROLE {name} LOGIN PASSWORD '{SECRET}'")
    yield name
    store.run(f"DROP OWNED BY {name} CASCADE; DROP ROLE {name}")


def _url(store: Store, role: str, password: str = SECRET, **changes: str) -> str:
    parts = conninfo.conninfo_to_dict(store.url) | changes
    return f"postgresql://{role}:{password}@{parts['host']}:{parts['port']}/{parts['dbname']}"


def test_a_reader_reads_current_data_and_nothing_else(store: Store, role: str) -> None:
    store.write("before", "k", pa.table({"x": [1]}))
    store.write("small", "k", pa.table({"x": [1]}), layout=Layout.ROWS)
    store.postgres.grant_read(role)
    for _ in range(2):
        store.write("before", "k", pa.table({"x": [2]}))
        store.write("after", "k", pa.table({"x": [3]}))
        store.write("small", "k", pa.table({"x": [4]}), layout=Layout.ROWS)
    child = next(name for schema, name in store.relations() if schema == SCHEMA and name.startswith("before__"))
    with psycopg.connect(_url(store, role), autocommit=True) as reader:
        for table, value in [("before", 2), ("after", 3), ("small", 4), (child, 2)]:
            assert reader.execute(f"SELECT x FROM {SCHEMA}.{table}".encode()).fetchall() == [(value,)]
        archived = [f"{schema}.{name}" for schema, name in store.relations() if schema == "dagster_archive"]
        assert archived
        ledger = [f"dagster_io.{t}" for t in ("versions", "tables", "seen", "models", "archived_rows")]
        for table in (*archived, *ledger):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(f"SELECT FROM {table}".encode())
        for statement in (f"DELETE FROM {SCHEMA}.small", f"INSERT INTO {SCHEMA}.before VALUES (1, 'k')"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(statement.encode())


def test_rights_that_are_there_are_not_given_again(store: Store, role: str) -> None:
    store.write("t", "k", pa.table({"x": [1]}))
    store.postgres.grant_read(role)
    rows = "SELECT oid, xmin, relacl::text FROM pg_class ORDER BY oid"
    before = store.query(rows)
    store.postgres.grant_read(role)
    assert store.query(rows) == before
    # A table that somebody else has made in the schema has been given to nobody.
    store.run(f"CREATE TABLE {SCHEMA}.another (x int); REVOKE ALL ON {SCHEMA}.another FROM {role}")
    store.postgres.grant_read(role)
    with psycopg.connect(_url(store, role)) as reader:
        assert reader.execute(f"SELECT x FROM {SCHEMA}.another".encode()).fetchall() == []


def test_a_reader_of_models_reads_the_current_ones_and_no_ledger(store: Store, role: str) -> None:
    with store.postgres.connect() as connection:
        for number in (1, 2):
            store_model(connection, "model", "k", {"number": number}, signing_key=KEY, origin=Origin("run"))
    for _ in range(2):
        store.postgres.grant_read_models(role)
    stored = store.query("SELECT version, payload FROM dagster_io.models JOIN dagster_io.versions USING (version_id)")
    with psycopg.connect(_url(store, role), autocommit=True) as reader:
        found = reader.execute("SELECT version, payload FROM dagster_io.current_models").fetchall()
        assert found == [max(stored)]
        for table in ("versions", "tables", "seen", "models", "archived_rows", "journals"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(f"SELECT FROM dagster_io.{table}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("CREATE TABLE dagster_io.mine ()")


def test_rights_can_be_given_before_anything_is_stored(store: Store, role: str) -> None:
    store.postgres.grant_read(role)
    store.write("t", "k", pa.table({"x": [1]}))
    with psycopg.connect(_url(store, role)) as reader:
        assert reader.execute("SELECT x FROM data.t").fetchall() == [(1,)]


def test_a_role_that_does_not_exist(store: Store) -> None:
    with pytest.raises(PostgresStorageError, match="no role 'nobody'"):
        store.postgres.grant_read("nobody")
    with pytest.raises(PostgresStorageError, match="no role 'nobody'"):
        store.postgres.grant_read_models("nobody")


def test_a_writer_that_may_not_make_schemas_is_told_what_it_lacks(store: Store, role: str) -> None:
    writer = Store(_url(store, role))
    with pytest.raises(PostgresStorageError, match=f'GRANT CREATE ON DATABASE .* TO "{role}"'):
        writer.write("t", "k", pa.table({"x": [1]}))


def test_a_schema_that_a_writer_may_use_but_not_make(store: Store, role: str) -> None:
    with store.postgres.connect():
        pass  # The ledger is made by somebody who may.
    store.run(
        f"GRANT ALL ON SCHEMA dagster_io, dagster_archive TO {role}; CREATE SCHEMA {SCHEMA} AUTHORIZATION {role};"
        f"GRANT ALL ON ALL TABLES IN SCHEMA dagster_io TO {role};"
        f"GRANT ALL ON ALL SEQUENCES IN SCHEMA dagster_io TO {role}"
    )
    writer = Store(_url(store, role))
    for _ in range(2):
        writer.write("t", "k", pa.table({"x": [1]}))
    assert writer.table("t").to_pydict() == {"x": [1]}


def _sentence(url: str) -> str:
    with pytest.raises(PostgresStorageError) as refused, PostgresResource(url=url).connect():
        pass
    return str(refused.value)


def test_a_wrong_password_is_not_shown(store: Store, role: str) -> None:
    url = _url(store, role, "wr0ng-" + SECRET)
    said = _sentence(url)
    assert "password authentication failed" in said
    assert SECRET not in said
    assert said.count("\n") == 0
    assert said.startswith(f"The database {shown_place(url)} cannot be reached")


@pytest.mark.parametrize("changes", [{"port": "1"}, {"host": "no-such-host.invalid"}, {"dbname": "nothing"}])
def test_a_database_that_is_not_there(store: Store, role: str, changes: dict[str, str]) -> None:
    with pytest.raises(DatabaseUnavailable) as refused, PostgresResource(url=_url(store, role, **changes)).connect():
        pass
    said = str(refused.value)
    assert SECRET not in said
    assert "\n" not in said
    assert next(iter(changes.values())) in said


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://u:{SECRET}%ss@localhost/d",
        f"postgresql://u:a@{SECRET}@localhost/d",
        f"postgresql://u:1/{SECRET}@localhost/d",
        f"postgresql://u:{SECRET}/1@localhost/d",
        f"postgresql+psycopg://u:{SECRET}@localhost/d",
        f"mysql://u:{SECRET}@localhost/d",
        f"host=localhost password={SECRET}",
        "",
    ],
)
def test_a_url_that_cannot_be_read_is_not_shown(url: str) -> None:
    said = _sentence(url)
    assert SECRET not in said + shown_place(url)
    assert "postgresql://user:password@host:port/database" in said


def test_what_is_shown_of_a_url() -> None:
    assert shown_place(f"postgresql://u:{SECRET}@db.example:6543/data?sslmode=require") == "db.example:6543/data"
    assert shown_place(f"postgres://u:{SECRET}@db.example") == "db.example:5432/u"
    assert SECRET not in repr(PostgresResource(url=f"postgresql://u:{SECRET}@h/d").place)


def test_a_role_with_dates_of_its_own(store: Store) -> None:
    store.run("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET datestyle = ''German''', current_database()); END $$")
    try:
        store.write("t", "k", pa.table({"x": [1]}))
        assert partition_versions(store.postgres, "t", "k")[0].row_count == 1
    finally:
        store.run("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET datestyle', current_database()); END $$")
