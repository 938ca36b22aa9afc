"""What a search has found, in a form that a later day can use again without unpickling a model.

What lives here: the record, its JSON, and which of the stored ones a day may use. What does not: searching (search.py)
and storing.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Self

from fraud_assets.learning.fitting.calibration import Calibrator
from fraud_assets.learning.fitting.families import Parameters

FALLBACK_THRESHOLD = 0.5
# Where results are stored there is little room for what an estimator has to say.
LONGEST_FAILURE = 300


@dataclass(frozen=True)
class SearchResult:
    """What is known of a candidate's recipe after a search, all of it from out-of-fold scores.

    `parameters` of an ensemble are the weights of its members' log-odds, by family. `threshold` is on the calibrated
    scale. `searched_on` is the day whose search it was (empty where no day was named). `made_by` says which code,
    features and budget; only results of the same may be used instead of a search. `failure` is why there is no recipe.
    """

    parameters: Parameters
    threshold: float = FALLBACK_THRESHOLD
    calibrator: Calibrator = Calibrator()
    searched_on: str = ""
    made_by: str = ""
    failure: str | None = None

    def as_text(self) -> str:
        """JSON, which `from_text` reads."""
        return json.dumps(
            {
                "searched_on": self.searched_on,
                "made_by": self.made_by,
                "parameters": dict(self.parameters),
                "threshold": self.threshold,
                "calibrator": self.calibrator.as_json(),
                "failure": self.failure and self.failure[:LONGEST_FAILURE],
            }
        )

    @classmethod
    def from_text(cls, text: str) -> Self:
        document: dict[str, Any] = json.loads(text)
        return cls(**document | {"calibrator": Calibrator.from_json(document["calibrator"])})


Stored = Mapping[str, Mapping[str, SearchResult]]
"""Results by candidate and by the day (YYYY-MM-DD) whose candidate was stored with them."""


def reusable(
    stored: Stored, names: Sequence[str], day: str, *, made_by: str, every_days: int
) -> dict[str, SearchResult] | None:
    """The results of the newest search that all of `names` took part in; None when the day has to search.

    The search must lie after `day - every_days` and before `day`, and must have been stored on a day before `day`:
    nothing found later is ever used, also when an old day is computed anew. Only results of the same `made_by` count,
    and a search in which one of `names` failed serves no other day: what made it fail may be gone.
    """
    oldest = (date.fromisoformat(day) - timedelta(days=every_days)).isoformat()
    by_name = [_by_search(stored.get(name, {}), day, made_by, oldest) for name in names]
    common = set.intersection(*(set(searches) for searches in by_name)) if by_name else set()
    if not common:
        return None
    return {name: searches[max(common)] for name, searches in zip(names, by_name, strict=True)}


def incumbents(stored: Stored, names: Sequence[str], day: str, *, made_by: str) -> dict[str, Parameters]:
    """The parameters that each of `names` last used before `day`, for the search to try among the others."""
    found = {}
    for name in names:
        earlier = [
            key
            for key, result in stored.get(name, {}).items()
            if key < day and result.made_by == made_by and result.failure is None
        ]
        if earlier:
            found[name] = stored[name][max(earlier)].parameters
    return found


def _by_search(results: Mapping[str, SearchResult], day: str, made_by: str, oldest: str) -> dict[str, SearchResult]:
    """The usable results by the day of their search; of several of one search, that of the earliest stored day."""
    return {
        result.searched_on: result
        for key, result in sorted(results.items(), reverse=True)
        if key < day and result.made_by == made_by and result.failure is None and oldest < result.searched_on < day
    }
