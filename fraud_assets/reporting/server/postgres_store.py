"""What pages ask, answered from the `rows` tables of one schema; a day's alerts from its partition alone.

What does not live here: connections (`connections`), and how a SELECT is composed (`selects`).
"""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any, TypeVar

import pandas as pd
from psycopg import Connection, sql

from fraud_assets.reporting.document import DayFrames
from fraud_assets.reporting.server.alert_rows import read_alerts
from fraud_assets.reporting.server.connections import Connections
from fraud_assets.reporting.server.selects import Reading, between
from fraud_assets.reporting.server.store import AlertQuery, Alerts, DayRange, History, Leaderboard

T = TypeVar("T")

SUMMARY, REPORT, EVALUATION, LIVE, DRIFT = (
    "daily_summary",
    "performance_report",
    "evaluation_table",
    "live_performance",
    "feature_drift",
)
SCORED = "scored_batch"
OF_A_DAY = ("evaluation_slices", "operating_points", "calibration_bins", "feature_importance", "label_maturity")
WITH_DAYS = (SUMMARY, REPORT, EVALUATION, LIVE, DRIFT)
DAYS_BEFORE = 89
"""How far back a day's own report looks."""
MOST_ALERTS = 2_000
MOST_STATES = 2_000
"""Days whose state is remembered: any date may be asked for."""

SUMMARY_COLUMNS = (
    *("day", "transactions", "amount_total", "rejected", "learnable", "alerts", "alerted_amount", "expected_saving"),
    *("labelled_day", "labelled_transactions", "frauds", "fraud_rate", "fraud_amount", "decision_kind", "decision"),
    *("scored_as", "family", "challenger", "threshold", "score", "score_low", "score_high", "is_promotion"),
    *("searched_on", "trained_from", "trained_until", "model_version", "drifted_features", "watched_features"),
)
LIVE_COLUMNS = (
    *("day", "scored_date", "is_retrospective", "average_precision", "promised_average_precision"),
    *("promised_average_precision_low", "promised_average_precision_high", "is_average_precision_as_promised"),
    "week_average_precision",
    *("next_week_average_precision_low", "next_week_average_precision_high", "reason"),
)
DRIFT_COLUMNS = ("day", "subject", "psi", "level")

# Nothing can have been committed while the snapshot's text is the same, on the same start of the server.
_SNAPSHOT = "SELECT pg_current_snapshot()::text, pg_postmaster_start_time()::text, current_database()"
_PARTITIONS = "SELECT count(*), sum(inhrelid::bigint) FROM pg_inherits WHERE inhparent = %s::regclass"


class PostgresStore:
    """A `Store` on the database of `url`, in whose schema `schema` the assets' tables are; any role that may read.

    Works from any thread. Nothing is connected before the first page is asked for.
    """

    def __init__(self, url: str, schema: str = "fraud") -> None:
        self._connections = Connections(url)
        self._schema = schema
        self._seen: tuple[Sequence[Any], dict[str | None, str]] = (), {}

    def close(self) -> None:
        self._connections.close()

    def state(self, day: str | None = None) -> str:
        """Costs a tenth of a millisecond while nothing is committed anywhere in the database server, else some.

        Rows that replace others have another transaction's number, and a partition that replaces another is another
        table: either shows.
        """
        return self._connections.read(lambda connection: self._state(connection, day))

    def _state(self, connection: Connection[Any], day: str | None) -> str:
        snapshot = connection.execute(_SNAPSHOT).fetchone()
        assert snapshot is not None
        seen = self._seen
        if seen[0] != snapshot:
            seen = self._seen = snapshot, {}
        state = seen[1].get(day)
        if state is None:
            reading = Reading.of(connection, self._schema, (*WITH_DAYS, SCORED, *(OF_A_DAY if day else ())))
            counted = {table: self._fingerprint(reading, table, day) for table in sorted(reading.columns)}
            state = repr((snapshot[1:], counted))
            if len(seen[1]) < MOST_STATES:
                seen[1][day] = state
        return state

    def _fingerprint(self, reading: Reading, table: str, day: str | None) -> Any:
        if table == SCORED:
            return reading.connection.execute(_PARTITIONS, [reading.name(table).as_string()]).fetchone()
        statement = sql.SQL("SELECT count(*), sum(xmin::text::bigint) FROM {}").format(reading.name(table))
        if table not in OF_A_DAY:
            return reading.connection.execute(statement).fetchone()
        return reading.connection.execute(statement + sql.SQL(" WHERE partition_key = %s"), [day]).fetchone()

    def days(self) -> list[str]:
        def read(reading: Reading) -> list[str]:
            parts = [
                sql.SQL("SELECT DISTINCT partition_key FROM {}").format(reading.name(table))
                for table in WITH_DAYS
                if reading.has(table)
            ]
            if not parts:
                return []
            return sorted(day for (day,) in reading.connection.execute(sql.SQL(" UNION ").join(parts)))

        return self._read(WITH_DAYS, read)

    def models(self) -> list[str]:
        def read(reading: Reading) -> list[str]:
            if not reading.has(EVALUATION):
                return []
            statement = sql.SQL("SELECT DISTINCT candidate FROM {}").format(reading.name(EVALUATION))
            return sorted(str(name) for (name,) in reading.connection.execute(statement))

        return self._read([EVALUATION], read)

    def history(self, days: DayRange, metric: str) -> History:
        where, values = between(days.first, days.last)

        def read(reading: Reading) -> History:
            interval = [f"{metric}_{end}" for end in ("low", "high")]
            measured = ["day", "candidate", metric, *(n for n in interval if n in reading.columns.get(EVALUATION, ()))]
            return History(
                summary=reading.rows(SUMMARY, SUMMARY_COLUMNS, where, *values),
                evaluation=reading.rows(EVALUATION, measured, where, *values),
                live=reading.rows(LIVE, LIVE_COLUMNS, where, *values),
                drift=reading.rows(DRIFT, DRIFT_COLUMNS, where, *values),
            )

        return self._read((SUMMARY, EVALUATION, LIVE, DRIFT), read)

    def document(self, day: str) -> str | None:
        def read(reading: Reading) -> str | None:
            found = reading.of_day(REPORT, ["html"], day)
            return None if found.empty else str(found["html"].iloc[-1])

        return self._read([REPORT], read)

    def summary(self, day: str) -> pd.DataFrame:
        return self._read([SUMMARY], lambda reading: reading.of_day(SUMMARY, SUMMARY_COLUMNS, day))

    def leaderboard(self) -> Leaderboard:
        everything = sql.SQL("true")

        def read(reading: Reading) -> Leaderboard:
            summary = reading.rows(SUMMARY, SUMMARY_COLUMNS, everything)
            measured = ("day", "candidate", "average_precision")
            return Leaderboard(summary=summary, evaluation=reading.rows(EVALUATION, measured, everything))

        return self._read((SUMMARY, EVALUATION), read)

    def day(self, day: str) -> DayFrames:
        before = str(date.fromisoformat(day) - timedelta(days=DAYS_BEFORE))
        where, values = between(before, day)

        def read(reading: Reading) -> DayFrames:
            found = read_alerts(reading, SCORED, day, AlertQuery(), MOST_ALERTS, 0)
            return DayFrames(
                day,
                summary=reading.rows(SUMMARY, None, where, *values),
                evaluation=reading.rows(EVALUATION, None, where, *values),
                live=reading.rows(LIVE, None, where, *values),
                drift=reading.rows(DRIFT, None, where, *values),
                slices=reading.of_day("evaluation_slices", None, day),
                points=reading.of_day("operating_points", None, day),
                bins=reading.of_day("calibration_bins", None, day),
                importance=reading.of_day("feature_importance", None, day),
                maturity=reading.of_day("label_maturity", None, day),
                alerts=pd.DataFrame() if found is None else found.rows,
                alerts_total=None if found is None else found.of_day,
            )

        return self._read((*WITH_DAYS, *OF_A_DAY, SCORED), read)

    def alerts(self, day: str, query: AlertQuery, limit: int | None = None, offset: int = 0) -> Alerts | None:
        return self._read([SCORED], lambda reading: read_alerts(reading, SCORED, day, query, limit, offset))

    def _read(self, tables: Sequence[str], read: Callable[[Reading], T]) -> T:
        return self._connections.read(lambda connection: read(Reading.of(connection, self._schema, tables)))
