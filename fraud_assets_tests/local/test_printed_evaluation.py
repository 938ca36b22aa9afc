"""The evaluation as it is printed: what can be read of it, on a terminal of a hundred columns."""

import numpy as np
import pandas as pd
import pytest

from fraud_assets.learning import BOUNDS, METRICS
from fraud_assets.local.daily import print_evaluation

WIDEST = 100
MEASURED = {
    **dict.fromkeys((*METRICS, *BOUNDS), 0.7123),
    "average_precision_low": 0.6456,
    "average_precision_high": 0.801,
    "expected_calibration_error": 0.00123,
    "saving_per_day": 12_345.6,
    "fit_seconds": 123.45,
}
UNDEFINED = dict.fromkeys(MEASURED, np.nan) | {"average_precision": 0.009, "roc_auc": 1.0, "brier_skill": -0.01}


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    records = [{"candidate": "support_vector_machine", **MEASURED}, {"candidate": "baseline_amount", **UNDEFINED}]
    print_evaluation(pd.DataFrame(records), "2026-03-15")
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_average_precision_stands_beside_its_interval_calibration_and_saving(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = printed(capsys)
    header = next(" ".join(line.split()) for line in lines if "AUC" in line)
    assert header == "candidate AP 95 % AUC P@k R@k CP@100 skill ECE saving fit s"
    full = next(line.split() for line in lines if "support_vector_machine" in line)
    assert full[1:3] == [".712", ".646-.801"]
    assert full[-3:] == [".0012", "12,346", "123.5"]


def test_what_is_not_defined_is_left_empty(capsys: pytest.CaptureFixture[str]) -> None:
    baseline = next(line for line in printed(capsys) if "baseline_amount" in line)
    assert baseline.split() == ["baseline_amount", ".009", "1.000", "-.010"]


def test_no_line_is_wider_than_a_hundred_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert max(map(len, printed(capsys))) <= WIDEST
