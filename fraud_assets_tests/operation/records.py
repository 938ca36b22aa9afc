"""What is on record of each incident: the alert, the check, or the retry by which a person finds out."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta

import dagster as dg

from fraud_assets.checks.specs import FEATURES_ARE_STABLE, LABELS_ARE_MATURE
from fraud_assets_tests.operation.incidents import NEXT, Incident, Month

PARTITION = "dagster/partition"
PARENT_RUN, RETRY_NUMBER = "dagster/parent_run_id", "dagster/retry_number"


def record_of(month: Month, incident: Incident, day: date) -> str:
    """In a few words what is on record of the incident of a day's night."""
    return _RECORDS[incident](month, day)


def _alert(month: Month, *words: str) -> str:
    told = month.told(*words)
    assert told is not None, (words, [message["text"] for message in month.hook.posted])
    return f"alert: {' | '.join(told.splitlines())[:200]}"


def _late_file(month: Month, day: date) -> str:
    retries = _step_retries(month, day, "raw_batch")
    assert retries > 0
    return f"{retries} retries of raw_batch; {_alert(month, f'of {day} failed', 'No file in')}"


def _label_file_late(month: Month, day: date) -> str:
    retries = _step_retries(month, day, "labels")
    assert retries > 0
    caught_up = [run for run in _runs(month, day) if run.is_success]
    assert len(caught_up) == 1
    return f"{retries} retries of labels; {_alert(month, f'of {day} failed', 'labels failed', 'No file in')}"


def _corrected_file(month: Month, day: date) -> str:
    runs = [run for run in month.house.runs() if "fraud_assets/correction" in run.tags]
    assert str(month.corrects[day]) in {run.tags.get(PARTITION) for run in runs}
    assert all(run.is_success for run in runs)
    return f"{len(runs)} runs with the tag fraud_assets/correction"


def _tried_again(month: Month, day: date) -> str:
    """A step that was tried again, or a run that failed, was told of and launched again; in the end it is well.

    A database that is back within a moment may hurt neither; then `up` has said that it was away.
    """
    steps, runs = _step_retries(month, day), _runs(month, day)
    said = month.said_by_up.get(day)
    assert steps or len(runs) > 1 or said
    assert runs[-1].is_success
    told = "".join(f"; {_alert(month, f'of {day} failed', run.run_id)}" for run in runs if run.is_failure)
    return f"{steps} steps tried again, {len(runs) - 1} runs launched again{told}; up: {said}"


def _launched_again(month: Month, day: date) -> str:
    again = [run for run in _runs(month, day) if RETRY_NUMBER in run.tags]
    assert again
    assert again[-1].is_success
    alert = _alert(month, f"of {day} failed", "launched again by itself")
    return f"{len(again)} runs launched again, the last of them well; {alert}"


def _caught_up(month: Month, day: date) -> str:
    launched = [run for run in _runs(month, day) if run.is_success]
    assert len(launched) == 1
    return "launched by " + next(
        f"{kind} {launched[0].tags[tag]}"
        for kind, tag in (("the schedule", "dagster/schedule_name"), ("the sensor", "dagster/sensor_name"))
        if tag in launched[0].tags
    )


def _quiet_feed(month: Month, day: date) -> str:
    return _alert(month, "No label for")


def _late_labels(month: Month, day: date) -> str:
    warned = [
        later
        for later in (day + timedelta(days=number) for number in range(12))
        if (found := _check(month, later, "label_maturity", LABELS_ARE_MATURE)) is not None and not found.passed
    ]
    assert warned
    return f"check labels_are_mature warns from {warned[0]} to {warned[-1]}"


def _drift(month: Month, day: date) -> str:
    seen = {when: _check(month, when, "feature_drift", FEATURES_ARE_STABLE) for when in (day - NEXT, day)}
    drifted = {
        when: [name for name in check.metadata if name == "drift of amount"] for when, check in seen.items() if check
    }
    assert drifted == {day - NEXT: [], day: ["drift of amount"]}
    check = seen[day]
    assert check is not None
    return f"check features_are_stable: amount, {check.metadata['drift of amount'].value}"


def _runs(month: Month, day: date) -> list[dg.DagsterRun]:
    """The runs of a day, oldest first."""
    return [run for run in month.house.runs() if run.tags.get(PARTITION) == str(day)]


def _step_retries(month: Month, day: date, step: str | None = None) -> int:
    """How often a step of a day's runs was tried again; by default any step."""
    return sum(
        1
        for run in _runs(month, day)
        for event in month.house.events(run, dg.DagsterEventType.STEP_UP_FOR_RETRY)
        if step is None or event.step_key == step
    )


def _check(month: Month, day: date, asset: str, name: str) -> dg.AssetCheckEvaluation | None:
    """A check as the day's last run has evaluated it."""
    for run in reversed(_runs(month, day)):
        for event in month.house.events(run, dg.DagsterEventType.ASSET_CHECK_EVALUATION):
            found = event.event_specific_data
            if isinstance(found, dg.AssetCheckEvaluation) and found.asset_check_key == dg.AssetCheckKey(
                dg.AssetKey(asset), name
            ):
                return found
    return None


_RECORDS: Mapping[Incident, Callable[[Month, date], str]] = {
    Incident.LATE_FILE: _late_file,
    Incident.CORRECTED_FILE: _corrected_file,
    Incident.DATABASE_RESTART: _tried_again,
    Incident.DATABASE_KILLED: _tried_again,
    Incident.RUN_KILLED: _launched_again,
    Incident.POWER_CUT: _launched_again,
    Incident.SWITCHED_OFF: _caught_up,
    Incident.LABEL_FILE_LATE: _label_file_late,
    Incident.LATE_LABELS: _late_labels,
    Incident.QUIET_FEED: _quiet_feed,
    Incident.DISK_FULL: _tried_again,
    Incident.DRIFT: _drift,
}
