"""What Dagster's pages show of what has been stored: a real webserver over a small code location, after real runs."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
from playwright.sync_api import Page, expect

from fraud_assets_tests.browser import open_page
from fraud_assets_tests.postgres import shops
from fraud_assets_tests.postgres.lab import day

PASSWORD = "a secret/of the shop's"
PATIENCE_SECONDS = 120

pytestmark = pytest.mark.slow

_MATERIALIZATIONS = """
query ($path: [String!]!) { assetOrError(assetKey: {path: $path}) { ... on Asset {
  assetMaterializations(limit: 10) { partition metadataEntries {
    label
    ... on IntMetadataEntry { intValue }
    ... on FloatMetadataEntry { floatValue }
    ... on TextMetadataEntry { text }
    ... on TableSchemaMetadataEntry { schema { columns { name type description constraints { nullable } } } }
    ... on TableMetadataEntry { table { records } }
    ... on TableColumnLineageMetadataEntry { lineage { columnName columnDeps { assetKey { path } columnName } } }
} } } } }
"""
_RESOURCES = """
{ repositoriesOrError { ... on RepositoryConnection { nodes { allTopLevelResourceDetails {
  name configFields { name } configuredValues { key value type } nestedResources { name }
} } } } }
"""
_RUNS = "{ runsOrError { ... on Runs { results { runConfigYaml tags { key value } } } } }"


@dataclass(frozen=True)
class Pages:
    """A running webserver."""

    url: str

    def ask(self, query: str, **variables: object) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer
        return answer["data"]

    def metadata(self, *path: str) -> dict[str, dict[str, dict[str, Any]]]:
        """The metadata entries of an asset's newest materializations, by partition and label."""
        found = self.ask(_MATERIALIZATIONS, path=path)["assetOrError"]["assetMaterializations"]
        return {m["partition"]: {entry["label"]: entry for entry in m["metadataEntries"]} for m in reversed(found)}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_for(pages: Pages, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            pages.ask("{ version }")
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.3)
        else:
            return


@pytest.fixture(scope="module")
def pages(storage_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """Orders of three days from one run, the last of them once more, and the sales of that day."""
    home = tmp_path_factory.mktemp("home")
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\nnux: {enabled: false}\n")
    role = psycopg.conninfo.conninfo_to_dict(storage_url)
    with psycopg.connect(storage_url, autocommit=True) as connection:
        connection.execute(
            f"CREATE ROLE clerk LOGIN SUPERUSER PASSWORD '{PASSWORD.replace(chr(39), chr(39) * 2)}'".encode()
        )
    url = f"postgresql://clerk:a%20secret%2Fof%20the%20shop%27s@{role['host']}:{role['port']}/{role['dbname']}"
    settings = {"SHOP_URL": url, "SHOP_SCHEMA": "retail", "SHOP_TIMEOUT": "5", "SHOP_VERSIONS": "0"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        with dg.DagsterInstance.from_config(str(home)) as instance:
            resources = shops.defs.resources
            assets = [shops.orders, shops.sales]
            span = {"dagster/asset_partition_range_start": day(1), "dagster/asset_partition_range_end": day(3)}
            dg.materialize(assets, selection=assets[:1], instance=instance, resources=resources, tags=span)
            dg.materialize(assets, instance=instance, resources=resources, partition_key=day(3))
    made = Pages(f"http://127.0.0.1:{_free_port()}")
    command = [sys.executable, "-m", "dagster_webserver", "-h", "127.0.0.1", "-p", made.url.rpartition(":")[2]]
    log = home / "webserver.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*command, "-f", str(Path(shops.__file__))],
            cwd=home,
            env=os.environ | settings | {"DAGSTER_HOME": str(home)},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_for(made, process, log)
            yield made
        finally:
            process.terminate()
            process.wait(timeout=30)
            with psycopg.connect(storage_url, autocommit=True) as connection:
                connection.execute("DROP SCHEMA retail, dagster_io, dagster_archive CASCADE")
                connection.execute("DROP OWNED BY clerk; DROP ROLE clerk")


def test_what_the_asset_pages_show(pages: Pages) -> None:
    orders = pages.metadata("shop", "orders")
    assert {key: entries["dagster/row_count"]["intValue"] for key, entries in orders.items()} == {
        day(1): 1, day(2): 2, day(3): 3
    }  # fmt: skip
    newest = orders[day(3)]
    assert newest["version"]["intValue"] == 2
    assert newest["dagster/table_name"]["text"].endswith(".retail.orders")
    assert newest["bytes"]["intValue"] > 0
    assert newest["write_seconds"]["floatValue"] > 0
    assert len(newest["content_hash"]["text"]) == 64
    columns = newest["dagster/column_schema"]["schema"]["columns"]
    assert [(c["name"], c["type"], c["description"], c["constraints"]["nullable"]) for c in columns] == [
        ("order_id", "bigint", "as on the receipt", True),
        ("ordered_at", "timestamp without time zone", None, True),
        ("price", "double precision", "in euros, with tax", True),
    ]
    sales = pages.metadata("shop", "sales")[day(3)]
    assert sales["upstream_versions"]["intValue"] == 3
    assert [json.loads(record) for record in sales["upstream"]["table"]["records"]] == [
        {"asset": "shop/orders", "partition": day(n), "version": 1 + (n == 3)} for n in (1, 2, 3)
    ]
    lineage = [
        {"columnName": "total", "columnDeps": [{"assetKey": {"path": ["shop", "orders"]}, "columnName": "price"}]}
    ]
    assert sales["dagster/column_lineage"]["lineage"] == lineage


def test_the_settings_show_names_of_variables_and_no_password(pages: Pages) -> None:
    answer = pages.ask(_RESOURCES)
    resources = {r["name"]: r for r in answer["repositoriesOrError"]["nodes"][0]["allTopLevelResourceDetails"]}
    values = {entry["key"]: (entry["value"], entry["type"]) for entry in resources["postgres"]["configuredValues"]}
    assert values["url"] == ("SHOP_URL", "ENV_VAR")
    assert values["schema_"] == ("SHOP_SCHEMA", "ENV_VAR")
    versions = {entry["key"]: entry["value"] for entry in resources["io_manager"]["configuredValues"]}
    assert versions["archived_versions"] == "SHOP_VERSIONS"
    said = json.dumps([answer, pages.ask(_RUNS), pages.metadata("shop", "orders"), pages.metadata("shop", "sales")])
    assert "secret" not in said
    assert "SHOP_URL" in said


def _see(page: Page, *texts: str) -> None:
    for text in texts:
        expect(page.get_by_text(text).first).to_be_visible(timeout=60_000)


def test_a_browser_shows_the_columns_and_the_rows(pages: Pages, tmp_path: Path) -> None:
    with open_page() as page:
        page.goto(f"{pages.url}/assets/shop/orders")
        _see(page, "Row count", "in euros, with tax", "double precision")
        page.screenshot(path=tmp_path / "overview.png")
        page.goto(f"{pages.url}/assets/shop/sales?view=partitions&partition={day(3)}")
        _see(page, "content_hash", ".retail.sales", "upstream_versions")
        page.screenshot(path=tmp_path / "partition.png")
