"""The sensor that notices a label feed that has gone quiet: no run fails of it, but models grow old unseen."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

import dagster as dg

from fraud_assets.automation.alerts import Alert, tell
from fraud_assets.checks import label_feed_is_alive
from fraud_assets.keys import webhook
from fraud_assets.settings import Settings

SENSOR = "quiet_labels"
LABELS = "labels"
COUNT = "labels"
"""The fact of a partition of `labels` that says how many labels it has."""
LOOK_SECONDS = 3_600


class Ledger(Protocol):
    """What the sensor asks storage."""

    def stored_facts(self, asset_key: str, fact: str) -> Mapping[str, int]:
        """A fact of the current version of each partition, by partition key."""
        ...


def label_sensor(settings: Settings, *, now: Callable[[ZoneInfo], datetime] = datetime.now) -> dg.SensorDefinition:
    """On from the start: it launches nothing. It tells of each silence once, and records the check that fails.

    `now` is the clock.
    """
    most = settings.sensors.quiet_label_days

    @dg.sensor(
        name=SENSOR,
        minimum_interval_seconds=LOOK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Tells when no label has become known for {most} days; it launches nothing.",
    )
    def quiet_labels(context: dg.SensorEvaluationContext, storage: dg.ResourceParam[Ledger]) -> dg.SensorResult:
        newest = now(settings.tzinfo).date() - timedelta(days=1)
        labels = storage.stored_facts(LABELS, COUNT)
        last = last_news(labels)
        if last is None:
            return dg.SensorResult(skip_reason="No label has ever been stored.", cursor=context.cursor)
        silent = (newest - last).days
        if silent < most:
            return dg.SensorResult(skip_reason=f"The newest labels are of {last}.", cursor=context.cursor)
        skipped = f"Quiet: the newest labels are of {last}."
        if context.cursor == last.isoformat():
            return dg.SensorResult(skip_reason=skipped, cursor=context.cursor)
        tell(quiet_alert(last, silent), webhook(settings.alerts))
        check = on_record(label_feed_is_alive([newest.isoformat()], labels, most))
        return dg.SensorResult(skip_reason=skipped, cursor=last.isoformat(), asset_events=[check])

    return quiet_labels


def on_record(check: dg.AssetCheckResult) -> dg.AssetCheckEvaluation:
    """A check's result, as it is recorded outside of any run."""
    assert check.asset_key is not None
    assert check.check_name is not None
    return dg.AssetCheckEvaluation(
        asset_key=check.asset_key,
        check_name=check.check_name,
        passed=check.passed,
        metadata=check.metadata,
        severity=check.severity,
        description=check.description,
    )


def last_news(labels: Mapping[str, int]) -> date | None:
    """The last day on which a label became known; None where there is none."""
    told = [day for day, count in labels.items() if count > 0]
    return date.fromisoformat(max(told)) if told else None


def quiet_alert(last: date, silent: int) -> Alert:
    """What people are told of a silence."""
    return Alert(
        f"No label for {silent} days",
        [
            f"The last labels became known on {last}.",
            "Ask whoever delivers chargebacks and investigations, and see whether labels of the days since are stored.",
        ],
    )
