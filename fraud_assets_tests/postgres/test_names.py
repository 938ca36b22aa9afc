"""Names of columns and tables: whatever they are, they come back, or are refused by name."""

import uuid

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fraud_assets.postgres.archive import restore_version
from fraud_assets.postgres.errors import UnstorableColumn
from fraud_assets.postgres.storage.ledger import Layout
from fraud_assets.postgres.storage.reading import Selection
from fraud_assets_tests.postgres.material import Store

# Not shrunk: each example makes a table.
EXAMPLES = settings(
    max_examples=5,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

_NAMES = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=70)
    | st.sampled_from(["select", "Order", "a b", 'a"b', "a'b", "'; DROP TABLE x; --", "%s", "{}", "x" * 200, "é" * 40]),
    min_size=1,
    max_size=5,
    unique=True,
).filter(
    lambda names: not {"partition_key", "row_ordinal", "ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"} & {*names}
)


@pytest.mark.parametrize("layout", [Layout.PARTITIONS, Layout.ROWS])
@EXAMPLES
@given(names=_NAMES)
def test_column_names_are_whatever_they_are(store: Store, layout: Layout, names: list[str]) -> None:
    table = pa.table([pa.array([i], pa.int64()) for i in range(len(names))], names=names)
    asset = uuid.uuid4().hex
    store.write(asset, "k", table, layout=layout)
    assert store.table(asset, ["k"]).equals(table)
    pd.testing.assert_frame_equal(store.frame(asset, ["k"]), table.to_pandas())
    store.write(asset, "k", table.slice(0, 0), layout=layout)
    restore_version(store.postgres, asset, "k", 1)
    assert store.table(asset, ["k"]).equals(table)
    assert store.table(asset, ["k"], Selection(columns=(names[-1],))).column_names == [names[-1]]


def test_long_names_that_begin_alike_stay_distinct(store: Store) -> None:
    names = ["x" * 70 + "1", "x" * 70 + "2", "x" * 63]
    store.write("y" * 70 + "1", "k" * 90, pa.table([pa.array([i]) for i in range(3)], names=names))
    store.write("y" * 63, "k" * 90, pd.DataFrame({"other": [1]}))
    assert store.frame("y" * 70 + "1", ["k" * 90]).to_dict("records") == [dict(zip(names, range(3), strict=True))]
    assert store.frame("y" * 63, ["k" * 90])["other"].tolist() == [1]


@pytest.mark.parametrize("name", ["partition_key", "row_ordinal", "ctid", "xmin", "", "a\0b"])
def test_names_that_no_column_can_have(store: Store, name: str) -> None:
    with pytest.raises(UnstorableColumn, match="rename"):
        store.write("names", "k", pa.table({"fine": [1], name: [2]}))


@pytest.mark.parametrize("frame", [pd.DataFrame([[1, 2]], columns=["a", "a"]), pa.table([[1], [2]], names=["a", "a"])])
def test_a_name_that_is_there_twice(store: Store, frame: object) -> None:
    with pytest.raises(UnstorableColumn, match="'a' is there twice"):
        store.write("names", "k", frame)


def test_a_column_without_a_name_of_its_own(store: Store) -> None:
    with pytest.raises(UnstorableColumn, match="column 0 has a name that is no string"):
        store.write("names", "k", pd.DataFrame([[1, 2]]))


def test_a_name_that_is_no_text(store: Store) -> None:
    with pytest.raises(UnstorableColumn, match=r"cannot be called '\\ud800'"):
        store.write("names", "k", pd.DataFrame([[1]], columns=pd.Index(["\ud800"], dtype=object)))
