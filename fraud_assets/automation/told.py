"""What failed in a run, in a sentence each: Dagster's events, as people are told of them."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import dagster as dg
from dagster import DagsterEventType

BLOCKED = "DagsterAssetCheckFailedError"
"""The error of a step whose assets were stored, and a check that blocks has failed."""


def failures(events: Iterable[dg.DagsterEvent]) -> list[str]:
    """A sentence for each step that failed, or one for the run where no step did."""
    return [f"{step} failed: {why}" if step else f"The run failed: {why}" for step, why in reasons(events)]


def reasons(events: Iterable[dg.DagsterEvent]) -> Iterator[tuple[str, str]]:
    """By step key, why it failed; "" stands for the run itself, where it failed and no step did.

    Of a check that blocks it says what the check has seen: its events are to be among these, and before the step's.
    """
    checks: dict[str, list[str]] = {}
    for event in events:
        data: Any = event.event_specific_data
        if event.event_type is DagsterEventType.ASSET_CHECK_EVALUATION and data.blocking and not data.passed:
            checks.setdefault(str(event.step_key), []).append(said_of(data))
        elif event.event_type is DagsterEventType.STEP_FAILURE:
            step = str(event.step_key)
            if data.error is not None and data.error.cls_name == BLOCKED and step in checks:
                yield step, " ".join(checks[step])
            else:
                said = data.user_failure_data.description if data.user_failure_data else None
                yield step, said or innermost(data.error)
        elif event.event_type is DagsterEventType.RUN_FAILURE and _is_its_own(data):
            error = data.error if data is not None else None
            yield "", innermost(error) if error else event.message or "no reason was recorded."


def _is_its_own(failure: Any) -> bool:
    """Whether a run failed by itself, and not with a step."""
    return failure is None or failure.first_step_failure_event is None


def said_of(evaluation: dg.AssetCheckEvaluation) -> str:
    """A failed check in a sentence or two: its name, what was seen, what to do."""
    name = f"{evaluation.asset_key.to_user_string()}, {evaluation.check_name.replace('_', ' ')}"
    return f"Check failed ({name}): {evaluation.description or 'see its metadata.'}"


def innermost(error: Any) -> str:
    """The message of the error that all others came from."""
    while error is not None and error.cause is not None:
        error = error.cause
    if error is None:
        return "no reason was recorded."
    # Python writes the class of an error, with its modules, before what it says.
    return re.sub(r"^[\w.]+(Error|Exception|NotReady|Unavailable|Rejected): ", "", " ".join(error.message.split()))
