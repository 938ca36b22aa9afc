"""What failed in a run, in a sentence each: Dagster's events, as people are told of them."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import dagster as dg
from dagster import DagsterEventType


def failures(events: Iterable[dg.DagsterEvent]) -> Iterator[str]:
    """Each failed step with its reason, or why the run failed where no step did."""
    for event in events:
        if event.event_type is DagsterEventType.STEP_FAILURE:
            data: Any = event.event_specific_data
            said = data.user_failure_data.description if data.user_failure_data else None
            yield f"{event.step_key} failed: {said or innermost(data.error)}"
        elif event.event_type is DagsterEventType.RUN_FAILURE:
            data = event.event_specific_data
            if data is None or data.first_step_failure_event is None:
                error = data.error if data is not None else None
                yield f"The run failed: {innermost(error) if error else event.message or 'no reason was recorded.'}"


def innermost(error: Any) -> str:
    """The message of the error that all others came from."""
    while error is not None and error.cause is not None:
        error = error.cause
    if error is None:
        return "no reason was recorded."
    # Python writes the class of an error, with its modules, before what it says.
    return re.sub(r"^[\w.]+(Error|Exception|NotReady|Unavailable|Rejected): ", "", " ".join(error.message.split()))
