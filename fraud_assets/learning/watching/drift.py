"""Whether a day looks like the days that a model has learned from: population stability index and missing rates.

What lives here: histograms of a reference, and the index of a day against them. What does not: rates of frauds
(rates.py), and which days are compared (the asset).

The index is the sum over bins of (a - e) ln(a / e), a and e being the bin's share of the day and of the reference (N.
Siddiqi, Credit Risk Scorecards, 2006, which has the customary thresholds of .1 and .25 too). Half a row is added to
each bin that has any in one of the two (Jeffreys' prior), so that the logarithm of an empty one exists. Without any
drift the index over B bins is near a chi-squared variable of B - 1 degrees of freedom times (1/n + 1/m), n and m being
the two numbers of rows (B. Yurdakul, Statistical Properties of Population Stability Index, 2018): a day of 80 rows is
above .1 more often than not. A level above OK takes an index above both the threshold and what chance explains.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import chi2

BINS = 10
CHANCE = 0.01
"""How often one of all the subjects of a day may pass for drifting when nothing has changed."""
DAYS_OF_WEEK = 7

DRIFT_DTYPES = {
    "psi": "float64",
    "psi_by_chance": "float64",
    "missing_rate": "float64",
    "reference_missing_rate": "float64",
    "rows": "int64",
    "reference_rows": "int64",
}

Counts = NDArray[np.int64]


class Level(StrEnum):
    OK = "ok"
    WATCH = "watch"
    DRIFT = "drift"
    UNKNOWN = "unknown"
    """There is nothing to compare, or nothing to compare with."""


@dataclass(frozen=True)
class Thresholds:
    """The index from which on a feature is watched, and from which on it has drifted."""

    watch: float = 0.1
    drift: float = 0.25


@dataclass(frozen=True)
class FeatureReference:
    """The histogram of one feature. Plain values throughout, so that it is the same bytes whenever it is stored.

    `values` are the categories, or numbers, that have a bin each; else `edges` are the inner edges of bins, each
    including its upper one. Behind these come a bin for all other values and one for missing ones.
    """

    name: str
    is_categorical: bool
    values: tuple[str, ...] | tuple[float, ...]
    edges: tuple[float, ...]
    counts: tuple[tuple[int, ...], ...]
    """Rows by weekday, Monday first, and bin."""
    varies_by_day_only: bool
    """Whether no day of the reference has two different values, as with whether it is a weekend."""


@dataclass(frozen=True)
class Reference:
    """What the rows of a window look like, feature by feature."""

    rows: int
    features: tuple[FeatureReference, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(feature.name for feature in self.features)


def reference_of(
    rows: pd.DataFrame, features: Sequence[str], categorical: Sequence[str], *, timezone: str = "UTC"
) -> Reference:
    """The histograms of `features` over rows with transaction_time; weekdays are those of `timezone`.

    Numbers of more than `BINS` different values have bins at their deciles, as far as these differ; numbers of fewer
    have a bin for each value, and so have the `BINS` most frequent categories of the `categorical` ones. Infinite
    numbers count as missing, as they do for models.
    """
    local = rows["transaction_time"].dt.tz_convert(timezone)
    weekdays = local.dt.day_of_week.to_numpy(dtype=np.int64)
    days = local.dt.tz_localize(None).dt.normalize().to_numpy()
    return Reference(
        len(rows),
        tuple(_feature_reference(name, rows[name], name in categorical, weekdays, days) for name in features),
    )


def psi(reference: Counts, day: Counts) -> float | None:
    """The population stability index of two histograms over the same bins; None where one of them is empty."""
    filled = (reference + day) > 0
    if not (reference.sum() and day.sum()):
        return None
    expected, actual = (counts[filled] + 0.5 for counts in (reference, day))
    expected, actual = expected / expected.sum(), actual / actual.sum()
    return float(np.sum((actual - expected) * np.log(actual / expected)))


def psi_by_chance(reference: Counts, day: Counts, chance: float = CHANCE) -> float:
    """What the index of two histograms exceeds with probability `chance` though nothing has changed."""
    filled = int(((reference + day) > 0).sum())
    noise = 1 / max(reference.sum(), 1) + 1 / max(day.sum(), 1)
    return float(chi2.ppf(1 - chance, filled - 1) * noise) if filled > 1 else 0.0


def measure_drift(
    reference: Reference, rows: pd.DataFrame, thresholds: Thresholds, *, weekday: int | None
) -> pd.DataFrame:
    """How far each feature of one day's rows is from the reference: one row is one feature.

    Compared with the reference's rows of the same `weekday` (0 is Monday), so that what differs between a Saturday and
    a Tuesday is no drift; with all of them for None, and where it has none of that weekday: then features that never
    vary within a day say nothing. Columns: subject, psi, psi_by_chance, missing_rate, reference_missing_rate, rows and
    reference_rows (int64), level.
    """
    chance = CHANCE / max(len(reference.features), 1)
    records = []
    for feature in reference.features:
        counts = np.array(feature.counts, dtype=np.int64)
        same = counts[weekday] if weekday is not None else counts.sum(axis=0)
        has_weekday = bool(same.sum())
        expected = same if has_weekday else counts.sum(axis=0)
        values = _values(rows[feature.name], feature.is_categorical)
        seen = np.bincount(_places(feature, values), minlength=len(expected)).astype(np.int64)
        index, by_chance = psi(expected, seen), psi_by_chance(expected, seen, chance)
        comparable = has_weekday or not (feature.varies_by_day_only and (seen > 0).sum() == 1)
        records.append(
            {
                "subject": feature.name,
                "psi": index,
                "psi_by_chance": by_chance if index is not None else None,
                "missing_rate": _missing_rate(seen),
                "reference_missing_rate": _missing_rate(expected),
                "rows": int(seen.sum()),
                "reference_rows": int(expected.sum()),
                "level": level_of(index, by_chance, thresholds) if comparable else Level.UNKNOWN,
            }
        )
    columns = ["subject", *DRIFT_DTYPES, "level"]
    return pd.DataFrame(records, columns=columns).astype({**DRIFT_DTYPES, "subject": "str", "level": "str"})


def level_of(index: float | None, by_chance: float, thresholds: Thresholds) -> Level:
    """What an index means, beside what chance explains."""
    if index is None:
        return Level.UNKNOWN
    if index > max(thresholds.drift, by_chance):
        return Level.DRIFT
    return Level.WATCH if index > max(thresholds.watch, by_chance) else Level.OK


def _feature_reference(
    name: str, column: pd.Series, is_categorical: bool, weekdays: Counts, days: NDArray[Any]
) -> FeatureReference:
    values = _values(column, is_categorical)
    own, edges = (_most_frequent(values), ()) if is_categorical else _bins(values)
    bare = FeatureReference(name, is_categorical, own, edges, (), _varies_by_day_only(values, days))
    bins = _number_of_bins(bare)
    flat = np.bincount(weekdays * bins + _places(bare, values), minlength=DAYS_OF_WEEK * bins)
    counts = flat.reshape(DAYS_OF_WEEK, bins).tolist()
    return replace(bare, counts=tuple(tuple(row) for row in counts))


def _most_frequent(values: pd.Series) -> tuple[str, ...]:
    """By name where they are equally frequent: the order of the rows means nothing."""
    frequencies = values.value_counts()
    ordered = sorted(frequencies.items(), key=lambda item: (-item[1], str(item[0])))
    return tuple(str(value) for value, _ in ordered[:BINS])


def _bins(values: pd.Series) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The values that have a bin each, or the edges between bins."""
    numbers = np.sort(values.dropna().to_numpy())
    distinct = np.unique(numbers)
    if len(distinct) <= BINS:
        return tuple(distinct.tolist()), ()
    # Quantiles that are values of the rows: others would depend on how one interpolates.
    deciles = np.unique(np.quantile(numbers, np.arange(1, BINS) / BINS, method="inverted_cdf"))
    edges = deciles[deciles < distinct[-1]]
    return (), tuple(edges.tolist()) or (float(distinct[-2]),)


def _varies_by_day_only(values: pd.Series, days: NDArray[Any]) -> bool:
    if values.nunique() > BINS:
        return False
    return bool((values.groupby(days).nunique(dropna=False) <= 1).all())


def _values(column: pd.Series, is_categorical: bool) -> pd.Series:
    """Texts of categories, or float64 with NaN for what is missing or infinite, under a plain index."""
    if is_categorical:
        texts = column.astype("str").where(column.notna())
        return texts.reset_index(drop=True)
    numbers = column.to_numpy(dtype="float64", na_value=np.nan).copy()
    numbers[np.isinf(numbers)] = np.nan
    return pd.Series(numbers, name=column.name)


def _number_of_bins(feature: FeatureReference) -> int:
    return (len(feature.edges) + 1 if feature.edges else len(feature.values)) + 2


def _places(feature: FeatureReference, values: pd.Series) -> Counts:
    """The bin of each value: its own, else the last but one; the last for what is missing."""
    bins = _number_of_bins(feature)
    if feature.edges:
        places = np.searchsorted(np.array(feature.edges), values.to_numpy(), side="left")
    else:
        dtype = "str" if feature.is_categorical else "float64"
        places = pd.Index(feature.values, dtype=dtype).get_indexer(pd.Index(values))
        places[places < 0] = bins - 2
    places = places.astype(np.int64)
    places[values.isna().to_numpy()] = bins - 1
    return places


def _missing_rate(counts: Counts) -> float | None:
    return float(counts[-1] / counts.sum()) if counts.sum() else None
