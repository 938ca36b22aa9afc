"""The sensor that tells people of every run that failed: of the schedule, of a backfill, or launched by hand."""

import dagster as dg

from fraud_assets.automation.alerts import Alert, tell
from fraud_assets.automation.job import PARTITION, RANGE_END, RANGE_START
from fraud_assets.automation.told import failures
from fraud_assets.keys import webhook
from fraud_assets.settings import AlertSettings

SENSOR = "failure_alerts"
WILL_RETRY = "dagster/will_retry"
ASSET_JOB = "__ASSET_JOB"
SHOWN_ASSETS = 3
_TELLING = {
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.RUN_FAILURE,
}


def failure_sensor(settings: AlertSettings) -> dg.SensorDefinition:
    """On from the start: it launches nothing."""

    @dg.run_failure_sensor(
        name=SENSOR,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Writes to the log, and posts to alerts.webhook, what failed in a run, with the link to it.",
    )
    def failure_alerts(context: dg.RunFailureSensorContext) -> None:
        entries = context.instance.all_logs(context.dagster_run.run_id, of_type=_TELLING)
        events = [entry.dagster_event for entry in entries if entry.dagster_event is not None]
        alert = failure_alert(context.dagster_run, failures(events), settings.dagster_url)
        tell(alert, webhook(settings))

    return failure_alerts


def failure_alert(run: dg.DagsterRun, reasons: list[str], dagster_url: str | None) -> Alert:
    """What failed, of which day, why, and where to look."""
    again = ["It is launched again by itself."] if run.tags.get(WILL_RETRY) == "true" else []
    link = f"{dagster_url}/runs/{run.run_id}" if dagster_url else None
    return Alert(f"{_what(run)}{_of_days(run)} failed", [*reasons, *again, f"run {run.run_id}"], link)


def _what(run: dg.DagsterRun) -> str:
    """The job; of assets that were launched by themselves, the first few."""
    if not run.job_name.startswith(ASSET_JOB):
        return run.job_name
    assets = sorted(key.to_user_string() for key in run.asset_selection or ())
    more = f" and {len(assets) - SHOWN_ASSETS} more" if len(assets) > SHOWN_ASSETS else ""
    return ", ".join(assets[:SHOWN_ASSETS]) + more or run.job_name


def _of_days(run: dg.DagsterRun) -> str:
    first = run.tags.get(PARTITION) or run.tags.get(RANGE_START)
    last = run.tags.get(PARTITION) or run.tags.get(RANGE_END)
    if first is None:
        return ""
    return f" of {first}" if first == last else f" of {first} to {last}"
