"""Tables and queries, on SQLite and on a real PostgreSQL."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pyarrow as pa
import pytest
import sqlalchemy as sa

from fraud_assets.settings import Settings
from fraud_assets.sources import SourceError, SourceNotReady, open_source
from fraud_assets.sources.base import Source
from fraud_assets_tests.sources.material import DAY, ROLES, read

_ROWS = [
    ("7", "2018-04-01 23:59:59", 1),
    ("2", "2018-04-02 00:00:00", 2),
    ("3", "2018-04-02 23:59:59.999999", "x"),
    ("2", "2018-04-02 10:00:00", 4),
    ("4", "2018-04-02 10:00:00", -5),
    ("9", "2018-04-03 00:00:00", 6),
]


def _source(
    url: str, *, chunk_rows: int = 100_000, key: bytes | None = None, timezone: str = "UTC", **more: Any
) -> Source:
    roles = {"transaction_id": "id", "timestamp": "at", "timestamp_timezone": "UTC", "amount": "paid"}
    settings = {"kind": "sql", "url": url, "columns": roles | more.pop("roles", {}), **more}
    loaded = Settings.model_validate({"timezone": timezone, "source": settings})
    return open_source(loaded, chunk_rows=chunk_rows, pseudonym_key=key)


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'data.db'}"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text('CREATE TABLE "Tx; odd" (id TEXT, at TEXT, paid NUMERIC, "a:b" TEXT)'))
        for id_, at, paid in _ROWS:
            row = {"id": id_, "at": at, "paid": paid}
            connection.execute(sa.text("INSERT INTO \"Tx; odd\" VALUES (:id, :at, :paid, 'n')"), row)
    engine.dispose()
    return url


@pytest.mark.parametrize("chunk_rows", [1, 2, 100])
@pytest.mark.parametrize(
    "where", [{"table": "Tx; odd"}, {"query": "SELECT *, ':x' AS y, '10:30' AS z FROM \"Tx; odd\" -- the table"}]
)
def test_a_table_and_a_query_in_sqlite(sqlite: str, where: dict[str, Any], chunk_rows: int) -> None:
    accepted, rejected, counts = read(_source(sqlite, chunk_rows=chunk_rows, **where))
    assert accepted["transaction_id"].to_pylist() == ["2", "4"]
    assert accepted["amount"].to_pylist() == [2.0, -5.0]
    assert rejected["reason"].to_pylist() == [
        "repeats the transaction id of an earlier row", "paid is not a number"
    ]  # fmt: skip
    assert (counts.rows_in, counts.duplicates, counts.refunds) == (4, 1, 1)


def test_what_is_missing_is_named(sqlite: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no table or view 'nothing'"):
        _source(sqlite, table="nothing").read_day(DAY)
    with pytest.raises(SourceError, match="no column 'price'; its columns are 'id', 'at', 'paid', 'a:b'"):
        _source(sqlite, table="Tx; odd", roles={"amount": "price"}).read_day(DAY)
    with pytest.raises(SourceError, match=r"source\.query cannot be read"):
        _source(sqlite, query="SELEKT 1").read_day(DAY)
    with pytest.raises(SourceNotReady, match="no rows with 'at' on 2018-05-01"):
        _source(sqlite, table="Tx; odd").read_day(date(2018, 5, 1))
    with pytest.raises(SourceError, match=r"set source\.columns\.timestamp_timezone"):
        _source(sqlite, table="Tx; odd", roles={"timestamp_timezone": None}).read_day(DAY)
    with pytest.raises(SourceError, match="holds int"):
        _source(sqlite, query='SELECT id, 5 AS at, paid FROM "Tx; odd"').read_day(DAY)
    with pytest.raises(SourceNotReady, match="no SQLite file"):
        _source(f"sqlite:///{tmp_path / 'gone.db'}", table="t").read_day(DAY)
    assert not (tmp_path / "gone.db").exists()


@pytest.mark.parametrize("url", ["not a url: s3cret", "nosuch://u:s3cret@h/d", "oracle+cx_oracle://u:s3cret@h/d"])
def test_a_wrong_url_does_not_show_its_password(url: str) -> None:
    with pytest.raises(SourceError, match=r"source\.url") as caught:
        _source(url, table="t").read_day(DAY)
    assert "s3cret" not in str(caught.value)


def test_the_fingerprint_is_that_of_the_rows(sqlite: str) -> None:
    prints = []
    for chunk_rows in (1, 100):
        with _source(sqlite, table="Tx; odd", chunk_rows=chunk_rows).read_day(DAY) as batch:
            prints.append(batch.fingerprint)
    with _source(sqlite, table="Tx; odd").read_day(DAY + timedelta(days=1)) as batch:
        prints.append(batch.fingerprint)
    assert prints[0] == prints[1] != prints[2]


def test_an_unreachable_server_hides_its_password() -> None:
    with pytest.raises(SourceNotReady, match="does not answer") as caught:
        _source("postgresql://user:s3cret%21@127.0.0.1:1/db", table="t").read_day(DAY)
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in repr(caught.value.__cause__)


@pytest.fixture
def payments(database_url: str) -> str:
    with psycopg.connect(database_url) as connection:
        connection.execute('CREATE SCHEMA "Shop"')
        connection.execute(
            'CREATE TABLE "Shop"."Payments" (id bigint, at timestamptz, wall timestamp, day date, paid numeric(12, 2),'
            " fraud boolean, card uuid, score real, country varchar(2))"
        )
        # One row each quarter of an hour over three days.
        connection.execute(
            """INSERT INTO "Shop"."Payments"
            SELECT n, t, t AT TIME ZONE 'Europe/Berlin', (t AT TIME ZONE 'UTC')::date, n + 0.25, n % 5 = 0,
                md5(n::text)::uuid, CASE WHEN n % 2 = 0 THEN n END, 'DE'
            FROM generate_series(1, 384) n, LATERAL (SELECT '2018-10-27 00:00+00'::timestamptz
                + (384 - n) * interval '15 minutes' AS t) AS times"""
        )
    return database_url


@pytest.mark.parametrize("chunk_rows", [7, 1_000])
def test_postgresql_types_and_order(payments: str, chunk_rows: int) -> None:
    source = _source(payments, table="Shop.Payments", roles=ROLES, chunk_rows=chunk_rows)
    accepted, _, counts = read(source, date(2018, 10, 28))
    assert counts.rejected == 0
    assert accepted["transaction_id"].to_pylist() == list(range(288, 192, -1))
    assert accepted.schema.field("transaction_id").type == pa.int64()
    assert accepted.schema.field("customer_id").type == pa.string()
    assert accepted["amount"][0].as_py() == 288.25
    assert accepted["label"].to_pylist()[3] == 1
    assert accepted["score"].to_pylist()[:2] == [288.0, None]


@pytest.mark.parametrize("column", ["at", "wall"])
def test_the_day_of_a_clock_change_has_25_hours(payments: str, column: str) -> None:
    roles = {"timestamp": column, "timestamp_timezone": "Europe/Berlin"}
    source = _source(payments, table="Shop.Payments", roles=roles, timezone="Europe/Berlin")
    accepted, rejected, _ = read(source, date(2018, 10, 28))
    assert (accepted.num_rows, rejected.num_rows) == (100, 0)


def test_naive_times_of_another_zone_give_every_row_to_one_day(payments: str) -> None:
    roles = {"timestamp": "wall", "timestamp_timezone": "Europe/Berlin"}
    source = _source(payments, table="Shop.Payments", roles=roles)
    days = [read(source, date(2018, 10, 26) + timedelta(days=n)) for n in range(1, 5)]
    ids = [id_ for accepted, _, _ in days for id_ in accepted["transaction_id"].to_pylist()]
    assert sorted(ids) == list(range(1, 385))
    assert not any(rejected.num_rows for _, rejected, _ in days)


def test_dates_queries_and_percent_signs(payments: str) -> None:
    query = "SELECT id, day AS at, paid, '100%' AS share, '1'::text AS one FROM \"Shop\".\"Payments\" WHERE 7 % 4 = 3"
    accepted, _, _ = read(_source(payments, query=query), date(2018, 10, 28))
    assert accepted.num_rows == 96


def test_missing_things_in_postgresql(payments: str) -> None:
    with pytest.raises(SourceError, match=r"no table or view 'Shop\.Nothing'"):
        _source(payments, table="Shop.Nothing").read_day(DAY)
    with pytest.raises(SourceError, match="no column 'price'"):
        _source(payments, table="Shop.Payments", roles={"amount": "price"}).read_day(DAY)


def test_a_query_that_fails_midway_shows_no_sensitive_value(payments: str) -> None:
    query = 'SELECT id, at, paid, country::int AS card FROM "Shop"."Payments"'
    roles = {"customer": "card", "sensitive": ("card",)}
    with pytest.raises(SourceError) as caught:
        _source(payments, query=query, roles=roles, key=b"k").read_day(date(2018, 10, 28))
    assert "DE" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_wrong_password_is_permanent(payments: str) -> None:
    port, host = urlsplit(payments).port, urlsplit(payments).hostname
    user = urlsplit(payments).username
    with pytest.raises(SourceError) as caught:
        _source(f"postgresql://{user}:s3cret@{host}:{port}/no_such_database", table="t").read_day(DAY)
    assert "s3cret" not in str(caught.value)
    assert not isinstance(caught.value, SourceNotReady)
