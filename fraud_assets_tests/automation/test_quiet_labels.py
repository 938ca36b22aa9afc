"""A label feed that has gone quiet is told of once, and again when it was heard of in between."""

import json
import logging
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from fraud_assets.automation.quiet_labels import label_sensor
from fraud_assets.checks.specs import LABEL_FEED_ALIVE
from fraud_assets.postgres import PostgresResource
from fraud_assets.settings import Settings

LAST = date(2026, 3, 10)
RECORDED: list[dg.AssetCheckEvaluation] = []


@pytest.fixture
def postgres(database_url: str) -> PostgresResource:
    resource = PostgresResource(url=database_url)
    with resource.connect():
        return resource


def _hear(postgres: PostgresResource, day: date, labels: int) -> None:
    with psycopg.connect(postgres.url) as connection:
        connection.execute(
            "INSERT INTO dagster_io.versions (asset_key, partition_key, version, status, row_count, byte_count,"
            " content_hash, run_id, facts) VALUES ('labels', %s, 1, 'current', %s, 1, 'x', 'y', %s)",
            [str(day), labels, json.dumps({"labels": labels})],
        )


def _look(postgres: PostgresResource, tmp_path: Path, days: int, cursor: str | None) -> tuple[str, str | None]:
    """What the sensor says when so many days have ended since the last news, and what it remembers."""
    now = datetime(LAST.year, LAST.month, LAST.day, 9, tzinfo=UTC) + timedelta(days=days + 1)
    settings = Settings.model_validate({"home": tmp_path, "sensors": {"quiet_label_days": 3}})
    with (
        dg.DagsterInstance.ephemeral() as instance,
        dg.build_sensor_context(instance=instance, cursor=cursor) as context,
    ):
        found = label_sensor(settings, now=lambda zone: now.astimezone(zone))(context, storage=postgres)
    assert isinstance(found, dg.SensorResult)
    for event in found.asset_events:
        assert isinstance(event, dg.AssetCheckEvaluation)
        RECORDED.append(event)
    assert found.skip_reason is not None
    return str(found.skip_reason.skip_message), found.cursor


def test_a_silence_is_told_of_once(
    postgres: PostgresResource, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert _look(postgres, tmp_path, 0, None) == ("No label has ever been stored.", None)
    _hear(postgres, LAST, 40)
    for quiet in (1, 2, 3):
        _hear(postgres, LAST + timedelta(days=quiet), 0)
    cursor = None
    for days in (0, 1, 2):
        said, cursor = _look(postgres, tmp_path, days, cursor)
        assert said == "The newest labels are of 2026-03-10."
    assert not caplog.records
    for days in (3, 4, 5):
        said, cursor = _look(postgres, tmp_path, days, cursor)
        assert said == "Quiet: the newest labels are of 2026-03-10."
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "No label for 3 days" in caplog.text
    (check,) = RECORDED
    assert (check.check_name, check.passed, check.severity) == (LABEL_FEED_ALIVE, False, dg.AssetCheckSeverity.WARN)
    _hear(postgres, LAST + timedelta(days=6), 5)
    said, cursor = _look(postgres, tmp_path, 10, cursor)
    assert len(caplog.records) == 2
    assert "No label for 4 days" in caplog.text
