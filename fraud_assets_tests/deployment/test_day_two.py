"""What is done with a stack that has been running: upgrade, backup and restore, secrets that change, TLS, its own page.

The tests of this file share one stack and build on each other, in the order of the file.
"""

import json
import re
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fraud_assets_tests.deployment.containers import (
    DOCKER,
    PATIENCE_SECONDS,
    SERVICES,
    Containers,
    containers_in,
    copied_checkout,
    run,
    wait_for,
)
from fraud_assets_tests.small_world import ALL_ASSETS

pytestmark = pytest.mark.docker

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
DAY, NEXT = str(YESTERDAY - timedelta(days=1)), str(YESTERDAY)
EVERY = (
    "SELECT md5(string_agg(asset_key || partition_key || version || content_hash, ' ' ORDER BY version_id))"
    " FROM dagster_io.versions"
)
RUNS = "SELECT md5(string_agg(run_id || status, ' ' ORDER BY run_id)) FROM runs"
LAUNCH = """mutation($day: String!) { launchPipelineExecution(executionParams: {
    selector: {repositoryLocationName: "fraud_assets", repositoryName: "__repository__", jobName: "daily_fraud_model"},
    runConfigData: {}, mode: "default", executionMetadata: {tags: [{key: "dagster/partition", value: $day}]}}) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    folder = tmp_path_factory.mktemp("stack")
    with containers_in(folder / "config") as made:
        made.folder = copied_checkout(folder)
        made.well("up")
        made.within("code", "fraud-assets", "run", "--date", DAY)
        yield made


def test_an_upgrade_loses_no_run(stack: Containers) -> None:
    """A run is under way when the upgrade begins, and another waits."""
    before = stack.inspected("code")["Image"]
    launched = [stack.graphql(LAUNCH, day=day)["launchPipelineExecution"]["run"]["runId"] for day in (NEXT, NEXT)]
    started = "SELECT count(*) FROM runs WHERE status = 'STARTED'"
    wait_for(lambda: int(stack.asked("dagster", started)) >= 1, "the first run")
    changed = stack.folder.parent / "fraud_assets" / "assets" / "rounding.py"
    changed.write_text(changed.read_text() + "\n# A newer version.\n")
    print("\n" + stack.well("upgrade"))
    assert stack.inspected("code")["Image"] != before
    stack.wait_until_idle()
    listed = "', '".join(launched)
    assert stack.asked("dagster", f"SELECT DISTINCT status FROM runs WHERE run_id IN ('{listed}')") == "SUCCESS"
    counted = f"SELECT count(*) FROM dagster_io.versions WHERE partition_key = '{NEXT}' AND status = 'current'"
    assert stack.asked("fraud", counted) == str(len(ALL_ASSETS))
    assert [stack.inspected(service)["RestartCount"] for service in SERVICES] == [0] * len(SERVICES)


def test_a_run_that_an_upgrade_does_not_wait_for_is_launched_again(stack: Containers) -> None:
    run_id = stack.graphql(LAUNCH, day=NEXT)["launchPipelineExecution"]["run"]["runId"]
    status = f"SELECT status FROM runs WHERE run_id = '{run_id}'"
    wait_for(lambda: stack.asked("dagster", status) == "STARTED", "the run")
    changed = stack.folder.parent / "fraud_assets" / "assets" / "rounding.py"
    changed.write_text(changed.read_text() + "\n# The newest version.\n")
    stack.settings["FRAUD_UPGRADE_SECONDS"] = "0"
    try:
        said = stack.well("upgrade")
    finally:
        del stack.settings["FRAUD_UPGRADE_SECONDS"]
    print("\n" + said)
    assert "will be launched again from where they were" in said
    again = (
        "SELECT r.status FROM run_tags t JOIN runs r USING (run_id)"
        f" WHERE t.key = 'dagster/root_run_id' AND t.value = '{run_id}'"
    )
    wait_for(lambda: stack.asked("dagster", again) == "SUCCESS", "the run that was launched again")
    assert stack.asked("dagster", status) == "FAILURE"


@pytest.fixture(scope="module")
def backup(stack: Containers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backups") / "today"
    print("\n" + stack.well("backup", str(folder)))
    return folder


def test_a_backup_is_for_its_owner_alone(stack: Containers, backup: Path) -> None:
    assert {path.name for path in backup.iterdir()} == {"fraud.dump", "dagster.dump", "secrets.tar"}
    for path in (backup, *backup.iterdir()):
        assert path.stat().st_mode & 0o077 == 0, path
    assert "is there already" in stack.refusal("backup", str(backup))


def test_a_backup_brings_everything_back_where_all_is_lost(stack: Containers, backup: Path) -> None:
    before = stack.asked("fraud", EVERY), stack.asked("dagster", RUNS), stack.login[1]
    stack.well("down")
    for volume in run(["docker", "volume", "ls", "-q", "--filter", f"name=^{stack.name}_"]).split():
        run(["docker", "volume", "rm", volume])
    started = time.monotonic()
    stack.well("restore", str(backup))
    print(f"\nrestored, and up again: {time.monotonic() - started:.0f} s")
    password = stack.well("password").strip()
    assert (stack.asked("fraud", EVERY), stack.asked("dagster", RUNS), password) == before
    assert "models are as they were signed" in stack.within("code", "fraud-assets", "models", "verify")
    # And it works: the pipeline writes, Dagster keeps, the reports read.
    stack.within("code", "fraud-assets", "run", "--date", NEXT)
    assert stack.request(f"/reports/days/{NEXT}", stack.login).status == 200


@pytest.mark.parametrize("role", ["owner", "writer", "dagster", "reader", "superuser"])
def test_a_password_of_the_database_is_changed_while_all_runs(stack: Containers, role: str) -> None:
    containers = [stack.container(service) for service in SERVICES]
    assert f"The secret {role} is changed" in stack.well("rotate", role)
    assert [stack.container(service) for service in SERVICES] == containers
    assert stack.request("/reports/models", stack.login).status == 200
    assert stack.graphql("{ runsOrError(limit: 1) { __typename } }")["runsOrError"]["__typename"] == "Runs"
    stack.within("code", "fraud-assets", "versions", "best_model", "--date", NEXT)
    if role == "owner":
        stack.compose("run", "--rm", "--no-deps", "-T", "prepare")


def test_the_password_of_the_login_is_changed(stack: Containers) -> None:
    before = stack.login
    assert stack.request("/server_info", before).status == 200
    stack.well("rotate", "login", "--value", given="a-new-password-for-all\n")
    wait_for(lambda: stack.inspected("nginx")["State"]["Health"]["Status"] == "healthy", "the door")
    assert stack.request("/server_info", before).status == 401
    stack.__dict__.pop("login")
    assert stack.login == ("fraud", "a-new-password-for-all")
    assert stack.request("/server_info", stack.login).status == 200


def test_the_signing_key_is_changed_and_models_are_signed_anew(stack: Containers) -> None:
    print("\n" + stack.well("rotate", "signing"))
    assert "models are as they were signed" in stack.within("code", "fraud-assets", "models", "verify")
    assert "signing.before" not in stack.within("code", "ls", "/run/secrets")
    # What is made now is signed with the new key, and what was made before is loaded.
    stack.within("code", "fraud-assets", "run", "--date", NEXT)
    assert "models are as they were signed" in stack.within("code", "fraud-assets", "models", "verify")


def test_the_key_of_pseudonyms_is_changed(stack: Containers) -> None:
    before = stack.within("code", "cat", "/run/secrets/pseudonym.key")
    stack.well("rotate", "pseudonym")
    assert stack.within("code", "cat", "/run/secrets/pseudonym.key") != before


def test_tls_where_certificates_are_given(stack: Containers, tmp_path: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", str(tmp_path / "tls.key"),
         "-out", str(tmp_path / "tls.crt")],
        check=True, capture_output=True,
    )  # fmt: skip
    stack.settings |= {
        "FRAUD_TLS_CERTIFICATE": str(tmp_path / "tls.crt"),
        "FRAUD_TLS_KEY": str(tmp_path / "tls.key"),
    }
    try:
        assert f"https://localhost:{stack.port}/" in stack.well("up")
        manager = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        manager.add_password(None, stack.url, *stack.login)
        opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(tmp_path / "tls.crt"))),
            urllib.request.HTTPBasicAuthHandler(manager),
        )
        with opener.open(f"{stack.url}/reports/healthz", timeout=60) as answer:
            assert json.load(answer)["status"] == "ok"
            assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    finally:
        stack.settings = {name: value for name, value in stack.settings.items() if "TLS" not in name}
    stack.well("up")
    assert stack.request("/server_info", stack.login).status == 200


def _commands() -> list[str]:
    """The commands of the page that change nothing, each as it is written there."""
    page = (DOCKER.parent / "docs" / "deployment.md").read_text()
    blocks = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("docker compose -f docker/compose.yaml")]


@pytest.mark.parametrize("command", _commands())
def test_commands_of_the_page_that_look_at_things(stack: Containers, command: str) -> None:
    done = subprocess.run(
        command, shell=True, cwd=stack.folder.parent, env=stack.environment, capture_output=True, text=True,
        timeout=PATIENCE_SECONDS, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_every_script_of_the_page_is_run_by_a_test() -> None:
    page = (DOCKER.parent / "docs" / "deployment.md").read_text()
    named = set(re.findall(r"docker/([a-z]+)\b(?!\.)", page)) & {
        path.name for path in DOCKER.iterdir() if path.is_file()
    }
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("*.py"))
    assert named >= {"up", "down", "upgrade", "backup", "restore", "rotate", "password"}
    assert [script for script in sorted(named - {"test"}) if f'"{script}"' not in tests] == []
