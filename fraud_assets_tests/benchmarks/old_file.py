"""A file as large as the old pipeline's history, in the layout of the public credit card file.

Synthetic and the same in every run: 1,139,228 transactions of one day, .17 % of them fraud. As in the public file the
columns V are uncorrelated with falling spread; frauds are shifted along directions that they mostly share, some far
and some hardly at all, so that a good model reaches an average precision of about .75 and a linear one less.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

ROWS = 1_139_228
FRAUD_SHARE = 0.0017
COMPONENTS = 28
SECONDS_OF_A_DAY = 86_400
ROWS_AT_A_TIME = 100_000

_WIDE_SHARE, _WIDE_SPREAD = 0.02, 2.5
_DEEPEST = 1.75
_SHARED = {3: 1.6, 9: -1.6, 10: 1.5, 11: -1.9, 13: -2.2, 15: -1.4, 16: -1.5}
_OF_A_KIND = (
    {2: -2.0, 6: -2.0, 20: 1.5},
    {6: 2.0, 1: 2.0, 19: 1.5},
    {1: -2.0, 7: -2.0, 17: -1.5, 26: 1.5},
)


def write_file(path: Path, rows: int = ROWS) -> None:
    """Write the CSV file, whole or not at all; a file of that name is replaced."""
    partial = path.with_suffix(".partial")
    options = pa.csv.WriteOptions(quoting_style="none")
    chunks = _chunks(rows)
    first = next(chunks)
    with pa.csv.CSVWriter(partial, first.schema, write_options=options) as writer:
        writer.write_batch(first)
        for chunk in chunks:
            writer.write_batch(chunk)
    partial.replace(path)


def _chunks(rows: int) -> Iterator[pa.RecordBatch]:
    rng = np.random.default_rng(0)
    times = np.sort(rng.integers(0, SECONDS_OF_A_DAY, rows))
    is_fraud = np.zeros(rows, dtype=np.int64)
    is_fraud[rng.choice(rows, max(1, round(rows * FRAUD_SHARE)), replace=False)] = 1
    for start in range(0, rows, ROWS_AT_A_TIME):
        part = slice(start, start + ROWS_AT_A_TIME)
        yield _chunk(times[part], is_fraud[part], rng)


def _chunk(times: NDArray[np.int64], is_fraud: NDArray[np.int64], rng: np.random.Generator) -> pa.RecordBatch:
    V = rng.standard_normal((len(times), COMPONENTS))
    V *= np.where(rng.random(len(times)) < _WIDE_SHARE, _WIDE_SPREAD, 1.0)[:, None]
    frauds = np.flatnonzero(is_fraud)
    depth = rng.beta(1.6, 1.0, len(frauds)) * _DEEPEST
    V[frauds] += _shifts()[rng.integers(0, len(_OF_A_KIND), len(frauds))] * depth[:, None]
    V *= np.linspace(2.0, 0.35, COMPONENTS)
    amounts = np.round(rng.lognormal(3.2, 1.5, len(times)), 2)
    columns = {"Time": times, **{f"V{n + 1}": V[:, n] for n in range(COMPONENTS)}, "Amount": amounts}
    return pa.RecordBatch.from_pydict({**columns, "Class": is_fraud})


def _shifts() -> NDArray[np.float64]:
    """For each kind of fraud, how many spreads each component lies off at depth one."""
    shifts = np.zeros((len(_OF_A_KIND), COMPONENTS))
    for kind, own in enumerate(_OF_A_KIND):
        for component, shift in {**_SHARED, **own}.items():
            shifts[kind, component] = shift
    return shifts
