"""The stack on a server of the operator's own, with TLS that is verified: the bundled database is left out.

The second server is a container in a network of its own, with a certificate by an authority made for it; its roles are
made by the SQL of docs/deployment.md, as the page has it.
"""

import re
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fraud_assets_tests.deployment.containers import DOCKER, Containers, containers_in, copied_checkout, run, wait_for
from fraud_assets_tests.small_world import ALL_ASSETS

pytestmark = pytest.mark.docker

DAY = str(datetime.now(UTC).date() - timedelta(days=1))
ROLES = ("fraud_owner", "fraud_writer", "fraud_dagster", "fraud_reader")
# Reached by the containers' way out, under the name that its certificate has.
OVERRIDE = """
networks:
  outside: {{name: {network}, external: true}}
"""


@dataclass
class Server:
    """A PostgreSQL server of somebody else's."""

    container: str
    host: str
    network: str
    authority: Path
    passwords: dict[str, str]

    def asked(self, database: str, query: str) -> str:
        return run(["docker", "exec", self.container, "psql", "-U", "postgres", "-d", database, "-AtXc", query]).strip()


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def _certificates(folder: Path, host: str) -> None:
    """An authority, and a certificate of its for the server."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for name in ("ca", "other-ca"):
        _openssl("req", "-x509", *key, "-subj", f"/CN={name}", "-days", "30", "-keyout", str(folder / f"{name}.key"),
                 "-out", str(folder / f"{name}.crt"))  # fmt: skip
    _openssl("req", *key, "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}", "-keyout",
             str(folder / "server.key"), "-out", str(folder / "server.csr"))  # fmt: skip
    _openssl("x509", "-req", "-in", str(folder / "server.csr"), "-CA", str(folder / "ca.crt"), "-CAkey",
             str(folder / "ca.key"), "-CAcreateserial", "-copy_extensions", "copy", "-days", "30", "-out",
             str(folder / "server.crt"))  # fmt: skip


def _sql_of_the_page(passwords: dict[str, str]) -> str:
    """The page's SQL for an administrator, with passwords in the place of its own."""
    page = (DOCKER.parent / "docs" / "deployment.md").read_text()
    found = re.search(r"```sql\n(.*?)```", page, re.DOTALL)
    assert found is not None
    written = found[1]
    for role, password in passwords.items():
        written, count = re.subn(rf"(CREATE ROLE {role} LOGIN PASSWORD) '[^']*'", rf"\1 '{password}'", written)
        assert count == 1, role
    return written


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    name = f"fraud-test-db-{secrets.token_hex(4)}"
    _certificates(folder, name)
    passwords = {role: secrets.token_hex(16) for role in ROLES}
    run(["docker", "network", "create", name])
    # Its key belongs to its user, and only TLS comes in.
    start = (
        "install -d -o postgres -m 700 /tls && install -o postgres -m 600 /given/server.* /tls && "
        "exec docker-entrypoint.sh postgres -c ssl=on -c ssl_cert_file=/tls/server.crt -c ssl_key_file=/tls/server.key"
    )
    run(["docker", "run", "-d", "--name", name, "--network", name, "--memory", "1g", "-v", f"{folder}:/given:ro", "-e",
         "POSTGRES_PASSWORD=" + secrets.token_hex(16), "--entrypoint", "sh", "postgres:17", "-c", start])  # fmt: skip
    made = Server(name, name, name, folder / "ca.crt", passwords)
    try:
        wait_for(
            lambda: subprocess.run(
                ["docker", "exec", name, "pg_isready", "-q", "-h", "127.0.0.1"], check=False, capture_output=True
            ).returncode == 0,
            "the server",
        )  # fmt: skip
        run(["docker", "exec", "-i", name, "psql", "-U", "postgres", "-v", "ON_ERROR_STOP=1", "-q"], None, None,
            _sql_of_the_page(passwords))  # fmt: skip
        hba = run(["docker", "exec", name, "psql", "-U", "postgres", "-AtXc", "SHOW hba_file"]).strip()
        run(["docker", "exec", "-u", "0", name, "sed", "-i", "s/^host all all all/hostssl all all all/", hba])
        run(["docker", "exec", name, "psql", "-U", "postgres", "-AtXc", "SELECT pg_reload_conf()"])
        yield made
    finally:
        run(["docker", "rm", "-f", "-v", name])
        subprocess.run(["docker", "network", "rm", name], check=False, capture_output=True)


@pytest.fixture(scope="module")
def stack(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    folder = tmp_path_factory.mktemp("stack")
    pgpass = folder / "pgpass"
    pgpass.write_text("".join(f"{server.host}:5432:*:{role}:{word}\n" for role, word in server.passwords.items()))
    pgpass.chmod(0o600)
    (folder / "network.yaml").write_text(OVERRIDE.format(network=server.network))

    def url(role: str, database: str) -> str:
        verified = "sslmode=verify-full&sslrootcert=/run/secrets/database-ca.pem"
        return f"postgresql://{role}@{server.host}:5432/{database}?{verified}"

    with containers_in(
        folder / "config",
        FRAUD_OWNER_DATABASE_URL=url("fraud_owner", "fraud"),
        FRAUD_DATABASE_URL=url("fraud_writer", "fraud"),
        FRAUD_DAGSTER_DATABASE_URL=url("fraud_dagster", "dagster"),
        FRAUD_REPORTS_DATABASE_URL=url("fraud_reader", "fraud"),
        FRAUD_PGPASS=str(pgpass),
        FRAUD_DATABASE_CA=str(server.authority),
        FRAUD_COMPOSE_FILES=str(folder / "network.yaml"),
    ) as made:
        made.folder = copied_checkout(folder)
        yield made


def test_another_authority_is_not_believed(server: Server, stack: Containers) -> None:
    """First of all: where this came up, nothing would be verified."""
    right = stack.settings["FRAUD_DATABASE_CA"]
    stack.settings["FRAUD_DATABASE_CA"] = str(server.authority.with_name("other-ca.crt"))
    try:
        said = stack.refusal("up")
    finally:
        stack.settings["FRAUD_DATABASE_CA"] = right
    print(f"\n{said}")
    assert "certificate verify failed" in said
    assert server.asked("fraud", "SELECT count(*) FROM pg_namespace WHERE nspname = 'dagster_io'") == "0"


def test_it_comes_up_without_a_database_of_its_own(server: Server, stack: Containers) -> None:
    print("\n" + stack.well("up"))
    services = stack.compose("ps", "-a", "--services").split()
    assert "postgres" not in services
    assert {"code", "webserver", "daemon", "reports", "nginx"} <= set(services)


def test_a_day_runs_there_and_its_report_is_read(server: Server, stack: Containers) -> None:
    stack.within("code", "fraud-assets", "run", "--date", DAY)
    counted = f"SELECT count(*) FROM dagster_io.versions WHERE partition_key = '{DAY}' AND status = 'current'"
    assert server.asked("fraud", counted) == str(len(ALL_ASSETS))
    assert stack.request(f"/reports/days/{DAY}", stack.login).status == 200
    assert int(server.asked("dagster", "SELECT count(*) FROM runs WHERE status = 'SUCCESS'")) >= 1


def test_every_connection_is_encrypted(server: Server, stack: Containers) -> None:
    connected = (
        "SELECT DISTINCT usename, ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
        " WHERE usename LIKE 'fraud_%' ORDER BY 1"
    )
    stack.graphql("{ version }")
    lines = server.asked("dagster", connected).split()
    assert lines
    assert all(line.endswith("|t") for line in lines), lines


def test_no_password_is_seen(server: Server, stack: Containers) -> None:
    for service in ("secrets", "prepare", "code", "webserver", "daemon", "reports", "nginx"):
        text = run(["docker", "inspect", stack.container(service)])
        assert not [role for role, password in server.passwords.items() if password in text], service


def test_each_role_may_do_no_more_than_it_must(server: Server, stack: Containers) -> None:
    for role, refused in {
        "fraud_reader": "SELECT count(*) FROM dagster_io.versions",
        "fraud_writer": "DELETE FROM dagster_io.journals",
        "fraud_dagster": "SELECT 1 FROM fraud.raw_batch",
    }.items():
        asked = f"SET ROLE {role}; {refused}"
        done = subprocess.run(
            ["docker", "exec", server.container, "psql", "-U", "postgres", "-d", "fraud", "-AtXc", asked],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "permission denied" in done.stderr, f"{role}: {done.stdout}{done.stderr}"


def test_scripts_for_the_bundled_database_say_that_it_is_not_theirs(stack: Containers, tmp_path: Path) -> None:
    assert "Your own server is backed up where it is" in stack.refusal("backup", str(tmp_path / "b"))
    assert "Your own server is restored where it is" in stack.refusal("restore", str(tmp_path / "b"))
    assert "changed there" in stack.refusal("rotate", "writer")


def test_down_and_up_again(server: Server, stack: Containers) -> None:
    stack.well("down")
    stack.well("up")
    assert "models are as they were signed" in stack.within("code", "fraud-assets", "models", "verify")
