"""What single values may be, and what a section of settings is."""

from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr


def _timezone_name(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("must be an IANA time zone such as 'UTC' or 'Europe/Berlin'")
    return name


def _postgresql_url(url: SecretStr) -> SecretStr:
    scheme = urlsplit(url.get_secret_value()).scheme
    if scheme not in {"postgresql", "postgres"}:
        raise ValueError("must be a plain URL of the form postgresql://user:password@host:port/database")
    return url


def _web_address(address: str) -> str:
    parts = urlsplit(address)
    is_plain = parts.scheme in {"http", "https"} and parts.hostname and "//" not in parts.path
    if not is_plain or parts.query or parts.fragment or parts.username:
        raise ValueError("must be an address such as https://reports.example.com")
    return address.rstrip("/")


def _dask_address(address: str) -> str:
    parts = urlsplit(address)
    try:
        is_whole = parts.scheme in {"tcp", "tls"} and bool(parts.hostname) and parts.port is not None
    except ValueError:
        is_whole = False
    if not is_whole or parts.username or parts.path or parts.query or parts.fragment:
        raise ValueError("must be an address such as tcp://scheduler:8786 or tls://scheduler:8786")
    return address


def _web_hook(address: SecretStr) -> SecretStr:
    parts = urlsplit(address.get_secret_value())
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an address such as https://hooks.slack.com/services/...")
    return address


TimezoneName = Annotated[str, AfterValidator(_timezone_name)]
PostgresqlUrl = Annotated[SecretStr, AfterValidator(_postgresql_url)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
DaskAddress = Annotated[str, AfterValidator(_dask_address)]
WebHook = Annotated[SecretStr, AfterValidator(_web_hook)]
"""An address that is a secret: whoever knows it can post there."""


class Section(BaseModel):
    """A table of `fraud.toml`: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)
