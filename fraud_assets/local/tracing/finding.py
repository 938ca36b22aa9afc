"""Finding a transaction by the id that somebody gives: as the source writes it, or as the pseudonym stored for it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow.types as pat

from fraud_assets.assets.plan import Plan
from fraud_assets.local.errors import Refusal
from fraud_assets.postgres import PostgresResource, Status, Version
from fraud_assets.postgres.storage.lookups import partitions_with, rows_of_version
from fraud_assets.postgres.storage.reading import Plain, Selection
from fraud_assets.sources.pseudonyms import HEX_DIGITS, Pseudonymizer

RAW = "raw_batch"
REJECTED = "rejected_rows"
SCORED = "scored_batch"


@dataclass(frozen=True)
class Wanted:
    """A transaction, by the ids that it may be stored under."""

    shown: str
    """What may be repeated to the user: of a pseudonymised id, the pseudonym."""
    ids: tuple[int | str, ...]

    @property
    def selection(self) -> Selection:
        ids: list[Plain] = list(self.ids)
        return Selection(where="transaction_id = ANY(%s)", where_params=(ids,))


def wanted(plan: Plan, postgres: PostgresResource, given: str) -> Wanted:
    """What to look for. Sensitive ids are given as the source has them, and looked for as their pseudonyms.

    A pseudonym as the reports show it is understood too. Raises `Refusal` for what cannot be an id of this source.
    """
    key = plan.settings.pseudonym_secret
    if plan.roles.transaction_id in plan.roles.sensitive and key is not None:
        pseudonym = Pseudonymizer(key).pseudonym(given)
        is_one_itself = re.fullmatch(f"[0-9a-f]{{{HEX_DIGITS}}}", given) is not None
        return Wanted(pseudonym, (pseudonym, given) if is_one_itself else (pseudonym,))
    id_type = postgres.stored_column_type(RAW, "transaction_id")
    if id_type is None or not pat.is_integer(id_type):
        return Wanted(given, (given,))
    if not re.fullmatch(r"\s*[+-]?\d+\s*", given):
        raise Refusal(f"{given!r} is no transaction id: those of this source are whole numbers.")
    return Wanted(str(int(given)), (int(given),))


def row_of(postgres: PostgresResource, version: Version, sought: Wanted) -> dict[str, Any] | None:
    """The transaction's row in a version; None where it has none. Raises `PartitionMissing` for a pruned version."""
    rows = rows_of_version(postgres, version, sought.selection).to_pylist()
    return rows[0] if rows else None


def no_scores(postgres: PostgresResource, day: str) -> Refusal:
    """What to say of a day without scores."""
    scored = nearest_first(postgres.stored_row_counts(SCORED), day)
    near = f" the nearest day that has some is {scored[0]}" if scored else " no day has any yet"
    return Refusal(f"There are no scores of {day};{near}. fraud-assets run --date {day} makes all of that day.")


def in_another_version(postgres: PostgresResource, sought: Wanted, stored: Sequence[Version]) -> Refusal | None:
    """What to say of a transaction that only other versions of the day's scores have; None where none has."""
    for version in stored:
        if version.status != Status.PRUNED and row_of(postgres, version, sought) is not None:
            return Refusal(
                f"The transaction {sought.shown} is in version {version.version} of the scores of "
                f"{version.partition_key} only; add --version {version.version}."
            )
    return None


def not_found(plan: Plan, postgres: PostgresResource, sought: Wanted, day: str) -> Refusal:
    """What to say of a transaction that a day's scores do not have, once it has been looked for elsewhere."""
    name = f"The transaction {sought.shown}"
    batches = nearest_first(postgres.stored_row_counts(RAW), day)
    found = next(partitions_with(postgres, RAW, batches, sought.selection), None)
    if found == day:
        return Refusal(
            f"{name} is in raw_batch of {day}, but not in its scores: they were made from an earlier version of the "
            "batch; materialize cleaned_features and scored_batch of that day."
        )
    why = _rejected(plan, postgres, sought, day)
    if why is not None:
        return Refusal(f"{name} has no score on {day}: {why}; see rejected_rows of that day.")
    if found is not None:
        return Refusal(f"{name} is not one of {day}; it is one of {found}: give --date {found}.")
    return Refusal(f"{name} is in none of the batches that are stored ({len(batches)}); check the id.")


def _rejected(plan: Plan, postgres: PostgresResource, sought: Wanted, day: str) -> str | None:
    """Why the day's row of that id was rejected; None where none was, or where ids are not to be shown."""
    name = plan.roles.transaction_id
    if name is None or name in plan.roles.sensitive:
        return None
    selection = Selection(where="original::jsonb ->> %s = %s", where_params=(name, sought.shown))
    current = [version for version in postgres.stored_versions(REJECTED, day) if version.status == Status.CURRENT]
    for row in rows_of_version(postgres, current[0], selection).to_pylist() if current else ():
        return f"row {row['source_row']:,} of the batch was rejected, because {row['reason']}"
    return None


def nearest_first(days: Sequence[str] | Any, day: str) -> list[str]:
    """Partition keys by their distance from a day."""
    at = date.fromisoformat(day)
    return sorted(days, key=lambda key: (abs(date.fromisoformat(key) - at), key))
