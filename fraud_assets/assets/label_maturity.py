"""How long the labels took to become known."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pandas as pd

from fraud_assets.assets.links import report_link
from fraud_assets.assets.pictures import Pictures
from fraud_assets.assets.plan import (
    DAY_BY_DAY,
    GROUP,
    LABEL_COLUMNS,
    OWNERS,
    TABLES,
    Plan,
    code_version,
    optional_input,
)
from fraud_assets.checks import labels_are_mature, specs_of
from fraud_assets.learning import LearningError
from fraud_assets.learning.watching.maturity import age_of_share, label_maturity
from fraud_assets.partitions import Window
from fraud_assets.reporting.figures.maturity import label_maturity as maturity_figure

MATURITY = "label_maturity"
COHORT_DAYS = 7

_COMMENTS = {
    "age_days": "midnights between the transaction and its label",
    "labels_known": "share of the transactions that had a label by that age",
    "frauds_known": "share of the frauds known by now that were known by that age",
}


def label_maturity_asset(plan: Plan) -> dg.AssetsDefinition:
    """`label_maturity`: one row is an age in days, and the share of labels and frauds that were known by it."""
    delay, timezone = plan.windows.label_delay_days, plan.settings.timezone
    oldest = max(plan.settings.watching.maturity_days, 2 * delay)
    cohort: Window = (-oldest - COHORT_DAYS + 1, -oldest)

    @dg.asset(
        name=MATURITY,
        description="One row is an age in days, and the share of labels and frauds that were known by it.",
        partitions_def=plan.partitions,
        io_manager_key=TABLES,
        kinds={"postgres", "pandas"},
        owners=list(OWNERS),
        group_name=GROUP,
        freshness_policy=plan.freshness,
        code_version=code_version("1", oldest, timezone),
        metadata={"layout": "rows", "column_comments": _COMMENTS},
        ins={
            "raw_batch": optional_input(window=list(cohort), columns=["transaction_id", "transaction_time"]),
            "labels": optional_input(window=[cohort[0], 0], columns=LABEL_COLUMNS),
        },
        check_specs=specs_of(MATURITY),
        backfill_policy=DAY_BY_DAY,
        retry_policy=plan.retries,
    )
    def label_maturity_of_day(
        context: dg.AssetExecutionContext, pictures: Pictures, raw_batch: pd.DataFrame, labels: pd.DataFrame
    ) -> Iterator[dg.Output[pd.DataFrame] | dg.AssetCheckResult]:
        day = context.partition_key
        try:
            maturity = label_maturity(raw_batch, labels, before=plan.end(day), timezone=timezone, oldest=oldest)
        except LearningError as error:
            raise dg.Failure(f"No label maturity on {day}: {error}", allow_retries=False) from error
        frauds = int(maturity["frauds"].iloc[0])
        known = float(maturity["frauds_known"].iloc[delay]) if frauds else None
        facts: dict[str, Any] = {
            "summary": _summary(known, delay, oldest, len(raw_batch), frauds),
            "transactions": len(raw_batch),
            "frauds": frauds,
            **({"frauds_known": known} if known is not None else {}),
        }
        drawn = pictures.metadata(context.log, {"label maturity": maturity_figure(maturity, delay)})
        yield dg.Output(maturity, metadata={**report_link(plan, day), **facts, **drawn})
        wanted = plan.settings.watching.mature_share
        yield labels_are_mature(facts["summary"], known, wanted, delay, age_of_share(maturity, wanted))

    return label_maturity_of_day


def _summary(known: float | None, delay: int, oldest: int, transactions: int, frauds: int) -> str:
    if known is not None:
        return f"After {delay} days {known:.1%} of {frauds:,} frauds were known, of those known by now."
    return f"None of {transactions:,} is a fraud." if transactions else f"No transaction is {oldest} days old yet."
