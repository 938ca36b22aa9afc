"""What `docker/up` says where it cannot do its work: one clear sentence, exit code 1, and what was stored as it was."""

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fraud_assets.local.ports import LOOPBACK
from fraud_assets_tests.deployment.containers import Containers, containers_in, run

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image, built once for all of these."""
    with containers_in(tmp_path_factory.mktemp("image")) as made:
        made.compose("build", "secrets")
        yield f"{made.name}:test"


@pytest.fixture
def stack(image: str, tmp_path: Path) -> Iterator[Containers]:
    with containers_in(tmp_path / "config") as made:
        run(["docker", "tag", image, f"{made.name}:test"])
        yield made


def _nothing_runs(stack: Containers) -> bool:
    return run(["docker", "ps", "-q", "--filter", f"label=com.docker.compose.project={stack.name}"]) == ""


def _volume(stack: Containers, name: str, *options: str) -> None:
    run(["docker", "volume", "create", "--label", f"com.docker.compose.project={stack.name}",
         "--label", f"com.docker.compose.volume={name}", *options, f"{stack.name}_{name}"])  # fmt: skip


def test_a_port_that_is_taken(stack: Containers) -> None:
    with socket.create_server((LOOPBACK, stack.port)):
        said = stack.refusal("up")
    print(f"\n{said}")
    assert f"The port {stack.port} of {LOOPBACK} is taken" in said
    assert "FRAUD_PORT" in said
    assert _nothing_runs(stack)


def test_a_full_disk(stack: Containers) -> None:
    """The database's volume has room for the beginning of its first files."""
    uid = run(["docker", "run", "--rm", "--entrypoint", "id", "postgres:17", "-u", "postgres"]).strip()
    _volume(stack, "data", "--driver", "local", "--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt",
            f"o=size=24m,mode=0700,uid={uid}")  # fmt: skip
    _volume(stack, "secrets")
    said = stack.refusal("up")
    print(f"\n{said}")
    assert "The disk is full: postgres could not write" in said


def test_a_database_of_another_major_version(stack: Containers) -> None:
    _volume(stack, "data")
    _volume(stack, "secrets")
    run(["docker", "run", "--rm", "-u", "0", "-v", f"{stack.name}_data:/data", "--entrypoint", "sh", "postgres:17",
         "-c", "echo 16 >/data/PG_VERSION; touch /data/kept"])  # fmt: skip
    said = stack.refusal("up")
    print(f"\n{said}")
    assert f"{stack.name}_data was made by PostgreSQL 16, and the image has 17" in said
    assert _nothing_runs(stack)
    kept = run(
        ["docker", "run", "--rm", "-v", f"{stack.name}_data:/data", "--entrypoint", "ls", "postgres:17", "/data"]
    )
    assert kept.split() == ["PG_VERSION", "kept"]


def test_secrets_that_are_gone(stack: Containers) -> None:
    _volume(stack, "data")
    said = stack.refusal("up")
    print(f"\n{said}")
    assert f"{stack.name}_data" in said
    assert "docker/restore" in said
    assert _nothing_runs(stack)


def test_a_secret_file_that_is_broken(stack: Containers) -> None:
    stack.compose("run", "--rm", "--no-deps", "-T", "secrets")
    run(["docker", "run", "--rm", "-u", "0", "-v", f"{stack.name}_secrets:/secrets", "--entrypoint", "sh",
         "postgres:17", "-c", ": >/secrets/writer"])  # fmt: skip
    said = stack.refusal("up")
    print(f"\n{said}")
    assert said.startswith("Error: The secret writer is empty; put it back with docker/restore")
    assert _nothing_runs(stack)


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("FRAUD_DATABASE_URL", "postgresql://pipe:geheim@db/fraud", "FRAUD_DATABASE_URL holds a password"),
        ("FRAUD_TLS_CERTIFICATE", "/nowhere/tls.crt", "FRAUD_TLS_CERTIFICATE names /nowhere/tls.crt, which is no file"),
        ("FRAUD_CONFIG_FOLDER", "/nowhere", "There is no fraud.toml in the folder /nowhere"),
    ],
)
def test_settings_that_lead_nowhere(stack: Containers, setting: str, value: str, expected: str) -> None:
    stack.settings[setting] = value
    said = stack.refusal("up")
    print(f"\n{said}")
    assert expected in said
    assert "geheim" not in said
    assert _nothing_runs(stack)


def test_a_mistake_in_the_settings_of_the_code(stack: Containers) -> None:
    (stack.config / "fraud.toml").write_text("label_delay_dayz = 3\n")
    said = stack.refusal("up")
    print(f"\n{said}")
    assert "label_delay_dayz is not a setting" in said


def test_an_engine_that_does_not_answer(stack: Containers) -> None:
    stack.settings["DOCKER_HOST"] = "unix:///nowhere/docker.sock"
    said = stack.refusal("up")
    print(f"\n{said}")
    assert "The Docker engine does not answer" in said


def test_two_at_once(stack: Containers) -> None:
    first = subprocess.Popen([str(stack.folder / "up")], env=stack.environment, stdout=subprocess.PIPE, text=True)
    try:
        assert first.stdout is not None
        assert "Building" in first.stdout.readline()
        said = stack.refusal("up")
    finally:
        first.communicate(timeout=600)
    print(f"\n{said}")
    assert "Another script of docker/ is under way" in said
    assert first.returncode == 0


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (("upgrade",), "Nothing runs that could be upgraded"),
        (("backup", "somewhere"), "The database does not run"),
        (("backup",), "Say where to"),
        (("restore", "/nowhere"), "has no fraud.dump"),
        (("rotate",), "Say which secret"),
        (("rotate", "writer"), "The database does not run"),
        (("rotate", "signing"), "while nothing runs"),
    ],
)
def test_the_other_scripts_refuse_too(stack: Containers, call: tuple[str, ...], expected: str) -> None:
    assert expected in stack.refusal(*call)
