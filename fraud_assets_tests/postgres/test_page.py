"""The page on the IO managers, followed as written: its files, its SQL, its commands, in their order."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest

import fraud_assets
from fraud_assets.local.database import psql_program
from fraud_assets.local.embedded import EmbeddedServer
from fraud_assets.postgres import PostgresModelIOManager, PostgresResource, PostgresTableIOManager
from fraud_assets.postgres.values.types import postgres_type

CHECKOUT = Path(fraud_assets.__file__).parents[1]
PAGE = CHECKOUT / "docs" / "postgres-io-manager.md"
ADDRESS = "postgresql://weather:secret@localhost:5432/weather"
# What fetches from elsewhere, and what never ends.
NOT_RUN = ("pip install", "dagster dev")
# Packages are called otherwise than what is imported from them.
DISTRIBUTIONS = {
    "adbc_driver_manager": "adbc-driver-manager",
    "adbc_driver_postgresql": "adbc-driver-postgresql",
    "dagster_postgres": "dagster-postgres",
    "psycopg": "psycopg[binary]",
}


@dataclass(frozen=True)
class Block:
    """A fenced block, and the paragraph before it."""

    language: str
    code: str
    before: str

    @property
    def file(self) -> str | None:
        names = re.findall(r"`(\w+\.py)`", self.before)
        return names[-1] if self.language == "python" and names else None

    @property
    def commands(self) -> list[str]:
        return re.sub(r"\\\n\s*", "", self.code).splitlines()


def _blocks() -> list[Block]:
    page = PAGE.read_text(encoding="utf-8")
    found = []
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        before = page[: match.start()].rstrip().rpartition("\n\n")[2]
        found.append(Block(match[1], match[2], before))
    return found


@dataclass(frozen=True)
class Followed:
    """A folder and a database in which somebody has done what the page says."""

    folder: Path
    url: str
    code: int
    said: str

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(query.encode()).fetchall()

    @cached_property
    def output(self) -> list[str]:
        return [" ".join(line.split()) for line in self.said.splitlines()]


@pytest.fixture(scope="module")
def followed(postgres_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    folder, blocks = tmp_path_factory.mktemp("page"), _blocks()
    url = re.sub("//.*@", "//weather:secret@", postgres_server.url("weather"))
    superuser = postgres_server.url("postgres")
    (folder / "fraud-assets").symlink_to(CHECKOUT)
    for block in blocks:
        if block.file:
            (folder / block.file).write_text(block.code, encoding="utf-8")
    try:
        for block in blocks:
            if block.language == "sql":
                _execute(superuser, block.code)
        script = "\n".join(line for line in _script(blocks) if not line.startswith(NOT_RUN)).replace(ADDRESS, url)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder, env=_environment(folder), capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        yield Followed(folder, url, done.returncode, done.stdout + done.stderr)
    finally:
        _execute(superuser, "DROP DATABASE IF EXISTS weather WITH (FORCE); DROP ROLE IF EXISTS weather")


def _script(blocks: list[Block]) -> list[str]:
    return [command for block in blocks if block.language == "sh" for command in block.commands]


def _execute(url: str, statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in filter(str.strip, statements.split(";")):
            connection.execute(statement.encode())


def _environment(folder: Path) -> dict[str, str]:
    psql = shutil.which("psql") or psql_program()
    path = os.pathsep.join([str(Path(sys.executable).parent), str(Path(psql).parent), os.environ["PATH"]])
    return {"PATH": path, "HOME": str(folder), "LANG": "C.UTF-8", "DAGSTER_DISABLE_TELEMETRY": "1"}


def test_every_block_is_of_a_kind_that_is_tried() -> None:
    blocks = _blocks()
    assert {block.language for block in blocks} == {"python", "sh", "sql", "text"}
    assert [block.file for block in blocks if block.language == "python"] == ["definitions.py", "versions.py"]
    assert len([line for line in _script(blocks) if line.startswith(NOT_RUN)]) == 3
    assert sum(ADDRESS in line for line in _script(blocks)) == 1


def test_everything_on_the_page_runs(followed: Followed) -> None:
    assert followed.code == 0, followed.said
    assert "Traceback" not in followed.said
    assert not re.findall("(?i)warning: storage|deprecat", followed.said)


def test_the_page_shows_what_is_printed(followed: Followed) -> None:
    for block in _blocks():
        if block.language == "text":
            expected = [" ".join(line.split()) for line in block.code.splitlines()]
            assert [line for line in expected if line not in followed.output] == []


def test_the_tables_have_the_rows_that_the_page_says(followed: Followed) -> None:
    days = [f"2024-03-{day:02d}" for day in range(1, 8)]
    query = "SELECT partition_key, count(*), min(measured_at)::text FROM weather.measurements GROUP BY 1 ORDER BY 1"
    assert followed.rows(query) == [(day, 3 * 24 * 60, f"{day} 00:00:00+00") for day in days]
    query = (
        "SELECT partition_key, string_agg(day::text, ' '), min(count) FROM weather.daily_weather GROUP BY 1 ORDER BY 1"
    )
    summed = followed.rows(query)
    assert [row[:2] for row in summed] == [(day, " ".join([day] * 3)) for day in days]
    assert all(1400 < count < 1440 for _, _, count in summed)
    assert followed.rows("SELECT count(*), min(days), max(days) FROM weather.week") == [(3, 7, 7)]
    assert followed.rows("SELECT count(*) FROM weather.forecast") == [(3,)]


def test_the_catalogue_has_what_the_metadata_says(followed: Followed) -> None:
    kinds = "SELECT relname, relkind::text FROM pg_class WHERE relnamespace = 'weather'::regnamespace AND relname = ANY"
    tables = followed.rows(kinds + "('{measurements,daily_weather,week,forecast}') ORDER BY 1")
    assert tables == [("daily_weather", "p"), ("forecast", "p"), ("measurements", "p"), ("week", "r")]
    assert followed.rows("SELECT col_description('weather.measurements'::regclass, 3)") == [
        ("air temperature two metres above the ground",)
    ]
    indexes = followed.rows("SELECT count(*) FROM pg_indexes WHERE indexdef LIKE '%daily_weather%(station)'")
    assert indexes[0][0] >= 7


def test_the_archive_is_as_the_page_leaves_it(followed: Followed) -> None:
    versions = followed.rows(
        "SELECT version, status, run_id = 'restore' FROM dagster_io.versions"
        " WHERE asset_key = 'daily_weather' AND partition_key = '2024-03-07' ORDER BY version"
    )
    assert versions == [(1, "pruned", False), (2, "archived", False), (3, "current", True)]
    assert followed.rows("SELECT count(*) FROM dagster_io.models") == [(1,)]


def test_a_copied_folder_needs_nothing_but_what_the_page_lists(followed: Followed) -> None:
    copied = followed.folder / "weather_storage"
    imported = {name for file in copied.rglob("*.py") for name in _imports(file)} - set(sys.stdlib_module_names)
    listed = next(line for line in _script(_blocks()) if line.startswith("pip install 'dagster"))
    names = {re.split("[<>=]", requirement)[0] for requirement in re.findall("'(.*?)'", listed)}
    assert {DISTRIBUTIONS.get(name, name) for name in imported - {"weather_storage"}} == names
    pins = (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
    assert [requirement for requirement in re.findall("'(.*?)'", listed) if f'"{requirement}"' not in pins] == []
    check = (
        "import sys, weather_storage as w; w.PostgresTableIOManager;"
        " assert not [name for name in sys.modules if name.startswith('fraud_assets.')]"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", check], cwd=followed.folder, check=True, timeout=60)


def _rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading of the page."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_table_of_types_is_right() -> None:
    rows = _rows("Types")
    assert len(rows) > 15
    for arrow_types, _, column_type in rows:
        for expression in re.findall("`(.*?)`", arrow_types):
            assert f"`{postgres_type('x', eval(expression, {'pa': pa}))}`" == column_type, expression


def test_the_table_of_settings_is_complete() -> None:
    named = {re.sub("`", "", setting) for _, setting, *_ in _rows("Settings")}
    managers = (PostgresResource, PostgresTableIOManager, PostgresModelIOManager)
    assert named == {name for manager in managers for name in manager.model_fields}


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]
