"""Models as they are handed out: the stored bytes, with what is needed to check them under one's own key."""

import hashlib
import hmac
import io
import json

import joblib
import pytest

from fraud_assets.local.model_files import StoredModels
from fraud_assets.postgres.storage.ledger import Origin
from fraud_assets.postgres.storage.models import store_model
from fraud_assets_tests.postgres.material import Store

KEY = b"a key for tests"


@pytest.fixture
def store(database_url: str) -> Store:
    """A database with two versions of a day's best model, another day's, and another asset's."""
    store = Store(database_url)
    with store.postgres.connect() as connection:
        for asset, day, number in (
            ("best_model", "2026-03-15", 1), ("best_model", "2026-03-15", 2), ("best_model", "2026-03-16", 3),
            ("candidate_models/random_forest", "2026-03-15", 4),
        ):  # fmt: skip
            store_model(
                connection, asset, day, {"number": number},
                signing_key=KEY, origin=Origin("run"), libraries=["scikit-learn"],
            )  # fmt: skip
    return store


def _grant(store: Store) -> None:
    store.run("CREATE ROLE model_reader")
    try:
        store.postgres.grant_read_models("model_reader")
    finally:
        store.run("DROP OWNED BY model_reader; DROP ROLE model_reader")


def test_a_days_current_model_with_its_signature(store: Store) -> None:
    _grant(store)
    file = StoredModels(store.url).file_of("2026-03-15")
    assert file is not None
    assert joblib.load(io.BytesIO(file.content)) == {"number": 2}
    said = json.loads(file.signature)
    assert (said["asset"], said["partition"], said["version"]) == ("best_model", "2026-03-15", 2)
    assert said["libraries"].keys() == {"scikit-learn"}
    # What somebody with the key does, with nothing of ours.
    assert said["sha256"] == hashlib.sha256(file.content).hexdigest()
    assert said["sha256"] in said["signed"]
    assert said["hmac"] == hmac.new(KEY, said["signed"].encode(), hashlib.sha256).hexdigest()
    assert json.loads(said["signed"])[:3] == ["best_model", "2026-03-15", 2]


def test_a_day_without_a_model(store: Store) -> None:
    assert StoredModels(store.url).file_of("2026-03-15") is None, "nobody has been given models yet"
    _grant(store)
    assert StoredModels(store.url).file_of("2026-03-17") is None


def test_damaged_bytes_are_not_handed_out(store: Store) -> None:
    _grant(store)
    store.run("UPDATE dagster_io.models SET payload = set_byte(payload, 3, 99)")
    with pytest.raises(ValueError, match="best_model-2026-03-15-version-2 do not have their checksum"):
        StoredModels(store.url).file_of("2026-03-15")
