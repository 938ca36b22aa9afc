"""The rows of one version, whichever it is, and the partitions that have a certain row."""

import pyarrow as pa
import pytest
from psycopg import sql

from fraud_assets.postgres import PartitionMissing, PostgresStorageError, partition_versions, prune_versions
from fraud_assets.postgres.storage.ledger import Layout
from fraud_assets.postgres.storage.lookups import partitions_with, rows_of_version, version_of_id
from fraud_assets.postgres.storage.reading import Selection
from fraud_assets_tests.postgres.material import Store

EVERYTHING = Selection()
both_layouts = pytest.mark.parametrize("layout", [Layout.PARTITIONS, Layout.ROWS])


@both_layouts
def test_each_version_has_its_own_rows_until_it_is_pruned(store: Store, layout: Layout) -> None:
    for value in (1, 2, 3):
        store.write("t", "k", pa.table({"x": [value, 10 * value]}), layout=layout)
    store.write("t", "other", pa.table({"x": [99], "y": ["new"]}), layout=layout)
    versions = {version.version: version for version in partition_versions(store.postgres, "t", "k")}
    for number, version in versions.items():
        large = Selection(("x",), "x >= %s", (10,))
        assert rows_of_version(store.postgres, version, large).to_pydict() == {"x": [10 * number]}
    assert rows_of_version(store.postgres, versions[1], EVERYTHING).to_pylist()[0] == {"x": 1, "y": None}
    assert prune_versions(store.postgres, "t", "k", keep=1) == 1
    with pytest.raises(PartitionMissing, match="Version 1 of t of 'k' has been pruned: its rows are gone"):
        rows_of_version(store.postgres, versions[1], EVERYTHING)
    store.write("t", "k", pa.table({"x": [4]}), layout=layout)
    assert rows_of_version(store.postgres, versions[3], Selection(("x",))).to_pydict() == {"x": [3, 30]}, (
        "archived since"
    )


def test_a_table_that_was_dropped_by_hand_is_one_sentence(store: Store) -> None:
    store.write("t", "k", pa.table({"x": [1]}))
    (version,) = partition_versions(store.postgres, "t", "k")
    with store.connect() as connection:
        connection.execute(sql.SQL("DROP TABLE {}").format(version.relation.identifier))
    with pytest.raises(PostgresStorageError, match="Version 1 of t of 'k' cannot be read"):
        rows_of_version(store.postgres, version, EVERYTHING)


@both_layouts
def test_the_partitions_that_have_a_row_come_in_the_order_asked_for(store: Store, layout: Layout) -> None:
    for key, ids in {"a": [1, 2], "b": [3], "c": [2]}.items():
        store.write("t", key, pa.table({"id": [7]}), layout=layout)
        store.write("t", key, pa.table({"id": ids}), layout=layout)

    def having(number: int) -> list[str]:
        selection = Selection(where="id = ANY(%s)", where_params=([number],))
        return list(partitions_with(store.postgres, "t", ["c", "never", "b", "a"], selection))

    assert (having(2), having(3), having(7)) == (["c", "a"], ["b"], []), "only current versions count"
    assert list(partitions_with(store.postgres, "unknown", ["a"], EVERYTHING)) == []


def test_a_version_is_known_by_its_number_in_the_database(store: Store) -> None:
    store.write("t", "k", pa.table({"x": [1]}))
    (version,) = partition_versions(store.postgres, "t", "k")
    with store.connect() as connection:
        assert version_of_id(connection, version.version_id) == version
        assert version_of_id(connection, version.version_id + 1_000) is None
