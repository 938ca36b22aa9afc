"""Links from a materialization's metadata to the pages of the report server."""

from typing import Any

import dagster as dg

from fraud_assets.assets.plan import Plan


def report_link(plan: Plan, day: str) -> dict[str, Any]:
    """The page of a day as metadata, where it is known under which address people find the report server."""
    address = plan.settings.reports.url
    return {} if address is None else {"report": dg.MetadataValue.url(f"{address}/days/{day}")}
