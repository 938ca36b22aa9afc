"""How much there is, and whether there is room for the locks that it takes."""

import pyarrow as pa
import pytest

from fraud_assets.postgres.storage.sizes import LockRoom, asset_sizes, database_size, lock_room
from fraud_assets_tests.postgres.material import Store


def test_bytes_by_asset_the_largest_first(store: Store) -> None:
    store.write("small", "k", pa.table({"x": [1]}))
    for key in ("a", "b", "b"):
        store.write("large", key, pa.table({"x": range(20_000)}))
    with store.postgres.connect() as connection:
        large, small = asset_sizes(connection)
        total = database_size(connection)
    assert (large.asset_key, large.partitions, large.archived_versions) == ("large", 2, 1)
    assert (small.asset_key, small.partitions, small.archived_versions, small.archived_bytes) == ("small", 1, 0, 0)
    assert large.current_bytes == 2 * large.archived_bytes > 1_000_000
    assert 0 < total.ledger < total.total


def test_a_dump_and_a_read_take_fewer_locks_than_are_counted(store: Store) -> None:
    for key in range(30):
        store.write("t", str(key), pa.table({"x": [key]}))
    with store.postgres.connect() as connection:
        found = lock_room(connection)
        with connection.transaction():
            connection.execute("SELECT count(*) FROM data.t")
            row = connection.execute("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()").fetchone()
    assert (found.largest_table, found.largest_partitions) == ("data.t", 30)
    assert row is not None
    assert 30 < row[0] < found.dumped
    assert found.dumped < found.room


@pytest.mark.parametrize(("locks", "wanted"), [(1_000, 64), (3_200, 64), (3_201, 128), (20_000, 512)])
def test_the_setting_that_leaves_half_of_the_room(locks: int, wanted: int) -> None:
    assert LockRoom(64, 100, locks, None, 0).setting_for(locks) == wanted
