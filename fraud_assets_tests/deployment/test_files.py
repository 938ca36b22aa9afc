"""What can be told of the containers without starting them: how they are closed, and what their image is made from."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from fraud_assets_tests.deployment.containers import DOCKER

BASES = {"python:3.13-slim-trixie", "postgres:17", "nginx:1.28"}
SCRIPTS = ("up", "down", "password", "upgrade", "rotate", "backup", "restore", "test")


class _Plain(yaml.SafeLoader):
    """compose's own tags are of no interest here."""


_Plain.add_multi_constructor("!", lambda loader, suffix, node: None)


with (DOCKER / "compose.yaml").open() as _file:
    SERVICES: dict[str, dict[str, object]] = yaml.load(_file, _Plain)["services"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_closed(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"] == service["memswap_limit"]
    assert service["logging"] == {"driver": "json-file", "options": {"max-size": "10m", "max-file": "5"}}
    assert service["image"] in {"${FRAUD_IMAGE:-fraud-assets:latest}", *BASES}


def test_one_port_is_published_and_on_loopback_unless_told() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"nginx": ["${FRAUD_BIND:-127.0.0.1}:${FRAUD_PORT:-8080}:8080"]}


def test_the_image_is_built_on_one_base_and_pinned() -> None:
    text = (DOCKER / "Dockerfile").read_text()
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) <= BASES
    assert "--require-hashes" in text
    assert re.search(r"^USER 10001", text, re.MULTILINE)


@pytest.mark.parametrize("file", ["requirements.txt", "docker/requirements.txt"])
def test_every_pin_has_hashes_and_no_address(file: str) -> None:
    text = (DOCKER.parent / file).read_text()
    assert "://" not in text
    pins = re.split(r"\n(?=\S)", text.strip())
    assert len(pins) > 50
    for pin in pins:
        assert re.match(r"[a-z0-9][a-z0-9._-]*(\[[a-z,]+\])?==\S+", pin), pin
        assert "--hash=sha256:" in pin, pin


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_can_be_run_and_read_by_bash(script: str) -> None:
    path = DOCKER / script
    assert path.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(path)], check=True)


@pytest.mark.parametrize("script", [script for script in SCRIPTS if script != "test"])
def test_scripts_say_so_where_there_is_no_docker(script: str, tmp_path: Path) -> None:
    for tool in ("bash", "dirname", "realpath", "env"):
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / tool).symlink_to(found)
    done = subprocess.run(
        [str(DOCKER / script)], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: Docker with its plugin compose is needed")
