"""Transaction ids seen so far in a day: exact, in 12 bytes of memory for each, however long the ids are.

Integers are their own key. Text is kept as a 64-bit hash and the position of the row; the text itself is read back from
where accepted rows are spooled whenever two hashes meet, so that a collision never rejects a good row.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fraud_assets.sources.convert import Mask

Keys = npt.NDArray[np.uint64]
Positions = npt.NDArray[np.uint32]
FetchIds = Callable[[npt.NDArray[np.int64]], pa.Array]


class SortedRuns:
    """Keys with positions in sorted runs; runs of similar length are merged (a log-structured merge)."""

    def __init__(self) -> None:
        self._runs: list[tuple[Keys, Positions]] = []

    def add(self, keys: Keys, positions: Positions) -> None:
        while self._runs and len(self._runs[-1][0]) <= 2 * len(keys):
            earlier_keys, earlier_positions = self._runs.pop()
            keys, positions = np.concatenate([earlier_keys, keys]), np.concatenate([earlier_positions, positions])
        order = np.argsort(keys, kind="stable")
        self._runs.append((keys[order], positions[order]))

    def pairs(self, keys: Keys) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Every pair (index into `keys`, position) of equal keys."""
        indexes, positions = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for run_keys, run_positions in self._runs:
            low, high = np.searchsorted(run_keys, keys, "left"), np.searchsorted(run_keys, keys, "right")
            for index in np.flatnonzero(high > low):
                found = run_positions[low[index] : high[index]]
                indexes.append(np.full(len(found), index, np.int64))
                positions.append(found.astype(np.int64))
        return np.concatenate(indexes), np.concatenate(positions)


def text_keys(ids: pa.Array) -> Keys:
    """64-bit SipHash of each text."""
    return pd.util.hash_array(ids.to_numpy(zero_copy_only=False).astype(object), categorize=False)


class SeenTransactions:
    """`fetch` returns the ids of accepted rows, by position among the accepted rows of the day."""

    def __init__(self, fetch: FetchIds, hash_text: Callable[[pa.Array], Keys] = text_keys) -> None:
        self._fetch = fetch
        self._hash_text = hash_text
        self._runs = SortedRuns()
        self._count = 0

    def repeated(self, ids: pa.Array) -> Mask:
        """Which of `ids` (int64 or string, no null) were there before; the others are remembered."""
        exact = pa.types.is_integer(ids.type)
        values = ids.to_numpy(zero_copy_only=False)
        keys = values.view(np.uint64) if exact else self._hash_text(ids)
        repeated: Mask = pd.Series(values).duplicated().to_numpy(dtype=bool, copy=True)
        indexes, positions = self._runs.pairs(keys)
        if not exact and len(indexes):
            same = pc.equal(ids.take(pa.array(indexes)), self._fetch(positions))
            indexes = indexes[same.to_numpy(zero_copy_only=False)]
        repeated[indexes] = True
        new = np.flatnonzero(~repeated)
        self._runs.add(keys[new], (self._count + np.arange(len(new))).astype(np.uint32))
        self._count += len(new)
        return repeated
