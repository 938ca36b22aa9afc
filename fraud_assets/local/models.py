"""The best models as people ask for them: a list, one in full, a file, a check."""

import json
from datetime import date
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from fraud_assets.assets.best_model import recorded_overrides
from fraud_assets.keys import secret_in
from fraud_assets.learning import standing_pin
from fraud_assets.local.console import out, print_table
from fraud_assets.local.database import Workplace
from fraud_assets.local.errors import Refusal
from fraud_assets.local.whole_file import whole_file
from fraud_assets.partitions import shifted
from fraud_assets.postgres.errors import ModelRefused
from fraud_assets.postgres.steps.contexts import UNPARTITIONED
from fraud_assets.postgres.storage.ledger import Version, current_versions, upstream_versions
from fraud_assets.postgres.storage.models import find_version, load_model, verified_payload
from fraud_assets.postgres.storage.resigning import Resigned, resign_models

BEST_MODEL = "best_model"
LIBRARIES = ("scikit-learn",)


def stored_models(workplace: Workplace) -> list[Version]:
    """The current best model of each day, oldest first. Raises `Refusal` when there is none."""
    with workplace.postgres().connect() as connection:
        found = [v for v in current_versions(connection, BEST_MODEL) if v.partition_key != UNPARTITIONED]
    if not found:
        raise Refusal("No best model has been stored yet; fraud-assets run --date makes one.")
    return found


def stored_model(workplace: Workplace, day: date) -> Version:
    """The record of a day's current best model. Raises `Refusal` where there is none."""
    models = stored_models(workplace)
    for version in models:
        if version.partition_key == day.isoformat():
            return version
    raise Refusal(
        f"There is no best model of {day}; there are {len(models)}, the first of {models[0].partition_key} and the "
        f"last of {models[-1].partition_key}."
    )


def print_models(workplace: Workplace) -> None:
    """A line for each day's best model, and the pin that holds."""
    table = Table("day", "winner", "decision", "since", "AP", "rows", "version", "stored at", box=SIMPLE_HEAD)
    models = stored_models(workplace)
    for version in models:
        facts = version.facts
        table.add_row(
            version.partition_key,
            str(facts.get("winner", "")),
            str(facts.get("decision_kind", "")),
            str(facts.get("champion_since", "")),
            f"{facts['average_precision']:.4f}" if "average_precision" in facts else "",
            f"{facts.get('training_rows', 0):,}",
            str(version.version),
            version.created_at.astimezone(workplace.settings.tzinfo).isoformat(" ", timespec="minutes"),
        )
    print_table(table)
    out.print("AP: average precision over the validation days; since: the first day of the recipe's term.")
    next_day = shifted(models[-1].partition_key, 1).isoformat()
    pinned = standing_pin(recorded_overrides(workplace.postgres()), next_day)
    if pinned is not None:
        out.print(f"Pinned: {pinned}; fraud-assets models unpin ends that.", markup=False)


def print_model(workplace: Workplace, day: str) -> None:
    """A day's best model in full: what it is, how it was chosen, and every version that it was made from."""
    with workplace.postgres().connect() as connection:
        version, best = load_model(connection, BEST_MODEL, day, signing_key=workplace.signing_key, libraries=LIBRARIES)
        seen = upstream_versions(connection, version.version_id)
    shown = best.facts() | {
        "version": version.version,
        "content_hash": version.content_hash,
        "bytes": version.byte_count,
        "code_version": version.code_version,
        "run_id": version.run_id,
        "stored_at": version.created_at.isoformat(timespec="seconds"),
    }
    width = max(map(len, shown))
    for name, value in shown.items():
        out.print(f"{name:>{width}}  {value if isinstance(value, str) else json.dumps(value)}", markup=False)
    table = Table("made from", "partition", "version", "content hash", box=SIMPLE_HEAD)
    for one in seen:
        table.add_row(one.asset_key, one.partition_key, str(one.version), one.content_hash)
    print_table(table)


def export_model(workplace: Workplace, day: str, output: Path) -> int:
    """Write a model's bytes, once their signature has been checked; returns how many."""
    with workplace.postgres().connect() as connection:
        version = find_version(connection, BEST_MODEL, day)
        payload, _ = verified_payload(connection, version, signing_key=workplace.signing_key, libraries=LIBRARIES)
    with whole_file(output) as draft:
        draft.write_bytes(payload)
    return len(payload)


def resign(workplace: Workplace, old_key_file: Path) -> Resigned:
    """Sign all stored models with today's key, each checked with the key in the file first.

    Raises `SettingsError` for a file that cannot be used, `ModelRefused` for models of neither key.
    """
    old_key = secret_in("--old-key-file", old_key_file).encode()
    with workplace.postgres().connect() as connection:
        return resign_models(connection, old_key, workplace.signing_key)


def verify_models(workplace: Workplace, day: str | None) -> int:
    """Check signatures; returns how many models were checked. Raises `ModelRefused` with a line for each bad one."""
    refused: list[str] = []
    with workplace.postgres().connect() as connection:
        chosen = [find_version(connection, BEST_MODEL, day)] if day else stored_models(workplace)
        for version in chosen:
            try:
                verified_payload(connection, version, signing_key=workplace.signing_key, libraries=LIBRARIES)
            except ModelRefused as error:
                refused.append(str(error))
    if refused:
        raise ModelRefused("\n".join(refused))
    return len(chosen)
