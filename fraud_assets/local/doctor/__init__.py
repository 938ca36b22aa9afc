"""`doctor`: what is set, what works, and what to do about the rest. It changes nothing.

What lives here: the order of the checks, and the settings in words. The checks are in the files beside it.
"""

import platform
from collections.abc import Callable, Iterator
from importlib.metadata import version

from pydantic import BaseModel, SecretStr

from fraud_assets.local.console import out
from fraud_assets.local.doctor.cluster import cluster
from fraud_assets.local.doctor.database import database, files
from fraud_assets.local.doctor.findings import report
from fraud_assets.local.doctor.reports import reports
from fraud_assets.local.doctor.room import locks, retention, sizes
from fraud_assets.local.doctor.source import browser, home, source
from fraud_assets.postgres.connection import shown_place
from fraud_assets.settings import Settings, SettingsError, config_file, load_settings

HIDDEN = "(hidden)"


def examine() -> bool:
    """Print settings and findings; returns whether everything that is needed works."""
    out.print(
        f"fraud-assets {version('fraud-assets')}, Dagster {version('dagster')}, Python {platform.python_version()}"
    )
    try:
        settings = load_settings()
    except SettingsError as error:
        out.print("[red]settings[/]  ", end="")
        out.print(str(error), markup=False)
        return False
    file = config_file()
    out.print(f"\nSettings ({file or 'no fraud.toml'}, then FRAUD_* variables):")
    for name, value in shown_settings(settings):
        out.print(f"  {name} = {value}", markup=False)
    out.print("\nWhat works:")
    findings = [report(name, check, settings) for name, check in CHECKS.items()]
    return all(findings)


def shown_settings(section: BaseModel, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every setting by its dotted name, secrets hidden."""
    for name, field in type(section).model_fields.items():
        value, key = getattr(section, name), prefix + (field.alias or name)
        if isinstance(value, BaseModel):
            yield from shown_settings(value, f"{key}.")
        elif isinstance(value, SecretStr):
            yield key, f"{shown_place(value.get_secret_value())} {HIDDEN}" if key.endswith("database_url") else HIDDEN
        else:
            yield key, "unset" if value is None else str(value)


CHECKS: dict[str, Callable[[Settings], str]] = {
    "home folder": home,
    "database": database,
    "database files": files,
    "sizes": sizes,
    "locks": locks,
    "retention": retention,
    "source": source,
    "browser for static pictures": browser,
    "Dask cluster": cluster,
    "report server": reports,
}
