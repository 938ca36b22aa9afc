"""The archive of tables, in both layouts: which versions there are, and getting one of them back."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from fraud_assets.postgres import (
    PartitionMissing,
    PostgresStorageError,
    Version,
    archive,
    partition_versions,
    prune_versions,
    report_restored,
    restore_version,
)
from fraud_assets.postgres.names import Relation
from fraud_assets.postgres.steps.contexts import UNPARTITIONED
from fraud_assets.postgres.storage.evolution import ensure_table
from fraud_assets.postgres.storage.ledger import Layout, Origin
from fraud_assets.postgres.storage.reading import Selection, load
from fraud_assets.postgres.storage.rows import replace_rows
from fraud_assets.postgres.storage.swap import replace_partition
from fraud_assets.postgres.storage.tables import TableSpec
from fraud_assets.postgres.transfer.sessions import ReadSession, open_session
from fraud_assets.postgres.values.frames import incoming
from fraud_assets_tests.postgres.material import Store

both_layouts = pytest.mark.parametrize("layout", [Layout.PARTITIONS, Layout.ROWS])


def _rewrites(store: Store, layout: Layout, values: tuple[int, ...] = (1, 2, 3), **options: Any) -> list[Version]:
    return [store.write("t", "k", pa.table({"x": [value] * 3}), layout=layout, **options) for value in values]


def _statuses(store: Store, key: str | None = "k") -> list[tuple[int, str]]:
    return [(v.version, v.status) for v in partition_versions(store.postgres, "t", key)]


def _check(store: Store, layout: Layout) -> None:
    if layout is Layout.PARTITIONS:
        store.check_consistent()


@both_layouts
def test_three_rewrites_are_listed_and_the_second_comes_back(store: Store, layout: Layout) -> None:
    written = _rewrites(store, layout)
    store.write("t", "other", pa.table({"x": [9]}), layout=layout)
    listed = partition_versions(store.postgres, "t", "k")
    assert [(v.version, v.status, v.row_count, v.content_hash) for v in listed] == [
        (3, "current", 3, written[2].content_hash),
        (2, "archived", 3, written[1].content_hash),
        (1, "archived", 3, written[0].content_hash),
    ]
    restored = restore_version(store.postgres, "t", "k", 2)
    assert store.table("t", ["k", "other"]).to_pydict() == {"x": [2, 2, 2, 9]}
    assert restored == partition_versions(store.postgres, "t", "k")[0]
    assert (restored.version, restored.content_hash) == (4, written[1].content_hash)
    assert _statuses(store) == [(4, "current"), (3, "archived"), (2, "archived"), (1, "archived")]
    _check(store, layout)


@both_layouts
def test_a_version_comes_back_into_a_table_that_has_grown(store: Store, layout: Layout) -> None:
    first = pa.table({"a": pa.array([7, None], pa.int32()), "x": pa.array([1, 2], pa.int16()), "s": ["a", None]})
    store.write("t", "k", first, layout=layout)
    store.write("t", "k", first.slice(0, 1), layout=layout)
    store.write("t", "k", pa.table({"new": [0.5], "x": [2**40]}), layout=layout)
    restore_version(store.postgres, "t", "k", 1)
    back = store.table("t", ["k"])
    assert back.to_pylist() == [
        {"a": 7, "x": 1, "s": "a", "new": None},
        {"a": None, "x": 2, "s": None, "new": None},
    ]
    assert dict(zip(back.schema.names, back.schema.types, strict=True)) == {
        "a": pa.int32(), "x": pa.int64(), "s": pa.string(), "new": pa.float64()
    }  # fmt: skip
    # Restoring the restored one again changes nothing more.
    restore_version(store.postgres, "t", "k", 3)
    restore_version(store.postgres, "t", "k", 4)
    assert store.table("t", ["k"]).equals(back)
    _check(store, layout)


def test_archived_rows_come_back_in_their_order_wherever_they_lie(store: Store) -> None:
    for values in ([3, 1, 2], [0]):
        store.write("t", "k", pa.table({"x": values}), layout=Layout.ROWS)
    store.run(
        "ALTER TABLE dagster_io.archived_rows DROP CONSTRAINT archived_rows_pkey;"
        "UPDATE dagster_io.archived_rows SET content = content WHERE ordinal = 0"
    )
    restore_version(store.postgres, "t", "k", 1)
    assert store.table("t", ["k"]).to_pydict() == {"x": [3, 1, 2]}


@both_layouts
def test_a_column_that_was_dropped_by_hand_stays_dropped(store: Store, layout: Layout) -> None:
    store.write("t", "k", pa.table({"x": [1], "gone": ["g"]}), layout=layout)
    store.write("t", "k", pa.table({"x": [2]}), layout=layout)
    store.run("ALTER TABLE data.t DROP COLUMN gone")
    restore_version(store.postgres, "t", "k", 1)
    assert store.table("t", ["k"]).to_pylist() == [{"x": 1}]


@both_layouts
def test_an_empty_version_comes_back(store: Store, layout: Layout) -> None:
    for frame in (pa.table({"x": pa.array([], pa.int64())}), pa.table({"x": [1]}), pa.table({})):
        store.write("t", "k", frame, layout=layout)
    for number in (1, 3):
        store.write("t", "k", pa.table({"x": [5]}), layout=layout)
        assert restore_version(store.postgres, "t", "k", number).row_count == 0
        assert store.table("t", ["k"]).num_rows == 0


@both_layouts
def test_a_restored_version_says_where_it_comes_from(store: Store, layout: Layout) -> None:
    upstream = store.write("up", "k", pa.table({"x": [1]}))
    spec = TableSpec("t", Relation("data", "t"), layout)
    origin = Origin("a run", "code 7", (upstream.version_id,), (("source", "a.csv"),))
    frame = incoming(pa.table({"x": [1]}))
    replace = replace_partition if layout is Layout.PARTITIONS else replace_rows
    with store.postgres.connect() as connection:
        ensure_table(connection, spec, frame.schema)
        replace(connection, spec, "k", frame.schema, frame.batches, origin, None)
    store.write("t", "k", pa.table({"x": [2]}), layout=layout)
    for copied, number in ((1, 3), (3, 5)):
        restored = restore_version(store.postgres, "t", "k", copied)
        assert (restored.version, restored.restored_from) == (number, copied)
        assert (restored.run_id, restored.code_version) == ("restore", "code 7")
        assert restored.facts == {"source": "a.csv", "restored_version": copied}
        seen = "SELECT upstream_version_id FROM dagster_io.seen WHERE version_id = %s"
        assert store.query(seen, restored.version_id) == [(upstream.version_id,)]
        store.write("t", "k", pa.table({"x": [number]}), layout=layout, keep=None)
    assert partition_versions(store.postgres, "t", "k")[0].restored_from is None


@both_layouts
def test_the_current_version_is_left_as_it_is(store: Store, layout: Layout) -> None:
    written = _rewrites(store, layout)
    assert restore_version(store.postgres, "t", "k", 3) == written[2]
    assert _statuses(store) == [(3, "current"), (2, "archived"), (1, "archived")]


@both_layouts
def test_what_cannot_be_restored_is_refused_and_nothing_changes(store: Store, layout: Layout) -> None:
    _rewrites(store, layout, keep=1)
    before = store.ledger()
    for asset, key, version, kind, says in (
        ("t", "k", 1, PostgresStorageError, r"Version 1 of t of 'k' has been pruned: its rows are gone"),
        ("t", "k", 9, PartitionMissing, r"There is no version 9 of t of 'k'; its newest is version 3"),
        ("t", "k", 0, PartitionMissing, r"There is no version 0 of t"),
        ("t", "l", 1, PartitionMissing, r"t of 'l' has never been stored; materialize it first"),
        ("t", None, 1, PartitionMissing, r"^t has never been stored"),
        ("no/such", "k", 1, PartitionMissing, r"no/such of 'k' has never been stored"),
    ):
        with pytest.raises(kind, match=says):
            restore_version(store.postgres, asset, key, version)
    assert store.ledger() == before
    assert store.table("t").to_pydict() == {"x": [3, 3, 3]}
    assert partition_versions(store.postgres, "no/such", "k") == []


@both_layouts
def test_pruning_leaves_the_newest_archived_ones_and_all_records(store: Store, layout: Layout) -> None:
    _rewrites(store, layout, (1, 2, 3, 4), keep=None)
    assert prune_versions(store.postgres, "t", "k", 1) == 2
    assert _statuses(store) == [(4, "current"), (3, "archived"), (2, "pruned"), (1, "pruned")]
    assert [v.row_count for v in partition_versions(store.postgres, "t", "k")] == [3] * 4
    assert prune_versions(store.postgres, "t", "k", 1) == 0
    assert restore_version(store.postgres, "t", "k", 3, keep=0).restored_from == 3
    assert _statuses(store)[:3] == [(5, "current"), (4, "pruned"), (3, "pruned")]
    assert store.query("SELECT count(*) FROM dagster_io.archived_rows") == [(0,)]
    assert store.table("t").to_pydict() == {"x": [3, 3, 3]}
    for refused in (
        lambda: prune_versions(store.postgres, "t", "k", -1),
        lambda: restore_version(store.postgres, "t", "k", 5, keep=-1),
    ):
        with pytest.raises(PostgresStorageError, match="keep=-1"):
            refused()
    _check(store, layout)


@both_layouts
def test_a_reader_in_the_middle_of_the_rows_keeps_them(store: Store, layout: Layout) -> None:
    """A partition that is being read is neither torn nor emptied, and holds no restore up for longer than it reads."""
    rows, texts = 3_000, {number: str(number) * 5_000 for number in (1, 2)}
    for text in texts.values():
        store.write("t", "k", pa.table({"x": pa.repeat(text, rows)}), layout=layout)
    reader = load(store.postgres, "t", ["k"], Selection()).reader
    first = reader.read_next_batch()
    assert 0 < first.num_rows < rows
    restore = threading.Thread(target=restore_version, args=(store.postgres, "t", "k", 1))
    restore.start()
    rest = reader.read_all()
    restore.join(30)
    assert not restore.is_alive()
    assert first.num_rows + rest.num_rows == rows
    assert {*first["x"].to_pylist(), *rest["x"].to_pylist()} == {texts[2]}
    assert set(store.table("t", ["k"])["x"].to_pylist()) == {texts[1]}
    _check(store, layout)


@both_layouts
def test_what_is_pruned_under_a_restore_is_not_restored_as_nothing(
    store: Store, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    _rewrites(store, layout)

    def prune_first(url: str, column_types: Sequence[str]) -> ReadSession:
        assert prune_versions(store.postgres, "t", "k", 0) == 2
        return open_session(url, column_types)

    monkeypatch.setattr(archive, "open_session", prune_first)
    with pytest.raises(PostgresStorageError, match="pruned"):
        restore_version(store.postgres, "t", "k", 1)
    assert store.table("t").to_pydict() == {"x": [3, 3, 3]}
    _check(store, layout)


def test_rows_that_were_taken_from_the_archive_by_hand_are_missed(store: Store) -> None:
    _rewrites(store, Layout.PARTITIONS)
    store.run("DELETE FROM dagster_archive.t__k__1 WHERE ctid = '(0,1)'")
    with pytest.raises(PostgresStorageError, match="2 of the 3 rows of Version 1 of t of 'k'"):
        restore_version(store.postgres, "t", "k", 1)
    assert store.table("t").to_pydict() == {"x": [3, 3, 3]}
    store.run("DROP TABLE dagster_archive.t__k__2")
    with pytest.raises(PostgresStorageError, match="Version 2 of t of 'k' has been pruned"):
        restore_version(store.postgres, "t", "k", 2)


@both_layouts
def test_a_table_that_was_dropped_is_named(store: Store, layout: Layout) -> None:
    _rewrites(store, layout)
    store.run("DROP TABLE data.t")
    with pytest.raises(PostgresStorageError, match="The table of t is not there any more; materialize"):
        restore_version(store.postgres, "t", "k", 1)
    store.write("t", "another", pa.table({"x": [4]}), layout=layout)
    restore_version(store.postgres, "t", "k", 1)
    assert store.table("t", ["k"]).to_pydict() == {"x": [1, 1, 1]}


def _spellings() -> Iterator[tuple[Any, Any]]:
    key = dg.MultiPartitionKey({"day": "2024-03-01", "country": "fr"})
    for asset in ("shop/orders", dg.AssetKey(["shop", "orders"]), ["shop", "orders"], ("shop", "orders")):
        yield asset, key
    yield "shop/orders", str(key)


@pytest.mark.parametrize(("asset", "partition"), list(_spellings()))
def test_assets_and_partitions_in_every_form_that_dagster_has(store: Store, asset: Any, partition: Any) -> None:
    for value in (1, 2, 3):
        store.write("shop/orders", "fr|2024-03-01", pa.table({"x": [value]}))
    assert [v.version for v in partition_versions(store.postgres, asset, partition)] == [3, 2, 1]
    assert restore_version(store.postgres, asset, partition, 1).partition_key == "fr|2024-03-01"
    assert prune_versions(store.postgres, asset, partition, 1) == 2


@pytest.mark.parametrize("partition", [None, "", UNPARTITIONED])
def test_assets_without_partitions(store: Store, partition: str | None) -> None:
    for value in (1, 2):
        store.write("t", UNPARTITIONED, pa.table({"x": [value]}))
    restore_version(store.postgres, "t", partition, 1)
    assert store.table("t").to_pydict() == {"x": [1]}
    assert prune_versions(store.postgres, "t", partition, 0) == 2
    with pytest.raises(PostgresStorageError, match=r"^Version 1 of t has been pruned"):
        restore_version(store.postgres, "t", partition, 1)


@pytest.mark.parametrize("key", ["2024-03-01", UNPARTITIONED])
def test_dagster_is_told_of_a_version_whose_making_it_does_not_know(store: Store, key: str) -> None:
    first = store.write("t", key, pa.table({"x": [1, 1]}))
    store.write("t", key, pa.table({"x": [2]}))
    restored = restore_version(store.postgres, "t", key, 1)
    with dg.DagsterInstance.ephemeral() as instance:
        report_restored(instance, restored)
        (record,) = instance.fetch_materializations(dg.AssetKey("t"), limit=9).records
    event = record.asset_materialization
    assert event is not None
    assert (event.partition, event.tags) == (key or None, {"dagster/data_version": first.content_hash})
    assert {name: value.value for name, value in event.metadata.items()} == {
        "dagster/row_count": 2,
        "bytes": restored.byte_count,
        "version": 3,
        "restored_version": 1,
        "content_hash": first.content_hash,
    }


def test_a_version_shows_itself_readably(store: Store) -> None:
    shown = repr(store.write("t", "k", pa.table({"x": [1]})))
    for part in ("asset_key='t'", "partition_key='k'", "version=1", "row_count=1", "run_id='run'"):
        assert part in shown
    assert "arrow_schema" not in shown
    assert len(shown) < 600
