"""The parts that the benchmarks are made of: resampling, growth, the old file and the old way, steps, memory."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from sklearn.metrics import average_precision_score

from fraud_assets_tests.benchmarks.bounds import Bounds
from fraud_assets_tests.benchmarks.creditcard_days import paired_interval
from fraud_assets_tests.benchmarks.learning_cost import growth
from fraud_assets_tests.benchmarks.old_file import COMPONENTS, write_file
from fraud_assets_tests.benchmarks.old_way import FAMILIES, pick_by_recall
from fraud_assets_tests.benchmarks.run_steps import step_times
from fraud_assets_tests.benchmarks.usage import MB, measured


def scored(seed: int = 0, rows: int = 600) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    y = (rng.random(rows) < 0.1).astype(np.int8)
    return y, rng.normal(size=rows) + 2 * y


def test_equal_scores_differ_by_nothing() -> None:
    y, scores = scored()
    assert paired_interval(y, scores, scores * 2, resamples=50) == (0, 0)


def test_a_much_worse_scorer_is_below_the_interval() -> None:
    y, scores = scored()
    low, high = paired_interval(y, np.random.default_rng(1).normal(size=len(y)), scores, resamples=200)
    assert low < high < 0


def test_growth_is_the_exponent() -> None:
    assert growth([100, 200, 400], [3 * 100**1.5, 3 * 200**1.5, 3 * 400**1.5]) == pytest.approx(1.5)


def test_the_old_file_has_the_public_layout_and_is_the_same_each_time(tmp_path: Path) -> None:
    for name in ("one.csv", "two.csv"):
        write_file(tmp_path / name, rows=101_000)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    rows = pd.read_csv(tmp_path / "one.csv")
    assert rows.columns.tolist() == ["Time", *(f"V{n}" for n in range(1, COMPONENTS + 1)), "Amount", "Class"]
    assert len(rows) == 101_000
    assert rows["Time"].is_monotonic_increasing
    assert rows["Time"].between(0, 86_399).all()
    assert rows["Class"].sum() == 172
    assert rows["Amount"].ge(0).all()
    assert [file.name for file in tmp_path.iterdir() if file.suffix != ".csv"] == []


def test_the_old_way_prefers_what_flags_everything() -> None:
    rng = np.random.default_rng(0)
    y = pd.Series((rng.random(2_000) < 0.02).astype(int))
    X = pd.DataFrame(rng.normal(size=(2_000, 3)) + y.to_numpy()[:, None], columns=list("abc"))
    everything = (DummyClassifier(strategy="constant", constant=1), {"strategy": ["constant"]})
    picked = pick_by_recall(X, y, {"logistic": FAMILIES["logistic regression"], "everything": everything})
    assert (picked.family, picked.recall) == ("everything", 1.0)
    sensible = pick_by_recall(X, y, {"logistic": FAMILIES["logistic regression"]})
    assert average_precision_score(y, sensible.scores(X)) > average_precision_score(y, picked.scores(X))


def test_the_time_of_a_step_is_divided_by_its_events() -> None:
    events = [
        (None, "RUN_START", -5.0),
        ("a", "ASSET_MATERIALIZATION_PLANNED", -4.0),
        ("b", "ASSET_MATERIALIZATION_PLANNED", -4.0),
        ("a", "STEP_START", 0.0),
        ("a", "LOADED_INPUT", 2.0),
        ("b", "STEP_START", 2.5),
        ("a", "LOADED_INPUT", 3.0),
        ("a", "STEP_OUTPUT", 8.0),
        ("a", "ASSET_MATERIALIZATION", 9.5),
        ("a", "HANDLED_OUTPUT", 10.0),
        ("a", "STEP_SUCCESS", 10.25),
        ("b", "STEP_SUCCESS", 11.0),
    ]
    first, second = step_times(events)
    assert (first.begins, first.ends) == (0.0, 10.25)
    assert (first.loading, first.computing, first.storing, first.whole) == (3.0, 5.25, 2.0, 10.25)
    assert (second.name, second.whole, second.computing) == ("b", 8.5, 8.5)


def test_the_memory_of_a_command_counts_its_children(tmp_path: Path) -> None:
    child = "import time; held = b'x' * 60_000_000; time.sleep(1)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}]); print('done')"
    used = measured([sys.executable, "-c", parent], folder=tmp_path)
    assert used.peak > 60 * MB
    assert used.peak_between(used.began, used.began + used.seconds) == used.peak_with_others
    assert used.peak_between(0, used.began) == 0
    assert used.peak_with_others >= used.peak
    assert used.seconds > 1
    assert 0 < used.processor_seconds < used.seconds
    assert used.printed == "done\n"


def test_a_command_that_fails_ends_the_benchmark_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"ended with 3:\nno such day"):
        measured([sys.executable, "-c", "print('no such day'); raise SystemExit(3)"], folder=tmp_path)


def test_a_missed_bound_is_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    bounds = Bounds()
    bounds.at_most("seconds", 10, 10)
    bounds.end()
    bounds.at_least("average precision", 0.5, 0.6)
    with pytest.raises(SystemExit) as ended:
        bounds.end()
    assert ended.value.code == 1
    said = capsys.readouterr().out
    assert "PASS" in said.splitlines()[0]
    assert "FAIL" in said.splitlines()[1]
    assert said.splitlines()[2] == "Missed: average precision."
