"""The whole stack as people meet it: one command, a login, a day, its report, a backfill with restarts, down and up.

The tests of this file share one stack and build on each other, in the order of the file. They print what they measure.
"""

import base64
import json
import re
import socket
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from playwright.sync_api import Page, expect

from fraud_assets.local.ports import LOOPBACK
from fraud_assets_tests.browser import launch, open_page
from fraud_assets_tests.deployment.containers import (
    SERVICES,
    Containers,
    containers_in,
    copied_checkout,
    run,
    seconds_said,
    wait_for,
)
from fraud_assets_tests.small_world import ALL_ASSETS

pytestmark = pytest.mark.docker

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
DAY = str(YESTERDAY - timedelta(days=3))
DAYS = [str(YESTERDAY - timedelta(days=back)) for back in (2, 1, 0)]
ONE_SHOTS = ("secrets", "prepare")
# What must not be had without a login; the second column is what is asked of it.
PATHS = (
    "/",
    "/asset-groups",
    "/graphql",
    "/graphql?query={version}",
    "/server_info",
    "/logs/x/y/stdout",
    "/download_debug/x",
    "/reports",
    "/reports/",
    "/reports/healthz",
    "/reports/models",
    f"/reports/days/{DAY}",
    f"/reports/alerts/{DAY}.csv",
    f"/reports/models/{DAY}/download",
    "/reports/static/report.css",
    "/reports/../graphql",
    "/login",
    "/nothing-of-the-kind",
)
BUILD_SECONDS = 15
# What a container's processes have held at most, files that the kernel keeps for them included.
MOST_MEMORY = "cat /sys/fs/cgroup/memory.peak 2>/dev/null || cat /sys/fs/cgroup/memory/memory.max_usage_in_bytes"
# Files, by service, that hold what nobody may see.
SECRET_NAMES = ("owner", "writer", "dagster", "reader", "superuser", "login", "signing", "pseudonym")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    folder = tmp_path_factory.mktemp("stack")
    with containers_in(folder / "config") as made:
        made.folder = copied_checkout(folder)
        yield made


@pytest.fixture(scope="module")
def page(stack: Containers) -> Iterator[Page]:
    with open_page(stack.login) as opened:
        yield opened


def test_one_command_builds_starts_and_is_ready(stack: Containers) -> None:
    assert run(["docker", "image", "ls", "-q", f"{stack.name}:test"]) == ""
    said = stack.well("up")
    print(f"\nfrom the command to ready, image built: {seconds_said(said)} s")
    assert f"Dagster  {stack.url}/" in said
    assert stack.request("/server_info", stack.login).status == 200
    states = {service: stack.inspected(service)["State"] for service in SERVICES}
    assert {service: state["Health"]["Status"] for service, state in states.items()} == dict.fromkeys(
        SERVICES, "healthy"
    )
    size = int(run(["docker", "image", "inspect", "--format", "{{.Size}}", f"{stack.name}:test"]))
    base = int(run(["docker", "image", "inspect", "--format", "{{.Size}}", "python:3.13-slim-trixie"]))
    print(f"image {size / 1e6:,.0f} MB, of which {base / 1e6:,.0f} are the base")


def test_once_more_says_that_all_is_there(stack: Containers) -> None:
    started = time.monotonic()
    assert "Everything was running already, and nothing has changed." in stack.well("up")
    print(f"\nthe same command again: {time.monotonic() - started:.0f} s")


def test_every_container_is_closed(stack: Containers) -> None:
    for service in (*SERVICES, *ONE_SHOTS):
        found = stack.inspected(service)
        host = found["HostConfig"]
        assert host["ReadonlyRootfs"], service
        assert host["CapDrop"] == ["ALL"], service
        assert host["SecurityOpt"] == ["no-new-privileges:true"], service
        assert 0 < host["Memory"] == host["MemorySwap"], service
        assert host["PidsLimit"] > 0, service
        assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "5"}, service
        assert not host["Privileged"], service
        if service != "secrets":
            assert host["CapAdd"] is None, service
            assert found["Config"]["User"] not in {"", "0", "root", "0:0"}, service
        assert not any("docker.sock" in mount["Source"] for mount in found["Mounts"]), service
    for service in ("code", "webserver", "daemon", "reports"):
        assert stack.within(service, "id", "-u").strip() == "10001"
        assert stack.within(service, "sh", "-c", "tr '\\0' ' ' </proc/1/cmdline").startswith("/usr/bin/tini"), service
        tools = stack.within(service, "sh", "-c", "for t in gcc cc make git; do command -v $t; done; true")
        assert tools == "", f"{service} has build tools: {tools}"


def test_only_the_door_is_open_and_nothing_inside_reaches_out(stack: Containers) -> None:
    published = {
        service: {port: hosts for port, hosts in stack.inspected(service)["NetworkSettings"]["Ports"].items() if hosts}
        for service in SERVICES
    }
    assert published == {service: {} for service in SERVICES} | {
        "nginx": {"8080/tcp": [{"HostIp": LOOPBACK, "HostPort": str(stack.port)}]}
    }
    attempt = "import socket; socket.create_connection(('1.1.1.1', 53), timeout=3)"
    for service in ("code", "webserver", "daemon", "reports"):
        with pytest.raises(AssertionError, match=r"unreachable|timed out"):
            stack.within(service, "python", "-c", attempt)


@pytest.mark.parametrize("path", PATHS)
def test_nothing_without_a_login(stack: Containers, path: str) -> None:
    answer = stack.request(path)
    assert answer.status == (404 if path == "/login" else 401)
    if answer.status == 401:
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="fraud_assets"'
    assert b"dagster" not in answer.body.lower()


def test_nothing_with_a_wrong_login_and_few_attempts_a_minute(stack: Containers) -> None:
    name, password = stack.login
    stack.request("/server_info", stack.login)  # who is in stays in
    statuses = []
    for number, path in enumerate(PATHS * 2):
        wrong = (name, f"{password}{number}") if number % 2 else (f"{name}{number}", password)
        statuses.append(stack.request(path, wrong).status)
    print(
        f"\nof {len(statuses)} wrong logins {statuses.count(401)} were refused and {statuses.count(429)} not looked at"
    )
    assert set(statuses) <= {401, 404, 429}
    assert statuses.count(429) > len(statuses) / 2
    assert stack.request("/server_info", stack.login).status == 200


def _shaken(stack: Containers, *headers: str) -> int:
    """The status of a WebSocket's handshake."""
    with socket.create_connection((LOOPBACK, stack.port), timeout=30) as connection:
        lines = (
            "GET /graphql HTTP/1.1",
            f"Host: localhost:{stack.port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: " + base64.b64encode(b"sixteen bytes ok").decode(),
            "Sec-WebSocket-Protocol: graphql-ws",
            *headers,
        )
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return int(connection.recv(4096).split()[1])


def test_web_sockets_too(stack: Containers) -> None:
    right = "Authorization: Basic " + base64.b64encode(":".join(stack.login).encode()).decode()
    wrong = "Authorization: Basic " + base64.b64encode(b"fraud:wrong").decode()
    assert _shaken(stack) == 401
    assert _shaken(stack, wrong) in {401, 429}
    assert _shaken(stack, right) == 101
    assert _shaken(stack, right, f"Origin: http://localhost:{stack.port}") == 101
    assert _shaken(stack, right, "Origin: http://elsewhere.example") == 403


def test_a_page_elsewhere_cannot_use_somebodys_login(stack: Containers) -> None:
    sent = json.dumps({"query": "{ version }"}).encode()
    foreign = {"Content-Type": "application/json", "Origin": "http://elsewhere.example"}
    assert stack.request("/graphql", stack.login, foreign, sent).status == 403


@pytest.mark.parametrize("path", ["/", "/reports/", "/reports/healthz"])
def test_answers_carry_security_headers(stack: Containers, path: str) -> None:
    answer = stack.request(path, stack.login)
    assert answer.status == 200
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] in {"same-origin", "no-referrer"}
    assert answer.headers["Server"] == "nginx"


def test_a_first_day_with_its_history(stack: Containers) -> None:
    started = time.monotonic()
    stack.within("code", "fraud-assets", "run", "--date", DAY)
    print(f"\nfirst day with its history: {time.monotonic() - started:.0f} s")


def test_a_day_is_materialized_in_the_browser_and_its_report_read(stack: Containers, page: Page) -> None:
    sockets: list[str] = []
    page.on("websocket", lambda opened: sockets.append(opened.url))
    launch(page, f"{stack.url}/asset-groups", "Materialize all", DAY, "1 partition")
    stack.wait_until_idle()
    counted = "SELECT count(*) FROM dagster_io.versions WHERE partition_key = '{}' AND status = 'current'"
    assert stack.asked("fraud", counted.format(DAY)) == str(len(ALL_ASSETS))
    assert stack.asked("dagster", "SELECT count(*) FROM runs WHERE status <> 'SUCCESS'") == "0"
    assert sockets, "the UI is told of news by a WebSocket"
    # By the link in the metadata, as people come to it.
    page.goto(f"{stack.url}/assets/performance_report?view=partitions&partition={DAY}")
    link = page.locator("tr", has=page.get_by_text("report", exact=True)).get_by_role("link").first
    expect(link).to_have_attribute("href", f"{stack.url}/reports/days/{DAY}")
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None)
    page.goto(f"{stack.url}/reports/days/{DAY}")
    expect(page.locator("h1")).to_contain_text(str(YESTERDAY.year))
    expect(page.locator("figure[data-plot] .main-svg").first).to_be_visible()
    page.get_by_role("link", name="History").first.click()
    expect(page).to_have_url(f"{stack.url}/reports/")
    page.get_by_role("link", name="Models").first.click()
    with page.expect_download() as taken:
        page.get_by_role("link", name="Download").first.click()
    assert taken.value.suggested_filename == f"fraud-model-{DAY}.zip"
    assert said == []


def test_static_pictures_are_drawn_within_the_container(stack: Containers) -> None:
    found = stack.asked(
        "dagster",
        "SELECT count(*) FROM event_logs"
        " WHERE event LIKE '%data:image/%' AND dagster_event_type = 'ASSET_MATERIALIZATION'",
    )
    assert int(found) >= 8


def test_a_backfill_survives_restarts_of_daemon_and_database(stack: Containers, page: Page) -> None:
    last = stack.asked("fraud", "SELECT max(version_id) FROM dagster_io.versions")
    started = time.monotonic()
    launch(page, f"{stack.url}/asset-groups", "Materialize all", f"[{DAYS[0]}...{DAYS[-1]}]", "3 partitions")
    made = f"SELECT count(*) FROM dagster_io.versions WHERE version_id > {last}"
    wait_for(lambda: int(stack.asked("fraud", made)) > 2, "the first partition")
    stack.compose("restart", "daemon")
    wait_for(lambda: int(stack.asked("fraud", made)) > len(ALL_ASSETS), "the second day")
    stack.compose("restart", "postgres")

    def is_over() -> bool:
        return stack.asked("dagster", "SELECT status FROM bulk_actions ORDER BY id DESC LIMIT 1") in {
            "COMPLETED_SUCCESS",
            "COMPLETED_FAILED",
            "FAILED",
        }

    wait_for(_healthy(stack, "postgres"), "the database")
    wait_for(is_over, "the backfill", 1_500)
    stack.wait_until_idle()
    print(f"\nbackfill of three days, daemon and database restarted: {time.monotonic() - started:.0f} s")
    for day in DAYS:
        current = f"SELECT count(*) FROM dagster_io.versions WHERE partition_key = '{day}' AND status = 'current'"
        assert stack.asked("fraud", current) == str(len(ALL_ASSETS)), day


def _healthy(stack: Containers, service: str) -> Callable[[], bool]:
    return lambda: bool(stack.inspected(service)["State"]["Health"]["Status"] == "healthy")


def test_the_services_live_within_their_limits(stack: Containers) -> None:
    print(f"\n{'service':10}{'now':>8}{'most':>8}{'limit':>8}  MB")
    lines = run(["docker", "stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}"])
    for service in SERVICES:
        name = stack.inspected(service)["Name"].lstrip("/")
        used = re.search(rf"^{re.escape(name)} ([\d.]+)(\w+)", lines, re.MULTILINE)
        assert used is not None
        now = float(used[1]) * {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}[used[2]] / 1e6
        limit = stack.inspected(service)["HostConfig"]["Memory"] / 1e6
        most = int(stack.within(service, "sh", "-c", MOST_MEMORY)) / 1e6
        print(f"{service:10}{now:8.0f}{most:8.0f}{limit:8.0f}")
        assert most < limit, service


def test_no_container_was_restarted_by_itself_or_ran_out_of_memory(stack: Containers) -> None:
    for service in SERVICES:
        found = stack.inspected(service)
        assert found["RestartCount"] == 0, service
        assert not found["State"]["OOMKilled"], service


def test_down_and_up_again_lose_nothing(stack: Containers) -> None:
    every = (
        "SELECT md5(string_agg(asset_key || partition_key || version || content_hash, ' ' ORDER BY version_id))"
        " FROM dagster_io.versions"
    )
    runs = "SELECT count(*) FROM runs"
    before = stack.asked("fraud", every), stack.asked("dagster", runs)
    stack.well("down")
    with pytest.raises(ConnectionError):
        socket.create_connection((LOOPBACK, stack.port), timeout=3)
    print(f"\nup again, image there: {seconds_said(stack.well('up'))} s")
    assert (stack.asked("fraud", every), stack.asked("dagster", runs)) == before
    # The models are still those that were signed.
    assert "models are as they were signed" in stack.within("code", "fraud-assets", "models", "verify")


def test_no_secret_where_people_look(stack: Containers, page: Page) -> None:
    """Not in inspections, environments, command lines, logs, image layers, or what Dagster keeps."""
    with tarfile.open(fileobj=BytesIO(_exported(stack))) as archive:
        secrets = {member.name: _read(archive, member) for member in archive}
    assert set(secrets) == set(SECRET_NAMES)
    assert len(set(secrets.values())) == len(SECRET_NAMES)
    places: dict[str, str] = {}
    for service in (*SERVICES, *ONE_SHOTS):
        container = stack.container(service)
        places[f"inspect {service}"] = run(["docker", "inspect", container])
        done = subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=True)
        places[f"logs of {service}"] = done.stdout + done.stderr
    for service in SERVICES:
        places[f"processes of {service}"] = run(["docker", "top", stack.container(service), "axeww", "-o", "pid,args"])
        if service != "nginx":
            places[f"environments in {service}"] = stack.within(
                service, "sh", "-c", "cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'; true"
            )
    places["layers"] = run(["docker", "history", "--no-trunc", f"{stack.name}:test"])
    places["image"] = run(["docker", "image", "inspect", f"{stack.name}:test"])
    for database in ("dagster", "fraud"):
        places[f"database {database}"] = stack.within(
            "postgres", "pg_dump", "-U", "postgres", "--exclude-table-data=*.models", database
        )
    places["captured output"] = stack.within(
        "code", "sh", "-c", "find /var/lib/fraud-assets/dagster/storage -type f -exec cat {} + 2>/dev/null; true"
    )
    page.goto(f"{stack.url}/config")
    places["the instance's page"] = page.content()
    assert sum(map(len, places.values())) > 1_000_000, "there was something to look through"
    for place, text in places.items():
        for name, secret in secrets.items():
            assert secret not in text, f"{name} is in {place}"
    # A whole image, file by file: the archive of its file system.
    maker = run(["docker", "create", f"{stack.name}:test"]).strip()
    try:
        export = subprocess.run(["docker", "export", maker], capture_output=True, check=True).stdout
    finally:
        run(["docker", "rm", maker])
    assert len(export) > 5e8
    assert [name for name, secret in secrets.items() if secret.encode() in export] == []


def test_secret_files_are_for_their_reader_alone(stack: Containers) -> None:
    for service, names in {"code": {"pgpass", "signing.key", "pseudonym.key"}, "daemon": {"pgpass"},
                           "reports": {"pgpass"}, "nginx": {"users", "listen.conf"},
                           "postgres": {"superuser", "roles.sql"}}.items():  # fmt: skip
        listed = stack.within(service, "find", "/run/secrets", "-type", "f", "-printf", "%f %m %U\n").split("\n")
        found = dict(line.split(" ", 1) for line in listed if line)
        uid = stack.within(service, "id", "-u").strip()
        assert found == dict.fromkeys(names, f"600 {uid}"), service
        assert stack.within(service, "stat", "-c", "%a", "/run/secrets").strip() == "500"
    read = stack.within("reports", "cat", "/run/secrets/pgpass")
    assert "fraud_reader" in read
    assert "fraud_writer" not in read


def test_a_change_of_one_line_is_built_in_seconds(stack: Containers) -> None:
    changed = stack.folder.parent / "fraud_assets" / "assets" / "rounding.py"
    changed.write_text(changed.read_text() + "\n# One line more.\n")
    started = time.monotonic()
    stack.compose("build", "secrets")
    seconds = time.monotonic() - started
    print(f"\nsecond build, after a change of one line: {seconds:.1f} s (bound {BUILD_SECONDS})")
    assert seconds < BUILD_SECONDS


def _exported(stack: Containers) -> bytes:
    command = ["docker", "compose", "-f", "compose.yaml", "run", "--rm", "--no-deps", "-T", "secrets", "export"]
    done = subprocess.run(command, cwd=stack.folder, env=stack.environment, capture_output=True, check=True)
    return done.stdout


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    file = archive.extractfile(member)
    assert file is not None
    return file.read().decode().strip()
