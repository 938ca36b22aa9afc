"""The server below a path, as people find it behind something that takes the path off: every address leads to it."""

import re
from collections.abc import Iterator
from html import unescape

import pytest

from fraud_assets.reporting.server import PostgresStore, create_app
from fraud_assets_tests.reporting.server.conftest import DAYS
from fraud_assets_tests.reporting.server.made_history import SCHEMA, MadeHistory
from fraud_assets_tests.reporting.server.site import NoModels, Site, running
from fraud_assets_tests.reporting.server.test_routes import every_path

ROOT = "/fraud/reports"
_ADDRESSES = re.compile(r'(?:href|src|action)="(/[^"]*)"')


@pytest.fixture(scope="module")
def below(made_url: str) -> Iterator[Site]:
    with running(create_app(PostgresStore(made_url, SCHEMA), NoModels(), root=ROOT)) as found:
        yield found


def test_every_address_on_every_page_leads_below_the_path(below: Site, made: MadeHistory) -> None:
    found: set[str] = set()
    for path, _ in every_path(made):
        reply = below.get(path)
        if reply.headers.get("content-type", "").startswith("text/html"):
            found |= {unescape(address) for address in _ADDRESSES.findall(reply.text)}
    assert {address for address in found if not address.startswith(f"{ROOT}/")} == set()
    kinds = {address.removeprefix(ROOT).split("?")[0].split("/")[1] for address in found}
    assert kinds == {"", "days", "alerts", "models", "static"}
    # Days of before the first scores have no alerts, and of one day only there is a model.
    served = {address for address in found if "/alerts/" not in address and "/download" not in address}
    assert len(served) > DAYS
    statuses = {address: below.get(address.removeprefix(ROOT)).status for address in served}
    assert {address: status for address, status in statuses.items() if status != 200} == {}


def test_a_redirect_too(below: Site) -> None:
    assert below.get("/favicon.ico").headers["location"].startswith(f"{ROOT}/static/favicon.")


def test_a_slash_too_many_leads_nowhere_else(below: Site) -> None:
    reply = below.get("/models/")
    assert (reply.status, reply.headers.get("location")) == (404, None)


def test_sites_in_one_process_have_their_own_paths(below: Site, site: Site) -> None:
    assert f'href="{ROOT}/models"' in below.get("/").text
    assert 'href="/models"' in site.get("/").text
    assert f'href="{ROOT}/models"' in below.get("/models").text
