"""Documents among the facts: JSON that an asset says of itself is kept with the version, as far as it can be."""

from typing import Any

import dagster as dg
import pandas as pd

from fraud_assets_tests.postgres.lab import DAYS, Lab, day


def test_a_document_is_kept_with_the_version(lab: Lab) -> None:
    recipe = {"family": "forest", "parameters": {"depth": 3, "share": 0.1}, "features": ["a", "ä"], "none": None}

    @dg.asset(partitions_def=DAYS, io_manager_key="tables")
    def described() -> dg.Output[pd.DataFrame]:
        said: dict[str, Any] = {
            "recipe": dg.MetadataValue.json(recipe),
            "plain": {"long": "x" * 2_000},
            "huge": {"long": "x" * 200_000},
            "nan": dg.MetadataValue.json({"x": float("nan")}),
            "nul": {"x": "\0"},
            "table": dg.MetadataValue.table([dg.TableRecord({"a": 1})]),
        }
        return dg.Output(pd.DataFrame({"x": [1]}), metadata=said)

    lab.run(described, day(1))
    assert lab.store.postgres.stored_facts("described", "recipe") == {day(1): recipe}
    [(facts,)] = lab.store.query("SELECT facts FROM dagster_io.versions")
    assert set(facts) == {"recipe", "plain"}
