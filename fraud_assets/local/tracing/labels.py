"""What was known of frauds: the labels that a model could know, and those of one transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import pyarrow.compute as pc

from fraud_assets.local.tracing.document import KnownLabels, OwnLabel
from fraud_assets.local.tracing.finding import Wanted, row_of
from fraud_assets.local.tracing.versions import partitions
from fraud_assets.postgres import PartitionMissing, PostgresResource, Status, Version
from fraud_assets.postgres.storage.lookups import partitions_with, rows_of_version
from fraud_assets.postgres.storage.reading import Selection

LABELS = "labels"


def known_labels(postgres: PostgresResource, seen: Sequence[Version]) -> KnownLabels | None:
    """The labels in the partitions that a model's step has read; None where it has read none."""
    of_labels = [version for version in seen if version.asset_key == LABELS]
    found = partitions(of_labels, {})
    if found is None:
        return None
    frauds = sum(int(version.facts.get("frauds", 0)) for version in of_labels)
    return KnownLabels(found.rows, frauds, _last_known_at(postgres, of_labels), found)


def _last_known_at(postgres: PostgresResource, of_labels: Sequence[Version]) -> datetime | None:
    """A partition has what became known on its day: the last that has any label has the last one."""
    for version in reversed(of_labels):
        if version.row_count:
            try:
                times = rows_of_version(postgres, version, Selection(columns=("known_at",)))
            except PartitionMissing:
                return None
            last: datetime = pc.max(times["known_at"]).as_py()
            return last
    return None


def own_labels(postgres: PostgresResource, sought: Wanted, day: str, seen: Sequence[Version]) -> tuple[OwnLabel, ...]:
    """All that has become known of the transaction since its day, and whether the model knew it."""
    read = {version.partition_key: version for version in seen if version.asset_key == LABELS}
    days = [key for key in postgres.stored_row_counts(LABELS) if key >= day]
    found = []
    for key in partitions_with(postgres, LABELS, days, sought.selection):
        current = next(v for v in postgres.stored_versions(LABELS, key) if v.status == Status.CURRENT)
        for row in rows_of_version(postgres, current, sought.selection).to_pylist():
            was_known = _was_known(postgres, sought, current, read)
            found.append(OwnLabel(row["label"], row.get("kind"), row["known_at"], key, was_known))
    return tuple(found)


def _was_known(postgres: PostgresResource, sought: Wanted, current: Version, read: Mapping[str, Version]) -> bool:
    version = read.get(current.partition_key)
    if version is None:
        return False
    if version.content_hash == current.content_hash:
        return True
    try:
        return row_of(postgres, version, sought) is not None
    except PartitionMissing:
        # Of what has been pruned nobody knows what was in it: it may have been there.
        return True
