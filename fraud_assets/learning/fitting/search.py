"""The choice of a family's parameters, calibrator and threshold, on the training window alone.

What lives here: which configurations a day tries on which folds, and what follows from their out-of-fold scores. What
does not: a single fit (trials.py), the fit on the whole window (candidates.py), and any look at validation rows.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve

from fraud_assets.learning.errors import LearningError
from fraud_assets.learning.fitting.calibration import Calibrator, FloatArray, fit_calibrator
from fraud_assets.learning.fitting.families import FAMILIES, Layout, Parameters, known_family
from fraud_assets.learning.fitting.models import Matrix
from fraud_assets.learning.fitting.results import FALLBACK_THRESHOLD, SearchResult
from fraud_assets.learning.fitting.splits import Fold
from fraud_assets.learning.fitting.trials import ScoredPart, Trial, scored_part, try_configuration

# How many configurations of a family go on from the newest fold to the others.
SURVIVORS = 2
# A fold's scored part has at most this share of the rows that a search may fit on.
SCORED_SHARE = 1 / 3


@dataclass(frozen=True)
class SearchBudget:
    """What a day may cost. `jobs` fits run at a time (-1: one a core); all else decides the result, too.

    All fits of a day's candidates, those of the search and those on the whole window, are at most `max_fits`; each
    family has the same share of them, whichever others are fitted. A family tries at most `configurations` of its
    space, drawn by `search_seed`. A fit of a search sees at most `max_search_rows` rows, and any fit of a slow family
    (k-nearest neighbours, support vectors) at most `max_slow_rows`. Raises `LearningError` where there is less than a
    fit for each family, or no configuration to try.
    """

    configurations: int = 6
    max_search_rows: int = 60_000
    max_slow_rows: int = 10_000
    max_fits: int = 60
    seed: int = 0
    search_seed: int = 0
    jobs: int = 1

    def __post_init__(self) -> None:
        if self.configurations < 1:
            raise LearningError(f"A search of {self.configurations} configurations tries none; take at least 1.")
        if self.max_fits < len(FAMILIES):
            raise LearningError(
                f"{self.max_fits} fits a day are too few: each of the {len(FAMILIES)} families needs one; raise "
                f"max_fits to at least {len(FAMILIES)}."
            )

    def rows_of_fit(self, family: str) -> int | None:
        """The most rows that a fit of the family on a whole window sees; None is no limit."""
        known = known_family(family)
        return self.max_slow_rows if known.is_slow else known.most_rows

    def rows_of_search(self, family: str) -> int:
        return min(self.max_search_rows, self.rows_of_fit(family) or self.max_search_rows)

    def rounds(self, folds: int) -> "Rounds":
        """How a family spends its share of the fits of a day, one of which is the fit on the whole window."""
        share = self.max_fits // len(FAMILIES) - 1
        survivors = min(SURVIVORS, self.configurations)
        for used in range(folds, 0, -1):
            for second in range(survivors, 0, -1):
                first = min(self.configurations, share - second * (used - 1))
                if first >= second:
                    return Rounds(first, second, used)
        return Rounds(0, 0, 0)


@dataclass(frozen=True)
class Rounds:
    """`first` configurations are tried on the newest fold, the best `second` of them on the others of `folds`."""

    first: int
    second: int
    folds: int

    @property
    def fits(self) -> int:
        return self.first + self.second * (self.folds - 1) if self.folds else 0


@dataclass
class Tried:
    """A configuration and its trials by the number of the fold, as far as it got."""

    parameters: Parameters
    trials: dict[int, Trial] = field(default_factory=dict)
    precisions: dict[int, float] = field(default_factory=dict)

    @property
    def failure(self) -> str | None:
        return next((trial.failure for trial in self.trials.values() if trial.failure is not None), None)

    @property
    def mean(self) -> float | None:
        """Mean average precision over the folds reached; None when it failed on one."""
        return None if self.failure else float(np.mean(list(self.precisions.values())))

    def note(self, number: int, trial: Trial, part: ScoredPart) -> None:
        self.trials[number] = trial
        if trial.scores is not None:
            self.precisions[number] = part.average_precision(trial.scores)

    def record(self, folds: int) -> dict[str, Any]:
        """A row of the search's table; None stands for a fold that was not reached."""
        return {
            "parameters": dict(self.parameters),
            "average_precision": self.mean,
            **{f"fold_{number + 1}": self.precisions.get(number) for number in range(folds)},
            "failure": self.failure,
        }


@dataclass(frozen=True)
class Searched:
    """A family's search: what it found, each configuration with its scores, and what the winner scored out of fold.

    `out_of_fold` has an array for each fold, in their order; None when the winner did not reach all of them.
    """

    result: SearchResult
    table: list[dict[str, Any]]
    out_of_fold: tuple[FloatArray, ...] | None = None
    fits: int = 0


def search(
    pool: Parallel,
    X: Matrix,
    y: NDArray[Any],
    families: Sequence[str],
    layout: Layout,
    folds: tuple[Fold, ...],
    parts: tuple[ScoredPart, ...],
    budget: SearchBudget,
    incumbents: Mapping[str, Parameters],
) -> dict[str, Searched]:
    """Successive halving: many configurations of each family on the newest fold, the best of them on all folds.

    `X` (n, features) and `y` (n,) of 0 and 1, rows in time order; `folds` from the oldest to the newest, each with its
    scored part. The winner has the highest mean average precision over the folds; of equal ones the one tried first is
    taken. Without a fold it is the first of the space, with threshold .5 and no calibrator.
    """
    rounds = budget.rounds(len(folds))
    tried = {family: [Tried(p) for p in drawn(family, rounds.first, budget, incumbents)] for family in families}
    if not rounds.folds:
        return {family: _unsearched(family) for family in families}
    newest = len(folds) - 1
    for numbers in ([newest], list(range(newest))):
        running = [
            (family, number, entry)
            for family in longest_first(families)
            for entry in (tried[family] if numbers == [newest] else best_of(tried[family], rounds.second))
            for number in numbers
        ]
        trials = pool(
            delayed(try_configuration)(
                X,
                y,
                family,
                dict(entry.parameters),
                layout,
                folds[number],
                parts[number].positions,
                budget.rows_of_search(family),
                budget.seed,
            )
            for family, number, entry in running
        )
        for (_, number, entry), trial in zip(running, trials, strict=True):
            entry.note(number, trial, parts[number])
    return {family: _found(entries, parts) for family, entries in tried.items()}


def drawn(family: str, count: int, budget: SearchBudget, incumbents: Mapping[str, Parameters]) -> list[Parameters]:
    """The configurations that a day tries: the first of the space, the incumbent, and others drawn by the seed."""
    space = known_family(family).configurations
    chosen = [space[0]]
    incumbent = incumbents.get(family)
    if incumbent is not None and dict(incumbent) != dict(space[0]):
        chosen.append(incumbent)
    rest = [parameters for parameters in space[1:] if dict(parameters) != dict(chosen[-1])]
    rng = np.random.default_rng([budget.search_seed, zlib.crc32(family.encode())])
    wanted = min(len(rest), max(0, count - len(chosen)))
    picked = np.sort(rng.choice(len(rest), wanted, replace=False))
    return [*chosen, *(rest[position] for position in picked)][:count]


def best_of(entries: list[Tried], count: int) -> list[Tried]:
    """Those with the highest mean so far, the best first; of equal ones the one tried first."""
    measured = [entry for entry in entries if entry.mean is not None]
    return sorted(measured, key=lambda entry: -(entry.mean or 0.0))[:count]


def longest_first(families: Iterable[str]) -> list[str]:
    """The forests before the others: with many fits for few workers, what takes longest must not begin last."""
    return sorted(families, key=lambda family: family != "random_forest")


def scored_parts(folds: tuple[Fold, ...], y: NDArray[Any], budget: SearchBudget) -> tuple[ScoredPart, ...]:
    most = max(1, round(budget.max_search_rows * SCORED_SHARE))
    return tuple(scored_part(fold, y, most, budget.seed) for fold in folds)


def calibrated(out_of_fold: Sequence[FloatArray], parts: Sequence[ScoredPart]) -> tuple[Calibrator, float]:
    """The calibrator, and the threshold on its scale, that the scores of all folds together give."""
    y = np.concatenate([part.y for part in parts])
    weights = np.concatenate([part.weights for part in parts])
    scores = np.concatenate(out_of_fold)
    calibrator = fit_calibrator(scores, y, weights)
    return calibrator, best_threshold(y, calibrator(scores), weights)


def best_threshold(y: NDArray[Any], scores: FloatArray, weights: FloatArray) -> float:
    """The score from which on an alert gives the highest F1; of equal ones the highest score."""
    precision, recall, thresholds = precision_recall_curve(y, scores, sample_weight=weights)
    total = precision + recall
    f1 = np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)[:-1]
    return float(thresholds[len(f1) - 1 - int(np.argmax(f1[::-1]))])


def _unsearched(family: str) -> Searched:
    return Searched(SearchResult(known_family(family).configurations[0]), [])


def _found(entries: list[Tried], parts: tuple[ScoredPart, ...]) -> Searched:
    """The winner among those that reached the most folds."""
    table = [entry.record(len(parts)) for entry in entries]
    fits = sum(len(entry.trials) for entry in entries)
    measured = [entry for entry in entries if entry.mean is not None]
    if not measured:
        failed = SearchResult(entries[0].parameters, FALLBACK_THRESHOLD, failure=entries[0].failure)
        return Searched(failed, table, fits=fits)
    reached = max(len(entry.trials) for entry in measured)
    winner = best_of([entry for entry in measured if len(entry.trials) == reached], 1)[0]
    numbers = sorted(winner.trials)
    scores = tuple(scores for number in numbers if (scores := winner.trials[number].scores) is not None)
    calibrator, threshold = calibrated(scores, [parts[number] for number in numbers])
    result = SearchResult(winner.parameters, threshold, calibrator)
    return Searched(result, table, scores if len(numbers) == len(parts) else None, fits)
