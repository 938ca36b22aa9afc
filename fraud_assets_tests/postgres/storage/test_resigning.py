"""Models signed anew under another key: all of them or none, and nothing that was not rightly signed before."""

import pytest

from fraud_assets.postgres.errors import ModelRefused
from fraud_assets.postgres.storage.ledger import Origin
from fraud_assets.postgres.storage.models import load_model, store_model
from fraud_assets.postgres.storage.resigning import Resigned, resign_models
from fraud_assets_tests.postgres.material import Store

OLD, NEW, OTHER = b"the old key", b"the new key", b"another key"


def _stored(store: Store, key: bytes, *partitions: str) -> None:
    with store.postgres.connect() as connection:
        for number, partition in enumerate(partitions):
            store_model(connection, "model", partition, {"n": number}, signing_key=key, origin=Origin("run"))


def _resign(store: Store, old: bytes = OLD, new: bytes = NEW) -> Resigned:
    with store.postgres.connect() as connection:
        return resign_models(connection, old, new)


def _loads(store: Store, partition: str, key: bytes, version: int | None = None) -> bool:
    with store.postgres.connect() as connection:
        try:
            load_model(connection, "model", partition, signing_key=key, version=version)
        except ModelRefused:
            return False
    return True


def test_current_and_archived_models_are_signed_anew(store: Store) -> None:
    _stored(store, OLD, "a", "a", "b")
    assert _resign(store) == Resigned(3, 0)
    assert [_loads(store, *place) for place in (("a", NEW, 1), ("a", NEW, 2), ("b", NEW))] == [True] * 3
    assert [_loads(store, *place) for place in (("a", OLD, 1), ("a", OLD, 2), ("b", OLD))] == [False] * 3


def test_those_that_have_the_new_signature_are_left(store: Store) -> None:
    _stored(store, OLD, "a")
    _stored(store, NEW, "b")
    assert _resign(store) == Resigned(1, 1)
    assert _resign(store) == Resigned(0, 2)


@pytest.mark.parametrize("what", ["a third key", "a damaged payload", "a damaged number"])
def test_one_of_neither_key_is_named_and_nothing_is_changed(store: Store, what: str) -> None:
    _stored(store, OLD, "a", "b")
    if what == "a third key":
        _stored(store, OTHER, "b")
    else:
        change = "payload = payload || 'x'" if what == "a damaged payload" else "volatile = '{\"x\": 1}'"
        store.run(
            f"UPDATE dagster_io.models SET {change} WHERE version_id = (SELECT max(version_id) FROM dagster_io.models)"
        )
    before = store.query("SELECT version_id, signature FROM dagster_io.models ORDER BY 1")
    with pytest.raises(ModelRefused, match=r"1 of the stored models .* model of b \(version \d\)\. Nothing is changed"):
        _resign(store)
    assert store.query("SELECT version_id, signature FROM dagster_io.models ORDER BY 1") == before


def test_without_any_model(store: Store) -> None:
    with store.postgres.connect():
        pass
    assert _resign(store) == Resigned(0, 0)
