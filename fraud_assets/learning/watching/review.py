"""Which transactions outside of the alerts somebody should look at, so that labels are not only about alerts."""

import hashlib
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def review_sample(
    transaction_ids: pd.Series | NDArray[Any], is_alert: NDArray[np.bool_], size: int, seed: int
) -> NDArray[np.bool_]:
    """Which of a day's rows are in its random sample: `size` of those that are no alert, or all where there are fewer.

    The rows with the smallest keyed digests (BLAKE2b of the id as text, under `seed`): every subset of that size is as
    likely as any other, and a row's place, its score and the rows of other days mean nothing. The same rows have the
    same sample in any order; one row more takes the place of one at most.
    """
    others = np.flatnonzero(~np.asarray(is_alert, dtype=bool))
    ids = np.asarray(transaction_ids, dtype=object)[others]
    key = str(seed).encode()
    digests = np.array([_digest(identifier, key) for identifier in ids], dtype=np.uint64)
    sample = np.zeros(len(is_alert), dtype=bool)
    sample[others[np.argsort(digests, kind="stable")[:size]]] = True
    return sample


def _digest(identifier: object, key: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(str(identifier).encode(), digest_size=8, key=key).digest())
