"""What the ledger answers about the past: the last partition before one, and what a version was made from."""

import pyarrow as pa

from fraud_assets.postgres.storage.ledger import Content, Origin, next_version_id, record_current, upstream_versions
from fraud_assets_tests.postgres.material import Store


def test_the_last_partition_before_one_is_the_nearest_current_version(store: Store) -> None:
    for key in ("2026-03-01", "2026-03-09", "2026-03-10"):
        store.write("t", key, pa.table({"x": [1]}))
    newest = store.write("t", "2026-03-09", pa.table({"x": [2]}))
    store.write("other", "2026-03-04", pa.table({"x": [1]}))
    found = store.postgres.last_stored_before("t", "2026-03-10")
    assert found == newest
    assert found.version == 2
    assert store.postgres.last_stored_before("t", "2026-03-01") is None
    assert store.postgres.last_stored_before("nothing", "2026-03-10") is None


def test_keys_are_compared_as_text_whatever_the_language_of_the_database(store: Store) -> None:
    for key in ("a", "B"):
        store.write("t", key, pa.table({"x": [1]}))
    found = store.postgres.last_stored_before("t", "a")
    assert found is not None
    assert found.partition_key == "B"
    assert store.postgres.last_stored_before("t", "B") is None


def test_a_version_names_what_it_was_made_from(store: Store) -> None:
    first, second = (store.write("t", key, pa.table({"x": [1]})) for key in ("b", "a"))
    superseded = store.write("u", "a", pa.table({"x": [1]}))
    store.write("u", "a", pa.table({"x": [2]}))
    with store.postgres.connect() as connection:
        made = record_current(
            connection,
            next_version_id(connection),
            "m",
            "a",
            Content(1, 1, "hash"),
            Origin("run", None, (first.version_id, second.version_id, superseded.version_id)),
        )
        seen = upstream_versions(connection, made.version_id)
        assert upstream_versions(connection, first.version_id) == []
    assert [(v.asset_key, v.partition_key, v.version) for v in seen] == [("t", "a", 1), ("t", "b", 1), ("u", "a", 1)]
    assert [v.content_hash for v in seen] == [second.content_hash, first.content_hash, superseded.content_hash]
