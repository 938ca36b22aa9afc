"""A file of transactions that is no day's batch: handed over to be scored, in the source's columns, without labels."""

from pathlib import Path

from fraud_assets.settings import ColumnRoles, FilesSource, Settings
from fraud_assets.sources.base import Surroundings
from fraud_assets.sources.batch import DayBatch
from fraud_assets.sources.files import LandingFolder
from fraud_assets.sources.pseudonyms import Pseudonymizer

CANONICAL_NAMES = {
    "transaction_id": "transaction_id",
    "currency": "currency",
    "customer": "customer_id",
    "terminal": "terminal_id",
    "outcome": "outcome",
}


def read_file(settings: Settings, path: Path, *, roles: ColumnRoles, pseudonym_key: bytes | None = None) -> DayBatch:
    """The transactions of a file: as the landing folder's files are written, else in the canonical column names.

    `roles` are those of the source. Rows that cannot be read are in the batch's `rejected`. Raises `SourceError`.
    """
    if isinstance(settings.source, FilesSource):
        source = settings.source
    else:
        source = FilesSource(kind="files", folder=path.parent, columns=_canonical(roles, settings.timezone))
    without_label = source.columns.model_copy(update={"label": None})
    pseudonymizer = Pseudonymizer(pseudonym_key) if pseudonym_key else None
    folder = LandingFolder(
        source.model_copy(update={"columns": without_label}), Surroundings(settings.tzinfo, pseudonymizer)
    )
    return folder.read_whole(path)


def _canonical(roles: ColumnRoles, timezone: str) -> ColumnRoles:
    """Each role by the name that it has in raw_batch; naive times are in the settings' time zone."""
    named = {role: name for role, name in CANONICAL_NAMES.items() if getattr(roles, role) is not None}
    fixed = {"timestamp": "transaction_time", "timestamp_timezone": timezone, "amount": "amount", "label": None}
    renamed = {getattr(roles, role): name for role, name in named.items()}
    sensitive = tuple(renamed.get(name, name) for name in roles.sensitive)
    return roles.model_copy(update=named | fixed | {"sensitive": sensitive})
