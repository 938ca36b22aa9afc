"""Partitions and versions beyond what is kept: what goes, what stays, and who is not disturbed by it."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

from fraud_assets.postgres.names import Relation
from fraud_assets.postgres.storage import removal
from fraud_assets.postgres.storage.ledger import Layout, Origin
from fraud_assets.postgres.storage.models import store_model
from fraud_assets.postgres.storage.reclaiming import reclaim
from fraud_assets.postgres.storage.removal import Excess, Limits, excess, remove, without_current
from fraud_assets_tests.postgres.material import SCHEMA, Store

both_layouts = pytest.mark.parametrize("layout", [Layout.PARTITIONS, Layout.ROWS])
KEYS = ["2026-01-01", "2026-01-02", "2026-01-03"]
FROM_SECOND = Limits(first_partition=KEYS[1])


def _three_days(store: Store, layout: Layout, writes: int = 3, *, keep_first: bool = False) -> None:
    for key in KEYS:
        for number in range(writes):
            store.write("t", key, pa.table({"x": [number] * 10}), layout=layout, keep=None, keep_first=keep_first)


def _excess(store: Store, limits: Limits, asset: str = "t") -> list[Excess]:
    with store.postgres.connect() as connection:
        return excess(connection, asset, limits)


def _remove(store: Store, found: list[Excess], asset: str = "t") -> list[Excess]:
    with store.postgres.connect() as connection:
        return remove(connection, asset, found)


def _statuses(store: Store, asset: str = "t") -> dict[str, str]:
    """By partition, the initials of its versions' statuses, oldest first."""
    rows = store.query(
        "SELECT partition_key, string_agg(left(status, 1), '' ORDER BY version) FROM dagster_io.versions"
        " WHERE asset_key = %s GROUP BY 1",
        asset,
    )
    return dict(rows)


@both_layouts
def test_an_old_partition_goes_with_all_its_versions(store: Store, layout: Layout) -> None:
    _three_days(store, layout, keep_first=True)
    found = _excess(store, FROM_SECOND)
    assert [(one.partition_key, one.version, one.is_old) for one in found] == [(KEYS[0], n, True) for n in (2, 1, 3)]
    assert _remove(store, found) == found
    assert _statuses(store) == {KEYS[0]: "ppp", KEYS[1]: "aac", KEYS[2]: "aac"}
    assert store.table("t")["x"].to_pylist() == [2] * 20
    assert _excess(store, FROM_SECOND) == []
    if layout is Layout.PARTITIONS:
        store.check_consistent()
    else:
        archived = "SELECT count(*) FROM dagster_io.archived_rows JOIN dagster_io.versions USING (version_id)"
        assert store.query(f"{archived} WHERE partition_key = '{KEYS[0]}'") == [(0,)]
    with store.postgres.connect() as connection:
        assert without_current(connection, "t", KEYS[1]) == [KEYS[0]]
        assert without_current(connection, "t", KEYS[0]) == []
    store.write("t", KEYS[0], pa.table({"x": [7]}), layout=layout)
    assert store.table("t", [KEYS[0]])["x"].to_pylist() == [7]


@both_layouts
def test_superseded_versions_beyond_the_number_go_and_the_first_where_it_is_not_kept(
    store: Store, layout: Layout
) -> None:
    _three_days(store, layout, writes=4)
    assert _remove(store, _excess(store, Limits(archived_versions=1)))
    assert set(_statuses(store).values()) == {"ppac"}


def test_the_first_version_stays_where_it_is_kept(store: Store) -> None:
    _three_days(store, Layout.PARTITIONS, writes=4, keep_first=True)
    _remove(store, _excess(store, Limits(archived_versions=0)))
    assert set(_statuses(store).values()) == {"appc"}


def test_an_asset_without_partitions_is_never_old(store: Store) -> None:
    store.write("t", "", pa.table({"x": [1]}))
    assert _excess(store, FROM_SECOND) == []


def test_models_go_and_the_disk_gets_their_room_back(store: Store) -> None:
    with store.postgres.connect() as connection:
        for key in KEYS:
            for _ in range(2):
                store_model(connection, "m", key, bytes(600_000), signing_key=b"key", origin=Origin("run"))
    found = _excess(store, Limits(KEYS[2], archived_versions=0), "m")
    assert len(_remove(store, found, "m")) == 5
    assert _statuses(store, "m") == {KEYS[0]: "pp", KEYS[1]: "pp", KEYS[2]: "pc"}
    assert store.query("SELECT count(*) FROM dagster_io.models") == [(1,)]
    with store.postgres.connect() as connection:
        freed = reclaim(connection, Relation("dagster_io", "models"), sum(one.byte_count for one in found))
    assert freed > 2_500_000


@pytest.mark.parametrize("table", ["child", "parent"])
def test_what_is_being_read_is_left_for_the_next_time(
    store: Store, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "PATIENCE_SECONDS", 0.3)
    _three_days(store, Layout.PARTITIONS, writes=1)
    (found,) = _excess(store, FROM_SECOND)
    child = store.query("SELECT relation_name FROM dagster_io.versions WHERE version_id = %s", found.version_id)[0][0]
    with store.connect() as reader, reader.transaction():
        reader.execute(f'LOCK TABLE ONLY {SCHEMA}."{child if table == "child" else "t"}" IN ACCESS SHARE MODE'.encode())
        assert _remove(store, [found]) == []
        assert _statuses(store)[KEYS[0]] == "c"
    assert _remove(store, [found]) == [found]
    store.check_consistent()


def test_what_was_replaced_since_it_was_found_stays(store: Store) -> None:
    _three_days(store, Layout.PARTITIONS, writes=1)
    found = _excess(store, FROM_SECOND)
    store.write("t", KEYS[0], pa.table({"x": [9]}))
    assert _remove(store, found) == []
    assert _statuses(store)[KEYS[0]] == "ac"


@both_layouts
def test_writers_and_removals_at_once_leave_everything_in_order(store: Store, layout: Layout) -> None:
    """Partitions are written and removed again and again: none is torn, none is lost, nobody deadlocks."""
    _three_days(store, layout, writes=1)
    over = threading.Event()

    def write(key: str) -> None:
        for number in range(12):
            store.write("t", key, pa.table({"x": [number] * 20}), layout=layout, keep=1)

    def clean() -> int:
        removed = 0
        while not over.is_set():
            removed += len(_remove(store, _excess(store, Limits(KEYS[2], archived_versions=0))))
        return removed

    with ThreadPoolExecutor(3) as pool:
        cleaning = pool.submit(clean)
        for writing in [pool.submit(write, key) for key in KEYS[1:]]:
            writing.result()
        over.set()
        assert cleaning.result() > 0
    _remove(store, _excess(store, Limits(KEYS[2], archived_versions=0)))
    assert store.table("t")["x"].to_pylist() == [11] * 20
    assert set("".join(_statuses(store).values()).replace("p", "")) == {"c"}
    if layout is Layout.PARTITIONS:
        store.check_consistent()
