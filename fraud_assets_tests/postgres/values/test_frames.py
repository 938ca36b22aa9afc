"""What is refused, or put right, before a frame is a table: its index, and streams that are not what they say."""

from collections.abc import Callable

import pandas as pd
import pyarrow as pa
import pytest

from fraud_assets.postgres.errors import UnstorableColumn
from fraud_assets.postgres.steps.splitting import as_frame
from fraud_assets_tests.postgres.material import Store

SALES = pd.DataFrame({"shop": ["a", "b"], "year": [1, 2], "sum": [1.0, 2.0]})


@pytest.mark.parametrize(
    ("indexed", "says"),
    [
        (lambda frame: frame.groupby("shop")[["sum"]].sum(), "an index called 'shop'"),
        (lambda frame: frame.groupby(["shop", "year"]).sum(), "an index called 'shop', 'year'"),
        (lambda frame: frame.set_axis(pd.MultiIndex.from_tuples([(1, 2), (3, 4)])), "an index of several levels"),
    ],
)
def test_an_index_that_would_be_lost(store: Store, indexed: Callable[[pd.DataFrame], pd.DataFrame], says: str) -> None:
    with pytest.raises(UnstorableColumn, match=f"{says}.*reset_index"):
        store.write("t", "k", indexed(SALES))
    store.write("t", "k", SALES[SALES["year"] == 2])
    assert store.frame("t")["shop"].tolist() == ["b"]


def test_a_streams_columns_go_by_their_names(store: Store) -> None:
    schema = pa.schema({"x": pa.int64(), "y": pa.int64()})
    turned = [pa.record_batch({"x": [1], "y": [2]}), pa.record_batch({"y": [20], "x": [10]})]
    store.write("t", "k", pa.RecordBatchReader.from_batches(schema, turned))
    assert store.table("t").to_pydict() == {"x": [1, 10], "y": [2, 20]}
    for other in ({"x": [1], "z": [2]}, {"x": [1]}):
        stream = pa.RecordBatchReader.from_batches(schema, [turned[0], pa.record_batch(other)])
        with pytest.raises(UnstorableColumn, match=r"Batch 2 of the stream.*differ in 'y'"):
            store.write("t", "k", stream)
    assert store.table("t").to_pydict() == {"x": [1, 10], "y": [2, 20]}


@pytest.mark.parametrize("column", [pd.Series([1, 2]), pa.chunked_array([[1, 2]])])
def test_a_column_is_no_table(store: Store, column: object) -> None:
    with pytest.raises(UnstorableColumn, match="A table takes a pandas DataFrame"):
        store.write("t", "k", as_frame(column))


def test_a_concatenated_frame_is_stored_as_one(store: Store) -> None:
    """Its text comes in as many pieces as frames were put together."""
    more: pd.DataFrame = SALES.assign(shop=pd.Series(["c", None]))
    store.write("t", "k", pd.concat([SALES, more], ignore_index=True))
    assert store.table("t").column("shop").to_pylist() == ["a", "b", "c", None]
