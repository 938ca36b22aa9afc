"""The digest of fitted objects: equal for equal values, however they came into memory."""

import pickle

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from fraud_assets.learning.fitting.canonical import canonical, digest

NODES = np.dtype({"names": ["feature", "threshold"], "formats": ["i4", "f8"], "offsets": [0, 8], "itemsize": 16})


def test_padding_between_the_fields_of_records_counts_nothing() -> None:
    # Memory of our own: a copy of such an array need not have the padding.
    memory = [bytearray([filling] * 64) for filling in (0, 255)]
    clean, dirty = (np.frombuffer(of_one, dtype=NODES) for of_one in memory)
    for nodes in (clean, dirty):
        nodes["feature"], nodes["threshold"] = np.arange(4), np.linspace(0, 1, 4)
    assert memory[0] != memory[1]
    assert digest({"nodes": clean}) == digest({"nodes": dirty})
    dirty["threshold"][2] += 1e-9
    assert digest({"nodes": clean}) != digest({"nodes": dirty})


@pytest.mark.parametrize("changed", [{"random_state": 1}, {"max_depth": 2}, {"n_estimators": 4}])
def test_a_forest_that_was_stored_and_loaded_is_the_same_and_another_is_not(changed: dict[str, int]) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.random((200, 5)), rng.integers(0, 2, 200)
    parameters = {"n_estimators": 5, "random_state": 0}
    forest = RandomForestClassifier(**parameters).fit(X, y)
    assert digest(pickle.loads(pickle.dumps(forest))) == digest(forest)
    assert digest(RandomForestClassifier(**parameters | changed).fit(X, y)) != digest(forest)


def test_equal_forests_are_equal_bytes_and_score_as_before() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.random((200, 5)), rng.integers(0, 2, 200)
    forests = [RandomForestClassifier(n_estimators=5, random_state=0).fit(X, y) for _ in range(2)]
    assert pickle.dumps(_dirtied(forests[0], 85)) != pickle.dumps(_dirtied(forests[1], 170)), (
        "padding is stored as it is"
    )
    stored = [
        pickle.dumps(canonical(_dirtied(forest, filling))) for forest, filling in zip(forests, (85, 170), strict=True)
    ]
    assert stored[0] == stored[1]
    loaded = pickle.loads(stored[0])
    assert np.array_equal(loaded.predict_proba(X), forests[0].predict_proba(X))
    assert np.array_equal(canonical(loaded).predict_proba(X), forests[0].predict_proba(X))


def _dirtied(forest: RandomForestClassifier, filling: int) -> RandomForestClassifier:
    """The same forest, with other bytes between the fields of its trees' nodes."""
    for tree in forest.estimators_:
        state = tree.tree_.__getstate__()
        nodes = state["nodes"]
        memory = bytearray([filling] * nodes.nbytes)
        dirty = np.frombuffer(memory, dtype=nodes.dtype)
        for name in nodes.dtype.names:
            dirty[name] = nodes[name]
        tree.tree_.__setstate__({**state, "nodes": dirty})
    return forest


class _OfALibraryInC:
    """As a ufunc of NumPy 2.5 is: it has attributes, and they are not to be set."""

    @property
    def __dict__(self) -> dict[str, int]:  # type: ignore[override]
        return {"number": 1}


def test_what_has_attributes_that_cannot_be_set_is_left_as_it_is() -> None:
    made = canonical({"function": _OfALibraryInC(), "ufunc": np.add})
    assert made["ufunc"] is np.add
    assert vars(made["function"]) == {"number": 1}
