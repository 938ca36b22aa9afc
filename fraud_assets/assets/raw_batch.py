"""The day's transactions as received, and the rows that were diverted on the way in."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pyarrow as pa

from fraud_assets.assets.batch_metadata import HourlyVolume, batch_facts, rejected_facts
from fraud_assets.assets.external import SOURCE
from fraud_assets.assets.lineage import batch_lineage, rejected_lineage
from fraud_assets.assets.links import report_link
from fraud_assets.assets.pictures import Pictures
from fraud_assets.assets.plan import GROUP, OWNERS, TABLES, EachDay, Plan, StoredFacts
from fraud_assets.assets.stored_batch import limits_of, stored_batches
from fraud_assets.checks import batch_checks, specs_of, volume_is_as_usual
from fraud_assets.reporting.figures.hourly import volume_by_hour
from fraud_assets.sources import (
    DayBatch,
    EveryRowRejected,
    SourceError,
    SourceNotReady,
    check_not_repeated,
)

FINGERPRINT = "source_fingerprint"

_COMMENTS = {
    "transaction_time": "when the transaction happened",
    "amount": "in the transaction's currency; negative for a refund",
    "label": "1 fraud, 0 genuine, NULL unknown; as received, known only label_delay_days later",
    "source_row": "the row's place at the source, from 1 and without the header; rejected rows are counted too",
}


def raw_batch_asset(plan: Plan) -> dg.AssetsDefinition:
    """`raw_batch` and `rejected_rows`: every row of the day's batch is in one of them."""
    shared: dict[str, Any] = {
        "dagster_type": dg.Any,
        "io_manager_key": TABLES,
        "kinds": {"postgres", "table"},
        "owners": list(OWNERS),
        "group_name": GROUP,
        "freshness_policy": plan.freshness,
        "code_version": plan.code_versions["raw_batch"],
    }

    @dg.multi_asset(
        name="raw_batch",
        outs={
            "raw_batch": dg.AssetOut(
                description="One row is one transaction as received, in canonical column names and types.",
                metadata=batch_lineage(plan, _COMMENTS),
                **shared,
            ),
            "rejected_rows": dg.AssetOut(
                description="One row is one row of the batch that was not accepted: why, and its original values.",
                metadata=rejected_lineage(plan),
                **shared,
            ),
        },
        deps=[SOURCE],
        partitions_def=plan.partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=specs_of("raw_batch"),
        retry_policy=plan.retries,
    )
    def raw_batch(
        context: dg.AssetExecutionContext, storage: dg.ResourceParam[StoredFacts], pictures: Pictures
    ) -> Iterator[dg.Output[Any] | dg.AssetCheckResult]:
        """Accepted rows are handed to storage day by day; what was rejected meanwhile follows."""
        fingerprints = storage.stored_facts("raw_batch", FINGERPRINT)
        known = {str(fingerprint): day for day, fingerprint in fingerprints.items()}
        keys = list(context.partition_keys)
        rejected: dict[str, pa.Table] = {}

        def accepted(key: str) -> pa.RecordBatchReader:
            batch = read_batch(plan.source.read_day, key, known)
            known[batch.fingerprint] = key
            link = report_link(plan, key)
            facts = {**link, **batch_facts(batch), FINGERPRINT: batch.fingerprint}
            context.add_asset_metadata(facts, asset_key="raw_batch", partition_key=key)
            context.add_asset_metadata({**link, **rejected_facts(batch)}, asset_key="rejected_rows", partition_key=key)
            rejected[key] = batch.rejected.read_all()
            context.log.info(
                f"raw_batch {key} ({keys.index(key) + 1} of {len(keys)}): {batch.counts.accepted:,} of "
                f"{batch.counts.rows_in:,} rows accepted"
            )
            return _counted(batch, plan.settings.tzinfo, lambda hours: tell_volume(key, hours))

        def tell_volume(key: str, hours: HourlyVolume) -> None:
            # A picture takes longer than all else of the day: in a run of many, the newest has one.
            figures = {"volume by hour": volume_by_hour(hours.table())} if pictures.enabled and key == keys[-1] else {}
            drawn = pictures.metadata(context.log, figures)
            context.add_asset_metadata({**hours.metadata(), **drawn}, asset_key="raw_batch", partition_key=key)

        yield dg.Output(EachDay(keys, accepted), "raw_batch")
        yield dg.Output(rejected, "rejected_rows")
        watching = plan.settings.watching
        yield volume_is_as_usual(keys, storage.stored_row_counts("raw_batch"), watching.volume_factor)
        yield from batch_checks(stored_batches(plan, storage, keys), limits_of(watching))

    return raw_batch


def read_batch(read_day: Callable[[date], DayBatch], key: str, known: Mapping[str, str]) -> DayBatch:
    """The day's batch, whose content `known`, fingerprint to day, has under no other day.

    Raises `SourceNotReady` for what can pass, and for what cannot a Failure that is not tried again.
    """
    try:
        try:
            batch = read_day(date.fromisoformat(key))
        except EveryRowRejected as error:
            # Yesterday's file under today's name has no row of today: say the more useful thing.
            check_not_repeated(error, known)
            raise
        check_not_repeated(batch, known)
    except SourceNotReady:
        raise
    except SourceError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    return batch


def _counted(batch: DayBatch, timezone: ZoneInfo, tell: Callable[[HourlyVolume], None]) -> pa.RecordBatchReader:
    """The accepted rows, counted as they pass; with the last of them the volume is told, and temporary files go."""
    reader, hours = batch.accepted, HourlyVolume(timezone)

    def rows() -> Iterator[pa.RecordBatch]:
        with batch:
            for part in reader:
                hours.add(part)
                yield part
            tell(hours)

    return pa.RecordBatchReader.from_batches(reader.schema, rows())
