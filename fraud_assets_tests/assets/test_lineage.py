"""The lineage of columns, for each kind of source: edges lead to parents, and what the UI shows holds no secret."""

from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from fraud_assets.assets import all_assets
from fraud_assets.assets.external import external_assets
from fraud_assets.assets.lineage import COLUMN_LINEAGE
from fraud_assets.assets.plan import Plan
from fraud_assets.partitions import daily_partitions
from fraud_assets.settings import Settings

HUSH = "hush-hush"
COLUMNS = {
    "transaction_id": "id",
    "timestamp": "at",
    "timestamp_timezone": "UTC",
    "amount": "paid",
    "customer": "card",
    "outcome": "status",
    "numeric": ["distance"],
    "categorical": ["channel"],
    "segments": ["country"],
    "sensitive": ["card"],
}
FEED = {"kind": "files", "folder": f"/{HUSH}/feed", "pattern": "{date}.csv", "transaction_id": "tx"}
SOURCES: dict[str, dict[str, Any]] = {
    "simulated": {"source": {"kind": "simulated"}},
    "files": {
        "source": {"kind": "files", "folder": f"/{HUSH}", "pattern": "{date}.csv.gz", "columns": COLUMNS},
        "labels": FEED,
    },
    "sql": {
        "source": {"kind": "sql", "url": f"sqlite:///{HUSH}", "query": f"SELECT {HUSH}", "columns": {"label": "l"}}
    },
    "creditcard": {"source": {"kind": "creditcard", "path": f"/{HUSH}.csv"}},
}


def _plan(kind: str) -> Plan:
    settings = Settings.model_validate({**SOURCES[kind], "home": Path("home"), "pseudonym_key": HUSH})
    return Plan(settings, daily_partitions(date(2024, 1, 1), "UTC"))


@pytest.mark.parametrize("kind", SOURCES)
def test_columns_lead_to_columns_of_parents(kind: str) -> None:
    plan = _plan(kind)
    external = {spec.key: spec for spec in external_assets(plan)}
    made = {spec.key: spec for definition in all_assets(plan) for spec in definition.specs}
    shown = {key: {c.name for c in spec.metadata["dagster/column_schema"].columns} for key, spec in external.items()}
    reached = set()
    for spec in made.values():
        lineage = spec.metadata.get(COLUMN_LINEAGE)
        for dep in (dep for deps in lineage.deps_by_column.values() for dep in deps) if lineage else ():
            assert dep.asset_key in {d.asset_key for d in spec.deps}, (spec.key, dep)
            assert dep.column_name in shown.get(dep.asset_key, {dep.column_name}), (spec.key, dep)
            reached.add((dep.asset_key, dep.column_name))
    assert {(key, name) for key, names in shown.items() for name in names} <= reached


@pytest.mark.parametrize("kind", SOURCES)
def test_what_is_shown_of_a_source_holds_no_path_and_no_query(kind: str) -> None:
    assert HUSH not in repr([(spec.metadata, spec.description, spec.kinds) for spec in external_assets(_plan(kind))])


def test_a_sensitive_column_is_not_said_to_reach_rejected_rows() -> None:
    specs = {spec.key: spec for definition in all_assets(_plan("files")) for spec in definition.specs}
    original = specs[dg.AssetKey("rejected_rows")].metadata[COLUMN_LINEAGE].deps_by_column["original"]
    assert {dep.column_name for dep in original} == {"id", "at", "paid", "status", "distance", "channel", "country"}
