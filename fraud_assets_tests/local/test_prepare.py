"""A database of the user's own, prepared by its owner: each role does its work, and what is not its work is refused."""

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

import fraud_assets
from fraud_assets.local.embedded import EmbeddedServer
from fraud_assets_tests.small_world import ALL_ASSETS, DAY, SMALL_TOML

PAGE = Path(fraud_assets.__file__).parents[1] / "docs" / "deployment.md"
ROLES = ("fraud_owner", "fraud_writer", "fraud_dagster", "fraud_reader")
CUSTOMER = "SELECT customer_id FROM fraud.raw_batch LIMIT 1"


@dataclass
class Company:
    """A server with the roles and databases that the page's SQL makes, under names of the test's own."""

    server: EmbeddedServer
    mark: str
    folder: Path

    def name(self, usual: str) -> str:
        return f"{usual}_{self.mark}"

    @property
    def pgpass(self) -> Path:
        return self.folder / "pgpass"

    def url(self, role: str, database: str = "fraud") -> str:
        """Without a password: that is in libpq's file."""
        return (
            f"postgresql://{self.name(role)}@127.0.0.1:{self.server.port}/{self.name(database)}?passfile={self.pgpass}"
        )

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "FRAUD_CONFIG": str(self.folder / "fraud.toml"),
            "FRAUD_HOME": str(self.folder / "home"),
            "FRAUD_OWNER_DATABASE_URL": self.url("fraud_owner"),
            "FRAUD_DATABASE_URL": self.url("fraud_writer"),
            "FRAUD_DAGSTER_DATABASE_URL": self.url("fraud_dagster", "dagster"),
            "FRAUD_REPORTS__DATABASE_URL": self.url("fraud_reader"),
            "FRAUD_SIGNING_KEY_FILE": str(self.folder / "signing.key"),
        }

    def call(self, *arguments: str, **changes: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "fraud_assets.local", *arguments],
            cwd=self.folder, env=self.environment | changes, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip

    def well(self, *arguments: str) -> str:
        done = self.call(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refused(self, role: str, statement: str, database: str = "fraud") -> bool:
        """Whether a role may not do it, in the database's own words."""
        with psycopg.connect(self.url(role, database), autocommit=True) as connection:
            try:
                connection.execute(statement.encode())
            except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction):
                return True
        return False

    def asked(self, statement: str, database: str = "fraud") -> object:
        with psycopg.connect(self.server.url(self.name(database)), autocommit=True) as connection:
            row = connection.execute(statement.encode()).fetchone()
        assert row is not None
        return row[0]


@pytest.fixture(scope="module")
def company(postgres_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    folder = tmp_path_factory.mktemp("company")
    made = Company(postgres_server, uuid.uuid4().hex[:8], folder)
    (folder / "fraud.toml").write_text(SMALL_TOML)
    (folder / "signing.key").touch(0o600)
    (folder / "signing.key").write_text("a key in a file\n")
    made.pgpass.touch(0o600)
    found = re.search(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    written, lines = found[1], []
    for role in ROLES:
        password = uuid.uuid4().hex
        written, count = re.subn(rf"(CREATE ROLE {role} LOGIN PASSWORD) '[^']*'", rf"\1 '{password}'", written)
        assert count == 1, role
        lines.append(f"127.0.0.1:{postgres_server.port}:*:{made.name(role)}:{password}\n")
    made.pgpass.write_text("".join(lines))
    written = re.sub(r"\b(fraud_owner|fraud_writer|fraud_dagster|fraud_reader)\b", lambda m: made.name(m[1]), written)
    written = re.sub(r"(DATABASE )(fraud|dagster)\b", lambda m: m[1] + made.name(m[2]), written)
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        for statement in written.split(";"):
            if statement.strip():
                connection.execute(statement.encode())
    try:
        yield made
    finally:
        with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
            for database in ("fraud", "dagster"):
                name = sql.Identifier(made.name(database))
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            for role in ROLES:
                connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(made.name(role))))


def test_without_its_owners_work_the_pipeline_says_what_is_missing(company: Company) -> None:
    done = company.call("versions", "best_model", "--date", DAY)
    assert done.returncode == 1
    assert "fraud-assets prepare" in done.stderr


def test_two_at_once_prepare_it(company: Company) -> None:
    command = [sys.executable, "-m", "fraud_assets.local", "prepare"]
    both = [
        subprocess.Popen(command, cwd=company.folder, env=company.environment, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=300)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert "may store" in company.well("prepare")


def test_a_day_its_archive_and_its_reports(company: Company) -> None:
    company.well("run", "--date", DAY)
    counted = f"SELECT count(*) FROM dagster_io.versions WHERE partition_key = '{DAY}' AND status = 'current'"
    assert company.asked(counted) == len(ALL_ASSETS)
    company.well("export", "raw_batch", "--date", DAY, "--output", "day.csv")
    company.well("run", "--date", DAY)
    company.well("restore", "best_model", "--date", DAY, "--version", "1")
    assert "models are as they were signed" in company.well("models", "verify")
    with psycopg.connect(company.url("fraud_reader")) as reader:
        for table in ("scored_batch", "evaluation_table", "daily_summary"):
            assert reader.execute(f"SELECT count(*) FROM fraud.{table}".encode()).fetchone() != (0,)
        assert reader.execute("SELECT count(*) FROM dagster_io.current_models").fetchone() != (0,)


def test_the_writer_keeps_house_and_forgets(company: Company) -> None:
    company.well("prune")
    customer = company.asked(CUSTOMER)
    done = company.call("forget", "--customer", str(customer), "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert company.asked(f"SELECT count(*) FROM fraud.raw_batch WHERE customer_id = '{customer}'") == 0


def test_the_key_is_changed_and_models_are_signed_anew(company: Company) -> None:
    key, before = company.folder / "signing.key", company.folder / "signing.before"
    before.touch(0o600)
    before.write_text(key.read_text())
    key.write_text("another key in a file\n")
    done = company.call("models", "verify")
    assert done.returncode == 1
    assert "was not signed with this signing key" in done.stderr
    assert "0 had the new signature already" in company.well("models", "resign", "--old-key-file", str(before))
    assert "models are as they were signed" in company.well("models", "verify")
    assert company.well("models", "resign", "--old-key-file", str(before)).startswith("0 models are signed anew")
    before.chmod(0o644)
    done = company.call("models", "resign", "--old-key-file", str(before))
    assert done.returncode == 1
    assert "others may read" in done.stderr


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("fraud_reader", "SELECT FROM dagster_io.versions"),
        ("fraud_reader", "SELECT FROM dagster_io.models"),
        ("fraud_reader", "SELECT FROM dagster_io.journals"),
        ("fraud_reader", "SELECT FROM dagster_archive.x"),
        ("fraud_reader", "DELETE FROM fraud.daily_summary"),
        ("fraud_reader", "CREATE TABLE fraud.mine (x int)"),
        ("fraud_reader", "CREATE TABLE public.mine (x int)"),
        ("fraud_writer", "DELETE FROM dagster_io.journals"),
        ("fraud_writer", "UPDATE dagster_io.journals SET author = 'somebody else'"),
        ("fraud_writer", "TRUNCATE dagster_io.journals"),
        ("fraud_writer", "DROP TRIGGER append_only ON dagster_io.journals"),
        ("fraud_writer", "ALTER TABLE dagster_io.versions ADD COLUMN x int"),
        ("fraud_writer", "DROP TABLE dagster_io.seen"),
        ("fraud_writer", "CREATE TABLE dagster_io.mine (x int)"),
        ("fraud_writer", "CREATE SCHEMA mine"),
    ],
)
def test_what_is_not_a_roles_work_is_refused(company: Company, role: str, statement: str) -> None:
    assert company.refused(role, statement)


@pytest.mark.parametrize(
    ("role", "database"),
    [("fraud_dagster", "fraud"), ("fraud_reader", "dagster"), ("fraud_writer", "dagster"), ("fraud_owner", "dagster")],
)
def test_nobody_comes_into_a_database_that_is_not_theirs(company: Company, role: str, database: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(company.url(role, database)).close()


def test_no_password_and_no_key_is_in_any_environment_or_dagsters_tables(company: Company) -> None:
    secrets = [line.rsplit(":", 1)[1] for line in company.pgpass.read_text().splitlines()]
    secrets.append((company.folder / "signing.key").read_text().strip())
    assert not [secret for secret in secrets if secret in "\0".join(company.environment.values())]
    for secret in secrets:
        for table in ("event_logs", "runs", "snapshots"):
            count = f"SELECT count(*) FROM {table} t WHERE position('{secret}' in t::text) > 0"
            assert company.asked(count, "dagster") == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"FRAUD_OWNER_DATABASE_URL": ""}, "owner_database_url"),
        ({"FRAUD_DATABASE_URL": "postgresql://somebody@127.0.0.1/x"}, "both must lead to the same database"),
        ({"FRAUD_SIGNING_KEY": "x"}, "signing_key and signing_key_file are both set"),
    ],
)
def test_settings_that_do_not_lead_there(company: Company, changes: dict[str, str], said: str) -> None:
    done = company.call("prepare", **changes)
    assert done.returncode == 1
    assert said in done.stderr


@pytest.mark.parametrize("what", ["gone", "open", "empty", "two lines"])
def test_a_key_file_that_cannot_be_used(company: Company, tmp_path: Path, what: str) -> None:
    key = tmp_path / "key"
    if what != "gone":
        key.write_text({"open": "x", "empty": "\n", "two lines": "a\nb\n"}[what])
        key.chmod(0o640 if what == "open" else 0o600)
    done = company.call("models", "list", FRAUD_SIGNING_KEY_FILE=str(key))
    assert done.returncode == 1
    expected = {"gone": "cannot be read", "open": "others may read", "empty": "one line", "two lines": "one line"}[what]
    assert f"signing_key_file names {key}" in done.stderr.replace("\n", " ")
    assert expected in done.stderr.replace("\n", " ")
