"""The archive as people ask for it: which versions of a day there are, and an old one made current again."""

from rich.box import SIMPLE_HEAD
from rich.filesize import decimal
from rich.table import Table

from fraud_assets.local.console import print_table
from fraud_assets.local.database import Workplace
from fraud_assets.local.errors import Refusal
from fraud_assets.local.export import check_asset
from fraud_assets.postgres import Status, Version, partition_versions, report_restored, restore_version

HASH_CHARACTERS = 12
RUN_CHARACTERS = 8


def print_versions(workplace: Workplace, asset: str, day: str) -> None:
    """A line for each version of a day, newest first."""
    table = Table(box=SIMPLE_HEAD)
    for heading, side in (
        ("version", "right"), ("status", "left"), ("rows", "right"), ("size", "right"), ("content hash", "left"),
        ("code", "left"), ("made by", "left"), ("stored at", "left"),
    ):  # fmt: skip
        table.add_column(heading, justify=side, no_wrap=True)  # type: ignore[arg-type]
    for version in _stored(workplace, asset, day):
        table.add_row(
            str(version.version),
            version.status,
            "" if version.is_model else f"{version.row_count:,}",
            decimal(version.byte_count),
            version.content_hash[:HASH_CHARACTERS],
            version.code_version or "",
            _maker(version),
            version.created_at.astimezone(workplace.settings.tzinfo).isoformat(" ", timespec="seconds"),
            style="dim" if version.status == Status.PRUNED else None,
        )
    print_table(table)


def _maker(version: Version) -> str:
    if version.restored_from is not None:
        return f"restored from {version.restored_from}"
    return f"run {version.run_id[:RUN_CHARACTERS]}"


def restore(workplace: Workplace, asset: str, day: str, number: int) -> Version | None:
    """Make a version current again, and tell Dagster. Returns the new version; None where it is the current one.

    Nothing is pruned: that is left to the next run.
    """
    current = _stored(workplace, asset, day)[0]
    if (current.version, current.status) == (number, Status.CURRENT):
        return None
    with workplace.instance() as instance:
        restored = restore_version(workplace.postgres(), asset, day, number, signing_key=workplace.signing_key)
        report_restored(instance, restored)
    return restored


def _stored(workplace: Workplace, asset: str, day: str) -> list[Version]:
    """A day's versions, newest first. Raises `Refusal` where there is none."""
    found = partition_versions(workplace.postgres(), asset, day)
    if not found:
        # Only what is in no ledger is looked up in the code location, which takes its time.
        check_asset(workplace, asset)
        raise Refusal(f"There is no partition {day} of {asset}; fraud-assets run --date {day} makes all of that day.")
    return found
