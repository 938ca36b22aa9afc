"""The labels that became known on a day, from a feed of their own or from the label column of earlier batches."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import TypeAlias

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from fraud_assets.assets.external import LABEL_FEED
from fraud_assets.assets.lineage import labels_lineage
from fraud_assets.assets.links import report_link
from fraud_assets.assets.plan import GROUP, OWNERS, TABLES, Plan, StoredFacts
from fraud_assets.checks import fraud_rate_is_as_usual, label_feed_is_alive, specs_of
from fraud_assets.settings import LabelFiles
from fraud_assets.sources import LabelFeed, SourceError, SourceNotReady, labels_of_batches

Told: TypeAlias = Iterator[dg.Output[dict[str, pa.Table]] | dg.AssetCheckResult]
Compute: TypeAlias = Callable[..., Told]

_COMMENTS = {
    "label": "1 fraud, 0 genuine",
    "known_at": "when the label became known; nothing may use it before",
    "kind": "chargeback or investigation",
}


def labels_asset(plan: Plan) -> dg.AssetsDefinition:
    """`labels`, from whichever of the two the settings name."""
    feed = plan.settings.labels
    if isinstance(feed, LabelFiles):
        # The feed writes its transaction ids as it likes; the batches say what type they are.
        compute, ins, deps = _from_feed(plan, feed), {}, ["raw_batch", LABEL_FEED]
    else:
        compute, ins, deps = *_of_batches(plan), []
    asset = dg.asset(
        name="labels",
        ins=ins,
        deps=deps,
        partitions_def=plan.partitions,
        io_manager_key=TABLES,
        description="One row is one label that became known that day.",
        kinds={"postgres", "table"},
        owners=list(OWNERS),
        group_name=GROUP,
        freshness_policy=plan.freshness,
        code_version=plan.code_versions["labels"],
        metadata=labels_lineage(plan, _COMMENTS),
        check_specs=specs_of("labels"),
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=plan.retries,
    )
    return asset(compute)


def _of_batches(plan: Plan) -> tuple[Compute, dict[str, dg.AssetIn]]:
    delay = plan.windows.label_delay_days
    # With daylight saving, `delay` days of 24 hours may begin an hour into a neighbouring day.
    window = [-delay - 1, min(0, 1 - delay)]
    columns = ["transaction_id", "transaction_time", *(["label"] if plan.roles.label else [])]

    def labels(context: dg.AssetExecutionContext, storage: dg.ResourceParam[StoredFacts], raw_batch: pa.Table) -> Told:
        known = {
            key: labels_of_batches(raw_batch, plan.settings.label_delay, plan.start(key), plan.end(key))
            for key in context.partition_keys
        }
        yield dg.Output(_told(context, plan, known))
        yield from _checks(plan, storage, context.partition_keys)

    return labels, {"raw_batch": dg.AssetIn(metadata={"window": window, "columns": columns, "missing": "empty"})}


def label_feed(plan: Plan, settings: LabelFiles) -> LabelFeed:
    """The feed of labels, with pseudonyms where the batches have them."""
    return LabelFeed(
        settings,
        plan.settings.tzinfo,
        pseudonym_key=plan.settings.pseudonym_secret,
        sensitive_ids=plan.roles.transaction_id in plan.roles.sensitive,
    )


def _from_feed(plan: Plan, feed_settings: LabelFiles) -> Compute:
    def labels(context: dg.AssetExecutionContext, storage: dg.ResourceParam[StoredFacts]) -> Told:
        feed = label_feed(plan, feed_settings)
        try:
            id_type = storage.stored_column_type("raw_batch", "transaction_id")
            known = {key: feed.read_day(date.fromisoformat(key), id_type) for key in context.partition_keys}
        except SourceNotReady:
            raise
        except SourceError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        yield dg.Output(_told(context, plan, known))
        yield from _checks(plan, storage, context.partition_keys)

    return labels


def _checks(plan: Plan, storage: StoredFacts, days: Sequence[str]) -> Iterator[dg.AssetCheckResult]:
    labels, frauds = (storage.stored_facts("labels", fact) for fact in ("labels", "frauds"))
    yield label_feed_is_alive(days, labels, plan.settings.sensors.quiet_label_days)
    yield fraud_rate_is_as_usual(days, labels, frauds)


def _told(context: dg.AssetExecutionContext, plan: Plan, known: dict[str, pa.Table]) -> dict[str, pa.Table]:
    """The labels of each day, and in its metadata how many there are and how many of them say fraud."""
    for key, table in known.items():
        frauds = int(pc.sum(pc.equal(table["label"], 1)).as_py() or 0)
        numbers = {"labels": table.num_rows, "frauds": frauds}
        if table.num_rows:
            numbers["fraud_share"] = frauds / table.num_rows
        context.add_asset_metadata({**report_link(plan, key), **numbers}, partition_key=key)
    return known
