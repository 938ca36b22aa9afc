"""What people are told of a failure, and how: posted to a real server, which may be unwell."""

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import dagster as dg
import pytest

from fraud_assets.automation import alerts
from fraud_assets.automation.alerts import Alert, tell
from fraud_assets.automation.failures import failure_alert, failure_sensor
from fraud_assets.settings import AlertSettings

ALERT = Alert("raw_batch of 2024-05-09 failed", ["<b> & co."], "https://dagster.example.com/runs/7")


class Hook:
    """A webhook that answers with each of `answers` in turn, the last of them for good, and keeps what was posted."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.posted: list[Any] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.headers["Content-Type"] == "application/json"
                hook.posted.append(json.loads(body))
                self.send_response(hook.answers.pop(0) if len(hook.answers) > 1 else hook.answers[0])
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/services/T0/B0/hush"


@contextmanager
def hooked(*answers: int) -> Iterator[Hook]:
    hook = Hook(*answers)
    thread = threading.Thread(target=hook.server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield hook
    finally:
        hook.server.shutdown()
        thread.join()
        hook.server.server_close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "PAUSES_SECONDS", (0.01, 0.01))


def test_a_webhook_gets_what_slack_understands(caplog: pytest.LogCaptureFixture) -> None:
    with hooked(200) as hook:
        tell(ALERT, hook.url)
    (message,) = hook.posted
    assert message["text"] == ALERT.title
    (block,) = message["blocks"]
    assert block["type"] == "section"
    assert block["text"] == {
        "type": "mrkdwn",
        "text": "*<https://dagster.example.com/runs/7|raw_batch of 2024-05-09 failed>*\n&lt;b&gt; &amp; co.",
    }
    assert "<b> & co." in caplog.text
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_a_webhook_that_is_unwell_is_tried_again() -> None:
    with hooked(503, 502, 200) as hook:
        tell(ALERT, hook.url)
    assert len(hook.posted) == 3


@pytest.mark.parametrize(("answer", "attempts"), [(404, 1), (500, 3)])
def test_a_webhook_that_refuses_stops_nobody(answer: int, attempts: int, caplog: pytest.LogCaptureFixture) -> None:
    with hooked(answer) as hook:
        tell(ALERT, hook.url)
    assert len(hook.posted) == attempts
    assert f"it answered {answer}" in caplog.text
    assert "hush" not in caplog.text


def test_nobody_listens(caplog: pytest.LogCaptureFixture) -> None:
    with hooked(200) as hook:
        pass
    tell(ALERT, hook.url)
    assert "could not be posted" in caplog.text
    assert "hush" not in caplog.text


def test_a_message_is_no_longer_than_slack_takes() -> None:
    text = Alert("t", ["x" * 10_000]).as_slack()["blocks"][0]["text"]["text"]
    assert len(text) < 3_000


@dg.asset
def orders() -> None:
    raise dg.Failure("The file 2024-05-09.csv has no column 'amount'; deliver it again.", allow_retries=False)


def _failed_run(instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    return dg.materialize([orders], instance=instance, raise_on_error=False, tags={"dagster/partition": "2024-05-09"})


def test_a_failed_run_is_told_with_its_reason_and_its_link(caplog: pytest.LogCaptureFixture) -> None:
    with dg.DagsterInstance.ephemeral() as instance, hooked(200) as hook:
        result = _failed_run(instance)
        sensor = failure_sensor(
            AlertSettings.model_validate({"webhook": hook.url, "dagster_url": "https://dagster.example.com"})
        )
        context = dg.build_run_status_sensor_context(
            sensor_name=sensor.name,
            dagster_event=result.get_run_failure_event(),
            dagster_instance=instance,
            dagster_run=result.dagster_run,
        ).for_run_failure()
        sensor(context)
    said = hook.posted[0]["blocks"][0]["text"]["text"]
    assert "of 2024-05-09 failed" in said
    assert "orders failed: The file 2024-05-09.csv has no column 'amount'; deliver it again." in said
    assert f"https://dagster.example.com/runs/{result.run_id}" in said
    assert "no column 'amount'" in caplog.text


def test_a_run_is_called_by_what_it_was_to_make() -> None:
    keys = frozenset(dg.AssetKey(name) for name in "abcde")
    days = {"dagster/asset_partition_range_start": "2024-05-01", "dagster/asset_partition_range_end": "2024-05-03"}
    run = dg.DagsterRun(job_name="__ASSET_JOB", asset_selection=keys, tags=days)
    assert failure_alert(run, [], None).title == "a, b, c and 2 more of 2024-05-01 to 2024-05-03 failed"
    again = dg.DagsterRun(job_name="daily", tags={"dagster/will_retry": "true"})
    assert "It is launched again by itself." in failure_alert(again, [], None).details
