"""Stored models: what was stored comes back, and nothing else is ever unpickled."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from fraud_assets.postgres import (
    ModelRefused,
    PartitionMissing,
    PostgresModelIOManager,
    PostgresStorageError,
    partition_versions,
    prune_versions,
    restore_version,
)
from fraud_assets.postgres.storage.ledger import Origin, Version
from fraud_assets.postgres.storage.models import load_model, store_model
from fraud_assets.postgres.storage.pickles import dumped
from fraud_assets_tests.postgres.material import Store

KEY = b"a signing key"
DAY, NEXT_DAY = "2024-01-01", "2024-01-02"
SKLEARN = ("scikit-learn",)


@dataclass
class Fitted:
    """What a project keeps: an estimator, and how long it took."""

    estimator: LogisticRegression
    seconds: float
    notes: dict[str, Any] = field(default_factory=dict)


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return _spring, (self.path,)


def _spring(path: Path) -> Trap:
    path.mkdir(exist_ok=True)
    return Trap(path)


def _fitted(seconds: float = 1.0) -> Fitted:
    x = np.arange(20.0).reshape(-1, 1)
    return Fitted(LogisticRegression().fit(x, x[:, 0] > 9), seconds, {"text": "a"})


def _save(store: Store, model: object, key: str = DAY, *, asset: str = "m", **options: Any) -> Version:
    with store.postgres.connect() as connection:
        return store_model(connection, asset, key, model, origin=Origin("run"), **{"signing_key": KEY, **options})


def _load(store: Store, key: str = DAY, *, asset: str = "m", **options: Any) -> Any:
    with store.postgres.connect() as connection:
        return load_model(connection, asset, key, **{"signing_key": KEY, **options})[1]


def test_a_model_comes_back(store: Store) -> None:
    model = _fitted()
    _save(store, model, libraries=SKLEARN)
    back = _load(store, libraries=SKLEARN)
    np.testing.assert_array_equal(back.estimator.coef_, model.estimator.coef_)
    assert (back.seconds, back.notes) == (1.0, {"text": "a"})


@pytest.mark.parametrize("seconds", [0.0, -0.0, 1e16, 1e-300, 2.0, float("inf"), 0.1 + 0.2, 7, "text", None])
def test_volatile_attributes_are_kept_and_signed_and_not_hashed(store: Store, seconds: Any) -> None:
    volatile = frozenset({"seconds", "not_there"})
    model = SimpleNamespace(weights=[1, 2], seconds=seconds)
    first = _save(store, model, volatile=volatile)
    assert repr(_load(store)) == repr(model)
    assert model.seconds is seconds
    again = _save(store, SimpleNamespace(weights=[1, 2], seconds=12.5), volatile=volatile)
    assert again.content_hash == first.content_hash
    store.run("UPDATE dagster_io.models SET volatile = '{\"seconds\": 0.001}'")
    with pytest.raises(ModelRefused, match="changed since"):
        _load(store)


def test_volatile_attributes_that_cannot_be_kept_apart(store: Store) -> None:
    with pytest.raises(PostgresStorageError, match="dict has no attributes"):
        _save(store, {"seconds": 1}, volatile=frozenset({"seconds"}))
    with pytest.raises(PostgresStorageError, match="plain numbers and texts"):
        _save(store, SimpleNamespace(seconds=object()), volatile=frozenset({"seconds"}))


def test_equal_models_have_equal_hashes(store: Store) -> None:
    first, second = (_save(store, _fitted(), libraries=SKLEARN) for _ in range(2))
    assert first.content_hash == second.content_hash
    assert _save(store, _fitted(2.0)).content_hash != first.content_hash


def test_equal_texts_are_equal_bytes_whichever_objects_they_are() -> None:
    parts = ["a", "b"]
    one, two = "".join(parts), "".join(parts)
    assert one is not two
    assert dumped({one: [one, b"x"]}) == dumped({one: [two, b"x"]}) == dumped({two: [one, bytes(bytearray(b"x"))]})
    shared: list[str] = []
    assert dumped([shared, shared]) != dumped([[], []])


def test_the_padding_of_records_is_no_part_of_their_value() -> None:
    aligned = np.dtype([("flag", "u1"), ("value", "f8")], align=True)
    # Memory of our own: a copy of such an array need not have the padding.
    memory = [bytearray([filling] * 16 * 3) for filling in (0, 7)]
    one, two = (np.frombuffer(of_one, aligned) for of_one in memory)
    two["flag"], two["value"] = one["flag"], one["value"]
    assert memory[0] != memory[1]
    assert dumped(one) == dumped(two)
    np.testing.assert_array_equal(joblib.load(io.BytesIO(dumped(two))), one)


def _flip(column: str) -> Callable[[Store], None]:
    """Change one bit of a column of bytes, or one character of a text."""
    texts = {"sha256", "libraries", "volatile"}
    changed = f"set_byte({column}, 5, get_byte({column}, 5) # 1)"
    if column in texts:
        changed = f"overlay({column} placing chr(ascii(substr({column}, 2, 1)) # 1) from 2 for 1)"
    return lambda store: store.run(f"UPDATE dagster_io.models SET {column} = {changed}")


def _flip_with_its_checksum(store: Store) -> None:
    _flip("payload")(store)
    store.run("UPDATE dagster_io.models SET sha256 = encode(sha256(payload), 'hex')")


def _claim_another_library(store: Store) -> None:
    store.run("UPDATE dagster_io.models SET libraries = '{}'")


def _put_in_its_place(asset: str, key: str) -> Callable[[Store], None]:
    """Put the trap's whole row, seal and all, where a model of another asset, partition or version belongs."""

    def put(store: Store) -> None:
        (trap,) = store.query("SELECT version_id FROM dagster_io.models")[0]
        _save(store, SimpleNamespace(), key, asset=asset)
        store.run(
            "UPDATE dagster_io.models m SET payload = t.payload, sha256 = t.sha256, signature = t.signature,"
            " libraries = t.libraries, volatile = t.volatile FROM dagster_io.models t"
            f" WHERE t.version_id = {trap} AND m.version_id <> {trap}"
        )

    return put


_REFUSED: list[Any] = [
    pytest.param(_flip("payload"), {}, "damaged", id="payload"),
    pytest.param(_flip("sha256"), {}, "damaged", id="checksum"),
    pytest.param(_flip("signature"), {}, "signed", id="signature"),
    pytest.param(_flip("libraries"), {}, "signed", id="libraries"),
    pytest.param(_flip("volatile"), {}, "signed", id="volatile"),
    pytest.param(_flip_with_its_checksum, {}, "signed", id="payload and checksum"),
    pytest.param(_claim_another_library, {}, "signed", id="no libraries"),
    pytest.param(lambda store: None, {"signing_key": b"another key"}, "not signed with this signing key", id="key"),
    pytest.param(lambda store: None, {"signing_key": b""}, "without a signing key", id="no key"),
]
_MOVED: list[Any] = [
    pytest.param(_put_in_its_place("other", DAY), {"asset": "other"}, "model other of .* signed", id="asset"),
    pytest.param(_put_in_its_place("m", NEXT_DAY), {"key": NEXT_DAY}, "of 2024-01-02 .* signed", id="partition"),
    pytest.param(_put_in_its_place("m", DAY), {}, r"version 2\) was not signed", id="version"),
]


@pytest.mark.parametrize(("tamper", "options", "says"), [*_REFUSED, *_MOVED])
def test_what_is_refused_is_not_unpickled(
    store: Store, tmp_path: Path, tamper: Callable[[Store], None], options: dict[str, Any], says: str
) -> None:
    place = tmp_path / "unpickled"
    _save_trap(store, place)
    tamper(store)
    with pytest.raises(ModelRefused, match=says):
        _load(store, **options)
    assert not place.exists()


@pytest.mark.parametrize(("tamper", "options", "says"), _REFUSED)
def test_what_is_refused_is_not_restored(
    store: Store, tmp_path: Path, tamper: Callable[[Store], None], options: dict[str, Any], says: str
) -> None:
    _save_trap(store, tmp_path / "unpickled")
    tamper(store)
    _save(store, SimpleNamespace(number=2))
    with pytest.raises(ModelRefused, match=says):
        restore_version(store.postgres, "m", DAY, 1, **{"signing_key": KEY, **options})
    assert [v.status for v in partition_versions(store.postgres, "m", DAY)] == ["current", "archived"]
    assert _load(store).number == 2


def test_a_model_is_restored_without_unpickling_it(store: Store, tmp_path: Path) -> None:
    place = tmp_path / "unpickled"
    _save_trap(store, place)
    _save(store, SimpleNamespace(number=2))
    restored = restore_version(store.postgres, "m", DAY, 1, signing_key=KEY.decode())
    assert not place.exists()
    listed = partition_versions(store.postgres, "m", DAY)
    assert [(v.version, v.status, v.restored_from) for v in listed] == [
        (3, "current", 1), (2, "archived", None), (1, "archived", None)
    ]  # fmt: skip
    assert restored == listed[0]
    assert restored.content_hash == listed[2].content_hash
    _load(store, libraries=SKLEARN)
    assert place.exists()
    restore_version(store.postgres, "m", DAY, 2, signing_key=KEY, keep=1)
    assert _load(store).number == 2
    assert [v.status for v in partition_versions(store.postgres, "m", DAY)] == [
        "current", "archived", "pruned", "pruned"
    ]  # fmt: skip
    assert store.query("SELECT count(*) FROM dagster_io.models") == [(2,)]


def test_measured_attributes_are_restored_too(store: Store) -> None:
    volatile = frozenset({"seconds"})
    for seconds in (1.5, 2.5):
        _save(store, SimpleNamespace(weights=[1], seconds=seconds), volatile=volatile)
    restore_version(store.postgres, "m", DAY, 1, signing_key=KEY)
    assert _load(store).seconds == 1.5


def test_models_are_pruned_on_request(store: Store) -> None:
    for number in range(4):
        _save(store, SimpleNamespace(number=number), keep=None)
    assert prune_versions(store.postgres, "m", DAY, 1) == 2
    assert store.query("SELECT count(*) FROM dagster_io.models") == [(2,)]
    with pytest.raises(PostgresStorageError, match=r"Version 2 of m of .* has been pruned: its bytes are gone"):
        restore_version(store.postgres, "m", DAY, 2, signing_key=KEY)


def _save_trap(store: Store, place: Path) -> None:
    """A genuine model that makes a folder when it is loaded; storing does not load it."""
    _save(store, Trap(place), libraries=SKLEARN)
    assert not place.exists()


def test_the_trap_is_a_trap(store: Store, tmp_path: Path) -> None:
    place = tmp_path / "unpickled"
    _save_trap(store, place)
    _load(store)
    assert place.exists()


def test_another_library_version_is_refused_before_unpickling(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "unpickled"
    _save_trap(store, place)
    monkeypatch.setattr("fraud_assets.postgres.storage.seals.library_version", lambda name: "0.99")
    says = r"scikit-learn .*, and 0\.99 is installed; install scikit-learn=="
    with pytest.raises(ModelRefused, match=says):
        _load(store, libraries=SKLEARN)
    _save(store, SimpleNamespace())
    with pytest.raises(ModelRefused, match=says):
        restore_version(store.postgres, "m", DAY, 1, signing_key=KEY)
    assert not place.exists()


def test_nothing_is_stored_without_a_key(store: Store) -> None:
    with pytest.raises(ModelRefused, match="signing key"):
        _save(store, SimpleNamespace(), signing_key=b"")
    assert store.query("SELECT count(*) FROM dagster_io.versions") == [(0,)]


def test_versions_of_models(store: Store) -> None:
    for number in range(5):
        _save(store, SimpleNamespace(number=number), keep=2)
    assert [v.status for v in partition_versions(store.postgres, "m", "2024-01-01")] == [
        "current", "archived", "archived", "pruned", "pruned"
    ]  # fmt: skip
    assert _load(store).number == 4
    assert _load(store, version=3).number == 2
    with pytest.raises(ModelRefused, match="pruned"):
        _load(store, version=1)
    with pytest.raises(PartitionMissing, match="no version 9 of m of '2024-01-01'; its newest is version 5"):
        _load(store, version=9)
    with pytest.raises(PartitionMissing, match="m of '2023-01-01' has never been stored"):
        _load(store, "2023-01-01")


_DAYS = dg.DailyPartitionsDefinition("2024-01-01")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


@dg.asset(partitions_def=_DAYS, io_manager_key="models")
def parts(context: dg.AssetExecutionContext) -> dict[str, str]:
    """A model that is a dict itself."""
    return {"vectorizer": "v", "day": context.partition_key}


@dg.asset(partitions_def=_DAYS, io_manager_key="models", ins={"parts": dg.AssetIn(metadata={"window": [-7, 0]})})
def window(parts: dict[str, dict[str, str]]) -> list[str]:
    return [day["day"] for day in parts.values()]


@dg.asset(partitions_def=_DAYS, io_manager_key="models", ins={"parts": dg.AssetIn(metadata={"missing": "empty"})})
def may_be_missing(parts: dict[str, str] | None) -> str:
    return "nothing" if parts is None else parts["day"]


def test_the_manager(store: Store, instance: dg.DagsterInstance) -> None:
    manager = PostgresModelIOManager(postgres=store.postgres, signing_key=KEY.decode())

    def run(asset: dg.AssetsDefinition, day: str) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            [parts, window, may_be_missing],
            selection=[asset],
            partition_key=day,
            instance=instance,
            resources={"models": manager},
        )

    def stored(asset: str, day: str) -> Any:
        with store.postgres.connect() as connection:
            return load_model(connection, asset, day, signing_key=KEY)[1]

    run(may_be_missing, "2024-01-01")
    assert stored("may_be_missing", "2024-01-01") == "nothing"
    run(parts, "2024-01-01")
    run(window, "2024-01-01")
    assert stored("window", "2024-01-01") == ["2024-01-01"]
    first = run(parts, "2024-01-03")
    run(window, "2024-01-03")
    assert stored("window", "2024-01-03") == ["2024-01-01", "2024-01-03"]
    (event,) = first.get_asset_materialization_events()
    metadata = {name: value.value for name, value in event.materialization.metadata.items()}
    assert metadata["version"] == 1
    assert event.materialization.tags is not None
    assert event.materialization.tags["dagster/data_version"] == metadata["content_hash"]
    seen = store.query(
        "SELECT up.partition_key FROM dagster_io.seen JOIN dagster_io.versions v USING (version_id)"
        " JOIN dagster_io.versions up ON up.version_id = upstream_version_id"
        " WHERE v.asset_key = 'window' AND v.partition_key = '2024-01-03' ORDER BY 1"
    )
    assert seen == [("2024-01-01",), ("2024-01-03",)]
    with pytest.raises(dg.Failure, match="2024-01-02"):
        run(window, "2024-01-02")
    (event,) = run(window, "2024-01-03").get_asset_materialization_events()
    upstream = event.materialization.metadata["upstream"].value
    assert isinstance(upstream, dg.TableMetadataValue)
    assert [record.data for record in upstream.records] == [
        {"asset": "parts", "partition": day, "version": 1} for day in ("2024-01-01", "2024-01-03")
    ]


@pytest.mark.parametrize("is_mapped", [True, False])
def test_all_models_that_exist(store: Store, instance: dg.DagsterInstance, is_mapped: bool) -> None:
    got: list[list[tuple[str, str]]] = []

    @dg.asset(
        partitions_def=_DAYS if is_mapped else None,
        ins={"parts": dg.AssetIn(partition_mapping=dg.AllPartitionMapping() if is_mapped else None)},
    )
    def every(parts: dict[str, dict[str, str]]) -> None:
        got.append([(key, model["day"]) for key, model in parts.items()])

    def run(asset: dg.AssetsDefinition, day: str | None) -> None:
        manager = PostgresModelIOManager(postgres=store.postgres, signing_key=KEY.decode())
        dg.materialize(
            [parts, every], selection=[asset], partition_key=day, instance=instance, resources={"models": manager}
        )

    reading = "2024-01-05" if is_mapped else None
    run(every, reading)
    for day in ("2024-01-10", "2024-01-02"):
        run(parts, day)
    _save(store, SimpleNamespace(), "2023-12-31", asset="parts")
    run(every, reading)
    assert got == [[], [("2024-01-02", "2024-01-02"), ("2024-01-10", "2024-01-10")]]


def test_models_of_no_asset_are_refused(store: Store, instance: dg.DagsterInstance) -> None:
    manager = PostgresModelIOManager(postgres=store.postgres, signing_key=KEY.decode())

    @dg.op(out=dg.Out(io_manager_key="models"))
    def fit() -> int:
        return 1

    @dg.op
    def number() -> int:
        return 1

    @dg.op(ins={"given": dg.In(input_manager_key="models")})
    def taker(given: Any) -> None: ...

    @dg.job(resource_defs={"models": manager})
    def fitting() -> None:
        fit()

    @dg.job(resource_defs={"models": manager})
    def taking() -> None:
        taker(number())

    with pytest.raises(dg.Failure, match=r"^The output 'result' of the op 'fit' is no asset's.*io_manager_key"):
        fitting.execute_in_process(instance=instance)
    with pytest.raises(dg.Failure, match="The input 'given' of the op 'taker' is no asset's"):
        taking.execute_in_process(instance=instance)


def test_a_dict_is_a_model_whatever_its_keys(store: Store, instance: dg.DagsterInstance) -> None:
    manager = PostgresModelIOManager(postgres=store.postgres, signing_key=KEY.decode())
    asset = dg.asset(lambda: {"": 1}, name="m", io_manager_key="models")
    dg.materialize([asset], instance=instance, resources={"models": manager})
    assert _load(store, "") == {"": 1}


def test_the_volatile_attributes_of_a_model_are_a_list(store: Store, instance: dg.DagsterInstance) -> None:
    manager = PostgresModelIOManager(postgres=store.postgres, signing_key=KEY.decode())
    asset = dg.asset(lambda: 1, name="odd", io_manager_key="models", metadata={"volatile": "seconds"})
    with pytest.raises(dg.Failure, match="metadata of odd says volatile='seconds'; it must be a list of attribute"):
        dg.materialize([asset], instance=instance, resources={"models": manager})
    assert store.query("SELECT to_regclass('dagster_io.versions')") == [(None,)]
