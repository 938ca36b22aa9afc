"""The best models as people ask for them: a list, one in full, a file, a check."""

import json
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from fraud_assets.local.console import out, print_table
from fraud_assets.local.database import Workplace
from fraud_assets.local.errors import Refusal
from fraud_assets.local.whole_file import whole_file
from fraud_assets.postgres.errors import ModelRefused
from fraud_assets.postgres.steps.contexts import UNPARTITIONED
from fraud_assets.postgres.storage.ledger import Version, current_versions
from fraud_assets.postgres.storage.models import find_version, load_model, verified_payload

BEST_MODEL = "best_model"
LIBRARIES = ("scikit-learn",)


def stored_models(workplace: Workplace) -> list[Version]:
    """The current best model of each day, oldest first. Raises `Refusal` when there is none."""
    with workplace.postgres().connect() as connection:
        found = [v for v in current_versions(connection, BEST_MODEL) if v.partition_key != UNPARTITIONED]
    if not found:
        raise Refusal("No best model has been stored yet; fraud-assets run --date makes one.")
    return found


def print_models(workplace: Workplace) -> None:
    table = Table(
        "day", "winner", "average precision", "trained until", "rows", "version", "stored at", box=SIMPLE_HEAD
    )
    for version in stored_models(workplace):
        facts = version.facts
        table.add_row(
            version.partition_key,
            str(facts.get("winner", "")),
            f"{facts['average_precision']:.4f}" if "average_precision" in facts else "",
            str(facts.get("trained_until", ""))[:10],
            f"{facts.get('training_rows', 0):,}",
            str(version.version),
            version.created_at.isoformat(timespec="seconds"),
        )
    print_table(table)


def print_model(workplace: Workplace, day: str) -> None:
    with workplace.postgres().connect() as connection:
        version, best = load_model(connection, BEST_MODEL, day, signing_key=workplace.signing_key, libraries=LIBRARIES)
    shown = best.facts() | {
        "version": version.version,
        "content_hash": version.content_hash,
        "bytes": version.byte_count,
        "code_version": version.code_version,
        "run_id": version.run_id,
        "stored_at": version.created_at.isoformat(timespec="seconds"),
        "average_precision": version.facts.get("average_precision"),
    }
    for name, value in shown.items():
        out.print(f"{name:>18}  {value if isinstance(value, str) else json.dumps(value)}", markup=False)


def export_model(workplace: Workplace, day: str, output: Path) -> int:
    """Write a model's bytes, once their signature has been checked; returns how many."""
    with workplace.postgres().connect() as connection:
        version = find_version(connection, BEST_MODEL, day)
        payload, _ = verified_payload(connection, version, signing_key=workplace.signing_key, libraries=LIBRARIES)
    with whole_file(output) as draft:
        draft.write_bytes(payload)
    return len(payload)


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
