"""What every check says in the same words: what was seen, what was expected, and, when it fails, what to do."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from fraud_assets.checks.specs import CHECK_SPECS

SHOWN = 10


def result(
    name: str, *, passed: bool, seen: str, expected: str, what_to_do: str, numbers: Mapping[str, Any] | None = None
) -> dg.AssetCheckResult:
    """The result of a check. One that blocks is an error when it fails; the others are warnings.

    `numbers` stand beside the sentences, where Dagster plots them over time; those that are None are left out.
    """
    spec = CHECK_SPECS[name]
    metadata: dict[str, Any] = {"seen": seen, "expected": expected}
    if not passed:
        metadata["what_to_do"] = what_to_do
    metadata |= {key: value for key, value in (numbers or {}).items() if value is not None}
    return dg.AssetCheckResult(
        asset_key=spec.asset_key,
        check_name=name,
        passed=passed,
        severity=dg.AssetCheckSeverity.ERROR if spec.blocking else dg.AssetCheckSeverity.WARN,
        description=None if passed else f"{seen} {what_to_do}",
        metadata=metadata,
    )


def listed(names: Sequence[str]) -> str:
    """Names in a sentence, the first ten of them."""
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def counted(number: int, noun: str) -> str:
    """1 day, 2 days."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
