"""Columns, conditions, and values that are loaded by hand."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from fraud_assets_tests.postgres.lab import DAYS, Lab, day, days

pytestmark = [
    pytest.mark.filterwarnings("ignore::dagster.BetaWarning"),
    pytest.mark.filterwarnings("ignore::dagster.PreviewWarning"),
]


def _select(lab: Lab, **metadata: Any) -> pd.DataFrame:
    got: list[pd.DataFrame] = []

    @dg.asset(partitions_def=DAYS, ins={"days": dg.AssetIn(metadata=metadata)})
    def taker(days: pd.DataFrame) -> None:
        got.append(days)

    lab.run(taker, day(5), others=[days])
    return got[0]


def test_columns_and_conditions(lab: Lab) -> None:
    lab.run(days, day(1), day(5))
    assert _select(lab, columns=["n"]).columns.tolist() == ["n"]
    assert _select(lab, columns=["n", "day"]).columns.tolist() == ["n", "day"]
    assert _select(lab, where="n > 2 -- only those")["n"].tolist() == [3, 4]
    assert _select(lab, where="n = %s OR day = %s", where_params=[1, 'it\'s; \\ "%s"'])["n"].tolist() == [1]
    assert _select(lab, where="day LIKE '%%03-0%%' AND n < %s", where_params=[1])["n"].tolist() == [0]
    assert _select(lab, where="day LIKE '%s%'").empty
    assert _select(lab, where="n % 2 = 1 AND day LIKE '2024%'")["n"].tolist() == [1, 3]
    assert len(_select(lab, where="%s::date + 1 = '2024-03-06' AND %s", where_params=["2024-03-05", True])) == 5
    assert _select(lab, where="n = ANY(%s)", where_params=[[1, 3, 9]])["n"].tolist() == [1, 3]
    assert len(_select(lab, where="coalesce(%s, n) < %s", where_params=[None, 1.5])) == 2
    windowed = _select(lab, where="n = %s", where_params=[2], window=[-9, 0])
    assert windowed["day"].tolist() == [day(3), day(4), day(5)]


@pytest.mark.filterwarnings("ignore:Support for arbitrary metadata:DeprecationWarning")
@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({"columns": ["nothing"]}, r"no column 'nothing'; it has day, n"),
        ({"where": "nothing > 1"}, 'column "nothing" does not exist'),
        ({"where": "n > "}, "syntax error"),
        ({"where": "n = %s"}, r"placeholder \(%s\) and no where_params"),
        ({"where": "n = %s AND day = '%s'", "where_params": []}, "no where_params"),
        ({"where": 5}, "where=5; it must be a condition"),
        ({"where": "n = %s", "where_params": "1"}, "where_params='1'; it must be a list of values"),
        ({"where": "day = %s", "where_params": [date(2024, 3, 5)]}, r"date\(2024, 3, 5\) in where_params.*as text"),
        ({"where": "day = %s", "where_params": [datetime(2024, 3, 5, tzinfo=UTC)]}, "datetime.* in where_params"),
        ({"where": "n = %s", "where_params": [1, Decimal(1)]}, r"Decimal\('1'\) in where_params"),
        ({"columns": "day"}, "columns='day'; it must be a list of column names"),
        ({"columns": ["day", 1]}, "it must be a list of column names"),
        ({"columns": []}, "name at least one column, or leave columns out"),
        ({"where": "n = %s AND n > %s", "where_params": [1]}, "2 placeholders"),
        ({"missing": "maybe"}, "'error' or 'empty'"),
    ],
)
def test_what_an_input_cannot_ask_for(lab: Lab, metadata: dict[str, Any], says: str) -> None:
    lab.run(days, day(5))
    with pytest.raises(dg.Failure, match=says) as failure:
        _select(lab, **metadata)
    assert not failure.value.allow_retries


def test_a_condition_that_fails_on_the_way(lab: Lab) -> None:
    """What the server says then has no code to tell a bad condition from a bad day, so the step may be tried again."""
    lab.run(days, day(5))
    with pytest.raises(dg.Failure, match=r"division by zero") as failure:
        _select(lab, where="1 / n > 0")
    assert failure.value.allow_retries


def test_a_value_is_loaded_by_hand(lab: Lab) -> None:
    lab.run(days, day(1), day(3))
    defs = dg.Definitions([days], resources=lab.resources)
    with defs.get_asset_value_loader(instance=lab.instance) as loader:

        def rows(key: str | None = None, **metadata: Any) -> int:
            frame = loader.load_asset_value(
                "days", partition_key=key, python_type=pd.DataFrame, input_definition_metadata=metadata
            )
            assert isinstance(frame, pd.DataFrame)
            return len(frame)

        assert rows(day(2)) == 2
        assert rows() == 6
        assert rows(day(3), window=[-1, 0]) == 5
