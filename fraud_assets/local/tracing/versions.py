"""The ledger's records in the words of a trace."""

from collections.abc import Mapping, Sequence

from fraud_assets.local.tracing.document import Made, Partitions
from fraud_assets.postgres import Status, Version
from fraud_assets.postgres.steps.contexts import combined_hash


def made(version: Version, current: int | None) -> Made:
    """A version, and the number of the one that is current today."""
    return Made(
        asset=version.asset_key,
        partition=version.partition_key,
        version=version.version,
        status=str(version.status),
        current_version=current,
        rows=version.row_count,
        content_hash=version.content_hash,
        code_version=version.code_version,
        run_id=version.run_id,
        stored_at=version.created_at,
        restored_from=version.restored_from,
    )


def partitions(versions: Sequence[Version], currents: Mapping[str, int]) -> Partitions | None:
    """One asset's versions in the order of their partitions; None for none.

    `currents` has the numbers of those partitions' current versions, where they are not the ones given.
    """
    if not versions:
        return None
    ordered = sorted(versions, key=lambda version: version.partition_key)
    hashes = {version.partition_key: version.content_hash for version in ordered}
    told = tuple(made(version, _current(version, currents)) for version in ordered)
    return Partitions(
        ordered[0].asset_key, ordered[0].partition_key, ordered[-1].partition_key, combined_hash(hashes), told
    )


def _current(version: Version, currents: Mapping[str, int]) -> int | None:
    return version.version if version.status == Status.CURRENT else currents.get(version.partition_key)
