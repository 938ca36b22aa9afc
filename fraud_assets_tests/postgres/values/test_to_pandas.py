"""A loaded frame is its reader's own: it can be changed in place, whatever its columns are made of."""

from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from fraud_assets_tests.postgres.material import Store

FRAME = pd.DataFrame(
    {
        "float64": [1.5, 2.5],
        "float32": pd.Series([1.5, 2.5], dtype="float32"),
        "int64": [1, 2],
        "int8": pd.Series([1, 2], dtype="int8"),
        "with_nan": [None, 2.5],
        "nullable": pd.Series([None, 2], dtype="Int64"),
        "nullable_float": pd.Series([1.5, 2.5], dtype="Float64"),
        "bool": [True, False],
        "text": ["a", "b"],
        "category": pd.Categorical(["a", "b"]),
        "naive": pd.to_datetime(["2024-01-01", "2024-01-02"]).as_unit("us"),
        "zoned": pd.to_datetime(["2024-01-01", "2024-01-02"]).as_unit("us").tz_localize("Europe/Berlin"),
        "seconds": pd.to_timedelta([1, 2], unit="s").as_unit("us"),
        "decimal": [Decimal("1.5"), Decimal("2.5")],
        "bytes": [b"a", b"b"],
    }
)


@pytest.mark.parametrize("columns", [["float64", "int64"], ["naive", "nullable", "bool"], list(FRAME)])
def test_every_column_can_be_changed_in_place(store: Store, columns: list[str]) -> None:
    store.write("t", "k", FRAME[columns])
    found = store.frame("t", ["k"])
    for name in columns:
        other: Any = found.loc[1, name]
        found.loc[0, name] = other
        assert found[name].tolist() == [other, other], name
        assert found[name].dtype == ("str" if name == "category" else FRAME[name].dtype), name


def test_a_large_frame_is_not_copied_and_can_be_changed_in_place(store: Store) -> None:
    rows = 300_000  # more than one block of the reader
    store.write("t", "k", pd.DataFrame({"x": range(rows), "y": [0.5] * rows}))
    found = store.frame("t", ["k"])
    assert [found[name].to_numpy(copy=False).base is not None for name in found] == [True, True]
    found.loc[found["x"] % 2 == 0, "y"] = 7.0
    found.loc[rows - 1, "x"] = -1
    assert found["y"].sum() == 7.0 * rows / 2 + 0.5 * rows / 2
    assert found["x"].iloc[-1] == -1
