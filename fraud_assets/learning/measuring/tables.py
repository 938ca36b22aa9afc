"""A day's evaluation as four tables: the scorers, the scorers on each slice, their reliability, operating points.

What lives here: the frames, made of scores and labelled rows. What does not: the fits behind the scores, the
partition's day, and storage.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fraud_assets.learning.measuring.alerting import AlertPolicy
from fraud_assets.learning.measuring.calibration import BIN_COLUMNS, reliability_bins
from fraud_assets.learning.measuring.days import LabelledDays, ScoredDays, are_probabilities
from fraud_assets.learning.measuring.degenerate import degeneracy
from fraud_assets.learning.measuring.metrics import METRICS, WITH_INTERVALS, measure, sampling_intervals
from fraud_assets.learning.measuring.operating import POINT_TYPES, operating_points
from fraud_assets.learning.measuring.slices import Slice, band_edges, slices

FloatArray = NDArray[np.float64]

BOUNDS = tuple(f"{metric}_{side}" for metric in WITH_INTERVALS for side in ("low", "high"))

_BIN_TYPES = {
    "candidate": "str",
    **dict.fromkeys(BIN_COLUMNS[:3], "int64"),
    **dict.fromkeys(BIN_COLUMNS[3:], "float64"),
}
_POINT_TYPES = {"candidate": "str", **POINT_TYPES}


@dataclass(frozen=True)
class Evaluation:
    """All that was measured of some scorers on the same rows; a scorer is called `candidate`.

    - `overall`: one row a scorer: candidate, `METRICS`, `BOUNDS`, threshold (all float64) and degenerate (str, why it
      ranks nothing, missing where it does).
    - `slices`: one row a scorer and slice: candidate, slice_kind, slice, rows, frauds (int64) and `METRICS`.
    - `bins`: one row a scorer and bin of its reliability diagram: candidate and the columns of `reliability_bins`.
      Scorers whose scores are no probabilities have none.
    - `points`: one row a scorer and threshold: candidate and the columns of `operating_points`.
    """

    overall: pd.DataFrame
    slices: pd.DataFrame
    bins: pd.DataFrame
    points: pd.DataFrame


def evaluate_scorers(
    rows: pd.DataFrame,
    scores: Mapping[str, FloatArray],
    thresholds: Mapping[str, float | None],
    *,
    policy: AlertPolicy,
    timezone: str,
    segments: Sequence[str] = (),
    bands: Sequence[float] = (),
) -> Evaluation:
    """Measure each scorer over all rows, on each of their slices, by its calibration, and at its thresholds.

    `rows` as `LabelledDays.from_rows` takes them, with the columns of `segments`; `scores` has one for each row.
    `bands` are the edges of amount bands, ascending; without any, they follow from the amounts (`band_edges`). A
    scorer with a score that is not finite has rows without metrics, and neither bins nor points. No row, or no fraud
    among them, is no error: what is not defined then is missing.
    """
    labelled = LabelledDays.from_rows(rows, timezone)
    parts = list(slices(rows, labelled, segments, bands or band_edges(labelled.amount)))
    overall: list[dict[str, Any]] = []
    on_slices: list[dict[str, Any]] = []
    bins = [pd.DataFrame(columns=list(_BIN_TYPES))]
    points = [pd.DataFrame(columns=list(_POINT_TYPES))]
    for name, values in scores.items():
        threshold = thresholds.get(name)
        scored = None
        if len(rows) and np.isfinite(values).all():
            scored = ScoredDays.of(labelled, values, threshold=threshold, policy=policy)
        known = {"candidate": name, "threshold": threshold, "degenerate": degeneracy(values)}
        overall.append(known | _overall(scored))
        on_slices += [_on_slice(name, labelled, part, scored) for part in parts]
        if scored is None:
            continue
        points.append(operating_points(scored, threshold).assign(candidate=name))
        if are_probabilities(values):
            bins.append(reliability_bins(values, labelled.label).assign(candidate=name))
    return Evaluation(
        _overall_frame(overall), _slices_frame(on_slices), _joined(bins, _BIN_TYPES), _joined(points, _POINT_TYPES)
    )


def _overall(scored: ScoredDays | None) -> dict[str, float | None]:
    if scored is None:
        return {}
    metrics = measure(scored)
    for name, interval in sampling_intervals(scored).items():
        if interval is not None:
            metrics |= {f"{name}_low": interval.low, f"{name}_high": interval.high}
    return metrics


def _on_slice(name: str, labelled: LabelledDays, part: Slice, scored: ScoredDays | None) -> dict[str, Any]:
    return {
        "candidate": name,
        "slice_kind": part.kind,
        "slice": part.name,
        "rows": int(part.rows.sum()),
        "frauds": int(labelled.label[part.rows].sum()),
        **({} if scored is None else measure(scored, part)),
    }


def _overall_frame(records: list[dict[str, Any]]) -> pd.DataFrame:
    numbers = (*METRICS, *BOUNDS, "threshold")
    frame = pd.DataFrame(records, columns=["candidate", *numbers, "degenerate"])
    return frame.astype({"candidate": "str", **dict.fromkeys(numbers, "float64"), "degenerate": "str"})


def _slices_frame(records: list[dict[str, Any]]) -> pd.DataFrame:
    texts, counts = ("candidate", "slice_kind", "slice"), ("rows", "frauds")
    types = dict.fromkeys(texts, "str") | dict.fromkeys(counts, "int64") | dict.fromkeys(METRICS, "float64")
    return pd.DataFrame(records, columns=list(types)).astype(types)


def _joined(frames: list[pd.DataFrame], types: Mapping[str, str]) -> pd.DataFrame:
    return pd.concat([frame[list(types)].astype(types) for frame in frames], ignore_index=True)
