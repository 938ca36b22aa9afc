"""Rows of numbers and times alone are decoded here and not by the driver: both must say the same of every value."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pgpq import ArrowToPostgresBinaryEncoder as Pgpq
from psycopg import sql

from fraud_assets.postgres.errors import DatabaseUnavailable, PostgresStorageError
from fraud_assets.postgres.storage.reading import Selection, load
from fraud_assets.postgres.transfer import sessions
from fraud_assets.postgres.transfer.fixed_width import Encoder
from fraud_assets.postgres.transfer.sessions import AdbcSession
from fraud_assets_tests.postgres.material import Store

FLOATS = st.floats(width=32) | st.just(-0.0)
VALUES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.bool_(): st.booleans(),
    pa.int16(): st.integers(-(2**15), 2**15 - 1),
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float32(): FLOATS,
    pa.float64(): FLOATS | st.floats(),
    pa.date32(): st.integers(-2_440_588, 2_145_042_905),
    pa.time64("us"): st.integers(0, 86_400_000_000 - 1),
    pa.timestamp("us"): st.integers(-210_866_803_200_000_000, 2**63 - 1),
    pa.timestamp("us", "UTC"): st.integers(-210_866_803_200_000_000, 2**63 - 1),
}
TYPES = list(VALUES)


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """Columns of any of the types, of which some have NULLs."""
    rows = draw(st.integers(0, 12))
    columns = {}
    for number, kind in enumerate(draw(st.lists(st.sampled_from(TYPES), min_size=1, max_size=6))):
        has_nulls = draw(st.booleans())
        values = (st.none() | VALUES[kind]) if has_nulls else VALUES[kind]
        columns[f"c{number}"] = pa.array(draw(st.lists(values, min_size=rows, max_size=rows)), kind)
    return pa.table(columns)


BITS = {1: pa.int8(), 16: pa.int16(), 32: pa.int32(), 64: pa.int64()}


def bits(table: pa.Table) -> list[list[int | None]]:
    """The very bits of all values: NaN equals itself, and -0.0 is not 0.0."""
    columns = [column.combine_chunks() for column in table.columns]
    return [
        (column if pa.types.is_boolean(column.type) else column.view(BITS[column.type.bit_width])).to_pylist()
        for column in columns
    ]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=tables(), block_bytes=st.sampled_from([1, 100, 4_194_304]))
def test_what_the_driver_decodes_is_decoded_alike(store: Store, table: pa.Table, block_bytes: int) -> None:
    version = store.write("t", "k", table, keep=0)
    try:
        query = sql.SQL("SELECT {} FROM {}").format(
            sql.SQL(", ").join(map(sql.Identifier, table.column_names)), version.relation.identifier
        )
        driver = AdbcSession(store.url)
        try:
            driven = pa.Table.from_batches(driver.read(query).batches, table.schema)
        finally:
            driver.close()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sessions, "READ_BATCH_BYTES", block_bytes)
            # The driver must not be asked.
            patch.setattr(sessions, "AdbcSession", None)
            for at_once in (False, True):
                found = load(store.postgres, "t", ["k"], Selection(), at_once=at_once).reader.read_all()
                assert found.schema == table.schema
                assert bits(found) == bits(table) == bits(driven)
    finally:
        store.run("DROP TABLE data.t; DELETE FROM dagster_io.versions; DELETE FROM dagster_io.tables")


@given(table=tables(), start=st.integers(0, 3))
def test_what_the_encoder_writes_is_written_alike(table: pa.Table, start: int) -> None:
    (batch,) = table.slice(start).to_batches() or [pa.RecordBatch.from_pylist([], schema=table.schema)]
    written = []
    for encoder in (Encoder(table.schema), Pgpq(table.schema)):
        parts = [encoder.write_header(), encoder.write_batch(batch), encoder.finish()]
        written.append(b"".join(map(bytes, parts)))
    assert written[0] == written[1]


def stored(store: Store, rows: int = 200_000) -> str:
    """The table behind a partition of numbers with a NULL here and there."""
    n = pa.array([None if number % 1_000 == 7 else number for number in range(rows)], pa.int64())
    version = store.write("t", "k", pa.table({"n": n, "at": pa.array(range(rows), pa.timestamp("us"))}))
    return version.relation.identifier.as_string()


def test_a_condition_leaves_fewer_rows_than_there_is_room_for(store: Store) -> None:
    stored(store)
    found = load(store.postgres, "t", ["k"], Selection(where="n % 50000 = 1"), at_once=True).reader.read_all()
    assert found["n"].to_pylist() == [1, 50_001, 100_001, 150_001]


def test_rows_that_were_added_by_hand_are_read_too(store: Store) -> None:
    table, rows = stored(store, 10), 500_000
    store.run(f"INSERT INTO {table} (n) SELECT nullif(n, 11) FROM generate_series(10, {rows - 1}) n")
    found = load(store.postgres, "t", ["k"], Selection(), at_once=True).reader.read_all()
    expected = [None if number in (7, 11) else number for number in range(rows)]
    assert found["n"].to_pylist() == expected
    assert found["at"].null_count == rows - 10


@pytest.mark.parametrize("time", ["infinity", "-infinity", "294276-12-31 23:59:59"])
def test_times_that_no_frame_holds_are_named(store: Store, time: str) -> None:
    store.run(f"UPDATE {stored(store, 3)} SET at = '{time}' WHERE n = 1")
    with pytest.raises(PostgresStorageError, match="column 'at' has an infinite time"):
        store.table("t")


def test_what_fails_after_many_rows_is_told(store: Store) -> None:
    stored(store)
    reader = load(store.postgres, "t", ["k"], Selection(where="1 / (n - 199000) < 1")).reader
    with pytest.raises(PostgresStorageError, match="division by zero"):
        reader.read_all()


def test_a_connection_that_is_lost_may_be_tried_again(store: Store) -> None:
    # More than what is on its way between server and client at any time.
    store.run(f"INSERT INTO {stored(store, 3)} (n) SELECT generate_series(1, 1000000)")
    reader = load(store.postgres, "t", ["k"], Selection()).reader
    reader.read_next_batch()
    store.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY (SELECT%'")
    with pytest.raises(DatabaseUnavailable):
        reader.read_all()


def test_a_reader_that_is_dropped_midway_lets_go_of_the_table(store: Store) -> None:
    table = stored(store)
    reader = load(store.postgres, "t", ["k"], Selection()).reader
    reader.read_next_batch()
    del reader
    store.run(f"SET lock_timeout = '5s'; LOCK TABLE {table}")
