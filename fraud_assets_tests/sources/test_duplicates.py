"""Repeated ids are found over any number of chunks, and a collision of hashes costs no good row."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraud_assets.sources.duplicates import Keys, SeenTransactions, text_keys


def _all_alike(ids: pa.Array) -> Keys:
    return np.zeros(len(ids), np.uint64)


def _accepted(chunks: list[list[object]], type_: pa.DataType, hash_text: Callable[[pa.Array], Keys]) -> list[object]:
    accepted: list[object] = []

    def fetch(positions: npt.NDArray[np.int64]) -> pa.Array:
        return pa.array([accepted[position] for position in positions], type_)

    seen = SeenTransactions(fetch, hash_text)
    for chunk in chunks:
        repeated = seen.repeated(pa.array(chunk, type_))
        accepted += [value for value, again in zip(chunk, repeated, strict=True) if not again]
    return accepted


@pytest.mark.parametrize("hash_text", [text_keys, _all_alike])
@settings(deadline=None)
@given(chunks=st.lists(st.lists(st.text("ab", max_size=3), max_size=8), max_size=12))
def test_texts(hash_text: Callable[[pa.Array], Keys], chunks: list[list[object]]) -> None:
    expected = list(dict.fromkeys(value for chunk in chunks for value in chunk))
    assert _accepted(chunks, pa.string(), hash_text) == expected


@settings(deadline=None)
@given(chunks=st.lists(st.lists(st.integers(-3, 3) | st.integers(-(2**63), 2**63 - 1), max_size=8), max_size=12))
def test_integers(chunks: list[list[object]]) -> None:
    expected = list(dict.fromkeys(value for chunk in chunks for value in chunk))
    assert _accepted(chunks, pa.int64(), text_keys) == expected
