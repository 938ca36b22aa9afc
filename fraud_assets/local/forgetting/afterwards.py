"""What has to be known once a customer is gone: models that were fitted on the rows, the source, and backups."""

from collections.abc import Sequence
from datetime import date

from fraud_assets.local.console import out
from fraud_assets.local.database import Workplace
from fraud_assets.local.history import contiguous
from fraud_assets.postgres import Version


def print_afterwards(workplace: Workplace, touched: Sequence[Version], journal: Sequence[int]) -> None:
    """Say what is gone, and what removing it does not reach."""
    versions = len({version.version_id for version in touched})
    out.print(f"Gone, down to the files: {versions:,} versions are without the customer; the journal says when.")
    days = _days_of_models(workplace, touched)
    if days:
        ranges = contiguous(date.fromisoformat(day) for day in days)
        out.print(
            f"Models of {len(days):,} days were fitted on such rows ({', '.join(map(str, ranges))}). They hold numbers "
            "and no id; k-nearest neighbours hold their training rows, as numbers. To have them without the customer, "
            "make them anew, oldest first:"
        )
        for found in ranges:
            out.print(f"  fraud-assets backfill --from {found.first} --to {found.last}")
    out.print(
        "The source still has the customer: a day that is run again brings the rows back, unless the source forgets "
        "them too. So do backups, and files that were exported."
    )
    if journal:
        numbers = ", ".join(map(str, journal))
        out.print(f"Somebody has written such an id into the journal (entries {numbers}), which is never changed.")


def _days_of_models(workplace: Workplace, touched: Sequence[Version]) -> list[str]:
    """The days of current models that saw one of the versions when they were fitted."""
    with workplace.postgres().connect() as connection:
        rows = connection.execute(
            "SELECT DISTINCT v.partition_key FROM dagster_io.seen s JOIN dagster_io.versions v USING (version_id)"
            " WHERE v.arrow_schema IS NULL AND v.status = 'current' AND v.partition_key <> ''"
            " AND s.upstream_version_id = ANY(%s) ORDER BY 1",
            [[version.version_id for version in touched]],
        ).fetchall()
    return [day for (day,) in rows]
