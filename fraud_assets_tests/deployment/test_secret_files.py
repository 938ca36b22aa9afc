"""What makes the containers' secrets and hands them out, run as in its container, in folders of the test's own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import bcrypt
import pytest

from fraud_assets_tests.deployment.containers import DOCKER

PASSWORDS = ("owner", "writer", "dagster", "reader", "superuser", "login")
KEYS = ("signing", "pseudonym")
SERVICES = ("postgres", "prepare", "code", "dagster", "reports", "nginx")
# A process that is not root gives files to itself only.
SAME_USER = """
import os, runpy, sys
os.chown = lambda path, owner, group: None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
OWN_URLS = {
    "FRAUD_OWNER_DATABASE_URL": "postgresql://boss@db.example:5432/fraud",
    "FRAUD_DATABASE_URL": "postgresql://pipe@db.example:5432/fraud",
    "FRAUD_DAGSTER_DATABASE_URL": "postgresql://dag@db.example:5432/dagster",
    "FRAUD_REPORTS_DATABASE_URL": "postgresql://look@db.example:5432/fraud",
}


class Office:
    """The script, with its folders."""

    def __init__(self, folder: Path) -> None:
        self.originals, self.handed_out, self.given = folder / "secrets", folder / "for", folder / "given"
        for path in (self.originals, self.given, *(self.handed_out / service for service in SERVICES)):
            path.mkdir(parents=True)

    def call(
        self, *arguments: str, given: bytes = b"", environment: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[bytes]":
        folders = {
            "FRAUD_SECRETS": str(self.originals),
            "FRAUD_HANDED_OUT": str(self.handed_out),
            "FRAUD_GIVEN": str(self.given),
        }
        for service in SERVICES:  # which are closed after handing out, but not to root
            if (self.handed_out / service).is_dir():
                (self.handed_out / service).chmod(0o700)
        return subprocess.run(
            [sys.executable, "-c", SAME_USER, str(DOCKER / "secret_files.py"), *arguments],
            env={**os.environ, **folders, **(environment or {})},
            input=given,
            capture_output=True,
            check=False,
        )

    def well(self, *arguments: str, given: bytes = b"", environment: Mapping[str, str] | None = None) -> bytes:
        done = self.call(*arguments, given=given, environment=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refusal(self, *arguments: str, given: bytes = b"", environment: Mapping[str, str] | None = None) -> str:
        """The one sentence; and nothing that was handed out has changed."""
        before = self.everything()
        done = self.call(*arguments, given=given, environment=environment)
        assert done.returncode == 1, done.stdout
        lines = done.stderr.decode().splitlines()
        assert len(lines) == 1, lines
        assert self.everything() == before
        return lines[0]

    def everything(self) -> dict[str, bytes]:
        for service in SERVICES:
            (self.handed_out / service).chmod(0o700)
        return {str(path): path.read_bytes() for path in self.handed_out.rglob("*") if path.is_file()}

    def files(self, service: str) -> dict[str, str]:
        (self.handed_out / service).chmod(0o700)
        return {path.name: path.read_text() for path in (self.handed_out / service).iterdir()}

    def secret(self, name: str) -> str:
        return (self.originals / name).read_text().strip()


@pytest.fixture
def office(tmp_path: Path) -> Office:
    made = Office(tmp_path)
    made.well()
    return made


def test_the_first_start_makes_all_of_them_at_random_for_one_reader(office: Office) -> None:
    values = [office.secret(name) for name in (*PASSWORDS, *KEYS)]
    assert len(set(values)) == len(values)
    assert min(map(len, values)) >= 32
    for path in [*office.originals.iterdir(), *office.handed_out.glob("*/*")]:
        assert path.stat().st_mode & 0o777 == 0o600, path
    assert office.originals.stat().st_mode & 0o777 == 0o700


def test_each_service_has_its_own_and_no_more(office: Office) -> None:
    assert {service: set(office.files(service)) for service in SERVICES} == {
        "postgres": {"superuser", "roles.sql"},
        "prepare": {"pgpass"},
        "code": {"pgpass", "signing.key", "pseudonym.key"},
        "dagster": {"pgpass"},
        "reports": {"pgpass"},
        "nginx": {"users", "listen.conf"},
    }
    roles = {
        service: [line.split(":")[3] for line in office.files(service)["pgpass"].splitlines()]
        for service in ("prepare", "code", "dagster", "reports")
    }
    assert roles == {
        "prepare": ["fraud_owner", "fraud_writer", "fraud_dagster", "fraud_reader"],
        "code": ["fraud_writer", "fraud_dagster"],
        "dagster": ["fraud_dagster"],
        "reports": ["fraud_reader"],
    }
    # The database is told verifiers, and the door a hash.
    for name in ("owner", "writer", "dagster", "reader"):
        assert office.secret(name) not in office.files("postgres")["roles.sql"]
    name, _, hashed = office.files("nginx")["users"].strip().partition(":")
    assert name == "fraud"
    assert hashed.startswith("$2b$10$")
    assert bcrypt.checkpw(office.secret("login").encode(), hashed.encode())


def test_a_later_start_changes_nothing(office: Office) -> None:
    before = {name: office.secret(name) for name in (*PASSWORDS, *KEYS)}, office.files("nginx")
    office.well()
    assert ({name: office.secret(name) for name in (*PASSWORDS, *KEYS)}, office.files("nginx")) == before


@pytest.mark.parametrize("name", ["writer", "login", "pseudonym"])
def test_one_is_changed_and_the_others_stay(office: Office, name: str) -> None:
    before = {other: office.secret(other) for other in (*PASSWORDS, *KEYS)}
    office.well("rotate", name)
    after = {other: office.secret(other) for other in (*PASSWORDS, *KEYS)}
    assert {other for other in before if before[other] != after[other]} == {name}


def test_a_value_of_ones_own(office: Office) -> None:
    office.well("rotate", "login", "--value", given=b"correct horse battery\n".replace(b" ", b"-"))
    assert office.secret("login") == "correct-horse-battery"
    assert "fewer than 12" in office.refusal("rotate", "login", "--value", given=b"short\n")
    assert office.secret("login") == "correct-horse-battery"


def test_the_signing_key_of_before_is_kept_until_models_are_signed_anew(office: Office) -> None:
    before = office.secret("signing")
    office.well("rotate", "signing")
    assert office.files("code")["signing.before"].strip() == before
    assert "not signed anew" in office.refusal("rotate", "signing")
    office.well("settled")
    assert "signing.before" not in office.files("code")


def test_a_backup_brings_all_of_them_back(office: Office, tmp_path: Path) -> None:
    archive = office.well("export")
    before = {name: office.secret(name) for name in (*PASSWORDS, *KEYS)}
    other = Office(tmp_path / "other")
    other.well()
    other.well("import", given=archive)
    assert {name: other.secret(name) for name in (*PASSWORDS, *KEYS)} == before
    assert other.files("code")["signing.key"].strip() == before["signing"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("one\ntwo\n", "more than one line"),
        ("a b\n", "blanks"),
        ("é\n", "no text"),
    ],
)
@pytest.mark.parametrize("name", ["writer", "signing"])
def test_a_broken_one_is_named_with_what_to_do(office: Office, name: str, content: str, said: str) -> None:
    (office.originals / name).write_text(content)
    sentence = office.refusal()
    assert f"The secret {name}" in sentence
    assert said in sentence
    assert f"docker/rotate {name}" in sentence


def test_one_that_others_may_read_is_refused(office: Office) -> None:
    (office.originals / "writer").chmod(0o644)
    assert "may be read by others (its mode is 644)" in office.refusal()


def test_one_that_has_gone_is_not_made_anew_in_silence(office: Office) -> None:
    (office.originals / "signing").unlink()
    assert "The secret signing is gone" in office.refusal()
    assert not (office.originals / "signing").exists()


def test_a_server_of_ones_own_hands_each_service_its_roles(office: Office) -> None:
    (office.given / "pgpass").write_text(
        "db.example:5432:fraud:boss:one\ndb.example:5432:fraud:pipe:two\\:2\n# mine\n"
        "db.example:5432:dagster:dag:three\ndb.example:5432:fraud:look:four\n"
    )
    (office.given / "database-ca").write_text("a certificate\n")
    office.well(environment=OWN_URLS)
    assert office.files("reports")["pgpass"] == "db.example:5432:fraud:look:four\n"
    assert office.files("code")["pgpass"].splitlines() == [
        "db.example:5432:fraud:pipe:two\\:2",
        "db.example:5432:dagster:dag:three",
    ]
    assert office.files("dagster")["database-ca.pem"] == "a certificate\n"


@pytest.mark.parametrize(
    ("pgpass", "changes", "said"),
    [
        ("db.example:5432:fraud:boss\n", {}, "Line 1 of FRAUD_PGPASS"),
        ("db.example:5432:fraud:boss:one\n", {}, "no line for the role"),
        ("*:*:*:*:one\n", {"FRAUD_DATABASE_URL": "postgresql://pipe:pw@db/fraud"}, "holds a password"),
        ("*:*:*:*:one\n", {"FRAUD_DATABASE_URL": "postgresql://pipe@db/fraud?password=x"}, "holds a password"),
        ("*:*:*:*:one\n", {"FRAUD_DATABASE_URL": "postgresql://db/fraud"}, "must be set"),
    ],
)
def test_a_server_of_ones_own_that_is_not_told_right(
    office: Office, pgpass: str, changes: dict[str, str], said: str
) -> None:
    (office.given / "pgpass").write_text(pgpass)
    assert said in office.refusal(environment=OWN_URLS | changes)


def test_logins_of_ones_own(office: Office) -> None:
    hashed = bcrypt.hashpw(b"a password", bcrypt.gensalt(4)).decode()
    (office.given / "users").write_text(f"ann:{hashed}\nbob:{hashed}\n")
    office.well()
    assert [line.partition(":")[0] for line in office.files("nginx")["users"].splitlines()] == ["ann", "bob"]
    (office.given / "users").write_text(f"ann:{hashed}\nbob:plain\n")
    assert "Line 2 of FRAUD_USERS" in office.refusal()


def test_certificates_come_in_pairs(office: Office, tmp_path: Path) -> None:
    for name in ("one", "other"):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
             "/CN=localhost", "-keyout", str(tmp_path / f"{name}.key"), "-out", str(tmp_path / f"{name}.crt")],
            check=True, capture_output=True,
        )  # fmt: skip
    (office.given / "tls.crt").write_bytes((tmp_path / "one.crt").read_bytes())
    assert "needs both" in office.refusal()
    (office.given / "tls.key").write_bytes((tmp_path / "other.key").read_bytes())
    assert "are no PEM pair" in office.refusal()
    (office.given / "tls.key").write_bytes((tmp_path / "one.key").read_bytes())
    office.well()
    assert "listen 8080 ssl;" in office.files("nginx")["listen.conf"]
