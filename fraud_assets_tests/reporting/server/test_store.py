"""What pages read: only what there is, read only, from the tables of rows, and never stale."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pandas as pd
import psycopg
import pytest
from psycopg import sql

from fraud_assets.reporting.server import PostgresStore, StoreUnavailable
from fraud_assets.reporting.server.connections import Connections
from fraud_assets.reporting.server.store import AlertOrder, AlertQuery, DayRange, Shown
from fraud_assets_tests.reporting.server.made_history import ALERTS, SCHEMA, MadeHistory
from fraud_assets_tests.reporting.server.made_tables import Tables

METRIC = "average_precision"


@pytest.fixture
def store(made_url: str) -> Iterator[PostgresStore]:
    found = PostgresStore(made_url, SCHEMA)
    yield found
    found.close()


def test_a_range_has_its_days_and_no_others(store: PostgresStore, made: MadeHistory) -> None:
    history = store.history(DayRange(made.days[3], made.days[5]), METRIC)
    for frame in (history.summary, history.evaluation, history.live, history.drift):
        assert list(frame["day"].unique()) == made.days[3:6]
    assert list(history.evaluation.columns) == ["day", "candidate", METRIC, f"{METRIC}_low", f"{METRIC}_high"]
    assert len(store.history(DayRange(), METRIC).evaluation) == len(made.days) * len(made.models)


def test_values_keep_their_kinds(store: PostgresStore, made: MadeHistory) -> None:
    summary = store.summary(made.days[0])
    assert summary["transactions"].dtype == "int64"
    assert summary["frauds"].dtype == "Int64", "none is known on the first day"
    assert summary["fraud_rate"].isna().all()
    assert summary["is_promotion"].dtype == "bool"
    pd.testing.assert_frame_equal(
        store.history(DayRange(), METRIC)
        .evaluation[["day", "candidate", METRIC]]
        .astype({"day": "str", "candidate": "str"}),
        made.evaluation()[["day", "candidate", METRIC]].astype({"day": "str", "candidate": "str"}),
    )


def test_where_nothing_is_stored_everything_is_empty(new_database: str) -> None:
    store = PostgresStore(new_database, "nothing_here")
    assert store.days() == []
    assert store.models() == []
    assert store.history(DayRange(), METRIC).summary.empty
    assert store.leaderboard().evaluation.empty
    assert store.document("2024-01-01") is None
    assert store.alerts("2024-01-01", AlertQuery()) is None
    assert store.day("2024-01-01").evaluation.empty
    assert store.state() == store.state()
    store.close()


def test_a_table_that_lacks_a_column_has_none_of_it(new_database: str) -> None:
    with psycopg.connect(new_database, autocommit=True) as connection:
        connection.execute("CREATE TABLE daily_summary (day text, partition_key text, row_ordinal int)")
        connection.execute("INSERT INTO daily_summary VALUES ('2024-01-01', '2024-01-01', 0)")
    store = PostgresStore(new_database, "public")
    summary = store.summary("2024-01-01")
    assert summary["day"].tolist() == ["2024-01-01"]
    assert summary["transactions"].isna().all()
    store.close()


def test_any_change_shows_in_the_state(new_database: str, made: MadeHistory) -> None:
    few = replace(made, count=3)
    few.fill(new_database, scored=1, pointed=1)
    store = PostgresStore(new_database, SCHEMA)
    with psycopg.connect(new_database, autocommit=True) as connection:
        tables = Tables(connection, SCHEMA)
        summary = few.summary()
        seen = [store.state()]
        assert store.state() == seen[0], "nothing has changed"
        tables.replace("daily_summary", few.days[1], summary[1:2])
        seen.append(store.state())
        tables.remove("live_performance", few.days[0])
        seen.append(store.state())
        tables.add_scores(few.days[0], few.scores(few.days[0]))
        seen.append(store.state())
        child = tables.name(f"scored_batch__{few.days[0].replace('-', '_')}__1")
        connection.execute(sql.SQL("DROP TABLE {}").format(child))
        tables.add_scores(few.days[0], few.scores(few.days[0]))
        seen.append(store.state())
        connection.execute("CREATE TABLE elsewhere (n int)")
        assert store.state() == seen[-1], "what no page shows does not count"
        of_days = [store.state(day) for day in few.days]
        tables.remove("operating_points", few.days[-1])
        assert store.state() == seen[-1]
        assert [store.state(day) == before for day, before in zip(few.days, of_days, strict=True)] == [
            True,
            True,
            False,
        ]
    assert len(set(seen)) == len(seen)
    store.close()


@pytest.mark.parametrize("order", list(AlertOrder))
def test_alerts_are_sorted_both_ways(store: PostgresStore, made: MadeHistory, order: AlertOrder) -> None:
    day = made.days[-1]
    rising = store.alerts(day, AlertQuery(order=order))
    falling = store.alerts(day, AlertQuery(order=order, is_descending=True))
    assert rising is not None
    assert falling is not None
    assert rising.total == rising.of_day == len(rising.rows) == ALERTS
    assert rising.rows[order].is_monotonic_increasing
    assert falling.rows[order].is_monotonic_decreasing


def test_pages_of_alerts_together_are_all_alerts(store: PostgresStore, made: MadeHistory) -> None:
    query = AlertQuery(order=AlertOrder.CUSTOMER)
    pages = [store.alerts(made.days[-1], query, 30, offset) for offset in range(0, ALERTS, 30)]
    ids = [transaction for page in pages if page for transaction in page.rows["transaction_id"]]
    assert len(ids) == len(set(ids)) == ALERTS


def test_alerts_are_filtered(store: PostgresStore, made: MadeHistory) -> None:
    day, scores = made.days[-1], made.scores(made.days[-1])
    alerts = scores[scores["is_alert"]]
    large = store.alerts(day, AlertQuery(minimum_amount=100))
    assert large is not None
    assert sorted(large.rows["transaction_id"]) == sorted(alerts.loc[alerts["amount"] >= 100, "transaction_id"])
    said = store.alerts(day, AlertQuery(text="SINCE ITS last"))
    assert said is not None
    assert said.total == alerts["reason_1"].str.contains("since its last").sum() > 0
    assert said.of_day == ALERTS
    percent = store.alerts(day, AlertQuery(text="%"))
    assert percent is not None
    assert percent.total == 0, "the text stands for itself"


def test_the_review_sample_is_beside_the_alerts(store: PostgresStore, made: MadeHistory) -> None:
    totals = {}
    for shown in Shown:
        found = store.alerts(made.days[-1], AlertQuery(shown=shown))
        assert found is not None
        totals[shown] = found.total
    assert totals == {Shown.ALERTS: ALERTS, Shown.REVIEW: 10, Shown.BOTH: ALERTS + 10}


def test_pages_wait_for_no_partition_but_their_own(store: PostgresStore, made_url: str, made: MadeHistory) -> None:
    with psycopg.connect(made_url) as connection:
        other = sql.Identifier(SCHEMA, f"scored_batch__{made.days[-2].replace('-', '_')}__1")
        connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(other))
        assert store.state()
        assert store.days() == made.days
        assert len(store.history(DayRange(), METRIC).summary) == len(made.days)
        assert store.alerts(made.days[-1], AlertQuery(text="a", order=AlertOrder.AMOUNT), 10) is not None
        assert not store.day(made.days[-1]).alerts.empty


def test_nothing_can_be_written(made_url: str) -> None:
    connections = Connections(made_url)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connections.read(lambda connection: connection.execute("CREATE TABLE mine (n int)"))
    connections.close()


def test_a_statement_that_takes_too_long_ends(made_url: str) -> None:
    connections = Connections(made_url)

    def slow(connection: psycopg.Connection[Any]) -> None:
        connection.execute("SET LOCAL statement_timeout = '50ms'")
        connection.execute("SELECT pg_sleep(20)")

    with pytest.raises(StoreUnavailable):
        connections.read(slow)
    assert connections.read(lambda connection: connection.execute("SELECT 1").fetchone()) == (1,)
    connections.close()


def test_a_role_that_may_not_read_is_told_so(new_database: str, made: MadeHistory) -> None:
    replace(made, count=1).fill(new_database, scored=1, pointed=1)
    with psycopg.connect(new_database, autocommit=True) as connection:
        connection.execute("CREATE ROLE blind LOGIN PASSWORD 'blind'")
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO blind").format(sql.Identifier(SCHEMA)))
    try:
        url = psycopg.conninfo.make_conninfo(new_database, user="blind", password="blind")
        store = PostgresStore(url, SCHEMA)
        with pytest.raises(StoreUnavailable, match="may not read"):
            store.days()
        store.close()
    finally:
        with psycopg.connect(new_database, autocommit=True) as connection:
            connection.execute("DROP OWNED BY blind")
            connection.execute("DROP ROLE blind")


def test_a_connection_that_died_is_replaced(made_url: str, made: MadeHistory) -> None:
    store = PostgresStore(made_url, SCHEMA)
    assert store.days() == made.days
    with psycopg.connect(made_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'fraud_reports'"
        )
    assert store.days() == made.days
    store.close()
