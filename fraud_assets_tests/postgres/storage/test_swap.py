"""Replacing a partition: one current version, the last ones archived, and nothing changed where it fails."""

from collections.abc import Iterator
from functools import partial

import pandas as pd
import psycopg
import pyarrow as pa
import pytest

from fraud_assets.postgres import locks
from fraud_assets.postgres.archive import partition_versions, prune_versions
from fraud_assets.postgres.connection import PostgresResource
from fraud_assets.postgres.errors import PostgresStorageError, UnstorableColumn
from fraud_assets.postgres.names import Relation
from fraud_assets.postgres.storage.evolution import ensure_table
from fraud_assets.postgres.storage.ledger import Layout, Origin
from fraud_assets.postgres.storage.models import store_model
from fraud_assets.postgres.storage.reading import Selection, load
from fraud_assets.postgres.storage.swap import replace_partition
from fraud_assets.postgres.storage.tables import TableSpec
from fraud_assets.postgres.values.frames import incoming
from fraud_assets_tests.postgres.material import Store


def _statuses(store: Store, key: str = "k") -> list[tuple[int, str]]:
    return [(v.version, v.status) for v in partition_versions(store.postgres, "t", key)]


def _numbers(value: int, rows: int = 3) -> pa.Table:
    return pa.table({"x": [value] * rows})


def test_the_last_versions_stay_and_older_ones_are_pruned(store: Store) -> None:
    for value in range(5):
        store.write("t", "k", _numbers(value), keep=2)
    assert _statuses(store) == [(5, "current"), (4, "archived"), (3, "archived"), (2, "pruned"), (1, "pruned")]
    assert store.query("SELECT DISTINCT x FROM data.t") == [(4,)]
    assert [v.row_count for v in partition_versions(store.postgres, "t", "k")] == [3] * 5
    store.check_consistent()


def test_nothing_is_kept_where_nothing_shall_be(store: Store) -> None:
    for value in range(2):
        store.write("t", "k", _numbers(value), keep=0)
    assert _statuses(store) == [(2, "current"), (1, "pruned")]
    store.check_consistent()


def test_pruning_on_request(store: Store) -> None:
    for value in range(4):
        store.write("t", "k", _numbers(value), keep=None)
    assert prune_versions(store.postgres, "t", "k", 1) == 2
    assert [status for _, status in _statuses(store)] == ["current", "archived", "pruned", "pruned"]
    store.check_consistent()


def test_other_partitions_are_not_touched(store: Store) -> None:
    first = store.write("t", "a", _numbers(1))
    store.write("t", "b", _numbers(2))
    store.write("t", "b", _numbers(3))
    assert partition_versions(store.postgres, "t", "a") == [first]
    assert store.frame("t", ["a", "b"])["x"].tolist() == [1] * 3 + [3] * 3


def _failing(error: Exception) -> pa.RecordBatchReader:
    def batches() -> Iterator[pa.RecordBatch]:
        yield from _numbers(7, rows=100_000).to_batches(max_chunksize=10_000)
        raise error

    return pa.RecordBatchReader.from_batches(pa.schema({"x": pa.int64()}), batches())


@pytest.mark.parametrize("layout", [Layout.PARTITIONS, Layout.ROWS])
def test_a_failure_midway_changes_nothing(store: Store, layout: Layout) -> None:
    store.write("t", "k", _numbers(1), layout=layout)
    relations, ledger = store.relations(), store.ledger()
    for key in ("k", "new"):
        with pytest.raises(ZeroDivisionError):
            store.write("t", key, _failing(ZeroDivisionError()), layout=layout)
    assert store.relations() == relations
    assert store.ledger() == ledger
    assert store.frame("t")["x"].tolist() == [1, 1, 1]
    store.write("t", "k", _numbers(2), layout=layout)
    assert store.frame("t")["x"].tolist() == [2, 2, 2]


def test_a_failure_of_the_very_last_step_changes_nothing(store: Store) -> None:
    """The ledger refuses the new version when partitions have been swapped already."""
    store.write("t", "k", _numbers(1))
    relations, ledger = store.relations(), store.ledger()
    store.run("ALTER TABLE dagster_io.versions ADD CONSTRAINT one CHECK (version < 2)")
    with pytest.raises(psycopg.errors.CheckViolation):
        store.write("t", "k", _numbers(2))
    assert (store.relations(), store.ledger()) == (relations, ledger)
    store.check_consistent()


def _note(said: list[str], notice: psycopg.errors.Diagnostic) -> None:
    said.append(notice.message_primary or "")


def test_the_swap_scans_nothing_and_builds_no_index(store: Store) -> None:
    """PostgreSQL says itself that the partition's bound is implied by what the rows were checked against before."""
    spec = TableSpec("t", Relation("data", "t"), primary_key=("x",), indexes=(("y", "x"),))
    frame = pa.table({"x": [1, 2], "y": ["a", None]})
    for _ in range(2):
        said: list[str] = []
        with store.postgres.connect() as connection:
            ensure_table(connection, spec, frame.schema)
            connection.add_notice_handler(partial(_note, said))
            connection.execute("SET client_min_messages = debug1")
            found = incoming(frame)
            replace_partition(connection, spec, "k", found.schema, found.batches, Origin("run"), 3)
        attached = next(i for i, message in enumerate(said) if "is implied by existing constraints" in message)
        work = [message for message in said[attached:] if "verifying" in message or "building index" in message]
        assert any("verifying" in message for message in said[:attached])
        assert any("building index" in message for message in said[:attached])
        assert work == []
    indexes = store.query("SELECT indexdef FROM pg_indexes WHERE schemaname = 'data' ORDER BY indexdef")
    assert [definition.partition("USING ")[2] for (definition,) in indexes] == ["btree (y, x)", "btree (x)"]


def test_rows_that_break_the_primary_key(store: Store) -> None:
    with pytest.raises(UnstorableColumn, match=r"'k' of data\.t .*primary key \(x\)"):
        store.write("t", "k", pa.table({"x": [1, 1]}), primary_key=("x",))
    with pytest.raises(UnstorableColumn, match="r_partition_key_x_idx"):
        store.write("r", "k", pa.table({"x": [1, 1]}), primary_key=("x",), layout=Layout.ROWS)
    assert store.ledger() == []


def test_partition_keys_are_data(store: Store) -> None:
    keys = ["a b", "a'b", 'a"b', "'; DROP TABLE data.t; --", "\\", "é", "x" * 300, "%s", "a|b"]
    for place, key in enumerate(keys):
        for _ in range(2):
            store.write("t", key, _numbers(place, rows=1))
    assert store.frame("t", keys[::-1])["x"].tolist() == list(range(len(keys)))[::-1]
    store.check_consistent()


def test_equal_frames_have_equal_hashes_however_they_come(store: Store) -> None:
    table = pa.table({"x": range(1_000), "s": [None if i % 7 == 0 else str(i) for i in range(1_000)]})
    forms = [
        table,
        table.to_reader(max_chunksize=13),
        pa.concat_tables([table.slice(0, 400), table.slice(400)]),
        table.to_pandas(types_mapper=pd.ArrowDtype),
    ]
    hashes = {store.write("t", "k", form).content_hash for form in forms}
    assert len(hashes) == 1
    assert store.write("t", "another", table).content_hash in hashes


@pytest.mark.parametrize(
    "other",
    [
        pa.table({"x": [1, 3], "s": ["a", None]}),
        pa.table({"x": [2, 1], "s": [None, "a"]}),
        pa.table({"x": [1, 2], "s": ["a", ""]}),
        pa.table({"x": [1, 2], "z": ["a", None]}),
        pa.table({"x": [1], "s": ["a"]}),
        pa.table({"x": [1, 2]}),
    ],
)
def test_different_frames_have_different_hashes(store: Store, other: pa.Table) -> None:
    first = store.write("t", "a", pa.table({"x": [1, 2], "s": ["a", None]}))
    assert store.write("t", "b", other).content_hash != first.content_hash


def test_volatile_columns_stay_out_of_the_hash(store: Store) -> None:
    versions = [
        store.write("t", "k", pa.table({"x": [x], "seconds": [seconds]}), volatile=frozenset({"seconds"}))
        for x, seconds in [(1, 0.5), (1, 0.7), (2, 0.7)]
    ]
    assert versions[0].content_hash == versions[1].content_hash != versions[2].content_hash
    assert store.frame("t")["seconds"].tolist() == [0.7]


def test_two_assets_on_one_table_are_refused_naming_both(store: Store) -> None:
    store.write("t", "k", _numbers(1))
    spec = TableSpec("other/t", Relation("data", "t"))
    with store.postgres.connect() as connection, pytest.raises(PostgresStorageError, match=r"'t'.*'other/t'"):
        ensure_table(connection, spec, pa.schema({"x": pa.int64()}))


def test_a_change_of_layout_or_of_place_is_refused(store: Store) -> None:
    store.write("t", "k", _numbers(1))
    with pytest.raises(PostgresStorageError, match=r"layout 'partitions'.*'rows'"):
        store.write("t", "k", _numbers(1), layout=Layout.ROWS)
    moved = TableSpec("t", Relation("elsewhere", "t"))
    with store.postgres.connect() as connection, pytest.raises(PostgresStorageError, match=r"data\.t.*elsewhere\.t"):
        ensure_table(connection, moved, pa.schema({"x": pa.int64()}))
    assert store.frame("t")["x"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("thing", ["TABLE data.t (x bigint)", "VIEW data.t AS SELECT 1::bigint AS x"])
def test_what_is_not_storages_own_is_left_alone(store: Store, thing: str) -> None:
    store.run(f"CREATE SCHEMA data; CREATE {thing}")
    with pytest.raises(PostgresStorageError, match=r"data\.t in the database that was not made for 't'"):
        store.write("t", "k", _numbers(1))


def test_a_table_dropped_by_hand_heals_with_the_next_materialization(store: Store) -> None:
    store.write("t", "k", _numbers(1))
    store.run("DROP TABLE data.t")
    with pytest.raises(PostgresStorageError, match="materialize it again"):
        store.table("t", ["k"])
    store.write("t", "k", _numbers(2))
    assert store.frame("t", ["k"])["x"].tolist() == [2, 2, 2]
    assert _statuses(store) == [(2, "current"), (1, "pruned")]
    store.check_consistent()


def test_not_null_that_was_set_by_hand_is_followed(store: Store) -> None:
    store.write("t", "k", _numbers(1))
    store.run("ALTER TABLE data.t ALTER COLUMN x SET NOT NULL")
    store.write("t", "k", _numbers(2))
    with pytest.raises(UnstorableColumn, match="null value in column"):
        store.write("t", "k", pa.table({"x": pa.nulls(1, pa.int64())}))
    assert store.frame("t", ["k"])["x"].tolist() == [2, 2, 2]


def test_an_archived_version_that_is_being_read_is_pruned_the_next_time(store: Store) -> None:
    store.write("t", "k", pa.table({"x": range(500_000)}))
    reader = load(store.postgres, "t", ["k"], Selection()).reader
    reader.read_next_batch()
    writer = store.connect()
    locked = "SELECT FROM pg_locks WHERE mode = 'AccessShareLock' AND relation = 'data.t__k__1'::regclass"
    assert writer.execute(locked).fetchall()
    assert prune_versions(store.postgres, "t", "k", 0) == 0
    rows = reader.read_all().num_rows
    assert 0 < rows < 500_000
    writer.close()
    store.write("t", "k", _numbers(2), keep=1)
    archive = PostgresResource(url=store.url, schema_="data")
    with archive.connect() as connection, connection.transaction():
        connection.execute("LOCK TABLE dagster_archive.t__k__1 IN ACCESS SHARE MODE")
        store.write("t", "k", _numbers(3), keep=0)
        assert _statuses(store) == [(3, "current"), (2, "pruned"), (1, "archived")]
    store.write("t", "k", _numbers(4), keep=0)
    assert _statuses(store) == [(4, "current"), (3, "pruned"), (2, "pruned"), (1, "pruned")]
    store.check_consistent()


def test_somebody_who_never_ends_is_named_in_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write("t", "k", _numbers(1))
    monkeypatch.setattr(locks, "PATIENCE_SECONDS", 0.2)
    with store.connect() as reader, reader.transaction():
        reader.execute("SELECT FROM data.t")
        with pytest.raises(PostgresStorageError, match=r"data\.t for"):
            store.write("t", "k", _numbers(2))
    assert store.frame("t")["x"].tolist() == [1, 1, 1]
    store.check_consistent()


def test_an_asset_is_a_table_or_a_model_and_not_both(store: Store) -> None:
    def store_as_model(asset: str) -> None:
        with store.postgres.connect() as connection:
            store_model(connection, asset, "k", [1], signing_key=b"key", origin=Origin("run"))

    store.write("t", "k", pa.table({"x": [1]}))
    with pytest.raises(PostgresStorageError, match=r"'t' is stored in the table data\.t"):
        store_as_model("t")
    store_as_model("m")
    with pytest.raises(PostgresStorageError, match="'m' is stored as a model"):
        store.write("m", "k", pa.table({"x": [1]}))
    assert store.table("t").to_pydict() == {"x": [1]}
    store.check_consistent()
