"""Secrets in files: keys that are made on first use and kept in the home folder, and those that a setting leads to.

What lives here: making, finding and reading them. What does not: signing (postgres), pseudonymising (sources), and
logging in (local).
"""

import os
import secrets
import stat
from pathlib import Path

from pydantic import SecretStr

from fraud_assets.settings import AlertSettings, Settings, SettingsError

SIGNING_KEY = "signing.key"
PSEUDONYM_KEY = "pseudonym.key"
READER_KEY = "reader.key"
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def with_keys(settings: Settings) -> Settings:
    """The settings with a signing key, and with a pseudonym key where columns are sensitive.

    Raises `SettingsError` where the home folder cannot be written, and for a file that cannot be used.
    """
    found: dict[str, SecretStr] = {}
    if settings.signing_key_file is not None:
        found["signing_key"] = SecretStr(secret_in("signing_key_file", settings.signing_key_file))
    elif settings.signing_key is None:
        found["signing_key"] = _kept_key(settings.home / SIGNING_KEY)
    if settings.pseudonym_key_file is not None:
        found["pseudonym_key"] = SecretStr(secret_in("pseudonym_key_file", settings.pseudonym_key_file))
    elif settings.pseudonym_key is None and settings.columns is not None and settings.columns.sensitive:
        found["pseudonym_key"] = _kept_key(settings.home / PSEUDONYM_KEY)
    return settings.model_copy(update=found)


def webhook(alerts: AlertSettings) -> str | None:
    """The address for alerts; None where there is none. Raises `SettingsError` for a file that cannot be used."""
    if alerts.webhook_file is not None:
        return secret_in("alerts.webhook_file", alerts.webhook_file)
    return None if alerts.webhook is None else alerts.webhook.get_secret_value()


def secret_in(setting: str, path: Path) -> str:
    """The secret in a file that a setting names. Raises `SettingsError` unless it is one line for its owner's eyes."""
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingsError(f"{setting} names {path}, which cannot be read ({reason}); correct it.") from error
    if mode & OTHERS:
        raise SettingsError(f"{setting} names {path}, which others may read; run chmod 600 {path}.")
    if len(text.splitlines()) != 1:
        raise SettingsError(f"{setting} names {path}, which must hold one line, the secret, and nothing else.")
    return text


def reader_password(home: Path) -> str:
    """The password of the embedded server's role that only reads. Raises `SettingsError` as `with_keys` does."""
    return _kept_key(home / READER_KEY).get_secret_value()


def _kept_key(path: Path) -> SecretStr:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_once(path, secrets.token_hex(32))
        key = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise SettingsError(
            f"The key {path} cannot be made or read ({error.strerror}); set FRAUD_HOME to a folder that can be written."
        ) from error
    if not key:
        raise SettingsError(
            f"The key file {path} is empty; put the key back, or remove the file to start with a new one."
        )
    return SecretStr(key)


def _write_once(path: Path, content: str) -> None:
    """Make the file whole, or leave the one that is there: two first runs agree on one key."""
    if path.exists():
        return
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(content)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
